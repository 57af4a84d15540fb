//! Which messages are entities, which fields hold their keys, and which RPCs load them?
//!
//! An entity is a message that an option of Turnout's gives a key, or a resource by Google's annotation
//! with a field marked IDENTIFIER. Keys are looked up by value, so every field that holds one is of type
//! `ID`: that is inferred from names and wire types, changes nothing in the bytes, and is recorded. Whether
//! an entity that is referred to exists in another service is composing's business.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind as Proto, MessageDescriptor, MethodDescriptor};

use super::Origin;
use super::names;
use super::options::Options;
use super::rules::Behavior;
use crate::{Diagnostic, Severity};

/// The entities of a pool, and what is known about keys.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// By the full name of their message.
    entities: BTreeMap<String, Known>,
    /// The names of fields that hold keys, with the entity and how the key lies in the bytes.
    references: BTreeMap<String, (String, Proto)>,
    /// Fields of requests that hold a key, with the entity.
    requests: BTreeMap<String, String>,
    /// The messages of the entities by name.
    messages: BTreeMap<String, String>,
    /// The only message in a request or a response, by the full name of that.
    only: BTreeMap<String, FieldDescriptor>,
}

/// An entity of this pool.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) message: MessageDescriptor,
    pub(super) key: FieldDescriptor,
    pub(super) origin: Origin,
}

impl Catalog {
    pub(super) fn read(pool: &DescriptorPool, options: &Options) -> (Catalog, Vec<Diagnostic>) {
        let mut catalog = Catalog::default();
        let mut diagnostics = Vec::new();
        let mut messages: Vec<MessageDescriptor> = pool.all_messages().collect();
        messages.sort_by(|left, right| left.full_name().cmp(right.full_name()));
        for message in &messages {
            match entity(message, options) {
                Ok(Some(known)) => catalog.add(known, &mut diagnostics),
                Ok(None) => {}
                Err(found) => diagnostics.push(found),
            }
        }
        let fields = messages.iter().flat_map(MessageDescriptor::fields);
        for field in fields.filter(|field| is_key_kind(&field.kind())) {
            let entity = options.field(&field).rule().r#ref;
            if !entity.is_empty() {
                catalog.refer(field.name(), &entity, &field.kind());
            }
        }
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let extends = options.method(&method).rule.and_then(|rule| rule.extends).unwrap_or_default();
            let key = method.input().get_field_by_name(&extends.key);
            // `id` alone says nothing about whose it is.
            if let Some(key) = key.filter(|key| is_key_kind(&key.kind()) && key.name().contains('_')) {
                catalog.refer(key.name(), &extends.entity, &key.kind());
            }
            for message in [method.input(), method.output()] {
                if !catalog.only.contains_key(message.full_name()) {
                    let only = only_message(&message);
                    catalog.only.extend(only.map(|field| (message.full_name().to_owned(), field)));
                }
            }
        }
        catalog.requests = catalog.keys_of_requests(pool);
        (catalog, diagnostics)
    }

    pub(super) fn of(&self, message: &MessageDescriptor) -> Option<&Known> {
        self.entities.get(message.full_name())
    }

    pub(super) fn named(&self, name: &str) -> Option<&Known> {
        self.entities.get(self.messages.get(name)?)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Known> {
        self.entities.values()
    }

    /// The entity whose key a field must hold by its name and its wire type.
    pub(super) fn referred(&self, field: &FieldDescriptor) -> Option<&str> {
        if let Some(entity) = self.requests.get(field.full_name()) {
            return Some(entity);
        }
        let (entity, kind) = self.references.get(field.name())?;
        (*kind == field.kind()).then_some(entity)
    }

    fn add(&mut self, known: Known, diagnostics: &mut Vec<Diagnostic>) {
        if let Some(first) = self.named(&known.name) {
            diagnostics.push(Diagnostic {
                severity: Severity::Error,
                code: "ENTITY_TWICE",
                message: format!(
                    "{} is no entity, because {} is called `{}` too.",
                    known.message.full_name(),
                    first.message.full_name(),
                    known.name
                ),
                help: "Give one of them another name with `option (turnout.graphql.v1.entity).name`."
                    .to_owned(),
            });
            return;
        }
        let field = format!("{}_{}", names::snake(&known.name), known.key.name());
        self.refer(&field, &known.name, &known.key.kind());
        let message = known.message.full_name().to_owned();
        self.messages.insert(known.name.clone(), message.clone());
        self.entities.insert(message, known);
    }

    fn refer(&mut self, field: &str, entity: &str, kind: &Proto) {
        let one = field.strip_suffix("_ids").map_or(field.to_owned(), |stem| format!("{stem}_id"));
        for name in [names::plural(&one), one] {
            self.references.entry(name).or_insert_with(|| (entity.to_owned(), kind.clone()));
        }
    }

    /// Requests name the key of what they are about as the entity does: GetUser takes an `id`.
    fn keys_of_requests(&self, pool: &DescriptorPool) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut disputed = BTreeSet::new();
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let Some(known) = self.subject_of_call(&method) else { continue };
            for name in [known.key.name().to_owned(), names::plural(known.key.name())] {
                let field = method.input().get_field_by_name(&name);
                let Some(field) = field.filter(|field| field.kind() == known.key.kind()) else { continue };
                let before = found.insert(field.full_name().to_owned(), known.name.clone());
                if before.is_some_and(|before| before != known.name) {
                    disputed.insert(field.full_name().to_owned());
                }
            }
        }
        found.retain(|field, _| !disputed.contains(field));
        found
    }

    /// The entity that a response is about: itself, or the only message in it.
    pub(super) fn subject(&self, response: &MessageDescriptor) -> Option<&Known> {
        self.of(response).or_else(|| self.of(self.only(response)?.kind().as_message()?))
    }

    /// The entity that an RPC is about: by its response, or by its name, as in `DeleteTask`.
    fn subject_of_call(&self, method: &MethodDescriptor) -> Option<&Known> {
        let noun = || method.name().trim_start_matches(|letter: char| !letter.is_ascii_lowercase());
        let noun = || noun().trim_start_matches(|letter: char| !letter.is_ascii_uppercase());
        self.subject(&method.output()).or_else(|| self.named(noun()))
    }

    /// The only field of a request or a response that is a message of somebody's own, one or many.
    pub(super) fn only(&self, message: &MessageDescriptor) -> Option<&FieldDescriptor> {
        self.only.get(message.full_name())
    }
}

