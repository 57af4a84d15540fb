//! Do the sample services get what a frontend developer would send them?

use expect_test::expect;

use super::World;

#[test]
fn a_page_of_products_is_asked_for_with_an_enum_and_a_filter() {
    expect!["page_size: 5, category_id: 0, status: #2, order_by: #2"].assert_eq(&World::sample("catalog", "1.5", "products").answer(
        "query($status: ProductStatus, $size: Int = 5) { products(pageSize: $size, status: $status, orderBy: PRICE_ASC, categoryId: 0) }",
        "{\"status\": \"SOLD_OUT\"}",
    ));
}

#[test]
fn a_user_is_updated_by_what_was_given() {
    expect![[r#"user: {name: "users/1", display_name: "Ada"}, update_mask: {paths: ["display_name"]}"#]]
        .assert_eq(&World::sample("users", "2", "updateUser").answer(
            "mutation($user: UserInput!) { updateUser(user: $user) }",
            "{\"user\": {\"name\": \"users/1\", \"displayName\": \"Ada\"}}",
        ));
}

/// A field of `everything`, sent as a variable.
fn echo(field: &str, value: &str) -> String {
    let document = "query($e: EverythingInput) { echo(everything: $e) }";
    let variables = format!("{{\"e\": {{\"{field}\": {value}}}}}");
    World::sample("echo", "1", "echo").answer(document, &variables)
}

#[test]
fn a_field_has_the_name_that_the_graph_gives_it() {
    expect![[r#"everything: {renamed: "a"}"#]].assert_eq(&echo("calledOtherwise", "\"a\""));
    expect![[r#"everything: {renamed_by_option: "a"}"#]].assert_eq(&echo("calledByOption", "\"a\""));
    expect![[r#"Variable "$e" got invalid value { renamed: "a" }; Field "renamed" is not defined by type "EverythingInput"."#]].assert_eq(&echo("renamed", "\"a\""));
    expect!["everything: {reference: 7}"].assert_eq(&echo("reference", "\"7\""));
    expect!["everything: {}"].assert_eq(&echo("zeroIsAbsent", "0"));
    expect![[r#"Variable "$e" got invalid value { secret: "a" }; Field "secret" is not defined by type "EverythingInput"."#]].assert_eq(&echo("secret", "\"a\""));
}

#[test]
fn numbers_and_text_of_every_kind_arrive() {
    let values = r#"{"doubleValue": 0.1, "floatValue": 0.1, "int32Value": -1, "int64Value": "-1", "uint32Value": 1,
        "uint64Value": "18446744073709551615", "sint32Value": -2, "sint64Value": -2, "fixed32Value": 3,
        "fixed64Value": 3, "sfixed32Value": -3, "sfixed64Value": -3, "boolValue": true, "stringValue": "é",
        "bytesValue": "AP8"}"#;
    expect![[r#"everything: {scalars: {double_value: 0.1, float_value: 0.1, int32_value: -1, int64_value: -1, uint32_value: 1, uint64_value: 18446744073709551615, sint32_value: -2, sint64_value: -2, fixed32_value: 3, fixed64_value: 3, sfixed32_value: -3, sfixed64_value: -3, bool_value: true, string_value: "é", bytes_value: b"\0\xff"}}"#]].assert_eq(&echo("scalars", values));
    let zeros = r#"{"doubleValue": 0, "int32Value": 0, "uint64Value": "0", "boolValue": false, "stringValue": "",
        "bytesValue": ""}"#;
    expect!["everything: {scalars: {}}"].assert_eq(&echo("scalars", zeros));
    expect![[r#"everything: {optionals: {double_value: 0, int32_value: 0, uint64_value: 0, bool_value: false, string_value: "", bytes_value: b""}}"#]].assert_eq(&echo("optionals", zeros));
    expect!["everything: {wrappers: {double_value: {}, uint64_value: {}, int32_value: {}, bool_value: {}, string_value: {}, bytes_value: {}}}"].assert_eq(&echo("wrappers", zeros));
}

#[test]
fn lists_and_maps_arrive() {
    let lists = r#"{"doubleValues": [0, 1.5], "int32Values": 7, "unpackedInt32Values": [1, 2], "boolValues": [],
        "stringValues": ["", "a"], "bytesValues": ["AA"], "enumValues": ["RED", "BLUE"],
        "messageValues": [{}, {"x": -1}], "timestampValues": ["1970-01-01T00:00:01Z"], "wrapperValues": [0, "1"]}"#;
    expect![[r#"everything: {lists: {double_values: [0, 1.5], int32_values: [7], unpacked_int32_values: [1, 2], string_values: ["", "a"], bytes_values: [b"\0"], enum_values: [#1, #3], message_values: [{}, {x: -1}], timestamp_values: [{seconds: 1}], wrapper_values: [{}, {value: 1}]}}"#]].assert_eq(&echo("lists", lists));
    let maps = r#"{"stringToString": [{"key": "a", "value": ""}], "stringToInt64": {"key": "", "value": 1},
        "int32ToPoint": [{"key": -1, "value": {"x": 1}}], "uint64ToColour": [{"key": "1", "value": "RED"}],
        "boolToBytes": [{"key": true, "value": "AA"}, {"key": false, "value": ""}],
        "sfixed64ToDouble": [{"key": -1, "value": 0.5}]}"#;
    expect![[r#"everything: {maps: {string_to_string: <"a" = "">, string_to_int64: <"" = 1>, int32_to_point: <-1 = {x: 1}>, uint64_to_colour: <1 = #1>, bool_to_bytes: <false = b"", true = b"\0">, sfixed64_to_double: <-1 = 0.5>}}"#]].assert_eq(&echo("maps", maps));
}

#[test]
fn one_of_several_arrives() {
    expect![[r#"everything: {choices: {text: "", circle: {radius: 1}}}"#]]
        .assert_eq(&echo("choices", r#"{"text": "", "circle": {"radius": 1}}"#));
    expect![[r#"everything: {choices: {nothing: {}, described: ""}}"#]]
        .assert_eq(&echo("choices", r#"{"nothing": true, "described": ""}"#));
    expect![[r#"Variable "$e" got invalid value { text: "a", number: null, point: {}, described: "x" } at "e.choices"; At most one of "text", "number", "colour", "point", "nothing" may be given, not "text", "point" together."#]].assert_eq(&echo("choices", r#"{"text": "a", "number": null, "point": {}, "described": "x"}"#));
}

#[test]
fn types_that_everybody_knows_arrive() {
    let known = r#"{"timestamp": "2026-11-21T00:00:00.001Z", "duration": "1.5s", "fieldMask": "a.bC", "value": [1],
        "struct": {"a": null}, "listValue": [{}], "nullValue": null, "empty": true}"#;
    expect![[r#"everything: {well_known: {timestamp: {seconds: 1795219200, nanos: 1000000}, duration: {seconds: 1, nanos: 500000000}, field_mask: {paths: ["a.b_c"]}, struct: {fields: <"a" = {null_value: #0}>}, value: {list_value: {values: [{number_value: 1}]}}, list_value: {values: [{struct_value: {}}]}, empty: {}}}"#]].assert_eq(&echo("wellKnown", known));
    expect![[r#"
        Variable "$e" got invalid value 1 at "e.wellKnown.nullValue"; Nothing but null can be sent here: 1
        Variable "$e" got invalid value { @type: "x" } at "e.wellKnown.any"; A google.protobuf.Any can be read but not sent.
        Variable "$e" got invalid value {} at "e.wellKnown.anyValues[0]"; A google.protobuf.Any can be read but not sent."#]].assert_eq(&echo("wellKnown", r#"{"any": {"@type": "x"}, "anyValues": [{}], "nullValue": 1}"#));
    expect!["everything: {enums: {colour: #1, direction: #4, level: #2}}"].assert_eq(&echo(
        "enums",
        r#"{"colour": "RED", "direction": "WEST", "level": "MAXIMUM", "toggle": "OFF"}"#,
    ));
    expect![[r#"everything: {tree: {children: [{children: [{label: "c"}]}]}}"#]]
        .assert_eq(&echo("tree", r#"{"children": [{"children": {"label": "c"}}], "twin": null}"#));
}

#[test]
fn groups_and_required_fields_arrive() {
    let world = World::sample("echo", "1", "legacyLabel");
    let document = "query($r: LegacyRecordInput!) { legacyLabel(record: $r) }";
    let record =
        r#"{"r": {"id": 0, "origin": {"line": 0, "system": "a"}, "kind": "PAPER", "numbers": [1, 2]}}"#;
    expect![[r#"record: {id: 0, origin: {system: "a", line: 0}, kind: #1, numbers: [1, 2]}"#]]
        .assert_eq(&world.answer(document, record));
    expect![[r#"Variable "$r" got invalid value {}; Field "id" of required type "Int!" was not provided."#]]
        .assert_eq(&world.answer(document, r#"{"r": {}}"#));
}
