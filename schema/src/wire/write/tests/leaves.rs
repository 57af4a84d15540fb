//! Every kind of value, in and out of its range.

use expect_test::expect;

use super::{bytes, check, double, graph, int, message};

#[test]
fn numbers_are_what_their_kind_says_of_the_bits() {
    let graph = graph(
        "message Ask { int32 a = 1; sint32 b = 2; uint32 c = 3; int64 d = 4; sint64 e = 5; uint64 f = 6; bool g = 7;
           int32 h = 8 [(turnout.graphql.v1.field) = {id: true}]; int32 absent = 9; bool no = 10; string text = 11;
           bytes data = 12; double whole = 13; }",
    );
    let document = "{ do { a b c d e f g h absent no text data whole __typename } }";
    for wide in [-1, 1 << 40 | 7] {
        let fields: Vec<Vec<u8>> = (1..=8).map(|number| int(number, wide)).collect();
        let expected = if wide < 0 {
            expect![[
                r#"{"do":{"a":-1,"b":-2147483648,"c":4294967295,"d":"-1","e":"-9223372036854775808","f":"18446744073709551615","g":true,"h":"-1","absent":0,"no":false,"text":"","data":"","whole":0.0,"__typename":"Ask"}}"#
            ]]
        } else {
            expect![[
                r#"{"do":{"a":7,"b":-4,"c":7,"d":"1099511627783","e":"-549755813892","f":"1099511627783","g":true,"h":"7","absent":0,"no":false,"text":"","data":"","whole":0.0,"__typename":"Ask"}}"#
            ]]
        };
        check(&graph, document, fields.concat(), &expected);
    }
}

