//! How do the descriptors of one version become types?
//!
//! Fields ask for types, types are built one after the other and ask for more, so only what is reached
//! from public RPCs is read and nothing recurses. It is done twice: the first time to learn what is reached,
//! the second time with the names that follow from that.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{EnumDescriptor, FieldDescriptor, MessageDescriptor, MethodDescriptor, OneofDescriptor};

use super::comments::Comments;
use super::entity::{Catalog, short_name, within_package};
use super::names::{self, Key, Role, Wish};
use super::options::Options;
use super::{Descriptors, Fact, Origin};
use crate::graph::{Doc, Field, Name, Object, Scalar, Type, Types};
use crate::{Diagnostic, Severity};

/// What is read.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) descriptors: &'a Descriptors,
    pub(super) options: Options,
    pub(super) comments: Comments,
    pub(super) catalog: Catalog,
}

/// A type that is to be built.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Object(MessageDescriptor),
    Entry(FieldDescriptor),
    Case(OneofDescriptor),
    Union(OneofDescriptor, String),
    Member(FieldDescriptor, String),
    Payload(MethodDescriptor),
    Enum(EnumDescriptor),
    Input(MessageDescriptor),
    Patch(MessageDescriptor),
    EntryInput(FieldDescriptor),
}

impl Wanted {
    fn key(&self) -> Key {
        match self {
            Wanted::Object(message) => (message.full_name().into(), Role::Object),
            Wanted::Entry(field) => (field.full_name().into(), Role::Entry),
            Wanted::Case(oneof) => (oneof.full_name().into(), Role::Case),
            Wanted::Union(oneof, _) => (oneof.full_name().into(), Role::Union),
            Wanted::Member(field, _) => (field.full_name().into(), Role::Member),
            Wanted::Payload(method) => (method.full_name().into(), Role::Payload),
            Wanted::Enum(definition) => (definition.full_name().into(), Role::Enum),
            Wanted::Input(message) => (message.full_name().into(), Role::Input),
            Wanted::Patch(message) => (message.full_name().into(), Role::Patch),
            Wanted::EntryInput(field) => (field.full_name().into(), Role::EntryInput),
        }
    }

    fn package(&self) -> String {
        match self {
            Wanted::Object(message) | Wanted::Input(message) | Wanted::Patch(message) => {
                message.package_name().to_owned()
            }
            Wanted::Entry(field) | Wanted::EntryInput(field) | Wanted::Member(field, _) => {
                field.parent_message().package_name().to_owned()
            }
            Wanted::Case(oneof) | Wanted::Union(oneof, _) => oneof.parent_message().package_name().to_owned(),
            // Several services of one package may have an RPC of one name.
            Wanted::Payload(method) => method.parent_service().full_name().to_owned(),
            Wanted::Enum(definition) => definition.package_name().to_owned(),
        }
    }
}

