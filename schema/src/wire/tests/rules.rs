//! What the specification says of absence, null, lists, input objects and defaults; oneofs, maps and masks.

use expect_test::{Expect, expect};

use super::World;
use crate::graph::Mask;

fn shop() -> World {
    World::new(
        r#"
        message Ask {
          Product product = 9;
          google.protobuf.FieldMask update_mask = 2;
          int32 need_count = 3;
          repeated int32 numbers = 4; repeated string words = 5; repeated Price prices = 6;
          map<string, Price> by_name = 7; map<int32, string> names = 8;
          optional int32 maybe = 1;
          oneof by { string slug = 10; string code = 11; }
        }
        message Product {
          string id = 5; string display_name = 4; Price price = 3; repeated string tags = 2; optional bool sold = 1;
          oneof payment { string card_number = 6; Price cash = 7; google.protobuf.Empty free = 8; }
          Product parent = 9;
        }
        message Price { int64 need_units = 1; int32 nanos = 2; Price before = 3; }
        "#,
    )
}

/// A field's arguments, beside the one that must be given, and variables.
fn check(arguments: &str, declared: &str, variables: &str, expected: &Expect) {
    let document =
        format!("query({declared}) {{ ask(needCount: 0, {arguments}) }}").replace("query()", "query");
    expected.assert_eq(&shop().answer(&document, variables));
}

