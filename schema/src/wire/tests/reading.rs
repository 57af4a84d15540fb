//! Is what is written what the bytes say? prost-reflect reads the same bytes, and the plainest completion
//! there is makes the answer from that.
//!
//! Protos, bytes and selections are made up from random decisions. The bytes are not what a tidy encoder
//! writes: fields come in any order and many times, messages in pieces, lists packed and not, numbers longer
//! than they need to be, and things that nobody knows in between.

use std::fmt::Write as _;

use proptest::prelude::*;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind as ProtoKind, MessageDescriptor, ReflectMessage, Value,
};
use serde_json::{Value as Json, json};

use super::super::answers::{Answers, Outcome};
use super::super::index::Response;
use super::super::write::{Asked, Step, Why, write};
use super::Dice;
use crate::compose::{Locks, compose};
use crate::graph::{Count, Field, Form, Kind, Read, Resolve, Type, TypeRef, WellKnown, Wire};
use crate::plan::plan;
use crate::{Supergraph, fixture};

const TYPES: [&str; 30] = [
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
    "Mood",
    "Ask",
    "Inner",
    "Inner",
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
    "google.protobuf.Struct",
    "google.protobuf.Value",
    "google.protobuf.ListValue",
    "google.protobuf.Int64Value",
    "google.protobuf.StringValue",
    "google.protobuf.BytesValue",
    "google.type.Date",
    "google.protobuf.FloatValue",
];
const KEYS: [&str; 7] = ["int32", "sint64", "uint64", "fixed32", "sfixed64", "bool", "string"];

/// How many messages and selections are tried on one proto.
const CASES: usize = 8;

fn proto(dice: &mut Dice<'_>) -> String {
    let mut out = String::from(
        "enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; COLOUR_DARK = -5; COLOUR_BIG = 70000; }
         enum Mood { option allow_alias = true; FINE = 0; GOOD = 1; GREAT = 1; }
         service S { rpc Do(Query) returns (Ask) { option idempotency_level = NO_SIDE_EFFECTS; } }
         message Query { string id = 1; }\n",
    );
    for name in ["Ask", "Inner"] {
        let union = ["", "option (turnout.graphql.v1.oneof) = {union: \"Kind%\"};"][dice.roll(2)];
        let _infallible = write!(
            out,
            "message {name} {{ oneof which {{ {} string a_which = 90; Inner b_which = 91; sint32 c_which = 92; }}",
            union.replace('%', name)
        );
        let mut numbers: Vec<usize> = vec![1, 2, 3, 15, 16, 17, 2047, 2048, 500_000, 536_870_911];
        for index in 0..1 + dice.roll(9) {
            let number = numbers.remove(dice.roll(numbers.len()));
            let ty = dice.pick(&TYPES);
            let label = match dice.roll(6) {
                0 => format!("optional {ty}"),
                1 | 2 => format!("repeated {ty}"),
                3 => format!("map<{}, {ty}>", dice.pick(&KEYS)),
                _ => ty.to_owned(),
            };
            let option = if dice.roll(6) == 0
                && !label.contains(' ')
                && !label.starts_with("map")
                && ty.len() < 9
                && ty.starts_with(char::is_lowercase)
            {
                " [(turnout.graphql.v1.field) = {empty_as_null: true}]"
            } else {
                ""
            };
            let id =
                if matches!(ty, "int64" | "string" | "fixed32") && dice.roll(3) == 0 { "_id" } else { "" };
            let _infallible = write!(out, " {label} field_{index}{id} = {number}{option};");
        }
        out.push_str(" }\n");
    }
    out
}

/// The bytes of a message as an untidy encoder might write them.
fn bytes(dice: &mut Dice<'_>, of: &MessageDescriptor, depth: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let fields: Vec<FieldDescriptor> = of.fields().collect();
    for _ in 0..dice.roll(if depth > 3 { 2 } else { 9 }) {
        match dice.roll(9) {
            0 => unknown(dice, &mut out),
            _ if fields.is_empty() => {}
            _ => {
                let field = &fields[dice.roll(fields.len())];
                one(dice, field, depth, &mut out);
            }
        }
    }
    out
}