/// The types that were reached so far, and those that are still to be built.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source<'a>,
    names: &'a BTreeMap<Key, Name>,
    wishes: BTreeMap<Key, Wish>,
    waiting: Vec<Wanted>,
    sendable: BTreeMap<String, bool>,
    pub(super) types: Types,
    pub(super) facts: Vec<Fact>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The messages of the diagnostics: what is read twice is told once.
    reported: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Source<'a>, names: &'a BTreeMap<Key, Name>) -> Reader<'a> {
        Reader {
            source,
            names,
            wishes: BTreeMap::new(),
            waiting: Vec::new(),
            sendable: BTreeMap::new(),
            types: Types::new(),
            facts: Vec::new(),
            diagnostics: Vec::new(),
            reported: BTreeSet::new(),
        }
    }

    /// What the types that were reached want to be called.
    pub(super) fn wishes(&self) -> &BTreeMap<Key, Wish> {
        &self.wishes
    }

    /// The name of a type, which will be built.
    pub(super) fn want(&mut self, wanted: Wanted) -> Name {
        let key = wanted.key();
        let name = match (self.names.get(&key), self.wishes.get(&key)) {
            (Some(name), _) => name.clone(),
            (None, Some(wish)) => wish.name.as_str().into(),
            (None, None) => self.wish(&wanted).into(),
        };
        if !self.wishes.contains_key(&key) {
            let wish = Wish { name: self.wish(&wanted), package: wanted.package() };
            self.wishes.insert(key, wish);
            self.waiting.push(wanted);
        }
        name
    }

    /// The name of a scalar, which is in the graph from now on.
    pub(super) fn want_scalar(&mut self, scalar: Scalar) -> Name {
        let name = Name::from(scalar.name());
        self.types.entry(name.clone()).or_insert(Type::Scalar(scalar));
        name
    }

    /// The name of an entity: that of its object when it is one of ours, and the given one otherwise.
    pub(super) fn entity_name(&self, entity: &str) -> Name {
        let known = self.source.catalog.named(entity);
        let key = known.map(|known| (Name::from(known.message.full_name()), Role::Object));
        let name = key.and_then(|key| self.names.get(&key));
        name.cloned().unwrap_or_else(|| entity.into())
    }

    /// Builds all that is wanted, until nothing is.
    pub(super) fn build(&mut self) {
        while let Some(wanted) = self.waiting.pop() {
            let built = match &wanted {
                Wanted::Object(message) => Type::Object(self.object(message)),
                Wanted::Entry(field) => Type::Object(self.entry(field)),
                Wanted::Case(oneof) => Type::Enum(self.case_names(oneof)),
                Wanted::Union(oneof, union) => Type::Union(self.union(oneof, union)),
                Wanted::Member(field, _) => Type::Object(self.member(field)),
                Wanted::Payload(method) => Type::Object(payload(method.full_name())),
                Wanted::Enum(definition) => Type::Enum(self.enumeration(definition)),
                Wanted::Input(message) => Type::Input(self.input(message)),
                Wanted::Patch(message) => Type::Input(self.patch(message)),
                Wanted::EntryInput(field) => Type::Input(self.entry_input(field)),
            };
            let name = self.want(wanted);
            self.types.insert(name, built);
        }
    }

    /// Whether a message has any field that can be sent.
    pub(super) fn is_sendable(&mut self, message: &MessageDescriptor) -> bool {
        if let Some(known) = self.sendable.get(message.full_name()) {
            return *known;
        }
        let sendable = message.fields().any(|field| self.is_sent(&field));
        self.sendable.insert(message.full_name().to_owned(), sendable);
        sendable
    }

    pub(super) fn tell(&mut self, about: &str, what: impl Into<String>, origin: Origin) {
        self.facts.push(Fact { about: about.into(), what: what.into(), origin });
    }

    pub(super) fn report(&mut self, severity: Severity, code: &'static str, message: String, help: &str) {
        if self.reported.insert(message.clone()) {
            self.diagnostics.push(Diagnostic { severity, code, message, help: help.to_owned() });
        }
    }

    fn wish(&self, wanted: &Wanted) -> String {
        match wanted {
            Wanted::Object(message) => self.base(message),
            Wanted::Entry(field) => format!("{}Entry", self.below(field)),
            Wanted::EntryInput(field) => format!("{}EntryInput", self.below(field)),
            Wanted::Case(oneof) => {
                format!("{}{}Case", self.base(oneof.parent_message()), names::upper_camel(oneof.name()))
            }
            Wanted::Union(_, union) => union.clone(),
            Wanted::Member(field, union) => format!("{union}{}", names::upper_camel(field.name())),
            Wanted::Payload(method) => format!("{}Payload", names::unreserved(method.name())),
            Wanted::Enum(definition) => within_package(definition.full_name(), definition.package_name()),
            Wanted::Input(message) => {
                let base = self.base(message);
                if base.ends_with("Input") { base } else { format!("{base}Input") }
            }
            Wanted::Patch(message) => {
                let base = self.base(message);
                format!("{}UpdateInput", base.strip_suffix("Input").unwrap_or(&base))
            }
        }
    }

    fn base(&self, message: &MessageDescriptor) -> String {
        self.source.catalog.of(message).map_or_else(|| short_name(message), |known| known.name.clone())
    }

    fn below(&self, field: &FieldDescriptor) -> String {
        format!("{}{}", self.base(field.parent_message()), names::upper_camel(field.name()))
    }
}

/// An object for a response without fields: it can gain some later without breaking anybody.
pub(super) fn payload(source: &str) -> Object {
    Object { doc: Doc::default(), source: source.into(), fields: vec![Field::ok()] }
}

/// The oneof that a field is a member of, but for those that only stand for `optional`.
pub(super) fn oneof_of(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    field.containing_oneof().filter(|oneof| !oneof.is_synthetic())
}

/// Names that were given out in one place.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeSet<Name>);

impl Taken {
    /// Whether the name was still free; it is taken from now on.
    pub(super) fn take(&mut self, name: &Name) -> bool {
        self.0.insert(name.clone())
    }
}
