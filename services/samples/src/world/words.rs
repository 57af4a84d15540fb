//! The words the world is made of.
//!
//! Lists may grow at their end only with care: their lengths are part of the dice.

/// A shelf at the top of the shop, with the shelves below it.
pub(super) struct Shelf {
    pub name: &'static str,
    pub children: &'static [Leaf],
}

/// A shelf that products stand on.
pub(super) struct Leaf {
    pub name: &'static str,
    /// What stands there.
    pub nouns: &'static [&'static str],
    /// The lowest and the highest price, in euros.
    pub price: (u32, u32),
    pub goods: Goods,
}

/// How a product reaches its buyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goods {
    /// In a parcel of at most so many grams.
    Parcel(u32),
    /// As a file of this type.
    File(&'static str),
}

const fn parcel(name: &'static str, nouns: &'static [&'static str], price: (u32, u32), grams: u32) -> Leaf {
    Leaf { name, nouns, price, goods: Goods::Parcel(grams) }
}

const fn file(
    name: &'static str,
    nouns: &'static [&'static str],
    price: (u32, u32),
    media_type: &'static str,
) -> Leaf {
    Leaf { name, nouns, price, goods: Goods::File(media_type) }
}

pub(super) const SHELVES: &[Shelf] = &[
    Shelf {
        name: "Kitchen",
        children: &[
            parcel("Knives", &["Chef's Knife", "Bread Knife", "Paring Knife", "Cleaver"], (19, 189), 600),
            parcel("Pots and pans", &["Saucepan", "Frying Pan", "Casserole", "Stockpot"], (24, 229), 4000),
            parcel("Tea and coffee", &["Teapot", "Coffee Grinder", "Kettle", "Espresso Cup"], (9, 149), 1800),
            parcel("Boards", &["Chopping Board", "Serving Board", "Tray", "Trivet"], (8, 79), 2200),
        ],
    },
    Shelf {
        name: "Living",
        children: &[
            parcel("Lamps", &["Desk Lamp", "Floor Lamp", "Pendant Light", "Reading Lamp"], (29, 349), 6000),
            parcel("Chairs", &["Armchair", "Stool", "Rocking Chair", "Bench"], (49, 690), 15_000),
            parcel("Textiles", &["Blanket", "Cushion", "Rug", "Throw"], (15, 290), 3000),
            parcel("Clocks", &["Wall Clock", "Alarm Clock", "Mantel Clock", "Hourglass"], (19, 210), 1500),
        ],
    },
    Shelf {
        name: "Garden",
        children: &[
            parcel("Tools", &["Trowel", "Secateurs", "Hand Fork", "Watering Can"], (9, 99), 2000),
            parcel("Pots", &["Flower Pot", "Planter", "Window Box", "Hanging Basket"], (7, 129), 8000),
            parcel("Outdoor", &["Lantern", "Hammock", "Fire Bowl", "Bird Feeder"], (14, 259), 9000),
        ],
    },
    Shelf {
        name: "Desk",
        children: &[
            parcel("Paper", &["Notebook", "Sketchbook", "Diary", "Writing Pad"], (4, 45), 500),
            parcel("Pens", &["Fountain Pen", "Pencil Set", "Ballpoint Pen", "Marker Set"], (3, 160), 250),
            parcel("Order", &["Letter Tray", "Pen Pot", "Bookend", "Desk Pad"], (9, 89), 1600),
        ],
    },
    Shelf {
        name: "Outdoors",
        children: &[
            parcel("Bags", &["Backpack", "Messenger Bag", "Duffel Bag", "Tote"], (29, 240), 1500),
            parcel("Camp", &["Camp Stove", "Headlamp", "Flask", "Folding Stool"], (12, 180), 2500),
            parcel("Cycling", &["Bicycle Bell", "Saddle", "Pannier", "Handlebar Bag"], (8, 170), 1800),
        ],
    },
    Shelf {
        name: "Library",
        children: &[
            file(
                "E-books",
                &["Field Guide", "Cookbook", "Travel Companion", "Atlas"],
                (4, 29),
                "application/epub+zip",
            ),
            file("Audio books", &["Stories", "Lectures", "Walks", "Interviews"], (9, 39), "audio/mp4"),
            file(
                "Patterns",
                &["Knitting Pattern", "Sewing Pattern", "Plan", "Template"],
                (3, 19),
                "application/pdf",
            ),
        ],
    },
];

pub(super) const ADJECTIVES: &[&str] = &[
    "Quiet", "Nordic", "Everyday", "Slender", "Sturdy", "Folding", "Little", "Grand", "Classic", "Plain",
    "Handmade", "Rounded", "Tall", "Coastal", "Alpine", "Evening", "Morning", "Sunday", "Travel", "Studio",
    "Winter", "Summer", "Heritage", "Compact",
];