/// Whether a message is an entity, or wants to be one and cannot.
fn entity(message: &MessageDescriptor, options: &Options) -> Result<Option<Known>, Diagnostic> {
    let said = options.message(message);
    let (key, origin) = match &said.rule {
        Some(rule) => {
            let field = message.get_field_by_name(&rule.key);
            let Some(field) = field else { return Err(no_key(message, &rule.key)) };
            (field, Origin::Option)
        }
        None => {
            let Some(resource) = &said.resource else { return Ok(None) };
            let name = if resource.name_field.is_empty() { "name" } else { &resource.name_field };
            let marked = message.fields().find(|field| options.field(field).is(Behavior::Identifier));
            let Some(field) = marked.or_else(|| message.get_field_by_name(name)) else { return Ok(None) };
            (field, Origin::Standard)
        }
    };
    let said_of_key = options.field(&key);
    let is_read = !said_of_key.rule().hidden && !said_of_key.is(Behavior::InputOnly);
    if key.is_list() || key.is_map() || !is_key_kind(&key.kind()) || !is_read {
        return Err(no_key(message, key.name()));
    }
    let wished = said.rule.map(|rule| rule.name).filter(|name| names::is_legal(name));
    let name = wished.unwrap_or_else(|| short_name(message));
    Ok(Some(Known { name, message: message.clone(), key, origin }))
}

pub(super) fn no_key(message: &MessageDescriptor, key: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "ENTITY_WITHOUT_KEY",
        message: format!("{} is no entity, because `{key}` cannot be its key.", message.full_name()),
        help: "A key is a single field with a string or a whole number that can be read under its own name."
            .to_owned(),
    }
}

/// Whether values of this kind can be compared as keys and written as `ID`.
pub(super) fn is_key_kind(kind: &Proto) -> bool {
    match kind {
        Proto::Int32 | Proto::Int64 | Proto::Uint32 | Proto::Uint64 | Proto::Sint32 | Proto::Sint64 => true,
        Proto::Fixed32 | Proto::Fixed64 | Proto::Sfixed32 | Proto::Sfixed64 | Proto::String => true,
        Proto::Double | Proto::Float | Proto::Bool | Proto::Bytes => false,
        Proto::Message(_) | Proto::Enum(_) => false,
    }
}

fn only_message(message: &MessageDescriptor) -> Option<FieldDescriptor> {
    let mut fields = message.fields().filter(|field| match field.kind() {
        Proto::Message(message) => !field.is_map() && !message.full_name().starts_with("google."),
        _ => false,
    });
    let only = fields.next()?;
    fields.next().is_none().then_some(only)
}

/// `Product`, and `PhysicalGoodsDimensions` for a message within another.
pub(super) fn short_name(message: &MessageDescriptor) -> String {
    within_package(message.full_name(), message.package_name())
}

/// The names after the package, joined.
pub(super) fn within_package(full_name: &str, package: &str) -> String {
    let rest = full_name.strip_prefix(package).unwrap_or(full_name);
    names::unreserved(&rest.split('.').collect::<String>())
}
