//! Does the field that takes a key get it, whatever the key was read from?

use crate::graph::{Count, Form, Kind, Read, WellKnown, Wire};
use crate::wire::Key;
use crate::wire::key::encode_keys;

fn takes(count: Count, kind: Kind) -> Read {
    Read { name: "key".into(), number: 1, count, kind }
}

#[test]
fn keys_are_written_the_way_their_field_wants_them() {
    let id = |wire| Kind::Scalar(wire, Form::Id);
    let (seven, text, bytes) = (Key::Integer(7), Key::Text("7"), Key::Bytes(b"7"));
    for (count, kind, keys, expected) in [
        (Count::Repeated, id(Wire::String), &[seven, text][..], &b"\x0a\x017\x0a\x017"[..]),
        (Count::Implicit, id(Wire::String), &[text, Key::Text("8")], b"\x0a\x017"),
        (Count::Repeated, id(Wire::Uint32), &[seven, text], b"\x0a\x02\x07\x07"),
        (Count::Repeated, id(Wire::Sint64), &[Key::Integer(-1)], b"\x0a\x01\x01"),
        (Count::Repeated, id(Wire::Fixed32), &[seven], b"\x0a\x04\x07\0\0\0"),
        (
            Count::Optional,
            id(Wire::Int32),
            &[Key::Integer(-1)],
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ),
        (Count::Optional, id(Wire::Bytes), &[bytes], b"\x0a\x017"),
        (Count::Optional, Kind::Wrapper(Wire::String, Form::Id), &[text], b"\x0a\x03\x0a\x017"),
        (
            Count::Repeated,
            Kind::Wrapper(Wire::Int64, Form::Id),
            &[text, seven],
            b"\x0a\x02\x08\x07\x0a\x02\x08\x07",
        ),
        // Nobody's keys there.
        (Count::Repeated, id(Wire::Uint32), &[Key::Integer(-1), Key::Text("x"), Key::Text("07"), bytes], b""),
        (Count::Repeated, id(Wire::String), &[bytes], b""),
        (Count::Repeated, id(Wire::Bytes), &[text], b""),
        (Count::Optional, Kind::WellKnown(WellKnown::Date), &[text], b""),
        (Count::Repeated, id(Wire::Uint32), &[], b""),
    ] {
        assert_eq!(encode_keys(&takes(count, kind.clone()), keys), expected, "{kind:?} {keys:?}");
    }
}