#[test]
fn floats_have_the_shortest_form_of_their_size() {
    let graph = graph("message Ask { repeated float a = 1; repeated double b = 2; float bad = 3; }");
    let floats: Vec<u8> =
        [0.1f32, -0.0, 3.0, 1e30, f32::MIN_POSITIVE].iter().flat_map(|value| value.to_le_bytes()).collect();
    let doubles: Vec<u8> =
        [0.1f64, -0.0, 1e300, 5e-324, 123_456.789].iter().flat_map(|value| value.to_le_bytes()).collect();
    let fields = [bytes(1, floats), bytes(2, doubles), b"\x1d\x00\x00\x80\x7f".to_vec()];
    check(
        &graph,
        "{ do { a b } }",
        fields.concat(),
        &expect![[
            r#"{"do":{"a":[0.1,-0.0,3.0,1e+30,1.1754944e-38],"b":[0.1,-0.0,1e+300,5e-324,123456.789]}}"#
        ]],
    );
    check(
        &graph,
        "{ do { bad } }",
        fields.concat(),
        &expect![[r#"
            {"do":null}
            1:8 do.bad: NotFinite"#]],
    );
}

#[test]
fn names_are_written_and_numbers_without_one_are_null() {
    let graph = graph(
        "enum Mood { MOOD_UNSPECIFIED = 0; MOOD_GOOD = 1; MOOD_BAD = -2; }
         message Ask { Mood mood = 1; optional Mood other = 2; repeated Mood all = 3; map<string, Mood> by = 4; }",
    );
    let document = "{ do { mood other all by { key value } } }";
    let entry = |mood| message(4, &[bytes(1, "k"), int(2, mood)]);
    let all = [1, 0, 9, -2].map(|mood| int(3, mood));
    check(
        &graph,
        document,
        [int(1, 7), int(2, -2), all.concat(), entry(8)].concat(),
        &expect![[r#"
            {"do":{"mood":null,"other":"BAD","all":["GOOD","BAD"],"by":[{"key":"k","value":null}]}}
            3 unknown"#]],
    );
    check(&graph, document, Vec::new(), &expect![[r#"{"do":{"mood":null,"other":null,"all":[],"by":[]}}"#]]);
}

#[test]
fn well_known_messages_have_their_forms() {
    let graph = graph(
        "message Ask { google.protobuf.Timestamp at = 1; google.protobuf.Duration took = 2; google.type.Date day = 3;
           google.protobuf.FieldMask mask = 4; google.protobuf.Struct struct = 5; google.protobuf.Any any = 6;
           google.protobuf.Int64Value wrapped = 7; google.protobuf.NullValue nothing = 8; google.protobuf.Empty empty = 9;
           repeated google.protobuf.Value values = 10; map<string, google.protobuf.Timestamp> times = 11; }",
    );
    let document =
        "{ do { at took day mask struct any wrapped nothing empty { ok } values times { key value } } }";
    let value = |fields: &[Vec<u8>]| message(10, fields);
    let entry = |key: &str, value: Vec<u8>| message(1, &[bytes(1, key), bytes(2, value)]);
    let fields = [
        message(1, &[int(1, 1_795_236_630), int(2, 5_000_000)]),
        message(2, &[int(1, -3), int(2, -500_000_000)]),
        message(3, &[int(1, 2026), int(2, 11), int(3, 21)]),
        message(4, &[bytes(1, "user.display_name"), bytes(1, "a_1_b._c_")]),
        message(
            5,
            &[
                entry("b", int(4, 1)),
                entry("a", double(2, 1.5)),
                entry("b", double(2, -7.0)),
                entry("n", vec![]),
            ],
        ),
        message(6, &[bytes(1, "type.googleapis.com/t.v1.Ask"), bytes(2, b"\x08\x01")]),
        message(7, &[]),
        int(8, 0),
        message(9, &[]),
        value(&[int(1, 0)]),
        value(&[bytes(3, "x\"")]),
        value(&[message(6, &[message(1, &[double(2, -0.0)]), message(1, &[message(5, &[])])])]),
        message(11, &[bytes(1, "zero")]),
    ];
    check(
        &graph,
        document,
        fields.concat(),
        &expect![[
            r#"{"do":{"at":"2026-11-21T04:50:30.005Z","took":"-3.500s","day":"2026-11-21","mask":"user.displayName,a_1B.C_","struct":{"a":1.5,"b":-7,"n":null},"any":{"@type":"type.googleapis.com/t.v1.Ask","value":"CAE="},"wrapped":"0","nothing":null,"empty":{"ok":true},"values":[null,"x\"",[-0.0,{}]],"times":[{"key":"zero","value":"1970-01-01T00:00:00Z"}]}}"#
        ]],
    );
}

#[test]
fn what_is_out_of_range_or_no_message_is_null_and_an_error() {
    let graph = graph(
        "message Ask { google.protobuf.Timestamp at = 1; google.protobuf.Duration took = 2; google.type.Date day = 3;
           google.protobuf.FieldMask mask = 4; google.protobuf.Struct struct = 5; google.protobuf.Any any = 6;
           google.protobuf.Int64Value wrapped = 7; google.protobuf.Value value = 8; }",
    );
    let fields = [
        message(1, &[int(2, -1)]),
        message(2, &[int(1, 1), int(2, -1)]),
        message(3, &[int(1, 2026), int(2, 11)]),
        message(4, &[bytes(1, b"\xff")]),
        message(5, &[message(1, &[bytes(1, "k"), message(2, &[double(2, f64::NAN)])])]),
        message(6, &[int(1, 1)]),
        bytes(7, b"\x08"),
        bytes(8, b"\x32\x05"),
    ];
    check(
        &graph,
        "{ do { at took day mask struct any wrapped value } }",
        fields.concat(),
        &expect![[r#"
            {"do":{"at":null,"took":null,"day":null,"mask":null,"struct":null,"any":null,"wrapped":null,"value":null}}
            1:8 do.at: Malformed
            1:11 do.took: Malformed
            1:16 do.day: Malformed
            1:20 do.mask: Utf8
            1:25 do.struct: NotFinite
            1:32 do.any: Malformed
            1:36 do.wrapped: Malformed
            1:44 do.value: Malformed"#]],
    );
}

#[test]
fn json_is_taken_a_hundred_levels_deep() {
    let graph = graph("message Ask { google.protobuf.Value value = 1; }");
    for (levels, expected) in [(100, true), (101, false), (5000, false)] {
        let mut value = Vec::new();
        for _ in 0..levels {
            value = message(6, &[bytes(1, &value)]);
        }
        let brings = [("Do", super::Brings::Bytes(bytes(1, value)))];
        let (text, written) = super::Case::new(&graph, "{ do { value } }", &brings).written();
        assert_eq!(text.contains(&"[".repeat(100)), expected, "{levels}");
        assert_eq!(written.errors.is_empty(), expected, "{levels}");
    }
}

#[test]
fn an_empty_value_is_null_where_the_service_says_so() {
    let graph = graph(
        "message Ask { string a = 1 [(turnout.graphql.v1.field) = {empty_as_null: true}];
           double b = 2 [(turnout.graphql.v1.field) = {empty_as_null: true}];
           google.protobuf.StringValue c = 3 [(turnout.graphql.v1.field) = {empty_as_null: true}];
           optional string d = 4; }",
    );
    let document = "{ do { a b c d } }";
    let zeros = [bytes(1, ""), double(2, -0.0), message(3, &[bytes(1, "")]), bytes(4, "")];
    check(&graph, document, zeros.concat(), &expect![[r#"{"do":{"a":null,"b":null,"c":null,"d":""}}"#]]);
    let values = [bytes(1, "x"), double(2, 0.5), message(3, &[bytes(1, "y")])];
    check(&graph, document, values.concat(), &expect![[r#"{"do":{"a":"x","b":0.5,"c":"y","d":null}}"#]]);
}

#[test]
fn entries_are_sorted_by_their_keys_and_the_last_one_counts() {
    let graph = graph(
        "message Ask { map<sint32, string> numbers = 1; map<string, In> texts = 2; map<bool, bool> flags = 3; }
         message In { int32 a = 1; }",
    );
    let zigzag = |value: i64| value << 1 ^ value >> 63;
    let number = |key, value: &str| message(1, &[int(1, zigzag(key)), bytes(2, value)]);
    let text = |key: &str, value: Vec<Vec<u8>>| message(2, &[vec![bytes(1, key)], value].concat());
    let fields = [
        number(10, "ten"),
        number(-1, "minus"),
        number(9, "nine"),
        number(10, "last"),
        message(1, &[]),
        text("b", vec![message(2, &[int(1, 5)])]),
        text("B", vec![]),
        text("", vec![message(2, &[])]),
        message(3, &[int(1, 2), int(2, 1)]),
        message(3, &[]),
    ];
    check(
        &graph,
        "{ do { numbers { key value } texts { key value { a } } flags { key value } } }",
        fields.concat(),
        &expect![[
            r#"{"do":{"numbers":[{"key":-1,"value":"minus"},{"key":0,"value":""},{"key":9,"value":"nine"},{"key":10,"value":"last"}],"texts":[{"key":"","value":{"a":0}},{"key":"B","value":{"a":0}},{"key":"b","value":{"a":5}}],"flags":[{"key":false,"value":false},{"key":true,"value":true}]}}"#
        ]],
    );
}

#[test]
fn of_a_oneof_the_member_that_is_set_is_written() {
    let graph = graph(
        "message Ask { oneof kind { option (turnout.graphql.v1.oneof) = {union: \"Kind\"}; A a = 1; string b = 2;
             google.protobuf.StringValue c = 3; }
           oneof plain { int32 d = 4; A e = 5; } }
         message A { int32 n = 1; }",
    );
    let document = "{ do { kind { __typename ... on A { n } ... on KindB { text: value } ... on KindC { value } } plainCase d e { n } } }";
    for (fields, expected) in [
        (vec![], expect![[r#"{"do":{"kind":null,"plainCase":null,"d":null,"e":null}}"#]]),
        (
            vec![bytes(2, "x"), message(1, &[]), int(4, 0)],
            expect![[r#"{"do":{"kind":{"__typename":"A","n":0},"plainCase":"D","d":0,"e":null}}"#]],
        ),
        (
            vec![message(1, &[]), bytes(2, ""), message(5, &[int(1, 3)])],
            expect![[
                r#"{"do":{"kind":{"__typename":"KindB","text":""},"plainCase":"E","d":null,"e":{"n":3}}}"#
            ]],
        ),
        (
            vec![message(3, &[bytes(1, "w")]), int(99, 1)],
            expect![[
                r#"{"do":{"kind":{"__typename":"KindC","value":"w"},"plainCase":null,"d":null,"e":null}}"#
            ]],
        ),
    ] {
        check(&graph, document, fields.concat(), &expected);
    }
}
