//! Is what was read a graph that GraphQL allows, whatever was read? The same questions for every set:
//! samples, sets that others wrote, sets that are made up, and sets with flipped bytes.

use std::collections::BTreeSet;
use std::fmt::Write;

use proptest::prelude::*;

use super::{Descriptors, Exposure, Subgraph, names, read};
use crate::fixture;
use crate::graph::{Argument, Field, Kind, Read, Resolve, Type, TypeRef};

const BUILT_IN: [&str; 5] = ["Int", "Float", "String", "Boolean", "ID"];

/// Everything that is wrong with a subgraph.
fn flaws(subgraph: &Subgraph) -> Vec<String> {
    let mut flaws = Vec::new();
    for (name, ty) in &subgraph.types {
        let count = match ty {
            Type::Object(object) => {
                object.fields.iter().for_each(|field| check_field(subgraph, name, field, &mut flaws));
                check_names(name, object.fields.iter().map(|field| &*field.name), &mut flaws);
                object.fields.len()
            }
            Type::Input(input) => {
                input.fields.iter().for_each(|field| check_argument(subgraph, name, field, &mut flaws));
                check_names(name, input.fields.iter().map(|field| &*field.name), &mut flaws);
                input.fields.len()
            }
            Type::Enum(definition) => {
                check_names(name, definition.values.iter().map(|value| &*value.name), &mut flaws);
                if definition.values.iter().any(|value| ["true", "false", "null"].contains(&&*value.name)) {
                    flaws.push(format!("{name} has a value that is a literal"));
                }
                definition.values.len()
            }
            Type::Union(union) => {
                check_names(name, union.members.iter().map(|member| &**member), &mut flaws);
                let objects = |member| matches!(subgraph.types.get(member), Some(Type::Object(_)));
                if !union.members.iter().all(objects) {
                    flaws.push(format!("{name} has a member that is no object"));
                }
                union.members.len()
            }
            Type::Scalar(_) => 1,
        };
        if count == 0 || !names::is_legal(name) || BUILT_IN.contains(&&**name) {
            flaws.push(format!("{name} is empty or has an illegal name"));
        }
    }
    let roots: Vec<String> =
        subgraph.roots.iter().map(|root| format!("{}_{}", root.kind.as_str(), root.field.name)).collect();
    check_names("roots", roots.iter().map(String::as_str), &mut flaws);
    subgraph.roots.iter().for_each(|root| check_field(subgraph, "root", &root.field, &mut flaws));
    for extension in &subgraph.extensions {
        check_field(subgraph, "extension", &extension.field, &mut flaws);
    }
    for lookup in &subgraph.lookups {
        if !subgraph.entities.iter().any(|entity| entity.name == lookup.entity) {
            flaws.push(format!("{} is loaded and is no entity", lookup.entity));
        }
    }
    for entity in &subgraph.entities {
        let Some(Type::Object(object)) = subgraph.types.get(&entity.name) else {
            flaws.push(format!("{} has no object", entity.name));
            continue;
        };
        if object.field(&entity.key_field).is_none() {
            flaws.push(format!("{} has no field {}", entity.name, entity.key_field));
        }
    }
    flaws
}

fn check_names<'a>(about: &str, names: impl Iterator<Item = &'a str>, flaws: &mut Vec<String>) {
    let mut taken = BTreeSet::new();
    for name in names {
        if !names::is_legal(name) || !taken.insert(name) {
            flaws.push(format!("{about}.{name} is illegal or taken"));
        }
    }
}

fn check_field(subgraph: &Subgraph, about: &str, field: &Field, flaws: &mut Vec<String>) {
    let known = subgraph.types.get(field.ty.core());
    let is_edge = matches!(field.resolve, Resolve::Edge(_));
    let fits = match known {
        Some(Type::Input(_)) => false,
        Some(_) => true,
        None => is_edge || BUILT_IN.contains(&&**field.ty.core()),
    };
    if !fits {
        flaws.push(format!("{about}.{} has the type {}, which is none for reading", field.name, field.ty));
    }
    if let Resolve::Read(read) = &field.resolve {
        check_kind(subgraph, about, read, &field.ty, flaws);
    }
    for argument in &field.arguments {
        check_argument(subgraph, &format!("{about}.{}", field.name), argument, flaws);
    }
    check_names(&field.name, field.arguments.iter().map(|argument| &*argument.name), flaws);
}

