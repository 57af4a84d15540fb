//! Two schemas as text, and what differs.

use std::sync::Arc;

use async_graphql_parser::types as ast;
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::compose::{Locks, compose};
use crate::fixture;
use crate::graph::{
    Argument, Count, Doc, Enum, EnumValue, Field, Form, Input, Name, Object, OneOf, Read, Resolve, Scalar,
    Type, TypeRef, Union, Wire,
};
use crate::subgraph::{self, Descriptors, Exposure};

/// A schema's types. A directive `@one` on input fields puts them into a set of which one may be given.
fn graph(sdl: &str) -> Types {
    let document = async_graphql_parser::parse_schema(sdl).unwrap();
    let definitions = document.definitions.into_iter().filter_map(|definition| match definition {
        ast::TypeSystemDefinition::Type(definition) => Some(definition.node),
        ast::TypeSystemDefinition::Schema(_) | ast::TypeSystemDefinition::Directive(_) => None,
    });
    definitions.map(|definition| (Arc::from(definition.name.node.as_str()), ty(&definition))).collect()
}

fn ty(definition: &ast::TypeDefinition) -> Type {
    let source: Name = definition.name.node.as_str().into();
    let doc = doc(definition.description.as_ref().map(|text| text.node.as_str()), &[]);
    match &definition.kind {
        ast::TypeKind::Object(object) => {
            let fields = object.fields.iter().map(|field| self::field(&field.node)).collect();
            Type::Object(Object { doc, source, fields })
        }
        ast::TypeKind::InputObject(input) => {
            let fields = input.fields.iter().map(|field| argument(&field.node)).collect();
            let members = input.fields.iter().filter(|field| {
                field.node.directives.iter().any(|directive| directive.node.name.node == "one")
            });
            let members = members.map(|field| field.node.name.node.as_str().into()).collect();
            Type::Input(Input { doc, source, fields, one_of: vec![OneOf { name: "one".into(), members }] })
        }
        ast::TypeKind::Enum(definition) => {
            let values = definition.values.iter().map(|value| EnumValue {
                name: value.node.value.node.as_str().into(),
                doc: self::doc(None, &value.node.directives),
                number: 1,
            });
            Type::Enum(Enum { doc, source, values: values.collect(), zero_is_null: true })
        }
        ast::TypeKind::Union(union) => {
            let members = union.members.iter().map(|member| member.node.as_str().into()).collect();
            Type::Union(Union { doc, source, members })
        }
        ast::TypeKind::Scalar | ast::TypeKind::Interface(_) => Type::Scalar(Scalar::Json),
    }
}

fn field(field: &ast::FieldDefinition) -> Field {
    Field {
        name: field.name.node.as_str().into(),
        doc: doc(field.description.as_ref().map(|text| text.node.as_str()), &field.directives),
        ty: type_ref(&field.ty.node),
        arguments: field.arguments.iter().map(|argument| self::argument(&argument.node)).collect(),
        resolve: Resolve::Ok,
    }
}

fn argument(value: &ast::InputValueDefinition) -> Argument {
    let kind = crate::graph::Kind::Scalar(Wire::Int32, Form::Plain);
    Argument {
        name: value.name.node.as_str().into(),
        doc: doc(value.description.as_ref().map(|text| text.node.as_str()), &value.directives),
        ty: type_ref(&value.ty.node),
        write: Read { name: "any".into(), number: 1, count: Count::Optional, kind },
    }
}

fn doc(
    description: Option<&str>,
    directives: &[async_graphql_parser::Positioned<ast::ConstDirective>],
) -> Doc {
    let deprecated = directives.iter().find(|directive| directive.node.name.node == "deprecated");
    let deprecated = deprecated.map(|directive| {
        let reason = directive.node.get_argument("reason").map(|reason| reason.node.to_string());
        reason.unwrap_or_default().trim_matches('"').to_owned()
    });
    Doc { description: description.unwrap_or_default().to_owned(), deprecated }
}

fn type_ref(ty: &ast::Type) -> TypeRef {
    let base = match &ty.base {
        ast::BaseType::Named(name) => TypeRef::named(name.as_str()),
        ast::BaseType::List(inner) => TypeRef::List(Box::new(type_ref(inner))),
    };
    if ty.nullable { base } else { base.non_null() }
}

