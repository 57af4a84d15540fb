//! What of a version's descriptors can be seen or is needed through the graph.
//!
//! The gate judges only that: a message that no RPC of the graph reaches, and a field marked hidden, may
//! change as they like. Each proto field is kept with the places of the graph that read or write it, so
//! that a finding about bytes can say which fields of which operations it hits.

use std::collections::{BTreeMap, BTreeSet};

use super::shape::{Touch, Use, source};
use crate::Subgraph;
use crate::diff::{Coordinate, Given};
use crate::graph::{Argument, Kind, Mask, Name, OneOf, Read, Resolve, Rpc, Type, Types};

/// A place of the graph, and what operations record when they use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) graph: Coordinate,
    pub(super) touch: Touch,
}

impl Place {
    pub(super) fn one(graph: Coordinate, used: Use) -> Place {
        Place { graph, touch: Touch::One(used) }
    }
}

/// What can be seen of one version.
#[derive(Debug)]
pub(super) struct Exposed<'a> {
    /// RPCs by service and method.
    pub(super) rpcs: BTreeMap<(Name, Name), Called<'a>>,
    /// Fields by message and number.
    pub(super) fields: BTreeMap<(Name, u32), Vec<Place>>,
    /// Enum values by enum and number.
    pub(super) values: BTreeMap<(Name, i32), Vec<Place>>,
}

/// An RPC that the graph calls.
#[derive(Debug)]
pub(super) struct Called<'a> {
    pub(super) rpc: &'a Rpc,
    pub(super) places: Vec<Place>,
}

/// A field of the graph that an RPC answers: of an operation type or added to an entity.
pub(super) struct Answered<'a> {
    /// The type it is on.
    pub(super) on: Name,
    pub(super) field: &'a crate::graph::Field,
    pub(super) rpc: &'a Rpc,
    pub(super) one_of: &'a [OneOf],
    /// The response field that is the answer; none when the response is.
    pub(super) taken: Option<&'a Read>,
}

impl<'a> Answered<'a> {
    pub(super) fn given(&self) -> Given<'a> {
        Given { arguments: &self.field.arguments, one_of: self.one_of }
    }
}

/// The fields that RPCs answer.
pub(super) fn answered(subgraph: &Subgraph) -> impl Iterator<Item = Answered<'_>> {
    let roots = subgraph.roots.iter().map(|root| Answered {
        on: root.kind.as_str().into(),
        field: &root.field,
        rpc: &root.rpc,
        one_of: &root.one_of,
        taken: root.unwrap.as_ref(),
    });
    let extensions = subgraph.extensions.iter().map(|extension| Answered {
        on: extension.entity.clone(),
        field: &extension.field,
        rpc: &extension.rpc,
        one_of: &extension.one_of,
        taken: extension.items.as_ref(),
    });
    roots.chain(extensions)
}