#[test]
fn absent_null_and_zero_are_three_things_where_presence_is_told() {
    check("maybe: 0", "", "", &expect!["maybe: 0"]);
    check("maybe: null", "", "", &expect![[""]]);
    check("slug: \"a\"", "", "null", &expect![[r#"slug: "a""#]]);
    check("maybe: $v", "$v: Int", "{}", &expect![[""]]);
    check("maybe: $v", "$v: Int", "{\"v\": null}", &expect![[""]]);
    check("maybe: $v", "$v: Int", "{\"v\": 0, \"unknown\": {}}", &expect!["maybe: 0"]);
}

#[test]
fn what_must_be_given_is_asked_for() {
    let world = shop();
    for (document, variables, expected) in [
        ("{ ask }", "", expect![[r#"Argument "needCount" of required type "Int!" was not provided."#]]),
        (
            "{ ask(needCount: null) }",
            "",
            expect![[r#"Argument "needCount" of non-null type "Int!" must not be null."#]],
        ),
        (
            "query($v: Int!) { ask(needCount: $v) }",
            "{}",
            expect![[r#"Variable "$v" of required type "Int!" was not provided."#]],
        ),
        (
            "query($v: Int!) { ask(needCount: $v) }",
            "{\"v\": null}",
            expect![[r#"Variable "$v" of non-null type "Int!" must not be null."#]],
        ),
        (
            "query($v: Int!) { ask(needCount: $v) }",
            "",
            expect![[r#"Variable "$v" of required type "Int!" was not provided."#]],
        ),
        (
            "query($v: Int) { ask(needCount: $v) }",
            "{}",
            expect![[
                r#"Argument "needCount" of required type "Int!" was provided the variable "$v" which was not provided a runtime value."#
            ]],
        ),
        (
            "query($v: Int) { ask(needCount: $v) }",
            "{\"v\": null}",
            expect![[r#"Argument "needCount" of non-null type "Int!" must not be null."#]],
        ),
        ("query($v: Int = 3) { ask(needCount: $v) }", "{}", expect!["need_count: 3"]),
        (
            "query($v: Int = 3) { ask(needCount: $v) }",
            "{\"v\": null}",
            expect![[r#"Argument "needCount" of non-null type "Int!" must not be null."#]],
        ),
        ("query($v: Int! = 3) { ask(needCount: $v) }", "{\"v\": 4}", expect!["need_count: 4"]),
        (
            "query($v: Int = \"x\") { ask(needCount: $v) }",
            "{\"v\": 4}",
            expect![[
                r#"Variable "$v" has invalid default value "x"; Int cannot represent non-integer value: "x""#
            ]],
        ),
        (
            "query($v: Colour) { ask(needCount: $v) }",
            "{}",
            expect![[r#"Variable "$v" cannot be non-input type "Colour"."#]],
        ),
    ] {
        expected.assert_eq(&world.answer(document, variables));
    }
}

#[test]
fn variables_that_are_no_object_are_refused() {
    check("maybe: $v", "$v: Int", "[1]", &expect!["Variables must be given as a JSON object."]);
    check(
        "maybe: $v",
        "$v: Int",
        "{\"v\" 1}",
        &expect![[r#"Variables are no JSON: expected ":" at byte 5."#]],
    );
    check("maybe: $v", "$v: Int", "  ", &expect![[""]]);
}

#[test]
fn a_single_value_is_a_list_of_one() {
    check("numbers: 7", "", "", &expect!["numbers: [7]"]);
    check("numbers: [1, 0, -1]", "", "", &expect!["numbers: [1, 0, -1]"]);
    check("numbers: []", "", "", &expect![[""]]);
    check(
        "numbers: [1, null]",
        "",
        "",
        &expect![[
            r#"Argument "numbers" has invalid value null at "numbers[1]"; Expected non-nullable type "Int!" not to be null."#
        ]],
    );
    check(
        "numbers: [$v, 2]",
        "$v: Int",
        "{}",
        &expect![[
            r#"Argument "numbers" has invalid value $v at "numbers[0]"; Expected non-nullable type "Int!" not to be null."#
        ]],
    );
    check("numbers: [$v, 2]", "$v: Int", "{\"v\": 1}", &expect!["numbers: [1, 2]"]);
    check("words: $v", "$v: [String!]", "{\"v\": \"a\"}", &expect![[r#"words: ["a"]"#]]);
    check("words: $v", "$v: [String!]", "{\"v\": [\"a\", \"\"]}", &expect![[r#"words: ["a", ""]"#]]);
    check(
        "words: $v",
        "$v: [String!]",
        "{\"v\": [\"a\", 1, null, [\"b\"]]}",
        &expect![[r#"
        Variable "$v" got invalid value 1 at "v[1]"; String cannot represent a non string value: 1
        Variable "$v" got invalid value null at "v[2]"; Expected non-nullable type "String!" not to be null.
        Variable "$v" got invalid value ["b"] at "v[3]"; String cannot represent a non string value: ["b"]"#]],
    );
    check(
        "prices: $v",
        "$v: [PriceInput!]",
        "{\"v\": {\"needUnits\": 1}}",
        &expect!["prices: [{need_units: 1}]"],
    );
    check(
        "prices: $v",
        "$v: [PriceInput!]",
        "{\"v\": [{\"needUnits\": 1}, {\"needUnits\": \"x\"}]}",
        &expect![[
            r#"Variable "$v" got invalid value "x" at "v[1].needUnits"; Int64 cannot represent non-integer value: "x""#
        ]],
    );
}

#[test]
fn input_objects_are_checked_to_the_bottom() {
    let declared = "$v: ProductInput";
    for (value, expected) in [
        ("{}", expect!["product: {}"]),
        ("{\"displayName\": \"\", \"sold\": false, \"tags\": []}", expect!["product: {sold: false}"]),
        ("{\"price\": {\"needUnits\": \"12\", \"nanos\": 0}}", expect!["product: {price: {need_units: 12}}"]),
        (
            "{\"price\": {\"needUnits\": 1, \"before\": {\"needUnits\": 2, \"before\": null}}}",
            expect!["product: {price: {need_units: 1, before: {need_units: 2}}}"],
        ),
        (
            "1",
            expect![[r#"Variable "$v" got invalid value 1; Expected type "ProductInput" to be an object."#]],
        ),
        (
            "[]",
            expect![[r#"Variable "$v" got invalid value []; Expected type "ProductInput" to be an object."#]],
        ),
        (
            "{\"price\": {}}",
            expect![[
                r#"Variable "$v" got invalid value {} at "v.price"; Field "needUnits" of required type "Int64!" was not provided."#
            ]],
        ),
        (
            "{\"price\": {\"needUnits\": null}}",
            expect![[
                r#"Variable "$v" got invalid value null at "v.price.needUnits"; Expected non-nullable type "Int64!" not to be null."#
            ]],
        ),
        (
            "{\"price\": {\"needUnits\": 1, \"before\": {\"needUnits\": 1.5}}}",
            expect![[
                r#"Variable "$v" got invalid value 1.5 at "v.price.before.needUnits"; Int64 cannot represent non-integer value: 1.5"#
            ]],
        ),
        (
            "{\"name\": 1, \"colour\": 2, \"sold\": 3}",
            expect![[r#"
            Variable "$v" got invalid value 3 at "v.sold"; Boolean cannot represent a non boolean value: 3
            Variable "$v" got invalid value { name: 1, colour: 2, sold: 3 }; Field "name" is not defined by type "ProductInput".
            Variable "$v" got invalid value { name: 1, colour: 2, sold: 3 }; Field "colour" is not defined by type "ProductInput"."#]],
        ),
        (
            "{\"sold\": true, \"sold\": false}",
            expect![[
                r#"Variable "$v" got invalid value { sold: true, sold: false }; Field "sold" is given more than once."#
            ]],
        ),
        ("{\"display\\u004eame\": \"a\"}", expect![[r#"product: {display_name: "a"}"#]]),
    ] {
        check("product: $v", declared, &format!("{{\"v\": {value}}}"), &expected);
    }
}

#[test]
fn literals_may_contain_variables_and_are_checked_as_well() {
    check(
        "product: {displayName: $v, sold: $w}",
        "$v: String, $w: Boolean",
        "{\"w\": true}",
        &expect!["product: {sold: true}"],
    );
    check(
        "product: {price: {needUnits: $v}}",
        "$v: Int64",
        "{}",
        &expect![[
            r#"Argument "product" has invalid value { needUnits: $v } at "product.price"; Field "needUnits" of required type "Int64!" was not provided."#
        ]],
    );
    check(
        "product: {price: {needUnits: x}, tags: [1]}",
        "",
        "",
        &expect![[r#"
        Argument "product" has invalid value 1 at "product.tags[0]"; String cannot represent a non string value: 1
        Argument "product" has invalid value x at "product.price.needUnits"; Int64 cannot represent non-integer value: x"#]],
    );
}

#[test]
fn of_a_oneof_at_most_one_is_given() {
    let price = "cash: {needUnits: 1}";
    check("product: {cardNumber: \"1\"}", "", "", &expect![[r#"product: {card_number: "1"}"#]]);
    check("product: {free: true}", "", "", &expect!["product: {free: {}}"]);
    check(
        &format!("product: {{cardNumber: null, {price}}}"),
        "",
        "",
        &expect!["product: {cash: {need_units: 1}}"],
    );
    check(
        &format!("product: {{cardNumber: \"\", {price}}}"),
        "",
        "",
        &expect![[
            r#"Argument "product" has invalid value { cardNumber: "", cash: { needUnits: 1 } }; At most one of "cardNumber", "cash", "free" may be given, not "cardNumber", "cash" together."#
        ]],
    );
    check(
        "slug: \"a\", code: \"b\"",
        "",
        "",
        &expect![[r#"At most one of "slug", "code" may be given, not "slug", "code" together."#]],
    );
    check("slug: $v, code: \"b\"", "$v: String", "{}", &expect![[r#"code: "b""#]]);
    check("slug: $v, code: \"b\"", "$v: String", "{\"v\": null}", &expect![[r#"code: "b""#]]);
    check(
        "slug: $v, code: \"b\"",
        "$v: String",
        "{\"v\": \"a\"}",
        &expect![[r#"At most one of "slug", "code" may be given, not "slug", "code" together."#]],
    );
}

#[test]
fn a_map_is_a_list_of_entries() {
    check(
        "byName: [{key: \"a\", value: {needUnits: 1}}, {key: \"\", value: null}]",
        "",
        "",
        &expect![[r#"by_name: <"" = {}, "a" = {need_units: 1}>"#]],
    );
    check("names: {key: 0, value: \"\"}", "", "", &expect![[r#"names: <0 = "">"#]]);
    check(
        "names: $v",
        "$v: [AskNamesEntryInput!]",
        "{\"v\": [{\"key\": -1, \"value\": \"x\"}]}",
        &expect![[r#"names: <-1 = "x">"#]],
    );
    check(
        "names: [{value: \"x\"}]",
        "",
        "",
        &expect![[
            r#"Argument "names" has invalid value { value: "x" } at "names[0]"; Field "key" of required type "Int!" was not provided."#
        ]],
    );
}

#[test]
fn an_update_mask_names_what_was_given() {
    let mut world = shop();
    world.mask = Some(Mask::Update { mask: 2, of: 9, key: Some(5) });
    world.arguments.retain(|argument| argument.write.number == 9);
    for (value, expected) in [
        ("{\"id\": \"1\"}", expect![[r#"update_mask: {}, product: {id: "1"}"#]]),
        (
            "{\"id\": \"1\", \"displayName\": \"a\", \"sold\": null}",
            expect![[
                r#"update_mask: {paths: ["sold", "display_name"]}, product: {display_name: "a", id: "1"}"#
            ]],
        ),
        (
            "{\"id\": \"1\", \"price\": {\"nanos\": 0, \"needUnits\": 1}}",
            expect![[
                r#"update_mask: {paths: ["price.need_units", "price.nanos"]}, product: {price: {need_units: 1}, id: "1"}"#
            ]],
        ),
        (
            "{\"id\": \"1\", \"price\": null, \"parent\": {}, \"tags\": []}",
            expect![[r#"update_mask: {paths: ["tags", "price", "parent"]}, product: {id: "1", parent: {}}"#]],
        ),
        (
            "{\"parent\": {\"price\": {\"needUnits\": 1}, \"id\": \"2\"}}",
            expect![[
                r#"update_mask: {paths: ["parent.price", "parent.id"]}, product: {parent: {price: {need_units: 1}, id: "2"}}"#
            ]],
        ),
        ("null", expect![[""]]),
    ] {
        let document = "query($v: ProductInput) { ask(product: $v) }";
        expected.assert_eq(&world.answer(document, &format!("{{\"v\": {value}}}")));
    }
    expect![[r#"update_mask: {paths: ["price"]}, product: {id: "1"}"#]]
        .assert_eq(&world.answer("{ ask(product: {id: \"1\", price: null}) }", ""));
    let document = "query($a: String, $b: Boolean) { ask(product: {displayName: $a, sold: $b}) }";
    expect![[r#"update_mask: {paths: ["display_name"]}, product: {}"#]]
        .assert_eq(&world.answer(document, "{\"a\": null}"));
}

#[test]
fn errors_end_somewhere() {
    let items = vec!["\"x\""; 1000].join(",");
    check(
        "numbers: $v",
        "$v: [Int!]",
        &format!("{{\"v\": [{items}]}}"),
        &expect![[r#"
        Variable "$v" got invalid value "x" at "v[0]"; Int cannot represent non-integer value: "x"
        Variable "$v" got invalid value "x" at "v[1]"; Int cannot represent non-integer value: "x"
        Variable "$v" got invalid value "x" at "v[2]"; Int cannot represent non-integer value: "x"
        Variable "$v" got invalid value "x" at "v[3]"; Int cannot represent non-integer value: "x"
        Variable "$v" got invalid value "x" at "v[4]"; Int cannot represent non-integer value: "x"
        Variable "$v" got invalid value "x" at "v[5]"; Int cannot represent non-integer value: "x"
        Variable "$v" got invalid value "x" at "v[6]"; Int cannot represent non-integer value: "x"
        Variable "$v" got invalid value "x" at "v[7]"; Int cannot represent non-integer value: "x"
        Variable "$v" got invalid value "x" at "v[8]"; Int cannot represent non-integer value: "x"
        Variable "$v" got invalid value "x" at "v[9]"; Int cannot represent non-integer value: "x"
        Too many errors processing variables, error limit reached. Execution aborted."#]],
    );
}

#[test]
fn fields_come_in_the_order_of_their_numbers() {
    use crate::variables::Variables;
    use crate::wire::{Request, Takes};
    let world = shop();
    let operation =
        super::operation("{ ask(words: \"w\", maybe: 2, needCount: 1, product: {id: \"i\", sold: true}) }");
    let async_graphql_parser::types::Selection::Field(field) = &operation.selection_set.node.items[0].node
    else {
        panic!("no field")
    };
    let takes = Takes { arguments: &world.arguments, one_of: &world.one_of, mask: None };
    let request = Request::new(takes, &field.node.arguments, &world.types).unwrap();
    assert!(request.is_fixed());
    let bytes = request.encode(&Variables::default(), &world.types).unwrap();
    assert_eq!(bytes, b"\x08\x02\x18\x01\x2a\x01w\x4a\x05\x08\x01\x2a\x01i");
}
