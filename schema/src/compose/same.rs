//! Which types of several services are one type: those of one message with one structure.
//!
//! A structure reaches as far as its references. Types begin as one where source and name agree, and are
//! split until all of a group are equal with their references read as groups. What is left together can not
//! be told apart by any client. Words for people (descriptions, deprecations) do not count.

use std::collections::{BTreeMap, BTreeSet};

use super::{reach, rename};
use crate::Subgraph;
use crate::graph::{Argument, Doc, Name, Type, TypeRef};

/// The types of all services, equal ones together.
#[derive(Debug)]
pub(super) struct Same<'a> {
    pub(super) groups: Vec<Group<'a>>,
    /// Of each member, the group of each of its types.
    of: Vec<BTreeMap<&'a Name, usize>>,
}

/// One type, of one service or of several.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// What the services call it.
    pub(super) wanted: &'a Name,
    /// What it was read from.
    pub(super) source: &'a Name,
    /// Whose it is, in order, never empty.
    pub(super) members: Vec<usize>,
    /// The member that is asked first: its words are shown, its entity is the one.
    pub(super) lead: usize,
}

impl<'a> Same<'a> {
    /// The group of a type of a member; none for GraphQL's own types and the scalars.
    pub(super) fn group(&self, member: usize, local: &Name) -> Option<usize> {
        self.of[member].get(local).copied()
    }
}

/// Puts together what is the same.
pub(super) fn groups<'a>(members: &[&'a Subgraph]) -> Same<'a> {
    let mut same = by_name(members);
    let mut parts = Parts { bare: BTreeMap::new(), users: BTreeMap::new(), called: BTreeMap::new() };
    let shared = same.groups.iter().enumerate().filter(|(_, group)| group.members.len() > 1);
    let mut open: BTreeSet<usize> = shared.clone().map(|(place, _)| place).collect();
    for (place, group) in shared {
        parts.called.entry(group.wanted).or_default().push(place);
        for member in &group.members {
            let ty = &members[*member].types[group.wanted];
            for used in reach::references(ty) {
                parts.users.entry(used).or_default().insert(group.wanted);
            }
            parts.bare.insert((*member, group.wanted), without_words(ty));
        }
    }
    // Only what uses a type that was split can have to be split for it, so a chain costs its length.
    while let Some(place) = open.pop_first() {
        if split(&mut same, &mut parts, place) {
            let users = parts.users.get(same.groups[place].wanted).into_iter().flatten();
            open.extend(users.filter_map(|name| parts.called.get(name)).flatten());
        }
    }
    same
}

/// What splitting looks at, for types of several services.
struct Parts<'a> {
    /// By member and name.
    bare: BTreeMap<(usize, &'a Name), Type>,
    /// The names of types that use a type of this name, in any service.
    users: BTreeMap<Name, BTreeSet<&'a Name>>,
    /// The groups that are called so.
    called: BTreeMap<&'a Name, Vec<usize>>,
}

/// All types whose source and name agree as one.
fn by_name<'a>(members: &[&'a Subgraph]) -> Same<'a> {
    let mut places = BTreeMap::new();
    let mut same = Same { groups: Vec::new(), of: vec![BTreeMap::new(); members.len()] };
    for (member, subgraph) in members.iter().enumerate() {
        for (wanted, ty) in &subgraph.types {
            let Some(source) = source(ty) else { continue };
            let place = *places.entry((source, wanted)).or_insert_with(|| {
                same.groups.push(Group { wanted, source, members: Vec::new(), lead: member });
                same.groups.len() - 1
            });
            same.groups[place].members.push(member);
            same.of[member].insert(wanted, place);
        }
    }
    same
}

