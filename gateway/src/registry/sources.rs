//! Follows other registries in etcd and tells the hub what their entries say.
//!
//! One task for each source: it owns the watches of the source's parts, remembers entries in
//! `turnout_control::source::Entries`, and judges them anew when policy or terms change. It never fails: while
//! its etcd is away what it told goes on to hold, and the freshness says so. What is known at the start is the
//! hub's already.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use futures_util::stream::{StreamExt, select_all};
use tokio::sync::watch;
use tokio_stream::wrappers::{ReceiverStream, WatchStream};
use tokio_util::sync::CancellationToken;
use turnout_control::id::{SourceName, Timestamp};
use turnout_control::source::{Entries, Rules};

use super::etcd::{Backend, Cluster, Contact, Delta, Scope, follow};
use super::{Freshness, Hearing, Hub, Known};
use crate::config::SourceConfig;

/// A source, before it is followed.
#[derive(Debug)]
pub struct Following {
    /// Who is told.
    pub hub: Arc<Hub>,
    /// What is followed.
    pub config: SourceConfig,
    /// What entries are judged by, now and after each change.
    pub rules: watch::Receiver<Rules>,
    /// When entries that were known before the start were first seen, by key.
    pub first_seen: BTreeMap<String, Timestamp>,
}

/// The sources of a configuration in the order in which they go, the gateway's own first.
pub fn ranked(sources: &[SourceConfig]) -> Vec<SourceName> {
    let others = sources.iter().map(|config| config.source.name.clone());
    std::iter::once(SourceName::own()).chain(others).collect()
}

/// When the entries of a source that are known were first seen.
pub fn first_seen(known: &Known, source: &SourceName) -> BTreeMap<String, Timestamp> {
    let here = known.entries.iter().filter(|(of, _, _)| of == source);
    here.map(|(_, key, said)| (key.clone(), said.registered_at)).collect()
}

/// Follows a source until it is told to stop.
pub async fn run(following: Following, stop: CancellationToken) {
    let Following { hub, config, mut rules, first_seen } = following;
    let clock = hub.clock();
    let name = config.source.name.clone();
    let layout = config.source.layout.as_str();
    let cluster: Arc<dyn Backend> = Arc::new(Arc::new(Cluster::new(Contact::from(&config.etcd), clock)));
    let (mut deltas, mut freshness, mut works) = (Vec::new(), Vec::new(), Vec::new());
    for (part, prefix) in config.source.scopes().into_iter().enumerate() {
        let (followed, work) = follow(cluster.clone(), Scope { prefix, layout }, clock, stop.clone());
        deltas.push(ReceiverStream::new(followed.deltas).map(move |delta| (part, delta)).boxed());
        freshness.push(WatchStream::new(followed.freshness).map(move |fresh| (part, fresh)).boxed());
        works.push(work);
    }
    let (mut deltas, mut freshness) = (select_all(deltas), select_all(freshness));
    let works = join_all(works);
    tokio::pin!(works);
    let now = rules.borrow_and_update().clone();
    let mut entries = Entries::new(config.source, now, first_seen);
    let mut heard: BTreeMap<usize, Freshness> = BTreeMap::new();
    loop {
        let inputs = tokio::select! {
            () = stop.cancelled() => return,
            _ = &mut works => return,
            Some((part, delta)) = deltas.next() => match delta {
                Delta::Listed(all) => entries.listed(part, all, clock.now()),
                Delta::Put(entry) => entries.put(part, entry, clock.now()).into_iter().collect(),
                Delta::Removed(entry, how) => vec![entries.removed(part, &entry.key, how)],
            },
            Some((part, fresh)) = freshness.next() => {
                heard.insert(part, fresh);
                hub.hears(&name, together(&heard));
                Vec::new()
            }
            Ok(()) = rules.changed() => {
                let now = rules.borrow_and_update().clone();
                entries.judge(now)
            }
        };
        hub.tell_all(inputs);
    }
}

/// How well a source is heard of which these are the parts; there is at least one.
fn together(parts: &BTreeMap<usize, Freshness>) -> Freshness {
    let mut all = parts.values();
    let mut whole = all.next().expect("a part was just heard").clone();
    for part in all {
        whole.state = match (&whole.state, &part.state) {
            // What was never heard is missing; what is stale is only old.
            (Hearing::Starting, _) | (_, Hearing::Starting) => Hearing::Starting,
            (Hearing::Stale(why), _) | (_, Hearing::Stale(why)) => Hearing::Stale(why.clone()),
            (Hearing::Live, Hearing::Live) => Hearing::Live,
        };
        whole.synced_at = whole.synced_at.min(part.synced_at);
        whole.heard_at = whole.heard_at.min(part.heard_at);
        whole.revision = whole.revision.max(part.revision);
        whole.relists += part.relists;
        whole.entries += part.entries;
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(state: Hearing, synced_at: Option<u64>, entries: usize) -> Freshness {
        Freshness {
            backend: "etcd",
            layout: "gozero",
            state,
            synced_at: synced_at.map(Timestamp),
            heard_at: None,
            revision: 7,
            relists: 1,
            entries,
        }
    }

    #[test]
    fn a_source_is_as_fresh_as_its_worst_part() {
        let stale = || Hearing::Stale("gone".to_owned());
        for (one, other, expected) in [
            (Hearing::Live, Hearing::Live, Hearing::Live),
            (Hearing::Live, stale(), stale()),
            (stale(), Hearing::Live, stale()),
            (stale(), Hearing::Starting, Hearing::Starting),
        ] {
            let parts = [(0, part(one, Some(5), 1)), (1, part(other, None, 2))];
            let whole = together(&parts.into());
            assert_eq!(whole, Freshness { relists: 2, ..part(expected, None, 3) });
        }
    }
}
