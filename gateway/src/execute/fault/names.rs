//! How a caller calls what a service calls `filter.min_price`: by the names of the graph's arguments.
//!
//! A service names a field by its path in the request message. Each name on it is looked up among the
//! arguments, then among the fields of the input before it. What is not known there, because no caller gives
//! it, is written in camel case. Brackets stay as they are: `items[0].sku` is the same for both.

use turnout_schema::graph::{Argument, Kind, Type, Types};

use super::text::clean;

/// The path of a request's field in the names of the graph. `path` is a stranger's: what is made of it is
/// cleaned and bounded.
pub(super) fn translate(path: &str, arguments: &[Argument], types: &Types) -> String {
    let path = clean(path);
    let mut translated = String::with_capacity(path.len());
    let mut known = Some(arguments);
    for (separator, segment) in segments(&path) {
        let (name, brackets) = segment.split_at(segment.find('[').unwrap_or(segment.len()));
        let argument = known.and_then(|known| {
            known.iter().find(|argument| *argument.write.name == *name || *argument.name == *name)
        });
        translated.push_str(separator);
        match argument {
            Some(argument) => translated.push_str(&argument.name),
            None => camel_case(name, &mut translated),
        }
        translated.push_str(brackets);
        known = argument.and_then(|argument| inside(argument, types));
    }
    translated
}

/// The names between the dots, each with the dot in front of it. Dots in brackets belong to a map's key.
fn segments(path: &str) -> Vec<(&str, &str)> {
    let mut segments = Vec::new();
    let (mut start, mut separator, mut depth) = (0, "", 0usize);
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b'.' if depth == 0 => {
                segments.push((separator, &path[start..at]));
                (start, separator) = (at + 1, ".");
            }
            _ => {}
        }
    }
    segments.push((separator, &path[start..]));
    segments
}

/// The fields of the input that an argument takes.
fn inside<'t>(argument: &Argument, types: &'t Types) -> Option<&'t [Argument]> {
    let name = match &argument.write.kind {
        Kind::Message(name) | Kind::Group(name) => name,
        Kind::Scalar(..) | Kind::Enum(_) | Kind::Wrapper(..) | Kind::WellKnown(_) => return None,
    };
    match types.get(name)? {
        Type::Input(input) => Some(&input.fields),
        Type::Object(_) | Type::Enum(_) | Type::Union(_) | Type::Scalar(_) => None,
    }
}

/// `page_size` as `pageSize`.
fn camel_case(name: &str, out: &mut String) {
    let mut upper = false;
    for character in name.chars() {
        match character {
            '_' => upper = true,
            _ if std::mem::take(&mut upper) => out.push(character.to_ascii_uppercase()),
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use turnout_schema::graph::{Count, Doc, Form, Input, Read, TypeRef, Wire};

    use super::*;

    fn argument(name: &str, proto: &str, kind: Kind) -> Argument {
        Argument {
            name: name.into(),
            doc: Doc::default(),
            ty: TypeRef::named("String"),
            write: Read { name: proto.into(), number: 1, count: Count::Optional, kind },
        }
    }

    fn input(fields: Vec<Argument>) -> Type {
        Type::Input(Input { doc: Doc::default(), source: "x".into(), fields, one_of: Vec::new() })
    }

    #[test]
    fn a_path_is_told_in_the_names_of_the_graph() {
        let text = || Kind::Scalar(Wire::String, Form::Plain);
        let message = |name: &str| Kind::Message(name.into());
        let types = Types::from([
            ("FilterInput".into(), input(vec![argument("cheapest", "min_price", text())])),
            (
                "ItemInput".into(),
                input(vec![argument("code", "sku", text()), argument("in", "inner", message("FilterInput"))]),
            ),
        ]);
        let arguments = [
            argument("first", "page_size", text()),
            argument("filter", "filter", message("FilterInput")),
            argument("lines", "items", message("ItemInput")),
        ];
        for (proto, graph) in [
            ("page_size", "first"),
            ("first", "first"),
            ("filter.min_price", "filter.cheapest"),
            ("filter.max_price", "filter.maxPrice"),
            ("items[0].sku", "lines[0].code"),
            ("items[12].inner.min_price", "lines[12].in.cheapest"),
            ("page_size.deeper_still", "first.deeperStill"),
            ("unknown_field.min_price", "unknownField.minPrice"),
            ("labels[\"a.b_c\"].min_price", "labels[\"a.b_c\"].minPrice"),
            ("", ""),
            ("..", ".."),
            ("items[", "lines["),
            ("a]b.c_d", "a]b.cD"),
            ("größe_in_cm", "größeInCm"),
        ] {
            assert_eq!(translate(proto, &arguments, &types), graph, "{proto}");
        }
    }

    #[test]
    fn a_path_is_bounded() {
        assert!(translate(&"a_b.".repeat(100_000), &[], &Types::new()).len() <= 1024);
    }
}
