//! Whatever is sent, does the service get what was meant, and does no text do harm?
//!
//! Messages are made up field by field from random bytes, together with values: as JSON, as literals of a
//! document, and as a message of prost-reflect. Both ways of sending must give that message.

use std::fmt::Write as _;

use proptest::prelude::*;
use prost_reflect::prost_types;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

use super::{Dice, World, show};

/// All that a field can be of.
const TYPES: [&str; 28] = [
    "double",
    "float",
    "int32",
    "int64",
    "uint32",
    "uint64",
    "sint32",
    "sint64",
    "fixed32",
    "fixed64",
    "sfixed32",
    "sfixed64",
    "bool",
    "string",
    "bytes",
    "Colour",
    "Ask",
    "Inner",
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
    "google.protobuf.Struct",
    "google.protobuf.Value",
    "google.protobuf.ListValue",
    "google.protobuf.Int64Value",
    "google.protobuf.StringValue",
    "google.protobuf.BoolValue",
    "google.type.Date",
    "google.protobuf.FloatValue",
];
const KEYS: [&str; 6] = ["int32", "sint64", "uint64", "fixed32", "bool", "string"];

fn proto(dice: &mut Dice<'_>) -> String {
    let mut out = String::from("enum Colour { COLOUR_UNSPECIFIED = 0; RED = 1; DARK = -5; BIG = 70000; }\n");
    for name in ["Ask", "Inner"] {
        let _infallible =
            write!(out, "message {name} {{ oneof which {{ string a_which = 90; Inner b_which = 91; }}");
        let mut numbers: Vec<usize> = vec![1, 2, 3, 15, 16, 17, 2047, 2048, 500_000, 536_870_911];
        for index in 0..1 + dice.roll(9) {
            let number = numbers.remove(dice.roll(numbers.len()));
            let ty = dice.pick(&TYPES);
            let label = match dice.roll(5) {
                0 => format!("optional {ty}"),
                1 => format!("repeated {ty}"),
                2 => format!("map<{}, {ty}>", dice.pick(&KEYS)),
                _ => ty.to_owned(),
            };
            let id =
                if matches!(ty, "int64" | "string" | "fixed32") && dice.roll(3) == 0 { "_id" } else { "" };
            let _infallible = write!(out, " {label} field_{index}{id} = {number};");
        }
        out.push_str(" }\n");
    }
    out
}

/// A value in the two languages in which it can be sent.
#[derive(Default)]
struct Said {
    json: String,
    literal: String,
}

impl Said {
    fn both(text: impl Into<String>) -> Said {
        let json = text.into();
        Said { literal: json.clone(), json }
    }

    fn push(&mut self, json: &str, literal: &str) {
        self.json.push_str(json);
        self.literal.push_str(literal);
    }
}

fn object(entries: Vec<(String, Said)>) -> Said {
    let mut said = Said::both("{");
    for (index, (key, value)) in entries.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        said.push(&format!("{comma}\"{key}\":{}", value.json), &format!("{comma}{key}:{}", value.literal));
    }
    said.push("}", "}");
    said
}

fn list(items: Vec<Said>) -> Said {
    let mut said = Said::both("[");
    for (index, item) in items.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        said.push(&format!("{comma}{}", item.json), &format!("{comma}{}", item.literal));
    }
    said.push("]", "]");
    said
}

/// The fields of a message, as entries, and the message.
fn entries(
    dice: &mut Dice<'_>,
    descriptor: &MessageDescriptor,
    depth: usize,
) -> (Vec<(String, Said)>, DynamicMessage) {
    let mut message = DynamicMessage::new(descriptor.clone());
    let mut entries = Vec::new();
    let mut fields: Vec<FieldDescriptor> = descriptor.fields().collect();
    let shift = dice.roll(fields.len());
    fields.rotate_left(shift);
    for field in fields {
        let taken = field
            .containing_oneof()
            .is_some_and(|oneof| oneof.fields().any(|other| message.has_field(&other)));
        if taken || depth > 3 || dice.roll(3) == 0 {
            continue;
        }
        let name = field.json_name().to_owned();
        if dice.roll(8) == 1 {
            entries.push((name, Said::both("null")));
            continue;
        }
        let (said, value) = field_value(dice, &field, depth);
        message.set_field(&field, value);
        entries.push((name, said));
    }
    (entries, message)
}

