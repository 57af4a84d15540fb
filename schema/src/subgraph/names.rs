//! What is something called in the graph?
//!
//! A type takes the short name of its message, a nested one with the names around it in front. When two
//! want one name, the first by full proto name keeps it and the other takes its package in front, so the
//! outcome does not depend on the order of anything. Whether two services may share a name is composing's
//! business. GraphQL's own names and those of Turnout's scalars belong to nobody.

use std::collections::BTreeMap;

use crate::graph::{Name, Scalar};
use crate::{Diagnostic, Severity};

/// Types that exist without a message.
const BUILT_IN: [&str; 8] = ["Query", "Mutation", "Subscription", "Int", "Float", "String", "Boolean", "ID"];

/// What a type is made for. Together with the full name of what it is made from, it names the type
/// before it has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// A message that is read.
    Object,
    /// An entry of a map that is read.
    Entry,
    /// The member of a oneof that is set, by name.
    Case,
    /// The member of a oneof that is set.
    Union,
    /// What stands for a member of a union that is no object.
    Member,
    /// A response without fields.
    Payload,
    /// An enum.
    Enum,
    /// A message that is sent.
    Input,
    /// A message that is sent to change one.
    Patch,
    /// An entry of a map that is sent.
    EntryInput,
}

/// What a type is made from and for.
pub(super) type Key = (Name, Role);

/// What a type would like to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// The name.
    pub(super) name: String,
    /// What stands in front when the name is taken.
    pub(super) package: String,
}

/// Gives every type its name.
pub(super) fn assign(wishes: &BTreeMap<Key, Wish>) -> (BTreeMap<Key, Name>, Vec<Diagnostic>) {
    let mut owners: BTreeMap<Name, Option<&Key>> = BTreeMap::new();
    owners.extend(BUILT_IN.iter().map(|name| (Name::from(*name), None)));
    owners.extend(Scalar::ALL.iter().map(|scalar| (Name::from(scalar.name()), None)));
    let mut names = BTreeMap::new();
    let mut numbers = BTreeMap::new();
    let mut diagnostics = Vec::new();
    for (key, wish) in wishes {
        let name = free(wish, &owners, &mut numbers);
        if *name != wish.name {
            let owner = owners.get(wish.name.as_str()).copied().flatten();
            diagnostics.push(renamed(key, wish, &name, owner));
        }
        owners.insert(name.clone(), Some(key));
        names.insert(key.clone(), name);
    }
    (names, diagnostics)
}

/// The first name that nobody has. Numbers go on from the last one, as thousands may want one name.
fn free(wish: &Wish, owners: &BTreeMap<Name, Option<&Key>>, numbers: &mut BTreeMap<String, u32>) -> Name {
    if !owners.contains_key(wish.name.as_str()) {
        return wish.name.as_str().into();
    }
    let qualified = format!("{}{}", upper_camel(&wish.package), wish.name);
    let mut name = qualified.clone();
    while owners.contains_key(name.as_str()) {
        let number = numbers.entry(qualified.clone()).or_insert(1);
        *number += 1;
        name = format!("{qualified}{number}");
    }
    name.into()
}

fn renamed(key: &Key, wish: &Wish, name: &str, owner: Option<&Key>) -> Diagnostic {
    let reason = match owner {
        Some((source, _)) => format!("`{}` is {source}", wish.name),
        None => format!("`{}` is a type of the graph itself", wish.name),
    };
    Diagnostic {
        severity: Severity::Info,
        code: "TYPE_RENAMED",
        message: format!("{} is called `{name}` in the graph, because {reason}.", key.0),
        help: String::new(),
    }
}

/// `name` when GraphQL allows it for anything but itself: letters, digits and `_`, no digit first and
/// no `__` first.
pub(super) fn is_legal(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with("__")
}

/// A proto name that no longer begins with what GraphQL keeps for itself.
pub(super) fn unreserved(name: &str) -> String {
    if name.starts_with("__") { format!("_{}", name.trim_start_matches('_')) } else { name.to_owned() }
}

