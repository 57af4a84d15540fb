//! What each scalar takes and refuses, and what the service gets.

use expect_test::expect;

use super::World;

fn scalars() -> World {
    World::new(
        r#"
        enum Colour { COLOUR_UNSPECIFIED = 0; RED = 1; GREEN = 2; option allow_alias = true; VERT = 2; DARK = -1; }
        message Ask {
          int32 i32 = 1; sint32 s32 = 2; sfixed32 sf32 = 3;
          uint32 u32 = 4; fixed32 f32 = 5;
          int64 i64 = 6; sint64 s64 = 7; sfixed64 sf64 = 8;
          uint64 u64 = 9; fixed64 f64 = 10;
          double double = 11; float float = 12;
          bool bool = 13; string string = 14; bytes bytes = 15;
          string text_id = 16; int32 int_id = 17; fixed64 fixed_id = 18;
          Colour colour = 19;
          google.protobuf.Timestamp moment = 20; google.protobuf.Duration length = 21; google.type.Date day = 22;
          google.protobuf.FieldMask mask = 23;
          google.protobuf.Struct struct = 24; google.protobuf.Value value = 25; google.protobuf.ListValue list = 26;
          google.protobuf.Any any = 27;
          google.protobuf.StringValue wrapped = 28; google.protobuf.Int64Value wrapped_number = 29;
          google.protobuf.Empty nothing = 30;
        }"#,
    )
}

const INTEGERS: [&str; 12] = [
    "0",
    "-1",
    "1.0",
    "1e2",
    "1.5",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967296",
    "1e100",
    "\"7\"",
    "true",
];

const LARGE: [&str; 14] = [
    "9223372036854775807",
    "\"9223372036854775807\"",
    "9223372036854775808",
    "\"-9223372036854775808\"",
    "\"18446744073709551615\"",
    "18446744073709551616",
    "\"\"",
    "\"+1\"",
    "\"007\"",
    "\"-0\"",
    "\"1e2\"",
    "\" 1\"",
    "9007199254740993.0",
    "999999999999999999999999999999999999999999",
];

