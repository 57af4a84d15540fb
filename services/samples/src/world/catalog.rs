//! Products and categories.

use std::collections::BTreeMap;

use prost_types::{Duration, Timestamp};

use super::words::{ADJECTIVES, COLOURS, Goods, Leaf, MATERIALS, ORIGINS, SHELVES, TAGS};
use super::{PRODUCTS, World, euros, minutes_ago, product_id};
use crate::contract::shop::catalog::v1::{
    DigitalGoods, PhysicalGoods, Product, ProductStatus, physical_goods::Dimensions, product::Kind,
};
use crate::random::Dice;

/// What can be said of a product without making up its texts: enough to filter and sort.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProductFacts {
    pub number: u32,
    pub category: u32,
    pub price_cents: u64,
    pub status: ProductStatus,
}

/// A category: `parent` is 0 at the top.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CategoryFacts {
    pub id: u32,
    pub name: &'static str,
    pub parent: u32,
}

/// Every shelf below the top, with its id: the third shelf of the second group is 23.
fn leaves() -> impl Iterator<Item = (u32, &'static Leaf)> {
    SHELVES.iter().zip(1..).flat_map(|(shelf, top)| {
        shelf.children.iter().zip(1..).map(move |(leaf, below)| (top * 10 + below, leaf))
    })
}

impl World {
    /// All categories, parents before their children.
    pub(crate) fn categories(self) -> Vec<CategoryFacts> {
        let tops =
            SHELVES.iter().zip(1..).map(|(shelf, id)| CategoryFacts { id, name: shelf.name, parent: 0 });
        let below = leaves().map(|(id, leaf)| CategoryFacts { id, name: leaf.name, parent: id / 10 });
        tops.chain(below).collect()
    }

    /// One category.
    pub(crate) fn category(self, id: u32) -> Option<CategoryFacts> {
        self.categories().into_iter().find(|category| category.id == id)
    }

    /// The facts of a product of the world.
    pub(crate) fn product(self, number: u32) -> ProductFacts {
        let mut dice = Dice::new(self.seed, "product", u64::from(number));
        let (category, leaf) = self.shelf(number);
        let (low, high) = leaf.price;
        let price_cents = u64::from(low + dice.skewed(high - low)) * 100 + u64::from(dice.below(2) * 50 + 45);
        let status = match dice.below(100) {
            0..88 => ProductStatus::Active,
            88..96 => ProductStatus::SoldOut,
            _ => ProductStatus::Discontinued,
        };
        ProductFacts { number, category, price_cents, status }
    }

    /// What a product is called.
    pub(crate) fn title(self, product: &ProductFacts) -> String {
        let mut dice = Dice::new(self.seed, "title", u64::from(product.number));
        let (_, leaf) = self.shelf(product.number);
        let (adjective, noun) = (dice.pick(ADJECTIVES), dice.pick(leaf.nouns));
        match leaf.goods {
            Goods::Parcel(_) => format!("{adjective} {} {noun}", dice.pick(MATERIALS)),
            Goods::File(_) => format!("The {adjective} {noun}"),
        }
    }

    /// Pieces in stock; none for what is downloaded.
    pub(crate) fn stock(self, product: &ProductFacts) -> Option<u32> {
        let (_, leaf) = self.shelf(product.number);
        let pieces = Dice::new(self.seed, "stock", u64::from(product.number)).skewed(400) + 1;
        match (leaf.goods, product.status) {
            (Goods::File(_), _) => None,
            (Goods::Parcel(_), ProductStatus::Active) => Some(pieces),
            (Goods::Parcel(_), _) => Some(0),
        }
    }

    /// The whole product.
    #[expect(deprecated, reason = "a service goes on filling a deprecated field as long as anybody reads it")]
    pub(crate) fn whole_product(self, facts: &ProductFacts) -> Product {
        let mut dice = Dice::new(self.seed, "details", u64::from(facts.number));
        let (_, leaf) = self.shelf(facts.number);
        let title = self.title(facts);
        let (colour, origin) = (dice.pick(COLOURS), dice.pick(ORIGINS));
        let before = dice.percent(15).then(|| euros(facts.price_cents * 5 / 4));
        Product {
            id: product_id(facts.number),
            description: format!(
                "{title}, made in {origin} in small numbers. Comes in {}.",
                colour.to_lowercase()
            ),
            title,
            price: Some(euros(facts.price_cents)),
            list_price: before,
            status: facts.status.into(),
            category_id: facts.category,
            tags: TAGS.iter().filter(|_| dice.percent(25)).map(|tag| (*tag).to_owned()).collect(),
            attributes: attributes(leaf.goods, colour, origin),
            kind: Some(kind(leaf.goods, &mut dice)),
            stock: self.stock(facts),
            created_at: Some(created_at(facts.number)),
            related_product_ids: (0..3).map(|_| product_id(1 + dice.below(PRODUCTS))).collect(),
            image_url: image_url(facts.number, &mut dice),
            sku: format!("{}-{:06}", facts.category, facts.number),
            purchase_price: Some(facts.price_cents as f64 * 0.006),
            delivery_time: delivery_time(leaf.goods, &mut dice),
        }
    }

    fn shelf(self, number: u32) -> (u32, &'static Leaf) {
        let mut dice = Dice::new(self.seed, "shelf", u64::from(number));
        let chosen = dice.below(leaves().count() as u32) as usize;
        leaves().nth(chosen).expect("the number is below the count")
    }
}

/// Products were added one every 90 minutes; the last one just now.
fn created_at(number: u32) -> Timestamp {
    minutes_ago(u64::from(PRODUCTS.saturating_sub(number)) * 90)
}

fn attributes(goods: Goods, colour: &str, origin: &str) -> BTreeMap<String, String> {
    let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    match goods {
        Goods::Parcel(_) => [named("Colour", colour), named("Made in", origin)].into(),
        Goods::File(_) => [named("Language", "English"), named("Published in", origin)].into(),
    }
}

fn kind(goods: Goods, dice: &mut Dice) -> Kind {
    match goods {
        Goods::Parcel(grams_max) => {
            let mut side = |longest: u32| 40 + dice.below(longest);
            let dimensions =
                Dimensions { length_mm: 400 + side(200), width_mm: 150 + side(200), height_mm: side(100) };
            let weight_grams = grams_max / 4 + dice.below(grams_max * 3 / 4);
            Kind::Physical(PhysicalGoods { weight_grams, dimensions: Some(dimensions) })
        }
        Goods::File(media_type) => Kind::Digital(DigitalGoods {
            media_type: media_type.to_owned(),
            size_bytes: 200_000 + u64::from(dice.below(90_000_000)),
        }),
    }
}

fn image_url(number: u32, dice: &mut Dice) -> String {
    if dice.percent(90) {
        format!("https://images.shop.example/{}.webp", product_id(number))
    } else {
        String::new()
    }
}

fn delivery_time(goods: Goods, dice: &mut Dice) -> Option<Duration> {
    match goods {
        Goods::Parcel(_) => Some(Duration { seconds: i64::from(1 + dice.below(5)) * 86_400, nanos: 0 }),
        Goods::File(_) => None,
    }
}