fn field_value(dice: &mut Dice<'_>, field: &FieldDescriptor, depth: usize) -> (Said, Value) {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else { panic!("an entry is a message") };
        let mut said = Vec::new();
        let mut map = std::collections::HashMap::new();
        for _ in 0..dice.roll(4) {
            let (key_said, key) = value(dice, &entry.map_entry_key_field(), depth);
            let (value_said, value) = value(dice, &entry.map_entry_value_field(), depth + 1);
            said.push(object(vec![("key".into(), key_said), ("value".into(), value_said)]));
            map.insert(key.into_map_key().unwrap_or(MapKey::Bool(false)), value);
        }
        return (list(said), Value::Map(map));
    }
    if field.is_list() {
        let items: Vec<(Said, Value)> = (0..dice.roll(4)).map(|_| value(dice, field, depth + 1)).collect();
        // A single value may stand for a list of one, unless it is a list itself.
        let alone = items.len() == 1 && !items[0].0.json.starts_with('[') && dice.roll(2) == 0;
        let (mut said, values): (Vec<Said>, Vec<Value>) = items.into_iter().unzip();
        let said = if alone { said.remove(0) } else { list(said) };
        return (said, Value::List(values));
    }
    value(dice, field, depth)
}

fn value(dice: &mut Dice<'_>, field: &FieldDescriptor, depth: usize) -> (Said, Value) {
    // Zero when the bytes have ended.
    let int = dice.pick(&[
        0i64,
        1,
        -1,
        127,
        128,
        i64::from(i32::MAX),
        i64::from(i32::MIN),
        i64::MAX,
        i64::MIN,
        1 << 53,
    ]);
    let float = dice.pick(&[0.0, 1.0, -0.5, 0.1, 1e30, 1e-7, -0.0]);
    let narrow = if int == i64::MAX { f32::MAX } else { float as f32 };
    let number = |dice: &mut Dice<'_>, number: String| match dice.roll(2) {
        0 => Said::both(number),
        _ => Said::both(format!("\"{number}\"")),
    };
    match field.kind() {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            (Said::both((int as i32).to_string()), Value::I32(int as i32))
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => (number(dice, int.to_string()), Value::I64(int)),
        Kind::Uint32 | Kind::Fixed32 => (number(dice, (int as u32).to_string()), Value::U32(int as u32)),
        Kind::Uint64 | Kind::Fixed64 => (number(dice, (int as u64).to_string()), Value::U64(int as u64)),
        Kind::Double => (Said::both(format!("{float:?}")), Value::F64(float)),
        Kind::Float => (Said::both(format!("{narrow:?}")), Value::F32(narrow)),
        Kind::Bool => (Said::both((int == 0).to_string()), Value::Bool(int == 0)),
        Kind::String => {
            let text = dice.pick(&["", "a", "é😀", "two words", "{}"]);
            (Said::both(format!("\"{text}\"")), Value::String(text.to_owned()))
        }
        Kind::Bytes => {
            let (text, bytes) =
                dice.pick(&[("", &b""[..]), ("AA", b"\0"), ("_w==", b"\xff"), ("Zm9vYg", b"foob")]);
            (Said::both(format!("\"{text}\"")), Value::Bytes(bytes.into()))
        }
        Kind::Enum(_) => {
            let (name, number) = dice.pick(&[("RED", 1), ("DARK", -5), ("BIG", 70_000)]);
            (Said { json: format!("\"{name}\""), literal: name.to_owned() }, Value::EnumNumber(number))
        }
        Kind::Message(descriptor) => message(dice, &descriptor, depth),
    }
}

fn message(dice: &mut Dice<'_>, descriptor: &MessageDescriptor, depth: usize) -> (Said, Value) {
    let set = |fields: &[(u32, Value)]| {
        let mut message = DynamicMessage::new(descriptor.clone());
        for (number, value) in fields {
            message.set_field_by_number(*number, value.clone());
        }
        Value::Message(message)
    };
    let text = |text: &str| Said::both(format!("\"{text}\""));
    match descriptor.full_name() {
        "google.protobuf.Timestamp" => match dice.roll(2) {
            0 => (text("1970-01-01T00:00:01.5Z"), set(&[(1, Value::I64(1)), (2, Value::I32(500_000_000))])),
            _ => (text("1970-01-01T00:00:00+01:00"), set(&[(1, Value::I64(-3600))])),
        },
        "google.protobuf.Duration" => {
            (text("-1.5s"), set(&[(1, Value::I64(-1)), (2, Value::I32(-500_000_000))]))
        }
        "google.type.Date" => {
            (text("2024-02-29"), set(&[(1, Value::I32(2024)), (2, Value::I32(2)), (3, Value::I32(29))]))
        }
        "google.protobuf.Struct" | "google.protobuf.Value" | "google.protobuf.ListValue" => {
            structure(dice, descriptor)
        }
        name if name.starts_with("google.protobuf.") => {
            let (said, value) = value(dice, &descriptor.get_field(1).unwrap(), depth);
            (said, set(&[(1, value)]))
        }
        _ => {
            let (entries, message) = entries(dice, descriptor, depth + 1);
            (object(entries), Value::Message(message))
        }
    }
}