#[test]
fn an_int_has_32_bits_and_is_no_text() {
    let world = scalars();
    world.check(
        "Int",
        "i32",
        &INTEGERS,
        &expect![[r#"
        0 -> 
        -1 -> i32: -1
        1.0 -> i32: 1
        1e2 -> i32: 100
        1.5 -> 1.5; Int cannot represent non-integer value: 1.5
        2147483647 -> i32: 2147483647
        2147483648 -> 2147483648; Int cannot represent non 32-bit signed integer value: 2147483648
        -2147483649 -> -2147483649; Int cannot represent non 32-bit signed integer value: -2147483649
        4294967296 -> 4294967296; Int cannot represent non 32-bit signed integer value: 4294967296
        1e100 -> 1e100; Int cannot represent non 32-bit signed integer value: 1e100
        "7" -> "7"; Int cannot represent non-integer value: "7"
        true -> true; Int cannot represent non-integer value: true
    "#]],
    );
    world.check(
        "Int",
        "s32",
        &["-1", "-2147483648"],
        &expect![[r#"
        -1 -> s32: -1
        -2147483648 -> s32: -2147483648
    "#]],
    );
    world.check(
        "Int",
        "sf32",
        &["-1", "2147483647"],
        &expect![[r#"
        -1 -> sf32: -1
        2147483647 -> sf32: 2147483647
    "#]],
    );
}

#[test]
fn other_integers_are_taken_as_text_too() {
    let world = scalars();
    world.check(
        "UInt32",
        "u32",
        &INTEGERS,
        &expect![[r#"
        0 -> 
        -1 -> -1; UInt32 cannot represent non 32-bit unsigned integer value: -1
        1.0 -> u32: 1
        1e2 -> u32: 100
        1.5 -> 1.5; UInt32 cannot represent non-integer value: 1.5
        2147483647 -> u32: 2147483647
        2147483648 -> u32: 2147483648
        -2147483649 -> -2147483649; UInt32 cannot represent non 32-bit unsigned integer value: -2147483649
        4294967296 -> 4294967296; UInt32 cannot represent non 32-bit unsigned integer value: 4294967296
        1e100 -> 1e100; UInt32 cannot represent non 32-bit unsigned integer value: 1e100
        "7" -> u32: 7
        true -> true; UInt32 cannot represent non-integer value: true
    "#]],
    );
    world.check(
        "UInt32",
        "f32",
        &["4294967295", "\"4294967295\""],
        &expect![[r#"
        4294967295 -> f32: 4294967295
        "4294967295" -> f32: 4294967295
    "#]],
    );
}

#[test]
fn integers_of_64_bits_are_exact() {
    let world = scalars();
    world.check("Int64", "i64", &LARGE, &expect![[r#"
        9223372036854775807 -> i64: 9223372036854775807
        "9223372036854775807" -> i64: 9223372036854775807
        9223372036854775808 -> 9223372036854775808; Int64 cannot represent non 64-bit signed integer value: 9223372036854775808
        "-9223372036854775808" -> i64: -9223372036854775808
        "18446744073709551615" -> "18446744073709551615"; Int64 cannot represent non 64-bit signed integer value: "18446744073709551615"
        18446744073709551616 -> 18446744073709551616; Int64 cannot represent non 64-bit signed integer value: 18446744073709551616
        "" -> ""; Int64 cannot represent non-integer value: ""
        "+1" -> "+1"; Int64 cannot represent non-integer value: "+1"
        "007" -> "007"; Int64 cannot represent non-integer value: "007"
        "-0" -> "-0"; Int64 cannot represent non-integer value: "-0"
        "1e2" -> "1e2"; Int64 cannot represent non-integer value: "1e2"
        " 1" -> " 1"; Int64 cannot represent non-integer value: " 1"
        9007199254740993.0 -> 9007199254740993.0; Int64 cannot represent non 64-bit signed integer value: 9007199254740993.0
        999999999999999999999999999999999999999999 -> 999999999999999999999999999999999999999999; Int64 cannot represent non 64-bit signed integer value: 999999999999999999999999999999999999999999
    "#]]);
    world.check(
        "Int64",
        "s64",
        &["-1", "\"-9223372036854775808\""],
        &expect![[r#"
        -1 -> s64: -1
        "-9223372036854775808" -> s64: -9223372036854775808
    "#]],
    );
    world.check(
        "Int64",
        "sf64",
        &["-1"],
        &expect![[r#"
        -1 -> sf64: -1
    "#]],
    );
    world.check("UInt64", "u64", &LARGE, &expect![[r#"
        9223372036854775807 -> u64: 9223372036854775807
        "9223372036854775807" -> u64: 9223372036854775807
        9223372036854775808 -> u64: 9223372036854775808
        "-9223372036854775808" -> "-9223372036854775808"; UInt64 cannot represent non 64-bit unsigned integer value: "-9223372036854775808"
        "18446744073709551615" -> u64: 18446744073709551615
        18446744073709551616 -> 18446744073709551616; UInt64 cannot represent non 64-bit unsigned integer value: 18446744073709551616
        "" -> ""; UInt64 cannot represent non-integer value: ""
        "+1" -> "+1"; UInt64 cannot represent non-integer value: "+1"
        "007" -> "007"; UInt64 cannot represent non-integer value: "007"
        "-0" -> "-0"; UInt64 cannot represent non-integer value: "-0"
        "1e2" -> "1e2"; UInt64 cannot represent non-integer value: "1e2"
        " 1" -> " 1"; UInt64 cannot represent non-integer value: " 1"
        9007199254740993.0 -> 9007199254740993.0; UInt64 cannot represent non 64-bit unsigned integer value: 9007199254740993.0
        999999999999999999999999999999999999999999 -> 999999999999999999999999999999999999999999; UInt64 cannot represent non 64-bit unsigned integer value: 999999999999999999999999999999999999999999
    "#]]);
    world.check(
        "UInt64",
        "f64",
        &["1", "-1"],
        &expect![[r#"
        1 -> f64: 1
        -1 -> -1; UInt64 cannot represent non 64-bit unsigned integer value: -1
    "#]],
    );
}

#[test]
fn floats_are_finite_and_may_be_written_as_integers() {
    let world = scalars();
    let values = ["1", "0.1", "-0", "0", "3.5e38", "1e308", "1e309", "\"1\"", "true", "{}"];
    world.check("Float", "double", &values, &expect![[r#"
        1 -> double: 1
        0.1 -> double: 0.1
        -0 -> 
        0 -> 
        3.5e38 -> double: 350000000000000000000000000000000000000
        1e308 -> double: 100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
        1e309 -> 1e309; Float cannot represent a value beyond 64 bits: 1e309
        "1" -> "1"; Float cannot represent non numeric value: "1"
        true -> true; Float cannot represent non numeric value: true
        {} -> {}; Float cannot represent non numeric value: {}
    "#]]);
    world.check(
        "Float",
        "float",
        &values,
        &expect![[r#"
        1 -> float: 1
        0.1 -> float: 0.1
        -0 -> 
        0 -> 
        3.5e38 -> 3.5e38; Float cannot represent a value beyond 32 bits here: 3.5e38
        1e308 -> 1e308; Float cannot represent a value beyond 32 bits here: 1e308
        1e309 -> 1e309; Float cannot represent a value beyond 64 bits: 1e309
        "1" -> "1"; Float cannot represent non numeric value: "1"
        true -> true; Float cannot represent non numeric value: true
        {} -> {}; Float cannot represent non numeric value: {}
    "#]],
    );
}

#[test]
fn truth_text_and_bytes_are_what_they_are() {
    let world = scalars();
    world.check(
        "Boolean",
        "bool",
        &["true", "false", "1", "\"true\""],
        &expect![[r#"
        true -> bool: true
        false -> 
        1 -> 1; Boolean cannot represent a non boolean value: 1
        "true" -> "true"; Boolean cannot represent a non boolean value: "true"
    "#]],
    );
    world.check(
        "String",
        "string",
        &["\"\"", "\"a\\u00e9\\n\"", "1", "{\"a\": 1}"],
        &expect![[r#"
        "" -> 
        "a\u00e9\n" -> string: "aé\n"
        1 -> 1; String cannot represent a non string value: 1
        {"a": 1} -> { a: 1 }; String cannot represent a non string value: { a: 1 }
    "#]],
    );
    world.check(
        "Bytes",
        "bytes",
        &["\"+/+/\"", "\"-_-_\"", "\"Zg\"", "\"Zg==\"", "\"Z\"", "7"],
        &expect![[r#"
        "+/+/" -> bytes: b"\xfb\xff\xbf"
        "-_-_" -> bytes: b"\xfb\xff\xbf"
        "Zg" -> bytes: b"f"
        "Zg==" -> bytes: b"f"
        "Z" -> "Z"; Bytes cannot represent a value that is no base64: "Z"
        7 -> 7; Bytes cannot represent a value that is no base64: 7
    "#]],
    );
}

#[test]
fn an_id_is_a_text_or_an_integer_whatever_is_underneath() {
    let world = scalars();
    let values = ["\"7\"", "7", "7.0", "-1", "\"x\"", "\"07\"", "1.5", "true", "99999999999"];
    world.check(
        "ID",
        "textId",
        &values,
        &expect![[r#"
        "7" -> text_id: "7"
        7 -> text_id: "7"
        7.0 -> text_id: "7"
        -1 -> text_id: "-1"
        "x" -> text_id: "x"
        "07" -> text_id: "07"
        1.5 -> 1.5; ID cannot represent value: 1.5
        true -> true; ID cannot represent value: true
        99999999999 -> text_id: "99999999999"
    "#]],
    );
    world.check(
        "ID",
        "intId",
        &values,
        &expect![[r#"
        "7" -> int_id: 7
        7 -> int_id: 7
        7.0 -> int_id: 7
        -1 -> int_id: -1
        "x" -> "x"; ID cannot represent value: "x"
        "07" -> "07"; ID cannot represent value: "07"
        1.5 -> 1.5; ID cannot represent value: 1.5
        true -> true; ID cannot represent value: true
        99999999999 -> 99999999999; ID cannot represent value: 99999999999
    "#]],
    );
    world.check(
        "ID",
        "fixedId",
        &values,
        &expect![[r#"
        "7" -> fixed_id: 7
        7 -> fixed_id: 7
        7.0 -> fixed_id: 7
        -1 -> -1; ID cannot represent value: -1
        "x" -> "x"; ID cannot represent value: "x"
        "07" -> "07"; ID cannot represent value: "07"
        1.5 -> 1.5; ID cannot represent value: 1.5
        true -> true; ID cannot represent value: true
        99999999999 -> fixed_id: 99999999999
    "#]],
    );
}

#[test]
fn an_enum_is_one_of_its_names() {
    let names =
        ["\"RED\"", "\"GREEN\"", "\"VERT\"", "\"DARK\"", "\"BLUE\"", "\"COLOUR_UNSPECIFIED\"", "1", "null"];
    scalars().check("Colour", "colour", &names, &expect![[r#"
        "RED" -> colour: #1
        "GREEN" -> colour: #2
        "VERT" -> colour: #2
        "DARK" -> colour: #-1
        "BLUE" -> "BLUE"; Value "BLUE" does not exist in "Colour" enum.
        "COLOUR_UNSPECIFIED" -> "COLOUR_UNSPECIFIED"; Value "COLOUR_UNSPECIFIED" does not exist in "Colour" enum.
        1 -> 1; Enum "Colour" cannot represent non-string value: 1.
        null -> 
    "#]]);
}

#[test]
fn moments_lengths_days_and_masks_have_their_forms() {
    let world = scalars();
    world.check(
        "DateTime",
        "moment",
        &[
            "\"1970-01-01T00:00:00Z\"",
            "\"2026-11-21T05:50:30.5+01:00\"",
            "\"1969-12-31T23:59:59.9Z\"",
            "\"today\"",
            "0",
        ],
        &expect![[r#"
            "1970-01-01T00:00:00Z" -> moment: {}
            "2026-11-21T05:50:30.5+01:00" -> moment: {seconds: 1795236630, nanos: 500000000}
            "1969-12-31T23:59:59.9Z" -> moment: {seconds: -1, nanos: 900000000}
            "today" -> "today"; DateTime cannot represent value: "today"
            0 -> 0; DateTime cannot represent value: 0
        "#]],
    );
    world.check(
        "Duration",
        "length",
        &["\"-3.5s\"", "\"0s\"", "\"3\"", "3"],
        &expect![[r#"
        "-3.5s" -> length: {seconds: -3, nanos: -500000000}
        "0s" -> length: {}
        "3" -> "3"; Duration cannot represent value: "3"
        3 -> 3; Duration cannot represent value: 3
    "#]],
    );
    world.check(
        "Date",
        "day",
        &["\"2026-11-21\"", "\"2026-02-30\"", "20261121"],
        &expect![[r#"
        "2026-11-21" -> day: {year: 2026, month: 11, day: 21}
        "2026-02-30" -> "2026-02-30"; Date cannot represent value: "2026-02-30"
        20261121 -> 20261121; Date cannot represent value: 20261121
    "#]],
    );
    world.check(
        "FieldMask",
        "mask",
        &["\"\"", "\"title,author.displayName\"", "\"a_b\"", "[\"a\"]"],
        &expect![[r#"
        "" -> mask: {}
        "title,author.displayName" -> mask: {paths: ["title", "author.display_name"]}
        "a_b" -> "a_b"; FieldMask cannot represent a value that is no list of names: "a_b"
        ["a"] -> ["a"]; FieldMask cannot represent a non string value: ["a"]
    "#]],
    );
}

#[test]
fn json_becomes_a_struct_a_value_or_a_list() {
    let world = scalars();
    let values = [
        "{}",
        "{\"a\": [1, \"b\", null, {\"c\": true}]}",
        "[]",
        "[[1], {}]",
        "\"text\"",
        "1.5",
        "1e999",
        "null",
    ];
    world.check("JSON", "struct", &values, &expect![[r#"
        {} -> struct: {}
        {"a": [1, "b", null, {"c": true}]} -> struct: {fields: <"a" = {list_value: {values: [{number_value: 1}, {string_value: "b"}, {null_value: #0}, {struct_value: {fields: <"c" = {bool_value: true}>}}]}}>}
        [] -> []; JSON cannot represent a value that is no object here: []
        [[1], {}] -> [[1], {}]; JSON cannot represent a value that is no object here: [[1], {}]
        "text" -> "text"; JSON cannot represent a value that is no object here: "text"
        1.5 -> 1.5; JSON cannot represent a value that is no object here: 1.5
        1e999 -> 1e999; JSON cannot represent a number beyond 64 bits: 1e999
        null -> 
    "#]]);
    world.check("JSON", "value", &values, &expect![[r#"
        {} -> value: {struct_value: {}}
        {"a": [1, "b", null, {"c": true}]} -> value: {struct_value: {fields: <"a" = {list_value: {values: [{number_value: 1}, {string_value: "b"}, {null_value: #0}, {struct_value: {fields: <"c" = {bool_value: true}>}}]}}>}}
        [] -> value: {list_value: {}}
        [[1], {}] -> value: {list_value: {values: [{list_value: {values: [{number_value: 1}]}}, {struct_value: {}}]}}
        "text" -> value: {string_value: "text"}
        1.5 -> value: {number_value: 1.5}
        1e999 -> 1e999; JSON cannot represent a number beyond 64 bits: 1e999
        null -> 
    "#]]);
    world.check("JSON", "list", &values, &expect![[r#"
        {} -> {}; JSON cannot represent a value that is no list here: {}
        {"a": [1, "b", null, {"c": true}]} -> { a: [1, "b", null, [Object]] }; JSON cannot represent a value that is no list here: { a: [1, "b", null, [Object]] }
        [] -> list: {}
        [[1], {}] -> list: {values: [{list_value: {values: [{number_value: 1}]}}, {struct_value: {}}]}
        "text" -> "text"; JSON cannot represent a value that is no list here: "text"
        1.5 -> 1.5; JSON cannot represent a value that is no list here: 1.5
        1e999 -> 1e999; JSON cannot represent a number beyond 64 bits: 1e999
        null -> 
    "#]]);
    world.check("JSON", "any", &["{\"@type\": \"type.googleapis.com/t.v1.Ask\"}", "null"], &expect![[r#"
        {"@type": "type.googleapis.com/t.v1.Ask"} -> { @type: "type.googleapis.com/t.v1.Ask" }; A google.protobuf.Any can be read but not sent.
        null -> 
    "#]]);
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(world.send("query($v: JSON) { ask(value: $v) }", &format!("{{\"v\": {}}}", nested(30))).is_ok());
    world.check("JSON", "value", &[&nested(31)], &expect![[r#"
        [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]] -> [[[Array]]]; JSON cannot represent a value nested deeper than 30 levels
    "#]]);
}

#[test]
fn a_wrapped_zero_is_sent_and_an_empty_message_by_saying_true() {
    let world = scalars();
    world.check(
        "String",
        "wrapped",
        &["\"\"", "\"a\"", "null", "1"],
        &expect![[r#"
        "" -> wrapped: {}
        "a" -> wrapped: {value: "a"}
        null -> 
        1 -> 1; String cannot represent a non string value: 1
    "#]],
    );
    world.check(
        "Int64",
        "wrappedNumber",
        &["0", "\"-1\""],
        &expect![[r#"
        0 -> wrapped_number: {}
        "-1" -> wrapped_number: {value: -1}
    "#]],
    );
    world.check(
        "Boolean",
        "nothing",
        &["true", "false", "null"],
        &expect![[r#"
        true -> nothing: {}
        false -> 
        null -> 
    "#]],
    );
}