/// Splits a group that is not one type; false when it is.
fn split<'a>(same: &mut Same<'a>, parts: &mut Parts<'a>, place: usize) -> bool {
    let (wanted, source) = (same.groups[place].wanted, same.groups[place].source);
    let mut kinds: Vec<(Type, Vec<usize>)> = Vec::new();
    for member in &same.groups[place].members {
        let mut ty = parts.bare[&(*member, wanted)].clone();
        let as_group = |name: &Name| match same.group(*member, name) {
            Some(group) => format!("#{group}").into(),
            None => name.clone(),
        };
        rename::ty(&mut ty, &as_group);
        match kinds.iter_mut().find(|(kind, _)| *kind == ty) {
            Some((_, alike)) => alike.push(*member),
            None => kinds.push((ty, vec![*member])),
        }
    }
    let is_split = kinds.len() > 1;
    for (_, moved) in kinds.into_iter().skip(1) {
        let to = same.groups.len();
        same.groups[place].members.retain(|member| !moved.contains(member));
        for member in &moved {
            same.of[*member].insert(wanted, to);
        }
        parts.called.entry(wanted).or_default().push(to);
        same.groups.push(Group { wanted, source, lead: moved[0], members: moved });
    }
    is_split
}

/// What a type was read from; none for scalars, which are nobody's.
fn source(ty: &Type) -> Option<&Name> {
    match ty {
        Type::Object(object) => Some(&object.source),
        Type::Input(input) => Some(&input.source),
        Type::Enum(definition) => Some(&definition.source),
        Type::Union(union) => Some(&union.source),
        Type::Scalar(_) => None,
    }
}

/// A type as the bytes see it: no words for people, fields in no order of their own.
fn without_words(ty: &Type) -> Type {
    let mut ty = ty.clone();
    match &mut ty {
        Type::Object(object) => {
            object.doc = Doc::default();
            object.fields.sort_by(|a, b| a.name.cmp(&b.name));
            for field in &mut object.fields {
                field.doc = Doc::default();
                arguments_without_words(&mut field.arguments);
            }
        }
        Type::Input(input) => {
            input.doc = Doc::default();
            input.one_of.sort_by(|a, b| a.name.cmp(&b.name));
            arguments_without_words(&mut input.fields);
        }
        Type::Enum(definition) => {
            definition.doc = Doc::default();
            // Stable: of two names with one number the first is written, so their order counts.
            definition.values.sort_by_key(|value| value.number);
            definition.values.iter_mut().for_each(|value| value.doc = Doc::default());
        }
        Type::Union(union) => union.doc = Doc::default(),
        Type::Scalar(_) => {}
    }
    ty
}

fn arguments_without_words(arguments: &mut [Argument]) {
    arguments.sort_by(|a, b| a.name.cmp(&b.name));
    arguments.iter_mut().for_each(|argument| argument.doc = Doc::default());
}

/// How two types of one source differ themselves, as a sentence without a full stop; none when only types
/// that they use do.
pub(super) fn difference(one: (&str, &Type), other: (&str, &Type)) -> Option<String> {
    let (ours, theirs) = (parts(one.1), parts(other.1));
    for (name, (ty, detail)) in &ours {
        match theirs.get(name) {
            None => return Some(format!("`{name}` is only in {}", one.0)),
            Some((their, _)) if their != ty => {
                return Some(format!("`{name}` is {ty} in {} and {their} in {}", one.0, other.0));
            }
            Some((_, their)) if their != detail => {
                return Some(format!(
                    "`{name}` lies otherwise in the bytes of {} than of {}",
                    one.0, other.0
                ));
            }
            Some(_) => {}
        }
    }
    let added = theirs.keys().find(|name| !ours.contains_key(*name));
    added.map(|name| format!("`{name}` is only in {}", other.0))
}

/// What a type consists of: name, what people call it, and all the rest of it.
fn parts(ty: &Type) -> BTreeMap<Name, (String, String)> {
    let argument = |of: &Argument| (of.name.clone(), (quoted(&of.ty), format!("{:?}", of.write)));
    match without_words(ty) {
        Type::Object(object) => {
            let part = |field: crate::graph::Field| {
                let rest = format!("{:?} {:?}", field.arguments, field.resolve);
                (field.name, (quoted(&field.ty), rest))
            };
            object.fields.into_iter().map(part).collect()
        }
        Type::Input(input) => input.fields.iter().map(argument).collect(),
        Type::Enum(definition) => {
            let part =
                |value: crate::graph::EnumValue| (value.name, (value.number.to_string(), String::new()));
            definition.values.into_iter().map(part).collect()
        }
        Type::Union(union) => {
            union.members.into_iter().map(|member| (member, (String::new(), String::new()))).collect()
        }
        Type::Scalar(_) => BTreeMap::new(),
    }
}

fn quoted(ty: &TypeRef) -> String {
    format!("`{ty}`")
}