impl<'a> Exposed<'a> {
    pub(super) fn of(subgraph: &'a Subgraph) -> Exposed<'a> {
        let mut exposed = Exposed { rpcs: BTreeMap::new(), fields: BTreeMap::new(), values: BTreeMap::new() };
        for (name, ty) in &subgraph.types {
            exposed.ty(name, ty);
        }
        for answered in answered(subgraph) {
            let place = exposed.place(&answered.on, &answered.on, &answered.field.name);
            exposed.rpc(answered.rpc, &place);
            for Argument { name, write, .. } in &answered.field.arguments {
                let at =
                    |on: &Name| Coordinate::Argument(on.clone(), answered.field.name.clone(), name.clone());
                let place = Place::one(at(&answered.on), Use::At(at(&answered.on)));
                exposed.field(&answered.rpc.request, write.number, &place);
            }
        }
        exposed.roots(subgraph);
        exposed.extensions(subgraph);
        exposed.lookups(subgraph);
        exposed
    }

    /// The messages of which something can be seen.
    pub(super) fn messages(&self) -> BTreeSet<&Name> {
        let called = self.rpcs.values().flat_map(|called| [&called.rpc.request, &called.rpc.response]);
        self.fields.keys().map(|(message, _)| message).chain(called).collect()
    }

    /// Where a message is read or written at all: by the RPCs that carry it, or else by its fields.
    pub(super) fn carriers(&self, message: &Name) -> Vec<Place> {
        let carries = |called: &&Called<'_>| [&called.rpc.request, &called.rpc.response].contains(&message);
        let calls: Vec<Place> =
            self.rpcs.values().filter(carries).flat_map(|called| called.places.clone()).collect();
        if !calls.is_empty() {
            return calls;
        }
        let first = (message.clone(), 0);
        let fields = self.fields.range(first..).take_while(|((of, _), _)| of == message);
        fields.flat_map(|(_, places)| places.clone()).collect()
    }

    /// The enums of which something can be seen.
    pub(super) fn enums(&self) -> BTreeSet<&Name> {
        self.values.keys().map(|(definition, _)| definition).collect()
    }

    fn place(&self, graph: &Name, owner: &Name, member: &Name) -> Place {
        let at = |on: &Name| Coordinate::Member(on.clone(), member.clone());
        Place::one(at(graph), Use::At(at(owner)))
    }

    fn ty(&mut self, name: &Name, ty: &Type) {
        match ty {
            Type::Object(object) => {
                for field in &object.fields {
                    let place = self.place(name, &object.source, &field.name);
                    for number in numbers(&field.resolve) {
                        self.field(&object.source, number, &place);
                    }
                }
            }
            Type::Input(input) => {
                for field in &input.fields {
                    let place = self.place(name, &input.source, &field.name);
                    self.field(&input.source, field.write.number, &place);
                }
            }
            Type::Enum(definition) => {
                for value in &definition.values {
                    let place = self.place(name, &definition.source, &value.name);
                    let key = (definition.source.clone(), value.number);
                    self.values.entry(key).or_default().push(place);
                }
            }
            Type::Union(_) | Type::Scalar(_) => {}
        }
    }

    fn roots(&mut self, subgraph: &'a Subgraph) {
        for root in &subgraph.roots {
            let on: Name = root.kind.as_str().into();
            let place = self.place(&on, &on, &root.field.name);
            if let Some(unwrap) = &root.unwrap {
                self.field(&root.rpc.response, unwrap.number, &place);
            }
            match root.mask {
                Some(Mask::Update { mask, of, .. }) => {
                    self.field(&root.rpc.request, mask, &place);
                    self.field(&root.rpc.request, of, &place);
                }
                Some(Mask::Read { mask, .. }) => self.field(&root.rpc.request, mask, &place),
                None => {}
            }
        }
    }

    fn extensions(&mut self, subgraph: &'a Subgraph) {
        for extension in &subgraph.extensions {
            let place = self.place(&extension.entity, &extension.entity, &extension.field.name);
            self.field(&extension.rpc.request, extension.key.number, &place);
            let Some(items) = &extension.items else { continue };
            self.field(&extension.rpc.response, items.number, &place);
            if let (Some(group_by), Some(item)) = (&extension.group_by, message_of(&subgraph.types, items)) {
                self.field(&item, group_by.number, &place);
            }
        }
    }

    fn lookups(&mut self, subgraph: &'a Subgraph) {
        for lookup in &subgraph.lookups {
            let place = load(&subgraph.types, &lookup.entity);
            self.rpc(&lookup.rpc, &place);
            self.field(&lookup.rpc.request, lookup.keys.number, &place);
            let item = match &lookup.items {
                Some(items) => {
                    self.field(&lookup.rpc.response, items.number, &place);
                    message_of(&subgraph.types, items)
                }
                None => Some(lookup.rpc.response.clone()),
            };
            if let Some(item) = item {
                self.field(&item, lookup.key.number, &place);
            }
        }
    }

    fn rpc(&mut self, rpc: &'a Rpc, place: &Place) {
        let key = (rpc.service.clone(), rpc.method.clone());
        let called = self.rpcs.entry(key).or_insert_with(|| Called { rpc, places: Vec::new() });
        called.places.push(place.clone());
    }

    fn field(&mut self, message: &Name, number: u32, place: &Place) {
        let places = self.fields.entry((message.clone(), number)).or_default();
        if !places.contains(place) {
            places.push(place.clone());
        }
    }
}

/// Loading an entity by its key, as a place.
pub(super) fn load(types: &Types, entity: &Name) -> Place {
    let message = types.get(entity).and_then(source).unwrap_or(entity);
    Place::one(Coordinate::Type(entity.clone()), Use::Load(message.clone()))
}

/// The fields of a message that a field of the graph is read from.
fn numbers(resolve: &Resolve) -> Vec<u32> {
    match resolve {
        Resolve::Read(read) => vec![read.number],
        Resolve::Case(cases) => cases.iter().map(|case| case.number).collect(),
        Resolve::Choice(choices) => choices.iter().map(|choice| choice.read.number).collect(),
        Resolve::Edge(edge) => vec![edge.key.number],
        Resolve::Extension(_) | Resolve::Root(_) | Resolve::Ok => Vec::new(),
    }
}

/// The full name of the message in a field.
fn message_of(types: &Types, read: &Read) -> Option<Name> {
    match &read.kind {
        Kind::Message(name) | Kind::Group(name) => types.get(name).and_then(source).cloned(),
        Kind::Scalar(..) | Kind::Enum(_) | Kind::Wrapper(..) | Kind::WellKnown(_) => None,
    }
}