/// JSON of the right shape, and what prost-types thinks of it.
fn structure(dice: &mut Dice<'_>, descriptor: &MessageDescriptor) -> (Said, Value) {
    use prost_types::value::Kind as Is;
    let is = |kind| prost_types::Value { kind: Some(kind) };
    let items = vec![
        is(Is::NumberValue(1.5)),
        is(Is::NullValue(0)),
        is(Is::ListValue(prost_types::ListValue::default())),
    ];
    let list_value = prost_types::ListValue { values: items };
    let list_said = || Said::both("[1.5,null,[]]");
    let fields = [
        ("a".to_owned(), is(Is::StringValue("x".into()))),
        ("b".to_owned(), is(Is::ListValue(list_value.clone()))),
    ];
    let object_value = prost_types::Struct { fields: fields.into_iter().collect() };
    let object_said = || object(vec![("a".into(), Said::both("\"x\"")), ("b".into(), list_said())]);
    let mut message = DynamicMessage::new(descriptor.clone());
    let said = match descriptor.name() {
        "Struct" => {
            message.transcode_from(&object_value).unwrap();
            object_said()
        }
        "ListValue" => {
            message.transcode_from(&list_value).unwrap();
            list_said()
        }
        _ => {
            let (said, kind) = match dice.roll(3) {
                0 => (Said::both("true"), Is::BoolValue(true)),
                1 => (object_said(), Is::StructValue(object_value)),
                _ => (list_said(), Is::ListValue(list_value)),
            };
            message.transcode_from(&is(kind)).unwrap();
            said
        }
    };
    (said, Value::Message(message))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_service_gets_what_was_meant(
        shape in prop::collection::vec(any::<u8>(), 60),
        values in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let proto = proto(&mut Dice(shape.iter()));
        let world = World::new(&proto);
        let (entries, expected) = entries(&mut Dice(values.iter()), &world.request, 0);
        let expected = show(&expected);

        let literals: Vec<String> = entries.iter().map(|(name, said)| format!("{name}: {}", said.literal)).collect();
        if !literals.is_empty() {
            let document = format!("{{ ask({}) }}", literals.join(", "));
            prop_assert_eq!(&world.answer(&document, ""), &expected, "{} {}", proto, document);
        }
        let json = object(entries).json;
        prop_assert_eq!(&world.answer(&document(&world), &json), &expected, "{} {}", proto, json);
    }

    #[test]
    fn no_text_of_variables_does_harm(
        shape in prop::collection::vec(any::<u8>(), 60),
        values in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), "[\\PC\\[\\]{}\",:0-9a-z\\\\]{0,4}"), 0..4),
    ) {
        let world = World::new(&proto(&mut Dice(shape.iter())));
        let (entries, _) = entries(&mut Dice(values.iter()), &world.request, 0);
        let mut json: Vec<char> = object(entries).json.chars().collect();
        for (at, text) in cuts {
            let at = at.index(json.len() + 1);
            json.splice(at..(at + 1).min(json.len()), text.chars());
        }
        let json: String = json.into_iter().collect();
        // Whether it is right or wrong: bytes that can be read, or at least one error and not too many.
        if let Err(errors) = world.send(&document(&world), &json) {
            prop_assert!((1..=11).contains(&errors.len()), "{:?}", errors);
        }
    }
}

/// A document that asks for every argument by a variable of its name.
fn document(world: &World) -> String {
    let (mut declared, mut asked) = (String::new(), String::new());
    for argument in &world.arguments {
        let _infallible = write!(declared, " ${}: {}", argument.name, argument.ty);
        let _infallible = write!(asked, " {0}: ${0}", argument.name);
    }
    format!("query({declared}) {{ ask({asked}) }}")
}
