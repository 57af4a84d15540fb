//! A graph as text, line by line: what it looks like, how each value is read and written, who answers.
//!
//! Equal graphs have equal texts and unequal ones unequal, in every build and on every machine, so the
//! graph's digest is that of its text. It is also what a developer of Turnout reads in tests. SDL is for
//! everyone else.

use std::fmt::{self, Write};

use crate::graph::{
    Argument, Count, Doc, Extension, Field, Form, Kind, Lookup, Mask, Name, OneOf, Read, Resolve, Root, Rpc,
    Safety, Type,
};
use crate::supergraph::{OwnedEntity, Served, Supergraph};

/// The text of a graph.
pub fn text(graph: &Supergraph) -> String {
    let mut out = String::new();
    let written = write_graph(&mut out, graph);
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
    out
}

fn write_graph(out: &mut String, graph: &Supergraph) -> fmt::Result {
    for member in &graph.members {
        writeln!(out, "member {} {} {}", member.service, member.version, member.digest)?;
    }
    for (name, ty) in &graph.types {
        write_type(out, name, ty)?;
    }
    let service = |by: usize| &graph.members[by].service;
    for Served { by, what } in &graph.roots {
        write_root(out, service(*by), what)?;
    }
    for Served { by, what } in &graph.extensions {
        write_extension(out, service(*by), what)?;
    }
    for owned in graph.entities.values() {
        write_entity(out, service(owned.by), owned)?;
    }
    Ok(())
}

fn write_type(out: &mut String, name: &Name, ty: &Type) -> fmt::Result {
    match ty {
        Type::Object(object) => {
            write!(out, "object {name} of {}", object.source)?;
            write_doc(out, &object.doc)?;
            object.fields.iter().try_for_each(|field| write_field(out, field))
        }
        Type::Input(input) => {
            write!(out, "input {name} of {}", input.source)?;
            write_doc(out, &input.doc)?;
            for field in &input.fields {
                out.push_str("  ");
                write_argument(out, field)?;
                write_doc(out, &field.doc)?;
            }
            write_one_of(out, &input.one_of)
        }
        Type::Enum(definition) => {
            write!(out, "enum {name} of {}", definition.source)?;
            out.push_str(if definition.zero_is_null { ", zero is null" } else { "" });
            write_doc(out, &definition.doc)?;
            for value in &definition.values {
                write!(out, "  {} = {}", value.name, value.number)?;
                write_doc(out, &value.doc)?;
            }
            Ok(())
        }
        Type::Union(union) => {
            write!(out, "union {name} of {} = {}", union.source, union.members.join(" | "))?;
            write_doc(out, &union.doc)
        }
        Type::Scalar(scalar) => writeln!(out, "scalar {name} {scalar:?}"),
    }
}

/// The rest of a line: what people read, quoted, and the line's end.
fn write_doc(out: &mut String, doc: &Doc) -> fmt::Result {
    if !doc.description.is_empty() {
        // Not by Debug, which escapes by the Unicode tables of the compiler.
        write!(out, " \"{}\"", doc.description.escape_default())?;
    }
    if let Some(reason) = &doc.deprecated {
        write!(out, " deprecated \"{}\"", reason.escape_default())?;
    }
    writeln!(out)
}

fn write_field(out: &mut String, field: &Field) -> fmt::Result {
    write!(out, "  {}", field.name)?;
    for (place, argument) in field.arguments.iter().enumerate() {
        out.push_str(if place == 0 { "(" } else { ", " });
        write_argument(out, argument)?;
        write_words(out, &argument.doc)?;
    }
    out.push_str(if field.arguments.is_empty() { "" } else { ")" });
    write!(out, ": {} ", field.ty)?;
    match &field.resolve {
        Resolve::Read(read) => write_read(out, read)?,
        Resolve::Case(cases) => {
            out.push_str("case");
            cases.iter().try_for_each(|case| write!(out, " {}:{}", case.number, case.name))?;
        }
        Resolve::Choice(choices) => {
            out.push_str("choice");
            for choice in choices {
                let wrapped = if choice.wrapped { "wrapped " } else { "" };
                write!(out, " {wrapped}{} ", choice.object)?;
                write_read(out, &choice.read)?;
            }
        }
        Resolve::Edge(edge) => {
            write!(out, "edge {} by ", edge.entity)?;
            write_read(out, &edge.key)?;
        }
        Resolve::Extension(place) => write!(out, "extension {place}")?,
        Resolve::Root(place) => write!(out, "root {place}")?,
        Resolve::Ok => out.push_str("true"),
    }
    write_doc(out, &field.doc)
}

