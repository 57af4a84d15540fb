//! Graphs, each composed once for all frontends that see the same versions.
//!
//! A graph is known by the editions it is made of. It is composed again only when names were given to others
//! that it cares about, and it is another one only when it looks otherwise: plans stay as long as they are
//! good. A version with which no graph can serve is left out, and all others stay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use turnout_schema::compose::{Composition, Locks, compose};
use turnout_schema::graph::Name;
use turnout_schema::subgraph::Reading;
use turnout_schema::{Diagnostic, Subgraph};

use super::contest::Edition;
use super::shelf::guarded;
use crate::generation::Graph;

/// A version with what it offers.
pub(super) type Part = (Edition, Arc<Reading>);

/// All graphs that are of use.
#[derive(Clone, Debug, Default)]
pub(super) struct Graphs {
    known: BTreeMap<Vec<Edition>, Arc<Made>>,
    /// How often was composed.
    pub(super) compositions: u64,
}

/// What came out of a composition.
#[derive(Debug)]
pub(super) struct Made {
    /// The graph; `None` when nobody offers anything.
    pub(super) graph: Option<Arc<Graph>>,
    /// The names that it gave away.
    pub(super) gave: Locks,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Whom no graph can serve with, and why.
    pub(super) left_out: Vec<(Edition, String)>,
    /// What matters here of the locks that were given, and of those that came out.
    given: Locks,
    after: Locks,
}

impl Graphs {
    /// The graph of these editions, which are in their order. Those that serve are composed before others where
    /// somebody has to be left out.
    pub(super) fn make(&mut self, parts: &[Part], given: &Locks, serving: &[Edition]) -> Arc<Made> {
        let key: Vec<Edition> = parts.iter().map(|(edition, _)| edition.clone()).collect();
        let relevant = relevant(given, parts);
        if let Some(known) = self.known.get(&key)
            // Composing with the locks that came out makes the same again.
            && (known.given == relevant || known.after == relevant)
        {
            return known.clone();
        }
        let made = if parts.is_empty() {
            Made::nothing(given.clone())
        } else {
            match self.compose(parts, given) {
                Ok(made) => made,
                Err(_) => self.without_unfit(parts, given, serving),
            }
        };
        let after = self::relevant(&made.gave.over(given), parts);
        let made = Arc::new(Made { given: relevant, after, ..made });
        self.known.insert(key, made.clone());
        made
    }

    /// Forgets what none of these is.
    pub(super) fn retain(&mut self, used: &BTreeSet<Vec<Edition>>) {
        self.known.retain(|key, _| used.contains(key));
    }

    /// Composes. The error says why the graph cannot serve.
    fn compose(&mut self, parts: &[Part], given: &Locks) -> Result<Made, String> {
        self.compositions += 1;
        let offers = parts.iter().map(|(_, reading)| &reading.subgraph).filter(|subgraph| offers(subgraph));
        let subgraphs: Vec<Subgraph> = offers.cloned().collect();
        guarded(|| {
            let Composition { supergraph, gave, diagnostics, .. } = compose(&subgraphs, given);
            let graph = match supergraph {
                None => None,
                Some(supergraph) => {
                    let same = self.known.values().filter_map(|made| made.graph.as_ref());
                    let same = same.into_iter().find(|of| of.supergraph().digest == supergraph.digest);
                    let new = || Graph::new(supergraph).map(Arc::new).map_err(|unfit| unfit.to_string());
                    Some(same.cloned().map_or_else(new, Ok)?)
                }
            };
            Ok(Made { graph, gave, diagnostics, ..Made::nothing(Locks::default()) })
        })
    }

    /// Composes one version after the other, to find who it is that makes no graph possible. As many
    /// compositions as there are parts, but only when something is unfit.
    fn without_unfit(&mut self, parts: &[Part], given: &Locks, serving: &[Edition]) -> Made {
        let (stay, new): (Vec<&Part>, Vec<&Part>) =
            parts.iter().partition(|(edition, _)| serving.contains(edition));
        let mut fit: Vec<Part> = Vec::new();
        let mut best = Made::nothing(Locks::default());
        let mut left_out = Vec::new();
        for part in stay.into_iter().chain(new) {
            let at = fit.partition_point(|(edition, _)| *edition < part.0);
            fit.insert(at, part.clone());
            match self.compose(&fit, given) {
                Ok(made) => best = made,
                Err(why) => {
                    fit.remove(at);
                    left_out.push((part.0.clone(), why));
                }
            }
        }
        Made { left_out, ..best }
    }
}

impl Made {
    fn nothing(given: Locks) -> Made {
        Made {
            graph: None,
            gave: Locks::default(),
            diagnostics: Vec::new(),
            left_out: Vec::new(),
            given,
            after: Locks::default(),
        }
    }
}

/// The locks that can change how these are composed: of the names that they want, and of the fields that
/// they have.
fn relevant(locks: &Locks, parts: &[Part]) -> Locks {
    let wanted: BTreeSet<&Name> =
        parts.iter().flat_map(|(_, reading)| reading.subgraph.types.keys()).collect();
    let services: BTreeSet<&str> = parts.iter().map(|(edition, _)| edition.service.as_str()).collect();
    let types =
        locks.types.iter().filter(|(name, owner)| wanted.contains(name) || wanted.contains(&owner.wanted));
    let fields = locks.fields.iter().filter(|(_, service)| services.contains(&***service));
    Locks {
        types: types.map(|(name, owner)| (name.clone(), owner.clone())).collect(),
        fields: fields.map(|(field, service)| (field.clone(), service.clone())).collect(),
        meanings: locks.meanings.clone(),
    }
}

/// Whether a graph has anything of it. One that offers nothing is no member, so that a service that is not
/// public changes nothing.
pub(super) fn offers(subgraph: &Subgraph) -> bool {
    !(subgraph.roots.is_empty() && subgraph.lookups.is_empty() && subgraph.extensions.is_empty())
}
