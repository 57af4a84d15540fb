//! A plan as short text: one line a call, in the order in which calls are made.
//!
//! Lines of one wave stand together, and every line says after which calls it can begin. A fetch is
//! called by its service where that says which one it is, else by its RPC, else with a number behind.

use std::fmt::Write;

use super::Plan;
use super::fetch::{Call, Fetch};
use crate::graph::RootKind;

impl Plan {
    /// The calls of the plan, for people.
    pub fn explain(&self) -> String {
        let mut lines = Vec::new();
        for (at, stage) in self.stages.iter().enumerate() {
            let numbered = self.kind == RootKind::Mutation && self.stages.len() > 1;
            for (index, place) in stage.waves.iter().flatten().enumerate() {
                let head = match (numbered, index) {
                    (false, _) => String::new(),
                    (true, 0) => format!("{}. ", at + 1),
                    (true, _) => "   ".to_owned(),
                };
                lines.push(head + &self.line(&self.fetches[*place]));
            }
        }
        lines.join("\n")
    }

    fn line(&self, fetch: &Fetch) -> String {
        let mut sent: Vec<String> = Vec::new();
        if let Call::Keyed(keyed) = &fetch.call {
            sent.push(keyed.request.name.to_string());
        }
        sent.extend(fetch.given.iter().map(|(name, value)| format!("{}: {}", name.node, value.node)));
        let mut line = format!("{}.{}", self.service(fetch), fetch.rpc.method);
        if !sent.is_empty() {
            let _ = write!(line, "({})", sent.join(", "));
        }
        if fetch.call == Call::Stream {
            line.push_str(" for each event");
        }
        let mut after: Vec<usize> = fetch.sources.iter().map(|source| source.fetch).collect();
        after.sort_unstable();
        after.dedup();
        if !after.is_empty() {
            let labels: Vec<String> = after.into_iter().map(|place| self.label(place)).collect();
            let _ = write!(line, " after {}", labels.join(", "));
        }
        if let Some(condition) = fetch.when.and_then(|when| self.conditions.get(when)) {
            let _ = write!(line, " if {condition}");
        }
        line
    }

    /// The shortest name that says which fetch is meant.
    pub(super) fn label(&self, place: usize) -> String {
        let fetch = &self.fetches[place];
        let service = self.service(fetch);
        let same_service = self.fetches.iter().filter(|other| other.member == fetch.member).count();
        if same_service == 1 {
            return service.to_owned();
        }
        let rpc = format!("{service}.{}", fetch.rpc.method);
        let same = |other: &&usize| self.fetches[**other].rpc.path() == fetch.rpc.path();
        let order: Vec<usize> =
            self.stages.iter().flat_map(|stage| &stage.waves).flatten().copied().collect();
        let twins: Vec<usize> = order.iter().filter(same).copied().collect();
        match twins.iter().position(|twin| *twin == place) {
            Some(at) if twins.len() > 1 => format!("{rpc}#{}", at + 1),
            Some(_) | None => rpc,
        }
    }
}