/// What people read of an argument, within the line of its field.
fn write_words(out: &mut String, doc: &Doc) -> fmt::Result {
    write_doc(out, doc)?;
    out.truncate(out.trim_end_matches('\n').len());
    Ok(())
}

fn write_argument(out: &mut String, argument: &Argument) -> fmt::Result {
    write!(out, "{}: {} ", argument.name, argument.ty)?;
    write_read(out, &argument.write)
}

fn write_one_of(out: &mut String, one_of: &[OneOf]) -> fmt::Result {
    one_of.iter().try_for_each(|one_of| {
        writeln!(out, "  at most one for {}: {}", one_of.name, one_of.members.join(", "))
    })
}

/// `7 category_id implicit uint32 id`: number, proto name, count, kind, form.
fn write_read(out: &mut String, read: &Read) -> fmt::Result {
    let count = match read.count {
        Count::Implicit => "",
        Count::Optional => " optional",
        Count::Required => " required",
        Count::EmptyAsNull => " empty-as-null",
        Count::Repeated => " repeated",
        Count::Map => " map",
    };
    write!(out, "{} {}{count} ", read.number, read.name)?;
    let id = |form: &Form| match form {
        Form::Plain => "",
        Form::Id => " id",
    };
    match &read.kind {
        Kind::Scalar(wire, form) => write!(out, "{wire:?}{}", id(form)),
        Kind::Wrapper(wire, form) => write!(out, "wrapped {wire:?}{}", id(form)),
        Kind::Enum(name) => write!(out, "enum {name}"),
        Kind::Message(name) => write!(out, "message {name}"),
        Kind::Group(name) => write!(out, "group {name}"),
        Kind::WellKnown(known) => write!(out, "well-known {known:?}"),
    }
}

fn write_optional(out: &mut String, word: &str, read: Option<&Read>) -> fmt::Result {
    let Some(read) = read else { return Ok(()) };
    write!(out, ", {word} ")?;
    write_read(out, read)
}

fn write_rpc(out: &mut String, service: &Name, rpc: &Rpc) -> fmt::Result {
    let safety = match rpc.safety {
        Safety::ReadOnly => " reads",
        Safety::Idempotent => " repeatable",
        Safety::Once => " once",
    };
    let streams = if rpc.streams { " streams" } else { "" };
    let (path, request, response) = (rpc.path(), &rpc.request, &rpc.response);
    write!(out, "{service} {path} {request} {response}{safety}{streams} cost {}", rpc.cost)
}

fn write_root(out: &mut String, service: &Name, root: &Root) -> fmt::Result {
    write!(out, "root {}.{}: ", root.kind.as_str(), root.field.name)?;
    write_rpc(out, service, &root.rpc)?;
    write_optional(out, "unwrap", root.unwrap.as_ref())?;
    match root.mask {
        Some(Mask::Update { mask, of, key }) => {
            write!(out, ", update mask {mask} of {of}")?;
            key.map_or(Ok(()), |key| write!(out, " without {key}"))?;
        }
        Some(Mask::Read { mask, of }) => {
            write!(out, ", read mask {mask}")?;
            of.map_or(Ok(()), |of| write!(out, " of {of}"))?;
        }
        None => {}
    }
    writeln!(out)?;
    write_one_of(out, &root.one_of)
}

fn write_extension(out: &mut String, service: &Name, extension: &Extension) -> fmt::Result {
    write!(out, "extension {}.{}: ", extension.entity, extension.field.name)?;
    write_rpc(out, service, &extension.rpc)?;
    write_optional(out, "key", Some(&extension.key))?;
    write_optional(out, "items", extension.items.as_ref())?;
    write_optional(out, "grouped by", extension.group_by.as_ref())?;
    writeln!(out, ", at most {}", extension.max_keys)?;
    write_one_of(out, &extension.one_of)
}

fn write_entity(out: &mut String, service: &Name, owned: &OwnedEntity) -> fmt::Result {
    write!(out, "entity {} of {service} by {} ", owned.entity.name, owned.entity.key_field)?;
    write_read(out, &owned.entity.key)?;
    writeln!(out)?;
    owned.lookup.as_ref().map_or(Ok(()), |lookup| write_lookup(out, service, lookup))
}

fn write_lookup(out: &mut String, service: &Name, lookup: &Lookup) -> fmt::Result {
    out.push_str("  loaded by ");
    write_rpc(out, service, &lookup.rpc)?;
    write_optional(out, "keys", Some(&lookup.keys))?;
    write_optional(out, "items", lookup.items.as_ref())?;
    write_optional(out, "key", Some(&lookup.key))?;
    writeln!(out, ", at most {}", lookup.max_keys)
}