fn check_argument(subgraph: &Subgraph, about: &str, argument: &Argument, flaws: &mut Vec<String>) {
    let fits = match subgraph.types.get(argument.ty.core()) {
        Some(Type::Input(_) | Type::Enum(_) | Type::Scalar(_)) => true,
        Some(Type::Object(_) | Type::Union(_)) => false,
        None => BUILT_IN.contains(&&**argument.ty.core()),
    };
    if !fits || (argument.ty.is_non_null() && argument.doc.deprecated.is_some()) {
        flaws.push(format!(
            "{about}.{} has the type {}, which is none for sending",
            argument.name, argument.ty
        ));
    }
    check_kind(subgraph, about, &argument.write, &argument.ty, flaws);
}

fn check_kind(subgraph: &Subgraph, about: &str, read: &Read, ty: &TypeRef, flaws: &mut Vec<String>) {
    let fits = match &read.kind {
        Kind::Message(name) | Kind::Group(name) => name == ty.core(),
        Kind::Enum(name) => name == ty.core() && matches!(subgraph.types.get(name), Some(Type::Enum(_))),
        Kind::Scalar(..) | Kind::Wrapper(..) | Kind::WellKnown(_) => true,
    };
    if !fits {
        flaws.push(format!("{about}.{} is {:?} and has the type {ty}", read.name, read.kind));
    }
}

fn check(descriptors: &Descriptors) {
    let reading = read("shop", "1.0.0", descriptors, Exposure::All);
    assert_eq!(flaws(&reading.subgraph), Vec::<String>::new());
}

#[test]
fn the_samples_and_etcd_are_sound() {
    for (service, version) in fixture::SAMPLES {
        check(&fixture::sample(service, version));
    }
    check(&fixture::etcd());
}

/// A proto that compiles, in which everything wants the same few names.
fn random_proto() -> impl Strategy<Value = String> {
    let messages = proptest::collection::vec(proptest::collection::vec(random_field(), 0..7), 1..6);
    (messages, proptest::collection::vec(random_rpc(), 1..6)).prop_map(|(messages, rpcs)| {
        let count = messages.len();
        let mut text = String::from("enum E { E_UNSPECIFIED = 0; E_A = 1; }\nenum F { true = 0; F_1 = 1; }\n");
        for (place, fields) in messages.iter().enumerate() {
            let name = ["Query", "User", "UserInput", "A", "__B"][place % 5];
            _ = writeln!(text, "message {name} {{");
            _ = writeln!(text, "  option (turnout.graphql.v1.entity) = {{key: \"f0\" name: \"User\"}};");
            _ = writeln!(text, "  message Inner {{ int32 a = 1; }}");
            for (number, field) in fields.iter().enumerate() {
                let message = ["Query", "User", "UserInput", "A", "__B"][field.message % count % 5];
                let kind = field.kind.replace("MESSAGE", message);
                _ = writeln!(text, "  {kind} f{number} = {} [{}];", number + 1, field.options);
            }
            text.push_str("  oneof choice { option (turnout.graphql.v1.oneof) = {union: \"A\"}; Inner x = 50; E y = 51; Inner z = 52; }\n");
            text.push_str("  oneof f0_case { google.protobuf.Empty v = 60; string w = 61; }\n}\n");
        }
        _ = writeln!(text, "service S {{");
        for (place, rpc) in rpcs.iter().enumerate() {
            let name = |at: usize| ["Query", "User", "UserInput", "A", "__B"][at % count % 5];
            let verb = ["Get", "List", "BatchGet", "Update", "Do"][rpc.verb % 5];
            let options = &rpc.options;
            _ = writeln!(
                text,
                "  rpc {verb}User{place}({}) returns ({}) {{ option idempotency_level = NO_SIDE_EFFECTS; {options} }}",
                name(rpc.request),
                name(rpc.response)
            );
        }
        text + "}\n"
    })
}

