//! What holds for every composed graph, checked from the outside: the post-conditions of `compose`.
//!
//! Whoever uses a graph may rely on them: planners and writers index without asking. It shares no code with
//! the composition but the walk over references, and is for tests, fuzzing, and doubts.

use std::collections::BTreeSet;

use super::{reach, text};
use crate::Digest;
use crate::graph::{Argument, Field, Kind, Name, Object, Read, Resolve, RootKind, Type, TypeRef};
use crate::supergraph::Supergraph;

/// What is wrong with a graph, as sentences; nothing when it is well made.
pub fn verify(graph: &Supergraph) -> Vec<String> {
    let mut check = Check { graph, wrong: Vec::new() };
    for (name, ty) in &graph.types {
        check.name(name);
        check.ty(name, ty);
    }
    check.served();
    check.entities();
    check.input_cycles();
    check.whole();
    check.wrong
}

struct Check<'a> {
    graph: &'a Supergraph,
    wrong: Vec<String>,
}

/// The sides of a graph; scalars and enums stand on both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Output,
    Input,
}

impl Check<'_> {
    fn demand(&mut self, holds: bool, wrong: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(wrong());
        }
    }

    fn name(&mut self, name: &str) {
        let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let legal = name.chars().all(letters)
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && !name.starts_with("__")
            && !name.is_empty();
        self.demand(legal, || format!("`{name}` is no legal name"));
    }

    fn ty(&mut self, name: &Name, ty: &Type) {
        match ty {
            Type::Object(object) => self.object(name, object),
            Type::Input(input) => {
                self.demand(!input.fields.is_empty(), || format!("input {name} is empty"));
                self.arguments(name, &input.fields);
                let members = input.one_of.iter().flat_map(|one_of| &one_of.members);
                for member in members {
                    let known = input.fields.iter().any(|field| field.name == *member);
                    self.demand(known, || format!("{name} has no {member} for its oneof"));
                }
            }
            Type::Enum(definition) => {
                self.demand(!definition.values.is_empty(), || format!("enum {name} is empty"));
                self.unique(name, definition.values.iter().map(|value| &value.name));
            }
            Type::Union(union) => {
                self.demand(!union.members.is_empty(), || format!("union {name} is empty"));
                self.unique_only(name, union.members.iter());
                union.members.iter().for_each(|member| self.is_object(name, member));
            }
            Type::Scalar(scalar) => {
                self.demand(scalar.name() == &**name, || format!("{scalar:?} is called {name}"));
            }
        }
    }

    fn object(&mut self, name: &Name, object: &Object) {
        self.demand(!object.fields.is_empty(), || format!("object {name} is empty"));
        self.unique(name, object.fields.iter().map(|field| &field.name));
        for field in &object.fields {
            let at = format!("{name}.{}", field.name);
            self.stands_on(&at, &field.ty, Side::Output);
            self.arguments(&at, &field.arguments);
            self.resolve(name, &at, field);
        }
    }

    fn resolve(&mut self, of: &Name, at: &str, field: &Field) {
        let root = RootKind::Query.as_str() == &**of
            || RootKind::Mutation.as_str() == &**of
            || RootKind::Subscription.as_str() == &**of;
        match &field.resolve {
            Resolve::Read(read) => {
                self.demand(!root, || format!("{at} reads bytes that are not there"));
                self.read(at, read, Side::Output);
            }
            Resolve::Case(_) => {
                let kind = self.graph.types.get(field.ty.core());
                self.demand(matches!(kind, Some(Type::Enum(_))), || format!("{at} is no enum of cases"));
            }
            Resolve::Choice(choices) => {
                let Some(Type::Union(union)) = self.graph.types.get(field.ty.core()) else {
                    return self.wrong.push(format!("{at} is no union"));
                };
                for choice in choices {
                    let member = union.members.contains(&choice.object);
                    self.demand(member, || format!("{at} chooses {}", choice.object));
                }
            }
            Resolve::Edge(edge) => {
                let leads = edge.entity == *field.ty.core()
                    && self.graph.entities.get(&edge.entity).is_some_and(|owned| owned.lookup.is_some());
                self.demand(leads, || format!("{at} leads to {}, which nothing loads", edge.entity));
            }
            Resolve::Extension(place) => {
                let found = self.graph.extensions.get(*place).map(|served| &served.what);
                let same = found.is_some_and(|found| found.entity == *of && found.field == *field);
                self.demand(same, || format!("{at} is not extension {place}"));
            }
            Resolve::Root(place) => {
                let found = self.graph.roots.get(*place).map(|served| &served.what);
                let same = found.is_some_and(|found| found.kind.as_str() == &**of && found.field == *field);
                self.demand(same, || format!("{at} is not root {place}"));
            }
            Resolve::Ok => {
                let boolean = *field.ty.core() == "Boolean".into();
                self.demand(boolean, || format!("{at} is true, but no Boolean"));
            }
        }
    }

    fn arguments(&mut self, of: &str, arguments: &[Argument]) {
        self.unique(of, arguments.iter().map(|argument| &argument.name));
        for argument in arguments {
            let at = format!("{of}({})", argument.name);
            self.stands_on(&at, &argument.ty, Side::Input);
            self.read(&at, &argument.write, Side::Input);
        }
    }

    fn read(&mut self, at: &str, read: &Read, side: Side) {
        let (name, holds) = match &read.kind {
            Kind::Enum(name) => (name, matches!(self.graph.types.get(name), Some(Type::Enum(_)))),
            Kind::Message(name) | Kind::Group(name) => match side {
                Side::Output => (name, matches!(self.graph.types.get(name), Some(Type::Object(_)))),
                Side::Input => (name, matches!(self.graph.types.get(name), Some(Type::Input(_)))),
            },
            Kind::Scalar(..) | Kind::Wrapper(..) | Kind::WellKnown(_) => return,
        };
        self.demand(holds, || format!("{at} reads or writes {name}, which is not there"));
    }

    fn stands_on(&mut self, at: &str, ty: &TypeRef, side: Side) {
        let name = ty.core();
        let stands = match self.graph.types.get(name) {
            Some(Type::Object(_) | Type::Union(_)) => side == Side::Output,
            Some(Type::Input(_)) => side == Side::Input,
            Some(Type::Enum(_) | Type::Scalar(_)) => true,
            None => ["Boolean", "Float", "ID", "Int", "String"].contains(&&**name),
        };
        self.demand(stands, || format!("{at} is of type {ty}, which cannot stand there"));
    }

    fn is_object(&mut self, at: &str, name: &Name) {
        let object = matches!(self.graph.types.get(name), Some(Type::Object(_)));
        self.demand(object, || format!("{at} names {name}, which is no object"));
    }

    fn unique<'n>(&mut self, of: &str, names: impl Iterator<Item = &'n Name> + Clone) {
        names.clone().for_each(|name| self.name(name));
        self.unique_only(of, names);
    }

    fn unique_only<'n>(&mut self, of: &str, names: impl Iterator<Item = &'n Name>) {
        let mut seen = BTreeSet::new();
        for name in names {
            self.demand(seen.insert(name), || format!("{of} has {name} twice"));
        }
    }

    /// Every root and every extension is the field of its type, and its member exists.
    fn served(&mut self) {
        let graph = self.graph;
        let roots =
            graph.roots.iter().map(|root| (root.by, Name::from(root.what.kind.as_str()), &root.what.field));
        let extensions = graph.extensions.iter().map(|of| (of.by, of.what.entity.clone(), &of.what.field));
        for (by, of, field) in roots.chain(extensions) {
            self.demand(by < graph.members.len(), || format!("{of}.{} is answered by nobody", field.name));
            let there = match graph.types.get(&of) {
                Some(Type::Object(object)) => object.field(&field.name) == Some(field),
                Some(Type::Input(_) | Type::Enum(_) | Type::Union(_) | Type::Scalar(_)) | None => false,
            };
            self.demand(there, || format!("{of}.{} is not on its type", field.name));
        }
        let reads = graph.roots.iter().filter_map(|root| root.what.unwrap.as_ref());
        let items = graph.extensions.iter().filter_map(|of| of.what.items.as_ref());
        reads.chain(items).for_each(|read| self.read("an answer", read, Side::Output));
    }

    fn entities(&mut self) {
        for (name, owned) in &self.graph.entities {
            self.is_object("an entity", name);
            self.demand(owned.by < self.graph.members.len(), || format!("{name} has no owner"));
            self.demand(owned.entity.name == *name, || format!("{name} is called otherwise"));
            if let Some(lookup) = &owned.lookup {
                self.demand(lookup.entity == *name, || format!("{name} is loaded as {}", lookup.entity));
                lookup.items.iter().for_each(|items| self.read("a lookup", items, Side::Output));
            }
        }
    }

    /// No input demands itself: a chain of non-null fields that closes could never be sent.
    fn input_cycles(&mut self) {
        let graph = self.graph;
        let mut open: Vec<&Name> = graph.types.keys().collect();
        let mut ends = BTreeSet::new();
        // What demands only what ends also ends; whatever remains demands itself.
        loop {
            let before = open.len();
            open.retain(|name| {
                let Some(Type::Input(input)) = graph.types.get(*name) else { return false };
                let demanded =
                    input.fields.iter().filter(|field| field.ty.is_non_null() && !field.ty.is_list());
                let mut inputs = demanded
                    .map(|field| field.ty.core())
                    .filter(|core| matches!(graph.types.get(*core), Some(Type::Input(_))));
                let finite = inputs.all(|core| ends.contains(core));
                if finite {
                    ends.insert((*name).clone());
                }
                !finite
            });
            if open.len() == before || open.is_empty() {
                break;
            }
        }
        for name in open {
            self.wrong.push(format!("input {name} demands itself"));
        }
    }

    fn whole(&mut self) {
        let graph = self.graph;
        let query = graph.types.contains_key(RootKind::Query.as_str());
        self.demand(query, || "there is no Query".to_owned());
        let reached = reach::reached(&graph.types);
        for name in graph.types.keys().filter(|name| !reached.contains(*name)) {
            self.wrong.push(format!("{name} cannot be reached"));
        }
        let digest = Digest::of(text(graph).as_bytes());
        self.demand(digest == graph.digest, || "the digest is not that of the graph".to_owned());
    }
}
