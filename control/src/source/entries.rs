//! The entries of a source while it is followed: which key said what, and what the table is told of it.
//!
//! A deletion has no value and a changed policy has no entry, so everything that is there is remembered. A source
//! may be followed in several parts (one for each service that is asked for). Before all of them were listed,
//! entries are told one by one and nothing is missed; from then on a listing is told whole, and what it lacks is
//! gone. When an entry was first seen outlives the process with the kept table.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Rules, Source, Written};
use crate::id::{LeaseId, Timestamp};
use crate::table::{Input, Removal, Said};
use crate::watch::Entry;

/// What a source holds.
#[derive(Clone, Debug)]
pub struct Entries {
    source: Source,
    rules: Rules,
    /// By part; `None` before it was listed.
    parts: Vec<Option<BTreeMap<Vec<u8>, Arc<Entry>>>>,
    first_seen: BTreeMap<String, Timestamp>,
}

impl Entries {
    /// None yet. `first_seen` is of entries that were known before the start, by key.
    pub fn new(source: Source, rules: Rules, first_seen: BTreeMap<String, Timestamp>) -> Entries {
        let parts = vec![None; source.scopes().len()];
        Entries { source, rules, parts, first_seen }
    }

    /// A part was listed: this is all that it holds. Parts are counted as [`Source::scopes`] lists them.
    pub fn listed(&mut self, part: usize, entries: Vec<Arc<Entry>>, now: Timestamp) -> Vec<Input> {
        let entries: BTreeMap<_, _> = entries.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
        for key in entries.keys() {
            self.first_seen.entry(name(key)).or_insert(now);
        }
        if let Some(held) = self.parts.get_mut(part) {
            *held = Some(entries);
        }
        self.told()
    }

    /// An entry was written.
    pub fn put(&mut self, part: usize, entry: Arc<Entry>, now: Timestamp) -> Option<Input> {
        let key = name(&entry.key);
        self.first_seen.entry(key.clone()).or_insert(now);
        let said = self.said(&entry);
        if let Some(held) = self.parts.get_mut(part) {
            held.get_or_insert_default().insert(entry.key.clone(), entry);
        }
        said.map(|said| Input::Put(self.source.name.clone(), key, said))
    }

    /// An entry is gone.
    pub fn removed(&mut self, part: usize, key: &[u8], how: Removal) -> Input {
        if let Some(Some(held)) = self.parts.get_mut(part) {
            held.remove(key);
        }
        let key = name(key);
        self.first_seen.remove(&key);
        Input::Removed(self.source.name.clone(), key, how)
    }

    /// Everything is judged anew.
    pub fn judge(&mut self, rules: Rules) -> Vec<Input> {
        self.rules = rules;
        self.told()
    }

    fn told(&mut self) -> Vec<Input> {
        let mut all = BTreeMap::new();
        for entry in self.parts.iter().flatten().flat_map(BTreeMap::values) {
            if let Some(said) = self.said(entry) {
                all.insert(name(&entry.key), said);
            }
        }
        let source = &self.source.name;
        if self.parts.iter().any(Option::is_none) {
            return all.into_iter().map(|(key, said)| Input::Put(source.clone(), key, said)).collect();
        }
        let there: std::collections::BTreeSet<String> =
            self.parts.iter().flatten().flat_map(BTreeMap::keys).map(|key| name(key)).collect();
        self.first_seen.retain(|key, _| there.contains(key));
        vec![Input::Listed(source.clone(), all)]
    }

    fn said(&self, entry: &Entry) -> Option<Said> {
        let written = Written {
            key: &entry.key,
            value: &entry.value,
            lease: entry.lease.map(lease),
            registered_at: self.first_seen.get(&name(&entry.key)).copied().unwrap_or(Timestamp(0)),
        };
        self.source.said(&written, &self.rules)
    }
}

/// The key as the table knows it. One that is no text is never an instance.
fn name(key: &[u8]) -> String {
    String::from_utf8(key.to_vec()).unwrap_or_else(|_| key.escape_ascii().to_string())
}

