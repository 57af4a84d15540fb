//! Whether the graph keeps its promises when the new version becomes the stable one.
//!
//! Until then frontends see the old version's graph, so additions need no judgement here. Removals and
//! narrower types block those who use them; what only changes where an answer comes from is told.

use std::collections::{BTreeMap, BTreeSet};

use super::exposed::{Answered, Place, answered, load};
use super::shape::{Touch, Use, source};
use super::{Findings, Rule, Severity, Sides};
use crate::Subgraph;
use crate::diff::{self, Change, Class, Coordinate, Kind};
use crate::graph::{Doc, Lookup, Name, Object, Read, Resolve, Type, Types};

pub(super) fn check(old: &Subgraph, new: &Subgraph, findings: &mut Findings<'_>) {
    let (before, after) = (view(old), view(new));
    for change in diff::types(&before, &after) {
        tell(old, change, findings);
    }
    entities(old, new, findings);
    lookups(old, new, findings);
    origins(old, (&before, &after), findings);
    calls(old, new, findings);
}

/// The types of a subgraph with its operation types, and with its fields on the entities of others.
fn view(subgraph: &Subgraph) -> Types {
    let mut types = subgraph.types.clone();
    for Answered { on, field, .. } in answered(subgraph) {
        let empty = || Type::Object(Object { doc: Doc::default(), source: on.clone(), fields: Vec::new() });
        if let Type::Object(object) = types.entry(on.clone()).or_insert_with(empty)
            && object.field(&field.name).is_none()
        {
            object.fields.push(field.clone());
        }
    }
    types
}

/// Under which name operations record the use of a member of this type.
fn owner(subgraph: &Subgraph, ty: &Name, member: Option<&Name>) -> Name {
    let is_extension = subgraph
        .extensions
        .iter()
        .any(|extension| extension.entity == *ty && member == Some(&extension.field.name));
    match subgraph.types.get(ty).and_then(source) {
        Some(source) if !is_extension => source.clone(),
        _ => ty.clone(),
    }
}

fn tell(old: &Subgraph, change: Change, findings: &mut Findings<'_>) {
    let Change { at, kind, old: was, new: is } = change;
    // Nobody sees what is added before the new version is the stable one, but an answer may already hold
    // a new value of an enum or a new member of a union.
    let told =
        kind.class() == Class::Breaking || matches!(kind, Kind::ValueAddedToEnum | Kind::TypeAddedToUnion);
    if !told {
        return;
    }
    let place = Place { touch: touch(old, &at, kind, &was), graph: at };
    let rule = Rule::Graph(kind);
    // A cause in the protos has been told with this place, and says more.
    if !findings.covers(&place.graph, findings.severity(rule, std::slice::from_ref(&place))) {
        findings.push(rule, None, &[place], Sides::new(was, is));
    }
}

/// What an operation must use to notice a change.
fn touch(old: &Subgraph, at: &Coordinate, kind: Kind, was: &str) -> Touch {
    let member = |ty: &Name, member: &Name| {
        Touch::One(Use::At(Coordinate::Member(owner(old, ty, Some(member)), member.clone())))
    };
    let ty = |ty: &Name| Touch::One(Use::At(Coordinate::Type(owner(old, ty, None))));
    match at {
        // Without a new required field, all that was sent is refused.
        Coordinate::Member(input, _) if kind == Kind::RequiredInputFieldAdded => ty(input),
        Coordinate::Argument(on, field, _) if kind == Kind::RequiredArgAdded => member(on, field),
        Coordinate::Argument(on, field, argument) => Touch::One(Use::At(Coordinate::Argument(
            owner(old, on, Some(field)),
            field.clone(),
            argument.clone(),
        ))),
        Coordinate::Member(on, name) => member(on, name),
        // Losing a member of a union hurts those who ask for that member.
        Coordinate::Type(_) if kind == Kind::TypeRemovedFromUnion => ty(&was.into()),
        Coordinate::Type(name) => Touch::AllOf(owner(old, name, None)),
    }
}