#[derive(Clone, Debug)]
struct RandomField {
    kind: &'static str,
    message: usize,
    options: &'static str,
}

fn random_field() -> impl Strategy<Value = RandomField> {
    let kinds = [
        "int64",
        "string",
        "bytes",
        "double",
        "bool",
        "E",
        "F",
        "MESSAGE",
        "repeated string",
        "repeated MESSAGE",
        "optional uint32",
        "map<string, MESSAGE>",
        "map<int32, E>",
        "google.protobuf.Timestamp",
        "google.protobuf.Value",
        "repeated google.protobuf.Value",
        "google.protobuf.NullValue",
        "google.protobuf.Empty",
        "google.protobuf.Int64Value",
        "google.protobuf.FieldMask",
        "google.type.Money",
    ];
    let options = [
        "deprecated = false",
        "deprecated = true",
        "(google.api.field_behavior) = REQUIRED",
        "(google.api.field_behavior) = OUTPUT_ONLY",
        "(google.api.field_behavior) = INPUT_ONLY",
        "(google.api.field_behavior) = IDENTIFIER",
        "(google.api.field_behavior) = IMMUTABLE",
        "(turnout.graphql.v1.field) = {hidden: true}",
        "(turnout.graphql.v1.field) = {ref: \"User\" as: \"f1\"}",
        "(turnout.graphql.v1.field) = {name: \"f2\"}",
        "(turnout.graphql.v1.field) = {name: \"__x\" empty_as_null: true}",
        "(turnout.graphql.v1.field) = {id: true}",
        "(google.api.resource_reference) = {type: \"x/User\"}",
    ];
    (proptest::sample::select(kinds.to_vec()), 0usize..6, proptest::sample::select(options.to_vec()))
        .prop_map(|(kind, message, options)| RandomField { kind, message, options })
}

#[derive(Clone, Debug)]
struct RandomRpc {
    verb: usize,
    request: usize,
    response: usize,
    options: &'static str,
}

fn random_rpc() -> impl Strategy<Value = RandomRpc> {
    let options = [
        "",
        "option (turnout.graphql.v1.rpc) = {unwrap: \"f0\"};",
        "option (turnout.graphql.v1.rpc) = {unwrap: \"x\" field: \"same\"};",
        "option (turnout.graphql.v1.rpc) = {lookup: {entity: \"User\" keys: \"f0\" items: \"f1\"}};",
        "option (turnout.graphql.v1.rpc) = {lookup: {entity: \"User\" keys: \"f0\"}};",
        "option (turnout.graphql.v1.rpc) = {extends: {entity: \"User\" key: \"f0\" items: \"f1\" group_by: \"f0\"}};",
        "option (turnout.graphql.v1.rpc) = {extends: {entity: \"Other\" key: \"f0\"}};",
        "option (turnout.graphql.v1.rpc) = {root: SUBSCRIPTION hidden: true};",
    ];
    (0usize..5, 0usize..6, 0usize..6, proptest::sample::select(options.to_vec()))
        .prop_map(|(verb, request, response, options)| RandomRpc { verb, request, response, options })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_compiles_is_sound(text in random_proto()) {
        check(&fixture::service("shop", &text));
    }

    #[test]
    fn flipped_bytes_are_refused_or_sound(flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4)) {
        let mut bytes = fixture::sample("todo", "1").pool().encode_to_vec();
        for (at, with) in flips {
            let place = at % bytes.len();
            bytes[place] ^= with;
        }
        if let Ok(descriptors) = Descriptors::read(&bytes) {
            check(&descriptors);
        }
    }
}