/// `display_name` is `displayName`, `GetUser` is `getUser`, `HTTPStatus` is `httpStatus`.
pub(super) fn lower_camel(name: &str) -> String {
    let words = words(name);
    let mut camel = String::new();
    for (index, word) in words.iter().enumerate() {
        camel.push_str(&if index == 0 { word.to_lowercase() } else { capital(word) });
    }
    legal_or(camel, name)
}

/// `payment_method` is `PaymentMethod`, `shop.catalog.v1` is `ShopCatalogV1`.
pub(super) fn upper_camel(name: &str) -> String {
    words(name).iter().map(|word| capital(word)).collect()
}

/// `paymentMethod` and `PaymentMethod` are `PAYMENT_METHOD`.
pub(super) fn screaming(name: &str) -> String {
    let words: Vec<String> = words(name).iter().map(|word| word.to_uppercase()).collect();
    legal_or(words.join("_"), name)
}

/// `PaymentMethod` is `payment_method`.
pub(super) fn snake(name: &str) -> String {
    let words: Vec<String> = words(name).iter().map(|word| word.to_lowercase()).collect();
    legal_or(words.join("_"), name)
}

/// More than one of something: `product` is `products`, `category` is `categories`.
pub(super) fn plural(name: &str) -> String {
    if let Some(stem) = name.strip_suffix('y')
        && !stem.ends_with(['a', 'e', 'i', 'o', 'u'])
    {
        return format!("{stem}ies");
    }
    let hisses = ["s", "x", "ch", "sh"].iter().any(|end| name.ends_with(end));
    if hisses { format!("{name}es") } else { format!("{name}s") }
}

fn legal_or(name: String, original: &str) -> String {
    if is_legal(&name) { name } else { unreserved(original) }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// The words of a name: between `_` and `.`, before a capital after a small letter or a digit, and
/// before the last capital of several when a small letter follows.
fn words(name: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for part in name.split(['_', '.']).filter(|part| !part.is_empty()) {
        let bytes = part.as_bytes();
        let mut start = 0;
        for at in 1..bytes.len() {
            let before = bytes[at - 1];
            let next_is_small = bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            let starts = bytes[at].is_ascii_uppercase()
                && (!before.is_ascii_uppercase() || (before.is_ascii_uppercase() && next_is_small));
            if starts && part.is_char_boundary(at) {
                words.push(&part[start..at]);
                start = at;
            }
        }
        words.push(&part[start..]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{is_legal, lower_camel, plural, screaming, snake, upper_camel};

    #[test]
    fn names_change_their_case_word_by_word() {
        for (name, lower, upper, loud, small) in [
            ("display_name", "displayName", "DisplayName", "DISPLAY_NAME", "display_name"),
            ("GetUser", "getUser", "GetUser", "GET_USER", "get_user"),
            ("HTTPStatus", "httpStatus", "HTTPStatus", "HTTP_STATUS", "http_status"),
            ("sku2", "sku2", "Sku2", "SKU2", "sku2"),
            (
                "BatchGetV2Users",
                "batchGetV2Users",
                "BatchGetV2Users",
                "BATCH_GET_V2_USERS",
                "batch_get_v2_users",
            ),
            ("_private", "private", "Private", "PRIVATE", "private"),
            ("ID", "id", "ID", "ID", "id"),
        ] {
            assert_eq!(lower_camel(name), lower);
            assert_eq!(upper_camel(name), upper);
            assert_eq!(screaming(name), loud);
            assert_eq!(snake(name), small);
        }
    }

    #[test]
    fn a_name_of_nothing_but_marks_stays_legal() {
        for name in ["_", "__", "___", "_1", "__1", "1"] {
            assert!(name == "1" || is_legal(&lower_camel(name)), "{name}: {}", lower_camel(name));
        }
    }

    #[test]
    fn plurals_are_those_of_english_where_that_is_simple() {
        let plurals = ["product", "category", "day", "box", "address"].map(plural);
        assert_eq!(plurals, ["products", "categories", "days", "boxes", "addresses"]);
    }
}