/// etcd's number of a lease, as one of ours.
fn lease(number: i64) -> LeaseId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    LeaseId::from_random(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;
    use crate::registration::Terms;
    use crate::source::{Loopback, Policy, Tls};

    fn rules(version: Option<&str>) -> Rules {
        let version = version.map(|version| version.parse().unwrap());
        let policy = |service: &str| {
            let policy = Policy { version: version.clone(), tls: Tls::AsRegistered };
            (service.parse().unwrap(), policy)
        };
        let terms = Terms { allow_cidrs: vec!["10.0.0.0/8".parse().unwrap()], ttl_s: 15 };
        Rules { terms, policies: ["user.rpc", "task.rpc"].map(policy).into() }
    }

    fn entries(services: &[&str], version: Option<&str>) -> Entries {
        let source = Source {
            name: "zero".parse().unwrap(),
            layout: Layout::GoZero,
            prefix: String::new(),
            services: services.iter().map(|name| name.parse().unwrap()).collect(),
            loopback: Loopback::Refused,
        };
        Entries::new(source, rules(version), BTreeMap::new())
    }

    fn entry(key: &str, value: &str) -> Arc<Entry> {
        let (key, value) = (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        Arc::new(Entry { key, value, lease: Some(7), created_at: 1, written_at: 1 })
    }

    /// `listed zero: user.rpc/1 = user.rpc 10-0-0-7...`, without all that the tests of sources show.
    fn shown(inputs: &[Input]) -> Vec<String> {
        let said = |said: &Said| match said {
            Said::Instance(registered) => {
                format!("{} at {}", registered.instance.id, registered.registered_at.0)
            }
            Said::Nothing => "nothing".to_owned(),
            Said::Unreadable(diagnostic) => diagnostic.code.to_owned(),
        };
        let one = |input: &Input| match input {
            Input::Listed(_, all) => {
                let all: Vec<String> =
                    all.iter().map(|(key, told)| format!("{key} {}", said(told))).collect();
                format!("listed {}", all.join(", "))
            }
            Input::Put(_, key, told) => format!("put {key} {}", said(told)),
            Input::Removed(_, key, how) => format!("removed {key} {how:?}"),
            other => format!("{other:?}"),
        };
        inputs.iter().map(one).collect()
    }

    #[test]
    fn nothing_is_missed_before_every_part_was_listed() {
        let mut zero = entries(&["user.rpc", "task.rpc"], Some("1.0.0"));
        // Parts are by scope: task.rpc/ is the first.
        let user = zero.listed(1, vec![entry("user.rpc/1", "10.0.0.7:1")], Timestamp(5));
        assert_eq!(shown(&user), ["put user.rpc/1 10.0.0.7-1 at 5"]);
        let both = zero.listed(0, vec![], Timestamp(6));
        assert_eq!(shown(&both), ["listed user.rpc/1 10.0.0.7-1 at 5"]);
        let gone = zero.listed(1, vec![], Timestamp(7));
        assert_eq!(shown(&gone), ["listed "]);
    }

    #[test]
    fn a_changed_policy_judges_what_is_there_anew() {
        let mut zero = entries(&["user.rpc"], None);
        let first = zero.listed(0, vec![entry("user.rpc/1", "10.0.0.7:1")], Timestamp(5));
        assert_eq!(shown(&first), ["listed user.rpc/1 VERSION_UNSTATED"]);
        let then = zero.judge(rules(Some("1.0.0")));
        assert_eq!(shown(&then), ["listed user.rpc/1 10.0.0.7-1 at 5"]);
    }

    #[test]
    fn a_key_that_comes_again_is_seen_for_the_first_time() {
        let mut zero = entries(&["user.rpc"], Some("1.0.0"));
        zero.listed(0, vec![], Timestamp(1));
        let put = |zero: &mut Entries, at| {
            let input = zero.put(0, entry("user.rpc/1", "10.0.0.7:1"), Timestamp(at));
            shown(&[input.unwrap()]).remove(0)
        };
        assert_eq!(put(&mut zero, 5), "put user.rpc/1 10.0.0.7-1 at 5");
        assert_eq!(put(&mut zero, 6), "put user.rpc/1 10.0.0.7-1 at 5");
        let gone = zero.removed(0, b"user.rpc/1", Removal::Expired);
        assert_eq!(shown(&[gone]), ["removed user.rpc/1 Expired"]);
        assert_eq!(put(&mut zero, 7), "put user.rpc/1 10.0.0.7-1 at 7");
    }

    #[test]
    fn what_was_known_before_the_start_keeps_its_time() {
        let mut zero = entries(&["user.rpc"], Some("1.0.0"));
        zero.first_seen = [("user.rpc/1".to_owned(), Timestamp(2)), ("gone".to_owned(), Timestamp(2))].into();
        let listed = zero.listed(0, vec![entry("user.rpc/1", "10.0.0.7:1")], Timestamp(5));
        assert_eq!(shown(&listed), ["listed user.rpc/1 10.0.0.7-1 at 2"]);
        assert_eq!(zero.first_seen.len(), 1);
    }
}