pub(super) const MATERIALS: &[&str] = &[
    "Oak",
    "Walnut",
    "Linen",
    "Steel",
    "Copper",
    "Brass",
    "Ash",
    "Wool",
    "Stoneware",
    "Cork",
    "Slate",
    "Bamboo",
    "Leather",
    "Glass",
    "Enamel",
    "Olive Wood",
];

pub(super) const COLOURS: &[&str] =
    &["Natural", "Black", "Forest green", "Ink blue", "Rust", "Cream", "Grey", "Mustard"];

pub(super) const ORIGINS: &[&str] =
    &["Portugal", "Denmark", "France", "Italy", "Germany", "Poland", "Spain", "Sweden"];

pub(super) const TAGS: &[&str] =
    &["new", "bestseller", "gift", "sustainable", "small-batch", "refillable", "repairable", "vegan"];

pub(super) const FIRST_NAMES: &[&str] = &[
    "Ada", "Noor", "Mateo", "Ines", "Jonas", "Amara", "Luca", "Freya", "Tomasz", "Leila", "Hugo", "Sana",
    "Emil", "Chloe", "Kofi", "Marta", "Yusuf", "Elin", "Pablo", "Mina", "Anton", "Zoe", "Ravi", "Greta",
    "Omar", "Clara", "Felix", "Aiko", "Nils", "Paula", "Idris", "Vera",
];

pub(super) const LAST_NAMES: &[&str] = &[
    "Moreau",
    "Lindqvist",
    "Okafor",
    "Silva",
    "Novak",
    "Haddad",
    "Weber",
    "Rossi",
    "Kowalski",
    "Duarte",
    "Jensen",
    "Fischer",
    "Laurent",
    "Bianchi",
    "Andersen",
    "Meyer",
    "Costa",
    "Petrov",
    "Nakamura",
    "Schmidt",
    "Dubois",
    "Larsen",
    "Romero",
    "Vogel",
    "Adeyemi",
    "Bakker",
    "Ferrari",
    "Holm",
    "Iyer",
    "Marchetti",
    "Sorensen",
    "Tanaka",
];

/// Streets, and towns with postal code and country.
pub(super) const STREETS: &[&str] = &[
    "Rue des Lilas",
    "Lindenstrasse",
    "Via Garibaldi",
    "Calle Mayor",
    "Storgatan",
    "Rua do Sol",
    "Church Lane",
    "Havnegade",
    "Ulica Długa",
    "Canal Street",
];

pub(super) const TOWNS: &[(&str, &str, &str)] = &[
    ("69001", "Lyon", "FR"),
    ("10117", "Berlin", "DE"),
    ("40121", "Bologna", "IT"),
    ("46001", "Valencia", "ES"),
    ("411 06", "Göteborg", "SE"),
    ("4000-001", "Porto", "PT"),
    ("D02", "Dublin", "IE"),
    ("8000", "Aarhus", "DK"),
    ("30-001", "Kraków", "PL"),
    ("3511", "Utrecht", "NL"),
];

/// What reviews say, by their stars: a gist and a sentence.
pub(super) const OPINIONS: [&[(&str, &str)]; 5] = [
    &[
        ("Broke in a week", "The handle came off after a week, and it never felt solid to begin with."),
        ("Not as pictured", "The colour has little to do with the picture. It went back the same day."),
    ],
    &[
        ("Expected more", "It works, but at this price I expected a better finish."),
        ("Too small for me", "Measure twice before you order. It is a good deal smaller than it looks."),
    ],
    &[
        ("It is all right", "Does what it should. Nothing special, nothing wrong."),
        ("Fine for the price", "There are nicer ones, but not for this money."),
    ],
    &[
        ("Well made", "Solid, simple, and it looks better every month."),
        ("Would buy again", "I use it every day. One star less for the packaging."),
    ],
    &[
        ("Exactly right", "I have looked for one like this for years. It is exactly right."),
        ("A gift that worked", "My sister has not put it down since. Beautifully packed, too."),
        ("For life", "My grandmother had one. I think mine will last as long."),
    ],
];

pub(super) const CHORES: &[&str] = &[
    "Water the plants",
    "Call the plumber",
    "Write the report",
    "Book the train",
    "Fix the bicycle",
    "Read chapter four",
    "Renew the passport",
    "Buy oat milk",
    "Review the pull request",
    "Plan the trip",
    "Pay the rent",
    "Clean the filter",
    "Send the invoice",
    "Learn the chord change",
    "Sort the photographs",
    "Return the parcel",
];