/// Something that no message here has.
fn unknown(dice: &mut Dice<'_>, out: &mut Vec<u8>) {
    let number = 1000 + dice.roll(5) as u32;
    match dice.roll(5) {
        0 => {
            encode_key(number, WireType::Varint, out);
            encode_varint(7, out);
        }
        1 => {
            encode_key(number, WireType::ThirtyTwoBit, out);
            out.extend([0; 4]);
        }
        2 => {
            encode_key(number, WireType::SixtyFourBit, out);
            out.extend([0; 8]);
        }
        3 => {
            encode_key(number, WireType::LengthDelimited, out);
            out.extend([2, 0xff, 0xff]);
        }
        _ => {
            encode_key(number, WireType::StartGroup, out);
            encode_key(1, WireType::Varint, out);
            encode_varint(3, out);
            encode_key(number, WireType::EndGroup, out);
        }
    }
}

/// One field, or a piece of it.
fn one(dice: &mut Dice<'_>, field: &FieldDescriptor, depth: usize, out: &mut Vec<u8>) {
    let number = field.number();
    if let ProtoKind::Message(message) = field.kind() {
        let inside = known(dice, &message).unwrap_or_else(|| bytes(dice, &message, depth + 1));
        return nested(number, &inside, out);
    }
    let wire = match field.kind() {
        ProtoKind::Double | ProtoKind::Fixed64 | ProtoKind::Sfixed64 => WireType::SixtyFourBit,
        ProtoKind::Float | ProtoKind::Fixed32 | ProtoKind::Sfixed32 => WireType::ThirtyTwoBit,
        ProtoKind::String | ProtoKind::Bytes => WireType::LengthDelimited,
        _ => WireType::Varint,
    };
    if field.is_list() && wire != WireType::LengthDelimited && dice.roll(2) == 0 {
        let mut packed = Vec::new();
        (0..dice.roll(4)).for_each(|_| scalar(dice, &field.kind(), &mut packed));
        return nested(number, &packed, out);
    }
    encode_key(number, wire, out);
    scalar(dice, &field.kind(), out);
}

fn nested(number: u32, inside: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(inside.len() as u64, out);
    out.extend_from_slice(inside);
}

