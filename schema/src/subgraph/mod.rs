//! What one version of a service offers, read from its descriptors.
//!
//! Defaults come from protobuf's and Google's own annotations, then from Turnout's options, then from the
//! operator's policy; each inferred fact is recorded with its origin. Nothing is public unless the service
//! or the operator says so. What cannot be mapped is left out with a diagnostic, and the rest is kept.

pub mod descriptors;

mod comments;
mod describe;
mod entity;
mod enumeration;
mod field;
mod input;
mod lookup;
mod mask;
mod names;
mod object;
mod options;
mod reader;
mod root;
mod rules;

#[cfg(test)]
mod soundness;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use describe::describe;
pub use descriptors::Descriptors;

use crate::graph::{Entity, Extension, Lookup, Name, Resolve, Root, Type, Types};
use crate::{Diagnostic, Digest, Severity};

use comments::Comments;
use entity::{Catalog, no_key};
use field::Way;
use names::Key;
use options::Options;
use reader::{Reader, Source};

/// What one version of a service offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subgraph {
    /// The registered service, which is not a protobuf service.
    pub service: Name,
    /// Its version.
    pub version: Name,
    /// Its descriptors.
    pub digest: Digest,
    /// Every type that its fields reach, but `Query`, `Mutation` and `Subscription`.
    pub types: Types,
    /// Its fields of `Query`, `Mutation` and `Subscription`.
    pub roots: Vec<Root>,
    /// The entities it owns: those of its messages that have a key.
    pub entities: Vec<Entity>,
    /// The RPCs that load entities.
    pub lookups: Vec<Lookup>,
    /// The fields it adds to entities, its own or another service's.
    pub extensions: Vec<Extension>,
    /// What was inferred, and from what.
    pub facts: Vec<Fact>,
}

/// Something that no option of Turnout's said outright.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is about, by its full protobuf name: `shop.catalog.v1.CatalogService.BatchGetProducts`.
    pub about: Name,
    /// What was inferred: `loads Product by ids, in batches`.
    pub what: String,
    /// From what.
    pub origin: Origin,
}

/// Where a fact comes from, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The shape of names and messages, as Google's API guidelines have them.
    Shape,
    /// An annotation of protobuf's or Google's own.
    Standard,
    /// An option of Turnout's.
    Option,
    /// The operator's policy.
    Operator,
}

/// What the operator says about a service, in `turnout.yaml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exposure {
    /// Public is what the service's own options say.
    Annotated,
    /// Every RPC is public that is not marked `hidden`.
    All,
}

/// What was read, and what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the version offers; empty when nothing is public.
    pub subgraph: Subgraph,
    /// What was left out, renamed or could be better, the worst first.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads what one version of a service offers.
pub fn read(service: &str, version: &str, descriptors: &Descriptors, exposure: Exposure) -> Reading {
    let pool = descriptors.pool();
    let options = Options::read(pool);
    let (catalog, mut diagnostics) = Catalog::read(pool, &options);
    diagnostics.extend(options.foreign().iter().map(|kind| foreign(kind)));
    let source = Source { descriptors, options, comments: Comments::read(pool), catalog };

    // What is reached decides the names, and the names decide nothing about what is reached.
    let unnamed = BTreeMap::new();
    let mut scout = Reader::new(&source, &unnamed);
    scout.offer(exposure);
    scout.build();
    let (names, renamed) = names::assign(scout.wishes());
    diagnostics.extend(renamed);

    let mut reader = Reader::new(&source, &names);
    let offer = reader.offer(exposure);
    reader.build();
    input::cut_cycles(&mut reader.types);
    let entities = entities(&mut reader, &names);
    let lookups =
        offer.lookups.into_iter().filter(|lookup| entities.iter().any(|entity| entity.name == lookup.entity));
    let lookups = lookups.collect();
    diagnostics.append(&mut reader.diagnostics);
    diagnostics
        .sort_by(|left, right| right.severity.cmp(&left.severity).then(left.message.cmp(&right.message)));
    let mut facts = reader.facts;
    facts.sort_by(|left, right| (&left.about, &left.what).cmp(&(&right.about, &right.what)));
    facts.dedup();
    let subgraph = Subgraph {
        service: service.into(),
        version: version.into(),
        digest: descriptors.digest(),
        types: reader.types,
        roots: offer.roots,
        entities,
        lookups,
        extensions: offer.extensions,
        facts,
    };
    Reading { subgraph, diagnostics }
}

/// The entities among the types that were reached.
fn entities(reader: &mut Reader<'_>, names: &BTreeMap<Key, Name>) -> Vec<Entity> {
    let mut entities = Vec::new();
    let catalog = &reader.source.catalog;
    for known in catalog.all() {
        let Some(name) = names.get(&(known.message.full_name().into(), names::Role::Object)) else {
            continue;
        };
        if known.origin == Origin::Standard {
            reader.tell(
                known.message.full_name(),
                format!("is an entity, by {}", known.key.name()),
                Origin::Standard,
            );
        }
        let key_field = reader.field_name(&known.key);
        let (key, _) = reader.value(&known.key, Way::Out);
        let object = reader.types.get(name);
        let field =
            object.and_then(|ty| if let Type::Object(object) = ty { object.field(&key_field) } else { None });
        if !field.is_some_and(|field| field.resolve == Resolve::Read(key.clone())) {
            reader.diagnostics.push(no_key(&known.message, known.key.name()));
            continue;
        }
        entities.push(Entity { name: name.clone(), key_field, key });
    }
    entities
}

fn foreign(kind: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        code: "OPTION_NUMBER_TAKEN",
        message: format!("Extension 50770 of {kind} is not Turnout's in these files, so it is not read."),
        help: "Give the other extension another number.".to_owned(),
    }
}
