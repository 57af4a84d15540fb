//! A made-up value in which every field is set, edges of the number ranges included.

use std::collections::BTreeMap;

use prost::Message;
use prost_types::{Any, Duration, FieldMask, ListValue, Struct, Timestamp, Value, value};

use crate::contract::demo::echo::v1::choices::{Plain, Shape};
use crate::contract::demo::echo::v1::enums::Toggle;
use crate::contract::demo::echo::v1::place::Point;
use crate::contract::demo::echo::v1::{
    Choices, Circle, Colour, Direction, Enums, Everything, Level, Lists, Maps, Node, OptionalScalars,
    Scalars, WellKnown, Wrappers,
};
use crate::random::Dice;

/// What an Any calls a point.
const POINT: &str = "type.googleapis.com/demo.echo.v1.Place.Point";

/// Every field set. `size_bytes` is set by whoever gives it back.
#[expect(deprecated, reason = "every field means also the deprecated ones")]
pub(super) fn everything(seed: u32) -> Everything {
    let mut dice = Dice::new(u64::from(seed), "sample", 0);
    let point = Point { x: dice.below(200) as i32 - 100, y: dice.below(200) as i32 - 100 };
    let mut everything = Everything {
        scalars: Some(scalars(&mut dice)),
        optionals: Some(optionals(&mut dice)),
        wrappers: Some(wrappers(&mut dice)),
        lists: Some(lists(&mut dice, point)),
        maps: Some(maps(&mut dice, point)),
        choices: Some(Choices {
            plain: Some(Plain::Point(point)),
            shape: Some(Shape::Circle(Circle { radius: 1.5 })),
        }),
        well_known: Some(well_known(&mut dice, point)),
        enums: Some(Enums {
            colour: Colour::Blue.into(),
            direction: Direction::North.into(),
            level: Level::High.into(),
            toggle: Toggle::On.into(),
        }),
        tree: Some(Node {
            label: "root".to_owned(),
            children: vec![Node { label: "leaf".to_owned(), ..Node::default() }],
            twin: Some(Box::new(Node { label: "twin".to_owned(), ..Node::default() })),
        }),
        renamed: "by json_name".to_owned(),
        renamed_by_option: "by option".to_owned(),
        reference: i64::from(seed) + 1,
        zero_is_absent: 1 + dice.below(9) as i32,
        size_bytes: 0,
        secret: "not in the graph".to_owned(),
        outdated: "still here".to_owned(),
        place: Some(point),
    };
    everything.size_bytes = everything.encoded_len() as u32;
    everything
}

fn scalars(dice: &mut Dice) -> Scalars {
    Scalars {
        double_value: dice.unit(),
        float_value: 0.1,
        int32_value: i32::MIN,
        int64_value: i64::MAX,
        uint32_value: u32::MAX,
        uint64_value: u64::MAX,
        sint32_value: -1,
        sint64_value: i64::MIN,
        fixed32_value: dice.next() as u32,
        fixed64_value: dice.next(),
        sfixed32_value: dice.next() as i32,
        sfixed64_value: dice.next() as i64,
        bool_value: true,
        string_value: "Grüße, 世界 🚂".to_owned(),
        bytes_value: dice.next().to_be_bytes().to_vec(),
    }
}

fn optionals(dice: &mut Dice) -> OptionalScalars {
    OptionalScalars {
        double_value: Some(0.0),
        float_value: Some(-0.5),
        int32_value: Some(0),
        int64_value: Some(9_007_199_254_740_993),
        uint32_value: Some(dice.next() as u32),
        uint64_value: Some(dice.next()),
        sint32_value: Some(i32::MAX),
        sint64_value: Some(0),
        fixed32_value: Some(0),
        fixed64_value: Some(u64::MAX),
        sfixed32_value: Some(i32::MIN),
        sfixed64_value: Some(-1),
        bool_value: Some(false),
        string_value: Some(String::new()),
        bytes_value: Some(Vec::new()),
        enum_value: Some(Colour::Green.into()),
    }
}

fn wrappers(dice: &mut Dice) -> Wrappers {
    Wrappers {
        double_value: Some(dice.unit()),
        float_value: Some(1.25),
        int64_value: Some(dice.next() as i64),
        uint64_value: Some(dice.next()),
        int32_value: Some(0),
        uint32_value: Some(7),
        bool_value: Some(false),
        string_value: Some("wrapped".to_owned()),
        bytes_value: Some(vec![0xff, 0x00, 0xfe]),
    }
}

fn lists(dice: &mut Dice, point: Point) -> Lists {
    Lists {
        double_values: vec![dice.unit(), -1e300],
        float_values: vec![0.1, 16_777_216.0],
        int32_values: vec![1, 2, 3, -4],
        unpacked_int32_values: vec![5, 6],
        int64_values: vec![i64::MIN, 0, i64::MAX],
        sint64_values: vec![-1, 1],
        fixed32_values: vec![0, u32::MAX],
        bool_values: vec![true, false],
        string_values: vec!["one".to_owned(), String::new(), "\"three\"\n".to_owned()],
        bytes_values: vec![vec![1, 2, 3], Vec::new()],
        enum_values: vec![Colour::Red.into(), Colour::Green.into()],
        message_values: vec![point, Point::default()],
        timestamp_values: vec![
            Timestamp { seconds: 0, nanos: 0 },
            Timestamp { seconds: 1_700_000_000, nanos: 500 },
        ],
        wrapper_values: vec![0, 42],
    }
}

fn maps(dice: &mut Dice, point: Point) -> Maps {
    Maps {
        string_to_string: [("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())].into(),
        string_to_int64: [("large".to_owned(), i64::MAX)].into(),
        int32_to_point: [(-1, point), (0, Point::default())].into(),
        uint64_to_colour: [(u64::MAX, Colour::Red.into())].into(),
        bool_to_bytes: [(true, vec![1]), (false, vec![0])].into(),
        string_to_timestamp: [("epoch".to_owned(), Timestamp::default())].into(),
        sfixed64_to_double: [(-7, dice.unit())].into(),
    }
}

fn well_known(dice: &mut Dice, point: Point) -> WellKnown {
    let any = Any { type_url: POINT.to_owned(), value: point.encode_to_vec() };
    let unknown = Any { type_url: "type.googleapis.com/nobody.knows.This".to_owned(), value: vec![8, 1] };
    WellKnown {
        timestamp: Some(Timestamp { seconds: 1_780_000_000, nanos: 123_456_789 }),
        duration: Some(Duration { seconds: 3, nanos: 500_000_000 }),
        field_mask: Some(FieldMask { paths: vec!["scalars.int32_value".to_owned(), "tree".to_owned()] }),
        r#struct: Some(Struct { fields: fields(dice) }),
        value: Some(value::Kind::StringValue("any JSON".to_owned()).into()),
        list_value: Some(ListValue {
            values: vec![value::Kind::NumberValue(1.5).into(), value::Kind::BoolValue(true).into()],
        }),
        null_value: 0,
        any: Some(any.clone()),
        any_values: vec![any, unknown],
        empty: Some(()),
    }
}

fn fields(dice: &mut Dice) -> BTreeMap<String, Value> {
    let nested = Struct { fields: [("deep".to_owned(), value::Kind::NullValue(0).into())].into() };
    let value = |kind: value::Kind| Value::from(kind);
    [
        ("number".to_owned(), value(value::Kind::NumberValue(f64::from(dice.below(1000))))),
        ("text".to_owned(), value(value::Kind::StringValue("yes".to_owned()))),
        ("object".to_owned(), value(value::Kind::StructValue(nested))),
    ]
    .into()
}