fn scalar(dice: &mut Dice<'_>, kind: &ProtoKind, out: &mut Vec<u8>) {
    let int = dice.pick(&[
        0i64,
        1,
        -1,
        127,
        128,
        i64::from(i32::MAX),
        i64::from(i32::MIN),
        i64::from(u32::MAX),
        i64::MAX,
        i64::MIN,
        1 << 53,
        -5,
        70_000,
    ]);
    let float =
        dice.pick(&[0.0, 1.0, -0.5, 0.1, 1e30, 1e-7, -0.0, 1e300, 123_456.789, f64::NAN, f64::INFINITY]);
    match kind {
        ProtoKind::Double => out.extend(float.to_le_bytes()),
        ProtoKind::Float => out.extend((float as f32).to_le_bytes()),
        ProtoKind::Fixed64 | ProtoKind::Sfixed64 => out.extend(int.to_le_bytes()),
        ProtoKind::Fixed32 | ProtoKind::Sfixed32 => out.extend((int as i32).to_le_bytes()),
        ProtoKind::String => {
            let text = dice.pick(&[
                "",
                "x",
                "a \"quoted\" text\\ with\nlines\tand \u{1} control",
                "eight by eight and more é ü 漢字 🦀 \u{2028}",
                "\u{7f}\u{0}",
                "12",
            ]);
            encode_varint(text.len() as u64, out);
            out.extend_from_slice(text.as_bytes());
        }
        ProtoKind::Bytes => {
            let bytes = dice.pick(&[&b""[..], b"\xff", b"\xff\xfe", b"abc", b"\x00\x10\x83\x10"]);
            encode_varint(bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        ProtoKind::Bool => encode_varint(dice.pick(&[0, 1, 2, 1 << 40]), out),
        _ if dice.roll(4) == 0 => {
            // Longer than it needs to be.
            let low = (int & 0x7f) as u8;
            out.extend([low | 0x80, 0x80, 0x00]);
        }
        _ => encode_varint(int as u64, out),
    }
}

/// Well-known messages whose every value has a form.
fn known(dice: &mut Dice<'_>, of: &MessageDescriptor) -> Option<Vec<u8>> {
    use prost::Message as _;
    use prost_reflect::prost_types::value::Kind as Is;
    use prost_reflect::prost_types::{Duration, ListValue, Struct, Timestamp, Value as Any};
    let is = |kind| Any { kind: Some(kind) };
    let leaf = dice.pick(&[0, 1, 2, 3]);
    let leaf = match leaf {
        0 => is(Is::NullValue(0)),
        1 => is(Is::NumberValue(dice.pick(&[1.5, -0.0, 1e21, 0.1]))),
        2 => is(Is::StringValue("a\"b".into())),
        _ => is(Is::BoolValue(true)),
    };
    let list = ListValue { values: vec![leaf.clone(), is(Is::NumberValue(2.0))] };
    let object =
        Struct { fields: [("k".to_owned(), leaf), ("a".to_owned(), is(Is::ListValue(list.clone())))].into() };
    let nanos = dice.pick(&[0, 500_000_000, 1_000, 1]);
    let seconds = dice.pick(&[0i64, 1, -1, 253_402_300_799, -62_135_596_800, 951_782_400]);
    Some(match of.full_name() {
        "google.protobuf.Timestamp" => Timestamp { seconds, nanos }.encode_to_vec(),
        "google.protobuf.Duration" => {
            let nanos = if seconds < 0 { -nanos } else { nanos };
            Duration { seconds, nanos }.encode_to_vec()
        }
        "google.type.Date" => {
            let mut out = Vec::new();
            for (number, value) in [(1, 2024), (2, 2), (3, 29)] {
                encode_key(number, WireType::Varint, &mut out);
                encode_varint(value, &mut out);
            }
            out
        }
        "google.protobuf.Struct" => object.encode_to_vec(),
        "google.protobuf.ListValue" => list.encode_to_vec(),
        "google.protobuf.Value" => match dice.roll(2) {
            0 => is(Is::StructValue(object)).encode_to_vec(),
            _ => is(Is::ListValue(list)).encode_to_vec(),
        },
        _ => return None,
    })
}

/// What an object's selection asks for, as text and as what it should give.
struct Oracle<'a, 'd> {
    graph: &'a Supergraph,
    dice: Dice<'d>,
    path: Vec<String>,
    errors: Vec<String>,
}

/// A value that is null where null may not stand: its parent is null.
struct Gone;

/// A selection: a response key, the field, and what is selected below it, by object for unions.
struct Picked<'a> {
    key: String,
    field: &'a Field,
    below: Vec<(String, Vec<Picked<'a>>)>,
}

impl<'a> Oracle<'a, '_> {
    fn pick(&mut self, of: &str, depth: usize) -> Vec<Picked<'a>> {
        let Some(Type::Object(object)) = self.graph.types.get(of) else { panic!("{of}") };
        let mut all = Vec::new();
        for (at, field) in object.fields.iter().enumerate() {
            let below: Vec<String> = match self.graph.types.get(field.ty.core()) {
                Some(Type::Object(_)) => vec![field.ty.core().to_string()],
                Some(Type::Union(union)) => union.members.iter().map(ToString::to_string).collect(),
                _ => Vec::new(),
            };
            if (depth > 4 && !below.is_empty()) || self.dice.roll(5) == 1 {
                continue;
            }
            let key = if self.dice.roll(4) == 1 { format!("k{at}") } else { field.name.to_string() };
            let below = below.into_iter().map(|of| (of.clone(), self.pick(&of, depth + 1))).collect();
            all.push(Picked { key, field, below });
        }
        all
    }

    fn text(picked: &[Picked<'_>], out: &mut String) {
        out.push_str("{ __typename ");
        for Picked { key, field, below } in picked {
            let _infallible = write!(out, "{key}: {} ", field.name);
            match below.as_slice() {
                [] => {}
                [(_, only)] if !matches!(field.resolve, Resolve::Choice(_)) => Self::text(only, out),
                members => {
                    out.push_str("{ ");
                    for (of, picked) in members {
                        let _infallible = write!(out, "... on {of} ");
                        Self::text(picked, out);
                    }
                    out.push_str("} ");
                }
            }
        }
        out.push_str("} ");
    }

    fn object(&mut self, of: &str, picked: &[Picked<'_>], message: &DynamicMessage) -> Result<Json, Gone> {
        let mut out = serde_json::Map::new();
        out.insert("__typename".into(), of.into());
        for one in picked {
            self.path.push(one.key.clone());
            let value = self.field(one, message);
            self.path.pop();
            let value = match value {
                Ok(value) => value,
                Err(Gone) if one.field.ty.is_non_null() => return Err(Gone),
                Err(Gone) => Json::Null,
            };
            out.insert(one.key.clone(), value);
        }
        Ok(out.into())
    }

    fn field(&mut self, one: &Picked<'_>, message: &DynamicMessage) -> Result<Json, Gone> {
        let is_set = |number: u32| {
            let field = message.descriptor().get_field(number).unwrap();
            message.has_field(&field)
        };
        match &one.field.resolve {
            Resolve::Ok => Ok(true.into()),
            Resolve::Case(cases) => Ok(cases
                .iter()
                .find(|case| is_set(case.number))
                .map_or(Json::Null, |case| (*case.name).into())),
            Resolve::Choice(choices) => {
                let Some(choice) = choices.iter().find(|choice| is_set(choice.read.number)) else {
                    return Ok(Json::Null);
                };
                let (of, picked) = one.below.iter().find(|(of, _)| **of == *choice.object).unwrap();
                if choice.wrapped {
                    let mut out = serde_json::Map::new();
                    out.insert("__typename".into(), of.as_str().into());
                    for inner in picked {
                        self.path.push(inner.key.clone());
                        let value = self.read(&choice.read, &inner.field.ty, &inner.below, message);
                        self.path.pop();
                        let value = match value {
                            Err(Gone) if inner.field.ty.is_non_null() => return Err(Gone),
                            Err(Gone) => Json::Null,
                            Ok(value) => value,
                        };
                        out.insert(inner.key.clone(), value);
                    }
                    return Ok(out.into());
                }
                let value = message.get_field_by_number(choice.read.number).unwrap();
                self.object(of, picked, value.as_message().unwrap())
            }
            Resolve::Read(read) => self.read(read, &one.field.ty, &one.below, message),
            Resolve::Edge(_) | Resolve::Extension(_) | Resolve::Root(_) => panic!("no joins here"),
        }
    }

    fn read(
        &mut self,
        read: &Read,
        ty: &TypeRef,
        below: &[(String, Vec<Picked<'_>>)],
        message: &DynamicMessage,
    ) -> Result<Json, Gone> {
        let field = message.descriptor().get_field(read.number).unwrap();
        let value = message.get_field(&field);
        let is_set = message.has_field(&field);
        match (read.count, &*value) {
            (Count::Repeated, Value::List(items)) => self.list(read, items, below),
            (Count::Map, Value::Map(entries)) => {
                let [(entry, picked)] = below else { panic!("an entry") };
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                let mut out = Vec::new();
                for (at, (key, value)) in entries.into_iter().enumerate() {
                    let ProtoKind::Message(of) = field.kind() else { panic!("an entry") };
                    let mut message = DynamicMessage::new(of);
                    message.set_field_by_number(1, Value::from(key.clone()));
                    message.set_field_by_number(2, value.clone());
                    self.path.push(at.to_string());
                    let item = self.object(entry, picked, &message);
                    self.path.pop();
                    out.push(item?);
                }
                Ok(out.into())
            }
            (Count::Optional | Count::Required, _) if !is_set => Ok(Json::Null),
            (Count::EmptyAsNull, value) if !is_set || value.is_default(&field.kind()) => Ok(Json::Null),
            (_, value) => {
                let value = self.value(&read.kind, value, below)?;
                if value.is_null() && ty.is_non_null() { Err(Gone) } else { Ok(value) }
            }
        }
    }

    fn list(
        &mut self,
        read: &Read,
        items: &[Value],
        below: &[(String, Vec<Picked<'_>>)],
    ) -> Result<Json, Gone> {
        let mut out = Vec::new();
        for item in items {
            self.path.push(out.len().to_string());
            let value = self.value(&read.kind, item, below);
            self.path.pop();
            match (value?, &read.kind) {
                // A number without a name cannot stand among names.
                (Json::Null, Kind::Enum(_)) => {}
                (value, _) => out.push(value),
            }
        }
        Ok(out.into())
    }

    fn value(
        &mut self,
        kind: &Kind,
        value: &Value,
        below: &[(String, Vec<Picked<'_>>)],
    ) -> Result<Json, Gone> {
        Ok(match (kind, value) {
            (Kind::Scalar(wire, form), value) => self.scalar(*wire, *form, value)?,
            (Kind::Wrapper(wire, form), Value::Message(message)) => {
                self.scalar(*wire, *form, &message.get_field_by_number(1).unwrap())?
            }
            (Kind::Enum(name), Value::EnumNumber(number)) => {
                let Some(Type::Enum(definition)) = self.graph.types.get(name) else { panic!("{name}") };
                let known = definition.values.iter().find(|known| known.number == *number);
                known.map_or(Json::Null, |known| (*known.name).into())
            }
            (Kind::Message(_) | Kind::Group(_), Value::Message(message)) => {
                let [(of, picked)] = below else { panic!("an object") };
                self.object(of, picked, message)?
            }
            (Kind::WellKnown(known), Value::Message(message)) => match well_known(*known, message) {
                Some(value) => value,
                None => {
                    self.errors.push(self.path.join("."));
                    return Err(Gone);
                }
            },
            (Kind::WellKnown(_), _) => Json::Null,
            (kind, value) => panic!("{kind:?} {value:?}"),
        })
    }

    fn scalar(&mut self, wire: Wire, form: Form, value: &Value) -> Result<Json, Gone> {
        let text = matches!(wire, Wire::Int64 | Wire::Uint64 | Wire::Sint64 | Wire::Fixed64 | Wire::Sfixed64)
            || form == Form::Id;
        let number = |number: String, json: Json| if text { Json::from(number) } else { json };
        Ok(match value {
            Value::Bool(value) => (*value).into(),
            Value::I32(value) => number(value.to_string(), (*value).into()),
            Value::U32(value) => number(value.to_string(), (*value).into()),
            Value::I64(value) => number(value.to_string(), (*value).into()),
            Value::U64(value) => number(value.to_string(), (*value).into()),
            Value::F32(value) if value.is_finite() => value.to_string().parse::<f64>().unwrap().into(),
            Value::F64(value) if value.is_finite() => (*value).into(),
            Value::F32(_) | Value::F64(_) => {
                self.errors.push(self.path.join("."));
                return Err(Gone);
            }
            Value::String(value) => value.as_str().into(),
            Value::Bytes(value) => base64(value).into(),
            other => panic!("{other:?}"),
        })
    }
}

/// Of the bytes that `scalar` picks.
fn base64(bytes: &[u8]) -> &'static str {
    match bytes {
        b"" => "",
        b"\xff" => "/w==",
        b"\xff\xfe" => "//4=",
        b"abc" => "YWJj",
        _ => "ABCDEA==",
    }
}

/// `None` for a length of time whose parts have two signs, and for a day that is none.
fn well_known(known: WellKnown, message: &DynamicMessage) -> Option<Json> {
    use prost_reflect::prost_types;
    let numbers = || {
        let seconds = message.get_field_by_number(1).unwrap().as_i64().unwrap();
        let nanos = message.get_field_by_number(2).unwrap().as_i32().unwrap();
        (seconds, nanos)
    };
    Some(match known {
        WellKnown::Timestamp => {
            let (seconds, nanos) = numbers();
            prost_types::Timestamp { seconds, nanos }.to_string().into()
        }
        WellKnown::Duration => {
            let (seconds, nanos) = numbers();
            // Of two messages that became one.
            if seconds.signum() * i64::from(nanos.signum()) < 0 {
                return None;
            }
            let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
            let digits = match nanos.unsigned_abs() {
                0 => String::new(),
                nanos if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
                nanos if nanos % 1_000 == 0 => format!(".{:06}", nanos / 1_000),
                nanos => format!(".{nanos:09}"),
            };
            format!("{sign}{}{digits}s", seconds.unsigned_abs()).into()
        }
        // An entry of a map without a value.
        WellKnown::Date if message.fields().next().is_none() => return None,
        WellKnown::Date => "2024-02-29".into(),
        WellKnown::Struct => structure(&Value::Message(message.clone())),
        WellKnown::Value => structure(&Value::Message(message.clone())),
        WellKnown::ListValue => structure(&Value::Message(message.clone())),
        WellKnown::FieldMask | WellKnown::Any | WellKnown::Null | WellKnown::Empty => panic!("{known:?}"),
    })
}

fn structure(value: &Value) -> Json {
    let message = value.as_message().unwrap();
    match message.descriptor().name() {
        "Struct" => {
            let fields = message.get_field_by_number(1).unwrap();
            let entries = fields.as_map().unwrap().iter();
            entries.map(|(key, value)| (key.as_str().unwrap().to_owned(), structure(value))).collect()
        }
        "ListValue" => {
            message.get_field_by_number(1).unwrap().as_list().unwrap().iter().map(structure).collect()
        }
        _ => match message.fields().next() {
            None => Json::Null,
            Some((field, value)) => match field.name() {
                "null_value" => Json::Null,
                // Whole numbers have no point.
                "number_value" => match value.as_f64().unwrap() {
                    2.0 => 2.into(),
                    number => number.into(),
                },
                "string_value" => value.as_str().unwrap().into(),
                "bool_value" => value.as_bool().unwrap().into(),
                _ => structure(value),
            },
        },
    }
}

fn path(path: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Key(key) => key.to_string(),
        Step::Index(index) => index.to_string(),
    };
    path.iter().map(step).collect::<Vec<_>>().join(".")
}

/// The answer to one call, and the errors in it.
fn answer(graph: &Supergraph, document: &str, bytes: Vec<u8>) -> Result<(Json, Vec<(String, Why)>), String> {
    let document = async_graphql_parser::parse_query(document).unwrap();
    let plan = plan(graph, &document, None).unwrap();
    let mut answers = Answers::new(plan.fetches.len());
    if let Some(fetch) = plan.fetches.first() {
        let read = Response::read(&plan.tables, fetch.table, bytes.into());
        let place = answers.keep(read.map_err(|error| error.to_string())?);
        answers.set(0, Outcome::Whole(place));
    }
    let holds = plan.holds(|_| None).unwrap();
    let mut out = Vec::new();
    let asked =
        Asked { plan: &plan, holds: &holds, answers: &answers, introspection: None, bytes_max: 1 << 24 };
    let written = write(&asked, &mut out);
    let text = String::from_utf8(out).expect("the answer is UTF-8");
    let json: Json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(json.is_null(), written.is_null);
    Ok((json, written.errors.into_iter().map(|error| (path(&error.path), error.why)).collect()))
}

proptest! {
    // PROPTEST_CASES says how many protos.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_what_the_bytes_say(
        shape in prop::collection::vec(any::<u8>(), 80),
        // Many for each proto: most of the time goes into compiling it.
        cases in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..400), prop::collection::vec(any::<u8>(), 0..200)),
            CASES,
        ),
    ) {
        let proto = proto(&mut Dice(shape.iter()));
        let descriptor = fixture::service("t", &proto).pool().get_message_by_name("t.v1.Ask").unwrap();
        let graph = compose(&[fixture::subgraph("t", &proto)], &Locks::default()).supergraph.unwrap();
        for (content, selection) in &cases {
            let bytes = bytes(&mut Dice(content.iter()), &descriptor, 0);
            let message = DynamicMessage::decode(descriptor.clone(), &bytes[..]).unwrap();
            let dice = Dice(selection.iter());
            let mut oracle = Oracle { graph: &graph, dice, path: vec!["do".into()], errors: Vec::new() };
            let picked = oracle.pick("Ask", 0);
            let mut text = String::new();
            Oracle::text(&picked, &mut text);
            let expected = oracle.object("Ask", &picked, &message).unwrap_or(Json::Null);
            let (data, errors) = answer(&graph, &format!("{{ do {text} }}"), bytes).unwrap();
            prop_assert_eq!(&data, &json!({ "do": expected }), "{} {}", proto, text);
            let paths: Vec<String> = errors.iter().map(|(path, _)| path.clone()).collect();
            prop_assert_eq!(paths, oracle.errors);
            let meant = |why| matches!(why, Why::NotFinite | Why::Malformed | Why::Null);
            prop_assert!(errors.iter().all(|(_, why)| meant(*why)), "{:?}", errors);
        }
    }

    #[test]
    fn bytes_that_nobody_meant_do_no_harm(
        shape in prop::collection::vec(any::<u8>(), 80),
        content in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let proto = proto(&mut Dice(shape.iter()));
        let descriptor = fixture::service("t", &proto).pool().get_message_by_name("t.v1.Ask").unwrap();
        let graph = compose(&[fixture::subgraph("t", &proto)], &Locks::default()).supergraph.unwrap();
        let mut bytes = bytes(&mut Dice(content.iter()), &descriptor, 0);
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        let mut oracle = Oracle { graph: &graph, dice: Dice([].iter()), path: Vec::new(), errors: Vec::new() };
        let picked = oracle.pick("Ask", 0);
        let mut text = String::new();
        Oracle::text(&picked, &mut text);
        // Refused, or JSON: what `answer` itself asserts.
        let _either = answer(&graph, &format!("{{ do {text} }}"), bytes);
    }
}