fn entities(old: &Subgraph, new: &Subgraph, findings: &mut Findings<'_>) {
    for was in &old.entities {
        let key = |field: &Name, key: &Read| format!("key {field}, from field {}", key.number);
        let place = load(&old.types, &was.name);
        let side = key(&was.key_field, &was.key);
        match new.entities.iter().find(|is| is.name == was.name) {
            None => findings.push(Rule::EntityNoDelete, None, &[place], Sides::new(side, "")),
            Some(is) if was != is => {
                let sides = Sides::new(side, key(&is.key_field, &is.key));
                findings.push(Rule::EntitySameKey, None, &[place], sides);
            }
            Some(_) => {}
        }
    }
}

fn lookups(old: &Subgraph, new: &Subgraph, findings: &mut Findings<'_>) {
    let spell = |lookup: &Lookup| {
        let keys =
            if lookup.is_batch() { format!("up to {} keys", lookup.max_keys) } else { "one key".into() };
        format!("{} by {}, {keys} a call", lookup.rpc.path(), lookup.keys.name)
    };
    let of = |subgraph: &Subgraph, entity: &Name| -> Vec<String> {
        subgraph.lookups.iter().filter(|lookup| lookup.entity == *entity).map(spell).collect()
    };
    let entities: BTreeSet<&Name> = old.lookups.iter().map(|lookup| &lookup.entity).collect();
    for entity in entities {
        let (was, is) = (of(old, entity), of(new, entity));
        if was != is {
            let rule = if is.is_empty() { Rule::LookupNoDelete } else { Rule::LookupSame };
            let place = load(&old.types, entity);
            findings.push(rule, None, &[place], Sides::new(was.join("; "), is.join("; ")));
        }
    }
}

/// Fields that are in both graphs, but are read from elsewhere: a `ref` that leads to another entity, an
/// `as` that took another field's name.
fn origins(old: &Subgraph, (before, after): (&Types, &Types), findings: &mut Findings<'_>) {
    for (name, ty) in before {
        let (Type::Object(was), Some(Type::Object(is))) = (ty, after.get(name)) else { continue };
        for field in &was.fields {
            let Some(now) = is.field(&field.name) else { continue };
            let (before, after) = (origin(&field.resolve), origin(&now.resolve));
            if before != after {
                let at = |on: Name| Coordinate::Member(on, field.name.clone());
                let used = Use::At(at(owner(old, name, Some(&field.name))));
                let place = Place::one(at(name.clone()), used);
                if !findings.covers(&place.graph, Severity::Warn) {
                    findings.push(Rule::FieldSameOrigin, None, &[place], Sides::new(before, after));
                }
            }
        }
    }
}

/// Where a value comes from, as text; RPCs are compared by `calls`.
fn origin(resolve: &Resolve) -> String {
    match resolve {
        Resolve::Read(read) => format!("field {} = {}", read.name, read.number),
        Resolve::Case(_) => "the case of a oneof".into(),
        Resolve::Choice(_) => "a oneof".into(),
        Resolve::Edge(edge) => format!("{} by field {} = {}", edge.entity, edge.key.name, edge.key.number),
        Resolve::Extension(_) | Resolve::Root(_) => "an RPC".into(),
        Resolve::Ok => "no field".into(),
    }
}

/// Fields that an RPC answers: which, what of its response, and which arguments exclude each other.
fn calls(old: &Subgraph, new: &Subgraph, findings: &mut Findings<'_>) {
    fn key<'a>(answered: &Answered<'a>) -> (Name, &'a Name) {
        (answered.on.clone(), &answered.field.name)
    }
    let after: BTreeMap<_, _> = answered(new).map(|answered| (key(&answered), answered)).collect();
    for was in answered(old) {
        let Some(is) = after.get(&key(&was)) else { continue };
        let at = Coordinate::Member(was.on.clone(), was.field.name.clone());
        let (before, now) = (call(&was), call(is));
        if before != now {
            let place = Place::one(at.clone(), Use::At(at.clone()));
            if !findings.covers(&at, Severity::Warn) {
                findings.push(Rule::FieldSameOrigin, None, &[place], Sides::new(before, now));
            }
        }
        let at =
            |argument: &Name| Coordinate::Argument(was.on.clone(), was.field.name.clone(), argument.clone());
        for change in diff::exclusive(was.given(), is.given(), at) {
            tell(old, change, findings);
        }
    }
}

/// A call and what is taken of its answer, as text.
fn call(answered: &Answered<'_>) -> String {
    let taken =
        answered.taken.map_or_else(String::new, |read| format!(", of which {} = {}", read.name, read.number));
    format!("{}{taken}", answered.rpc.path())
}