fn check(old: &str, new: &str, expected: Expect) {
    let lines: Vec<String> =
        types(&graph(old), &graph(new)).iter().map(|change| format!("{change}\n")).collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn a_graph_does_not_differ_from_itself() {
    check(OLD, OLD, expect![""]);
}

const OLD: &str = r#"
    type Query { product(id: ID!, locale: String): Product, old: Int, products(first: Int, only: Filter): [Product!]! }
    type Mutation { rename(id: ID!): Product }
    "Something the shop sells."
    type Product { id: ID!, title: String!, stock: Int, tags: [String!]!, kind: Kind, price: Int! @deprecated(reason: "Use cost."), sku: Int! }
    union Kind = Parcel | Download
    type Parcel { grams: Int! }
    type Download { bytes: Int! }
    enum Status { ACTIVE, SOLD_OUT @deprecated(reason: "Gone."), PREVIEW }
    input Filter { status: Status, text: String, min: Int!, a: Int, b: Int @one, c: Int @one }
    scalar Bytes
    type Leaving { a: Int }
    type Turning { a: Int }
"#;

const NEW: &str = r#"
    type Query { product(id: ID, lang: String, shop: ID!): Product!, products(first: Int!, only: Filter): [Product]!, added: Int }
    "Something one can buy."
    type Product { id: ID!, title: String, stock: Int!, tags: [String!], kind: Kind, price: Int! @deprecated(reason: "Gone soon."), sku: Int! @deprecated(reason: "Use id.") }
    union Kind = Parcel | Voucher
    type Parcel { grams: Int! }
    type Download { bytes: Int! }
    type Voucher { code: Int! }
    enum Status { ACTIVE @deprecated(reason: "Soon."), SOLD_OUT, ARCHIVED }
    input Filter { status: Status!, min: Int, max: Int!, a: Int @one, b: Int, c: Int @one, d: Int }
    scalar Bytes
    enum Turning { A }
"#;

#[test]
fn every_kind_of_change_is_told_by_its_coordinate() {
    check(
        OLD,
        NEW,
        expect![[r#"
            breaking INPUT_MADE_EXCLUSIVE Filter.a may no longer be given beside the others of its set
            safe INPUT_FREED Filter.b may be given beside the others of its former set
            breaking INPUT_MADE_EXCLUSIVE Filter.c may no longer be given beside the others of its set
            dangerous OPTIONAL_INPUT_FIELD_ADDED Filter.d was added: Int
            breaking REQUIRED_INPUT_FIELD_ADDED Filter.max was added, and must be given: Int!
            safe FIELD_CHANGED_KIND_SAFE Filter.min changed its type compatibly: Int! -> Int
            breaking FIELD_CHANGED_KIND Filter.status changed its type: Status -> Status!
            breaking FIELD_REMOVED Filter.text was removed: String
            dangerous TYPE_ADDED_TO_UNION Kind gained a member: Voucher
            breaking TYPE_REMOVED_FROM_UNION Kind lost a member: Download
            breaking TYPE_REMOVED Leaving was removed: type
            breaking TYPE_REMOVED Mutation was removed: type
            safe DESCRIPTION_CHANGED Product is described differently
            safe DEPRECATION_CHANGED Product.price is deprecated for another reason: Use cost. -> Gone soon.
            safe DEPRECATION_ADDED Product.sku was deprecated: Use id.
            safe FIELD_CHANGED_KIND_SAFE Product.stock changed its type compatibly: Int -> Int!
            breaking FIELD_CHANGED_KIND Product.tags changed its type: [String!]! -> [String!]
            breaking FIELD_CHANGED_KIND Product.title changed its type: String! -> String
            safe FIELD_ADDED Query.added was added: Int
            breaking FIELD_REMOVED Query.old was removed: Int
            safe FIELD_CHANGED_KIND_SAFE Query.product changed its type compatibly: Product -> Product!
            safe ARG_CHANGED_KIND_SAFE Query.product(id:) changed its type compatibly: ID! -> ID
            dangerous OPTIONAL_ARG_ADDED Query.product(lang:) was added: String
            breaking ARG_REMOVED Query.product(locale:) was removed: String
            breaking REQUIRED_ARG_ADDED Query.product(shop:) was added, and must be given: ID!
            breaking FIELD_CHANGED_KIND Query.products changed its type: [Product!]! -> [Product]!
            breaking ARG_CHANGED_KIND Query.products(first:) changed its type: Int -> Int!
            safe DEPRECATION_ADDED Status.ACTIVE was deprecated: Soon.
            dangerous VALUE_ADDED_TO_ENUM Status.ARCHIVED was added to the enum
            breaking VALUE_REMOVED_FROM_ENUM Status.PREVIEW was removed from the enum
            safe DEPRECATION_REMOVED Status.SOLD_OUT is no longer deprecated: Gone.
            breaking TYPE_CHANGED_KIND Turning became something else: type -> enum
            safe TYPE_ADDED Voucher was added: type
        "#]],
    );
}

#[test]
fn a_type_that_leaves_is_told_once() {
    check(
        "type A { a: Int, b: Int } enum E { X }",
        "enum E { X }",
        expect![[r#"
            breaking TYPE_REMOVED A was removed: type
        "#]],
    );
}

/// The graph of one service alone.
fn composed(descriptors: &Descriptors) -> Supergraph {
    let subgraph = subgraph::read("shop", "1.0.0", descriptors, Exposure::All).subgraph;
    compose(&[subgraph], &Locks::default()).supergraph.expect("the fixture composes")
}

#[test]
fn the_newer_catalog_only_adds() {
    let (old, new) = (fixture::sample("catalog", "1.4"), fixture::sample("catalog", "1.5"));
    let lines = |old: &Descriptors, new: &Descriptors| -> String {
        diff(&composed(old), &composed(new)).iter().map(|change| format!("{change}\n")).collect()
    };
    expect![[r#"
        safe TYPE_ADDED Duration was added: scalar
        safe FIELD_ADDED Product.deliveryTime was added: Duration
        safe FIELD_ADDED Query.suggestProducts was added: [Product!]
    "#]]
    .assert_eq(&lines(&old, &new));
    expect![[r#"
        breaking TYPE_REMOVED Duration was removed: scalar
        breaking FIELD_REMOVED Product.deliveryTime was removed: Duration
        breaking FIELD_REMOVED Query.suggestProducts was removed: [Product!]
    "#]]
    .assert_eq(&lines(&new, &old));
}

#[test]
fn arguments_that_come_to_exclude_each_other_break_who_gives_both() {
    let shop = |fields: &str| {
        fixture::service(
            "shop",
            &format!(
                "service S {{ rpc Find(Ask) returns (Answer); }} message Ask {{ {fields} }} message Answer {{ int32 n = 1; }}"
            ),
        )
    };
    let free = composed(&shop("optional string by_name = 1; optional string by_id = 2;"));
    let one = composed(&shop("oneof by { string by_name = 1; string by_id = 2; }"));
    let lines = |changes: Vec<Change>| changes.iter().map(|change| format!("{change}\n")).collect::<String>();
    expect![[r#"
        breaking INPUT_MADE_EXCLUSIVE Mutation.find(byId:) may no longer be given beside the others of its set
        breaking INPUT_MADE_EXCLUSIVE Mutation.find(byName:) may no longer be given beside the others of its set
    "#]].assert_eq(&lines(diff(&free, &one)));
    expect![[r#"
        safe INPUT_FREED Mutation.find(byId:) may be given beside the others of its former set
        safe INPUT_FREED Mutation.find(byName:) may be given beside the others of its former set
    "#]]
    .assert_eq(&lines(diff(&one, &free)));
}

#[test]
fn what_is_read_may_become_narrower_but_not_wider() {
    for (old, new, safe) in [
        ("Int", "Int!", true),
        ("Int!", "Int", false),
        ("Int", "String", false),
        ("Int!", "String!", false),
        ("[Int]", "[Int!]!", true),
        ("[Int!]!", "[Int]!", false),
        ("[Int!]!", "[Int!]", false),
        ("Int", "[Int]", false),
        ("[Int]", "Int", false),
        ("[[Int]]", "[[Int!]]", true),
    ] {
        let schema = |ty: &str| graph(&format!("type T {{ f: {ty} }}"));
        let changes = types(&schema(old), &schema(new));
        assert_eq!(changes[0].kind.class() == Class::Safe, safe, "{old} -> {new}");
    }
}

#[test]
fn what_is_sent_may_become_wider_but_not_narrower() {
    for (old, new, safe) in [
        ("Int!", "Int", true),
        ("Int", "Int!", false),
        ("Int!", "String", false),
        ("[Int!]!", "[Int]", true),
        ("[Int!]!", "[Int!]", true),
        ("[Int]", "[Int!]", false),
        ("Int", "[Int]", false),
        ("[Int]", "Int", false),
    ] {
        for shape in ["input T { f: % }", "type T { f(a: %): Int }"] {
            let schema = |ty: &str| graph(&shape.replace('%', ty));
            let changes = types(&schema(old), &schema(new));
            assert_eq!(changes[0].kind.class() == Class::Safe, safe, "{old} -> {new}");
        }
    }
}

/// A small schema from a few choices, each of which changes one thing.
fn schema(choices: &[u8]) -> Types {
    let types = ["Int", "Int!", "[Int]", "[Int!]!", "String"];
    let ty = |at: usize| types[usize::from(choices[at]) % types.len()];
    let field = |at: usize, text: String| if choices[at].is_multiple_of(3) { String::new() } else { text };
    graph(&format!(
        "type Query {{ a: {} {} {} }} input I {{ a: {} {} }} enum E {{ A {} {} }} {}",
        ty(0),
        field(1, format!("b(x: {}): {}", ty(2), ty(3))),
        field(4, format!("c: {}", ty(5))),
        ty(6),
        field(7, format!("b: {}", ty(8))),
        field(9, "B".to_owned()),
        field(10, "C".to_owned()),
        field(11, "scalar S".to_owned()),
    ))
}

proptest! {
    #[test]
    fn there_and_back_touch_the_same_places(
        old in proptest::collection::vec(any::<u8>(), 12),
        new in proptest::collection::vec(any::<u8>(), 12),
    ) {
        let (old, new) = (schema(&old), schema(&new));
        let (there, back) = (types(&old, &new), types(&new, &old));
        prop_assert_eq!(there.is_empty(), old == new);
        let places = |changes: &[Change]| changes.iter().map(|change| change.at.clone()).collect::<Vec<_>>();
        prop_assert_eq!(places(&there), places(&back));
        for (one, other) in there.iter().zip(&back) {
            prop_assert!(
                one.kind.class() != Class::Safe || other.kind.class() != Class::Safe,
                "{one} is safe in both directions"
            );
        }
    }
}
