//! Field masks: from the text of a caller, and from what a caller gave.
//!
//! A mask is a list of paths in the names of the proto. An update mask that is derived names every field
//! that was given, null included, because null means "clear it", and looks one level into a message: that
//! is as far as services commonly go. The field that says which one is updated is not changed by naming it.

use std::borrow::Cow;

use super::buffer::{Buffer, Primitive};
use super::structure::Resolve;
use super::write::Why;
use super::write::fields::fields;
use crate::graph::{Argument, Count, Input, Kind, Name, Type, Types};
use crate::variables::inspect::inspect;
use crate::variables::source::{Given, Source};

/// Writes a mask as a field of a request; one without paths is written as well, because a mask that names
/// nothing is not the same as no mask.
pub(crate) fn field<'p>(number: u32, paths: impl IntoIterator<Item = &'p str>, out: &mut Buffer) {
    let nested = out.open(number);
    for path in paths {
        out.field(1, &Primitive::Bytes(Cow::Borrowed(path.as_bytes())));
    }
    out.close(nested);
}

/// The bytes of a mask as a field of a request, such as a `read_mask`, which whoever knows what is read adds
/// to a request.
pub fn encode<'p>(number: u32, paths: impl IntoIterator<Item = &'p str>) -> Vec<u8> {
    let mut out = Buffer::default();
    field(number, paths, &mut out);
    out.into_bytes()
}

/// The paths of a text such as `title,author.displayName`, in the names of the proto.
pub(crate) fn parse(source: Source<'_>) -> Result<Vec<String>, String> {
    let Given::Text(text) = source.given() else {
        return Err(format!("FieldMask cannot represent a non string value: {}", inspect(source)));
    };
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(snake_case).collect::<Option<_>>().ok_or_else(|| {
        format!("FieldMask cannot represent a value that is no list of names: {}", inspect(source))
    })
}

/// `author.displayName` as `author.display_name`; `None` when it is no path of names in camel case.
fn snake_case(path: &str) -> Option<String> {
    let mut snake = String::with_capacity(path.len() + 4);
    for (index, name) in path.trim().split('.').enumerate() {
        if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
            return None;
        }
        if index > 0 {
            snake.push('.');
        }
        for character in name.chars() {
            match character {
                'A'..='Z' => snake.extend(['_', character.to_ascii_lowercase()]),
                'a'..='z' | '0'..='9' => snake.push(character),
                _ => return None,
            }
        }
    }
    Some(snake)
}

/// The text of a mask in a response: its paths in camel case, behind each other with commas between them.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<u8>, Why> {
    let mut text = Vec::with_capacity(bytes.len());
    for field in fields(bytes) {
        if let (1, raw) = field? {
            if !text.is_empty() {
                text.push(b',');
            }
            camel_case(raw.bytes()?, &mut text);
        }
    }
    Ok(text)
}

/// `author.display_name` as `author.displayName`; an underscore before anything but a small letter stays.
fn camel_case(path: &[u8], out: &mut Vec<u8>) {
    let mut rest = path;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'_', [next @ b'a'..=b'z', after @ ..]) => {
                out.push(next.to_ascii_uppercase());
                rest = after;
            }
            _ => out.push(*first),
        }
    }
}

/// The paths of all that was given, in the order of the type.
pub(crate) fn derive<'a>(
    argument: &Argument,
    key: Option<u32>,
    given: Source<'a>,
    types: &Types,
    resolve: Resolve<'_, 'a>,
) -> Vec<String> {
    let mut paths = Vec::new();
    for (field, value) in entries(input(argument, types), given, resolve) {
        if Some(field.write.number) == key {
            continue;
        }
        let name: &Name = &field.write.name;
        let inner = entries(input(field, types), value, resolve);
        if inner.is_empty() {
            paths.push(name.to_string());
        }
        paths.extend(inner.iter().map(|(inner, _)| format!("{name}.{}", inner.write.name)));
    }
    paths
}

/// The type that is sent as one message by this field, when it is such a field.
fn input<'t>(argument: &Argument, types: &'t Types) -> Option<&'t Input> {
    match (&argument.write.kind, argument.write.count) {
        (_, Count::Repeated | Count::Map) => None,
        (Kind::Message(name) | Kind::Group(name), _) => match types.get(name) {
            Some(Type::Input(input)) => Some(input),
            _ => None,
        },
        (Kind::Scalar(..) | Kind::Enum(_) | Kind::Wrapper(..) | Kind::WellKnown(_), _) => None,
    }
}

/// The fields of an input that were given, in its order.
fn entries<'t, 'a>(
    input: Option<&'t Input>,
    given: Source<'a>,
    resolve: Resolve<'_, 'a>,
) -> Vec<(&'t Argument, Source<'a>)> {
    let (Some(input), Given::Object(entries)) = (input, given.given()) else { return Vec::new() };
    let place = |key: &str| input.fields.iter().position(|field| *field.name == *key);
    let mut found: Vec<(usize, Source<'a>)> =
        entries.filter_map(|(key, value)| Some((place(&key)?, resolve(value)?))).collect();
    found.sort_unstable_by_key(|(place, _)| *place);
    found.into_iter().map(|(place, value)| (&input.fields[place], value)).collect()
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn paths_go_from_camel_to_snake() {
        for (camel, snake) in [
            ("title", Some("title")),
            ("displayName", Some("display_name")),
            ("author.homeAddress.street1", Some("author.home_address.street1")),
            (" a ", Some("a")),
            ("", None),
            ("a..b", None),
            ("a.", None),
            ("display_name", None),
            ("Title", None),
            ("1a", None),
            ("*", None),
        ] {
            assert_eq!(snake_case(camel).as_deref(), snake, "{camel}");
        }
    }
}
