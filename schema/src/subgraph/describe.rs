//! What does a subgraph look like as short text? For tests, logs and people who compare two of them.
//!
//! Not SDL: it also says which RPC answers, what loads an entity and what was inferred, and it leaves out
//! descriptions. Types come in the order of their names.

use std::fmt::Write;

use super::{Origin, Subgraph};
use crate::graph::{Argument, Field, Kind, Lookup, Mask, OneOf, Read, Resolve, Rpc, Safety, Type};

/// The whole of it.
pub fn describe(subgraph: &Subgraph) -> String {
    let mut text = String::new();
    for root in &subgraph.roots {
        let kind = root.kind.as_str().to_lowercase();
        text += &format!("{kind} {} -> {}", signature(&root.field), call(&root.rpc));
        if let Some(unwrap) = &root.unwrap {
            text += &format!(" . {}", unwrap.name);
        }
        match root.mask {
            Some(Mask::Update { mask, of, key: Some(key) }) => {
                text += &format!(" mask {mask} of {of} but {key}")
            }
            Some(Mask::Update { mask, of, key: None }) => text += &format!(" mask {mask} of {of}"),
            Some(Mask::Read { mask, of }) => {
                text += &format!(" mask {mask} of {}", of.map_or("all".to_owned(), |of| of.to_string()));
            }
            None => {}
        }
        text += &one_of(&root.one_of);
        text.push('\n');
    }
    for entity in &subgraph.entities {
        text += &format!("entity {} by {}\n", entity.name, entity.key_field);
    }
    text.extend(subgraph.lookups.iter().map(lookup));
    for extension in &subgraph.extensions {
        let keys = extension.key.name.as_ref();
        text += &format!(
            "extend {}.{} -> {} by {keys}",
            extension.entity,
            signature(&extension.field),
            call(&extension.rpc)
        );
        text += &extension.items.as_ref().map_or(String::new(), |items| format!(" . {}", items.name));
        text += &extension.group_by.as_ref().map_or(String::new(), |key| format!(" grouped by {}", key.name));
        text += &format!(", {} at most{}\n", extension.max_keys, one_of(&extension.one_of));
    }
    for (name, ty) in &subgraph.types {
        text += &definition(name, ty);
    }
    for fact in &subgraph.facts {
        text += &format!("{}: {} ({})\n", fact.about, fact.what, origin(fact.origin));
    }
    text
}

fn definition(name: &str, ty: &Type) -> String {
    let mut text = String::new();
    let mut line = |what: String| _ = writeln!(text, "{what}");
    match ty {
        Type::Object(object) => {
            line(format!("type {name}"));
            for field in &object.fields {
                line(format!(
                    "  {}{}{}",
                    signature(field),
                    resolve(&field.resolve),
                    deprecated(&field.doc.deprecated)
                ));
            }
        }
        Type::Input(input) => {
            line(format!("input {name}"));
            for field in &input.fields {
                line(format!(
                    "  {} = {}{}",
                    argument(field),
                    read(&field.write),
                    deprecated(&field.doc.deprecated)
                ));
            }
            for set in &input.one_of {
                line(format!(" {}", one_of(std::slice::from_ref(set))));
            }
        }
        Type::Enum(definition) => {
            let zero = if definition.zero_is_null { ", 0 is null" } else { "" };
            line(format!("enum {name}{zero}"));
            for value in &definition.values {
                line(format!("  {} = {}{}", value.name, value.number, deprecated(&value.doc.deprecated)));
            }
        }
        Type::Union(union) => line(format!("union {name} = {}", union.members.join(" | "))),
        Type::Scalar(_) => line(format!("scalar {name}")),
    }
    text
}

fn signature(field: &Field) -> String {
    if field.arguments.is_empty() {
        return format!("{}: {}", field.name, field.ty);
    }
    let arguments: Vec<String> = field.arguments.iter().map(argument).collect();
    format!("{}({}): {}", field.name, arguments.join(", "), field.ty)
}

fn argument(argument: &Argument) -> String {
    format!("{}: {}", argument.name, argument.ty)
}

fn resolve(resolve: &Resolve) -> String {
    match resolve {
        Resolve::Read(field) => format!(" = {}", read(field)),
        Resolve::Case(cases) => {
            let cases: Vec<String> =
                cases.iter().map(|case| format!("{} {}", case.number, case.name)).collect();
            format!(" = case of {}", cases.join(", "))
        }
        Resolve::Choice(choices) => {
            let choices: Vec<String> =
                choices.iter().map(|choice| format!("{} {}", choice.read.number, choice.object)).collect();
            format!(" = one of {}", choices.join(", "))
        }
        Resolve::Edge(edge) => format!(" -> {} by {}", edge.entity, edge.key.name),
        Resolve::Extension(place) => format!(" = extension {place}"),
        Resolve::Root(place) => format!(" = root {place}"),
        Resolve::Ok => String::new(),
    }
}

fn read(read: &Read) -> String {
    let kind = match &read.kind {
        Kind::Scalar(wire, _) => format!("{wire:?}").to_lowercase(),
        Kind::Enum(_) => "enum".to_owned(),
        Kind::Message(_) => "message".to_owned(),
        Kind::Group(_) => "group".to_owned(),
        Kind::Wrapper(wire, _) => format!("wrapped {}", format!("{wire:?}").to_lowercase()),
        Kind::WellKnown(known) => format!("{known:?}"),
    };
    format!("{} {} {kind}", read.number, format!("{:?}", read.count).to_lowercase())
}

fn lookup(lookup: &Lookup) -> String {
    let items = lookup.items.as_ref().map_or(String::new(), |items| format!(" . {}", items.name));
    format!(
        "lookup {} -> {} by {}{items} matched by {}, {} at most\n",
        lookup.entity,
        call(&lookup.rpc),
        lookup.keys.name,
        lookup.key.name,
        lookup.max_keys
    )
}

fn call(rpc: &Rpc) -> String {
    let safety = match rpc.safety {
        Safety::ReadOnly => "reads",
        Safety::Idempotent => "idempotent",
        Safety::Once => "once",
    };
    let cost = if rpc.cost == 1 { String::new() } else { format!(" cost {}", rpc.cost) };
    format!("{} [{safety}{cost}]", rpc.method)
}

fn one_of(sets: &[OneOf]) -> String {
    sets.iter().map(|set| format!(" at most one of {}", set.members.join(", "))).collect()
}

fn deprecated(reason: &Option<String>) -> String {
    reason.as_ref().map_or(String::new(), |reason| format!(" (deprecated: {reason})"))
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Shape => "shape",
        Origin::Standard => "standard",
        Origin::Option => "option",
        Origin::Operator => "operator",
    }
}
