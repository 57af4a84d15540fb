//! What the entries in etcd come to: which of them are instances, and which of those take calls.
//!
//! Two kinds of entries are followed, instances and bindings of versions, and they arrive in any order. An
//! instance is told when everything that speaks for or against it is known: the binding of its version, its
//! descriptors, what was retired. Until then it waits, and what it said before goes on to hold. What is missing
//! is wished for, and somebody else looks it up. Nothing is told before the records were published, which say who
//! gets which version. Anybody may have written any entry. No clock and no etcd is asked in here; time is the age of
//! the process.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use turnout_control::id::{InstanceId, ServiceName, SourceName, Timestamp, Version};
use turnout_control::registration::{Ground, Schema, ServiceLife, Terms, hold};
use turnout_control::registry::{Intent, Registered, VersionRecord};
use turnout_control::table::{Input, Removal, Said};
use turnout_control::watch::Entry;
use turnout_schema::{Diagnostic, Digest, Severity};

use super::value;

/// How long the first listing waits for what is not known yet. Nothing is served from it before.
const LISTING_WAITS: Duration = Duration::from_millis(1500);
/// After this an instance that waits is listed as one that cannot be judged.
const INSTANCE_WAITS: Duration = Duration::from_secs(2);
/// How often descriptors that are missing are looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A version of a service.
pub(super) type Of = (ServiceName, Version);

/// What somebody should find out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// Whether these descriptors are stored, and what is in them.
    pub(super) schemas: BTreeSet<Digest>,
    /// These versions should be bound, by whoever comes first.
    pub(super) bindings: BTreeMap<Of, Option<Digest>>,
}

impl Wishes {
    pub(super) fn is_empty(&self) -> bool {
        self.schemas.is_empty() && self.bindings.is_empty()
    }
}

/// All entries, and what was told of them.
#[derive(Debug)]
pub(super) struct View {
    /// What the keys of instances begin with, without the slash at the end.
    prefix: String,
    terms: Terms,
    instances: BTreeMap<String, Held>,
    leases: HashMap<i64, String>,
    /// What this gateway told itself, and the watch did not yet: the revisions of those entries.
    ahead: BTreeMap<String, u64>,
    versions: BTreeMap<Of, VersionRecord>,
    schemas: HashMap<Digest, LookedUp>,
    retired: BTreeSet<Of>,
    /// Versions whose instances name no descriptors, and that nobody wrote down yet.
    unrecorded: BTreeSet<Of>,
    versions_listed: bool,
    records_listed: bool,
    listing: Listing,
    /// Instances that may have to be told, and new versions.
    dirty: BTreeSet<String>,
    learned: Vec<Input>,
}

#[derive(Debug, PartialEq, Eq)]
enum Listing {
    /// None arrived yet.
    Awaited,
    /// One arrived at this age, and was not told.
    Untold(Duration),
    /// It was told; since then changes are.
    Told,
}

#[derive(Debug)]
struct Held {
    entry: Arc<Entry>,
    read: Result<Registered, Diagnostic>,
    since: Duration,
    told: Option<Said>,
}

/// What is known of descriptors.
#[derive(Debug)]
struct LookedUp {
    /// The protobuf services in them; `None` when they are not stored.
    found: Option<Arc<Vec<String>>>,
    at: Duration,
}

/// What can be said of an instance.
enum Judged {
    Told(Said),
    Waits,
}

impl View {
    pub(super) fn new(prefix: String, terms: Terms) -> View {
        View {
            prefix,
            terms,
            instances: BTreeMap::new(),
            leases: HashMap::new(),
            ahead: BTreeMap::new(),
            versions: BTreeMap::new(),
            schemas: HashMap::new(),
            retired: BTreeSet::new(),
            unrecorded: BTreeSet::new(),
            versions_listed: false,
            records_listed: false,
            listing: Listing::Awaited,
            dirty: BTreeSet::new(),
            learned: Vec::new(),
        }
    }

    /// These are all instances there are.
    pub(super) fn list(&mut self, entries: Vec<Arc<Entry>>, at: (Duration, Timestamp)) {
        let before = std::mem::take(&mut self.instances);
        self.leases.clear();
        self.ahead.clear();
        for entry in entries {
            self.put(entry, at);
        }
        for (key, held) in &mut self.instances {
            held.told = before.get(key).and_then(|before| before.told.clone());
        }
        self.listing = Listing::Untold(at.0);
    }

    /// An instance was written; one that is older than what is known is passed over.
    pub(super) fn put(&mut self, entry: Arc<Entry>, (age, now): (Duration, Timestamp)) {
        let Some(key) = self.name(&entry.key) else { return };
        if self.ahead.get(&key).is_some_and(|at| *at <= entry.written_at) {
            self.ahead.remove(&key);
        }
        let before = self.instances.get(&key);
        if before.is_some_and(|before| before.entry.written_at >= entry.written_at) {
            return;
        }
        let seen = before.and_then(|before| before.read.as_ref().ok()).map_or(now, |read| read.registered_at);
        let told = before.and_then(|before| before.told.clone());
        if let Some(replaced) = before.and_then(|before| before.entry.lease) {
            self.leases.remove(&replaced);
        }
        if let Some(lease) = entry.lease {
            self.leases.insert(lease, key.clone());
        }
        let read = value::registered(&entry, &self.prefix, &self.terms, seen);
        if let Ok(Registered { instance, .. }) = &read
            && instance.schema.is_none()
            && !self.versions.contains_key(&(instance.service.clone(), instance.version.clone()))
        {
            self.unrecorded.insert((instance.service.clone(), instance.version.clone()));
        }
        self.instances.insert(key.clone(), Held { entry, read, since: age, told });
        self.dirty.insert(key);
    }

    /// An instance was written, and the watch did not say so: perhaps it never will, also not of its end.
    pub(super) fn put_ahead(&mut self, entry: Arc<Entry>, at: (Duration, Timestamp)) {
        let Some(key) = self.name(&entry.key) else { return };
        let (known, written_at) = (self.instances.get(&key), entry.written_at);
        let is_news = known.is_none_or(|known| known.entry.written_at < written_at);
        let before = self.ahead.get(&key).copied();
        self.put(entry, at);
        if is_news || before.is_some() {
            self.ahead.insert(key, written_at.max(before.unwrap_or(0)));
        }
    }

    /// The entries that the watch did not tell of.
    pub(super) fn ahead(&self) -> Vec<Arc<Entry>> {
        self.ahead.keys().filter_map(|key| Some(self.instances.get(key)?.entry.clone())).collect()
    }

    /// An instance is gone. One that said it would go has said goodbye, also when both are heard at once: its
    /// last word is told first, because that tells it from one of a mass deletion.
    pub(super) fn gone(&mut self, was: &Entry, how: Removal) -> Vec<Input> {
        let Some(key) = self.name(&was.key) else { return Vec::new() };
        if self.instances.get(&key).is_some_and(|held| held.entry.written_at > was.written_at) {
            return Vec::new();
        }
        let Some(held) = self.instances.remove(&key) else { return Vec::new() };
        self.ahead.remove(&key);
        self.dirty.remove(&key);
        if let Some(lease) = held.entry.lease {
            self.leases.remove(&lease);
        }
        if self.listing != Listing::Told {
            return Vec::new();
        }
        let said_so = held.read.is_ok_and(|read| read.instance.intent == Intent::Draining);
        let how = if said_so { Removal::Goodbye } else { how };
        let mut inputs = Vec::new();
        if let (true, Some(Said::Instance(mut last))) = (said_so, held.told)
            && last.instance.intent == Intent::Up
        {
            Arc::make_mut(&mut last.instance).intent = Intent::Draining;
            inputs.push(Input::Put(SourceName::own(), key.clone(), Said::Instance(last)));
        }
        inputs.push(Input::Removed(SourceName::own(), key, how));
        inputs
    }

    /// An instance said goodbye to this gateway, which removed it.
    pub(super) fn left(&mut self, was: &Entry) -> Vec<Input> {
        if let Some(key) = self.name(&was.key)
            && let Some(held) = self.instances.get_mut(&key)
            && held.entry.written_at <= was.written_at
            && let Ok(read) = &mut held.read
        {
            Arc::make_mut(&mut read.instance).intent = Intent::Draining;
        }
        self.gone(was, Removal::Goodbye)
    }

    /// Something is known of a version. What it is bound to stays, whatever is written later.
    pub(super) fn learn(&mut self, of: Of, record: VersionRecord) {
        self.unrecorded.remove(&of);
        let known = self.versions.get(&of).copied();
        if known.is_some_and(|known| known.digest.is_some() || record.digest.is_none()) {
            if known.and_then(|known| known.digest) != record.digest && record.digest.is_some() {
                tracing::error!(service = %of.0, version = %of.1, "the binding of a version was overwritten");
            }
            return;
        }
        let first_seen = known.map_or(record.first_seen, |known| known.first_seen);
        let record = VersionRecord { first_seen, ..record };
        self.touch(|held| held.instance.service == of.0);
        self.learned.push(Input::Version(of.0.clone(), of.1.clone(), record));
        self.versions.insert(of, record);
    }

    /// All bindings were told once.
    pub(super) fn versions_are_listed(&mut self) {
        self.versions_listed = true;
    }

    /// All records were published once.
    pub(super) fn records_are_listed(&mut self) {
        self.records_listed = true;
    }

    /// Whether descriptors are stored, and the protobuf services in them, as it was at this age.
    pub(super) fn looked_up(&mut self, digest: Digest, found: Option<Vec<String>>, age: Duration) {
        let found = found.map(Arc::new);
        if self.schemas.get(&digest).is_none_or(|known| known.found != found) {
            self.touch(|held| held.instance.schema.as_ref().is_some_and(|schema| schema.digest == digest));
        }
        self.schemas.insert(digest, LookedUp { found, at: age });
    }

    /// Which versions are retired now.
    pub(super) fn retire(&mut self, retired: BTreeSet<Of>) {
        if self.retired != retired {
            self.retired = retired;
            self.touch(|_| true);
        }
    }

    /// What is taken changed: everything is read again.
    pub(super) fn judge_by(&mut self, terms: Terms) {
        if self.terms == terms {
            return;
        }
        self.terms = terms;
        for (key, held) in &mut self.instances {
            let seen = held.read.as_ref().map_or(Timestamp(0), |read| read.registered_at);
            held.read = value::registered(&held.entry, &self.prefix, &self.terms, seen);
            self.dirty.insert(key.clone());
        }
    }

    /// What is to be told now, in order.
    pub(super) fn flush(&mut self, age: Duration) -> Vec<Input> {
        let mut inputs = std::mem::take(&mut self.learned);
        let Listing::Untold(since) = self.listing else {
            if self.listing == Listing::Told {
                self.flush_changes(age, &mut inputs);
            }
            return inputs;
        };
        // What is stable is in the records. Without them the highest version would be it for a moment, for everybody.
        if !self.records_listed {
            return inputs;
        }
        let patience = if age < since + LISTING_WAITS { INSTANCE_WAITS } else { Duration::ZERO };
        let mut all = BTreeMap::new();
        for (key, held) in &self.instances {
            match self.judge(held) {
                Judged::Told(said) => all.insert(key.clone(), said),
                Judged::Waits if patience.is_zero() => all.insert(key.clone(), waits(key)),
                Judged::Waits => return inputs,
            };
        }
        self.dirty.clear();
        for (key, held) in &mut self.instances {
            held.told = all.get(key).cloned();
        }
        let unknown = |said: &Said| matches!(said, Said::Unreadable(why) if why.code == WAITS);
        self.dirty.extend(all.iter().filter(|(_, said)| unknown(said)).map(|(key, _)| key.clone()));
        self.listing = Listing::Told;
        inputs.push(Input::Listed(SourceName::own(), all));
        inputs
    }

    fn flush_changes(&mut self, age: Duration, inputs: &mut Vec<Input>) {
        for key in std::mem::take(&mut self.dirty) {
            let Some(held) = self.instances.get(&key) else { continue };
            let said = match self.judge(held) {
                Judged::Told(said) => said,
                Judged::Waits => {
                    self.dirty.insert(key.clone());
                    if age < held.since + INSTANCE_WAITS {
                        continue;
                    }
                    waits(&key)
                }
            };
            let Some(held) = self.instances.get_mut(&key) else { continue };
            if held.told.as_ref() != Some(&said) {
                held.told = Some(said.clone());
                inputs.push(Input::Put(SourceName::own(), key, said));
            }
        }
    }

    /// What should be found out at this age.
    pub(super) fn wishes(&self, age: Duration) -> Wishes {
        let mut wishes = Wishes::default();
        for held in self.dirty.iter().filter_map(|key| self.instances.get(key)) {
            let Ok(read) = &held.read else { continue };
            self.wish(read, &mut wishes);
        }
        if self.versions_listed {
            let missing = self.unrecorded.iter().filter(|of| !self.versions.contains_key(of));
            for of in missing {
                wishes.bindings.entry(of.clone()).or_insert(None);
            }
        }
        let stale =
            self.schemas.iter().filter(|(_, known)| known.found.is_none() && age >= known.at + LOOK_AGAIN);
        wishes.schemas.extend(stale.map(|(digest, _)| *digest));
        wishes
    }

    fn wish(&self, read: &Registered, wishes: &mut Wishes) {
        let Some(schema) = &read.instance.schema else { return };
        let of = (read.instance.service.clone(), read.instance.version.clone());
        let known = self.schemas.get(&schema.digest);
        if known.is_none() {
            wishes.schemas.insert(schema.digest);
        }
        // What is not stored, or retired, must not decide what a version means.
        let sound = known.is_some_and(|known| known.found.is_some()) && !self.retired.contains(&of);
        let open = self.versions.get(&of).is_none_or(|known| known.digest.is_none());
        if self.versions_listed && sound && open {
            wishes.bindings.insert(of, Some(schema.digest));
        }
    }

    /// Forgets which descriptors are stored where no instance names them.
    pub(super) fn forget_unused(&mut self) {
        let read = self.instances.values().filter_map(|held| held.read.as_ref().ok());
        let used: BTreeSet<Digest> =
            read.filter_map(|read| read.instance.schema.as_ref()).map(|schema| schema.digest).collect();
        self.schemas.retain(|digest, _| used.contains(digest));
    }

    /// Forgets one of them.
    pub(super) fn forget(&mut self, digest: Digest) {
        self.schemas.remove(&digest);
    }

    /// What a version is bound to, as far as is known here.
    pub(super) fn version(&self, of: &Of) -> Option<VersionRecord> {
        self.versions.get(of).copied()
    }

    /// The time to live of the entry that a lease keeps, also where it cannot be read any more; `None` when it
    /// keeps nothing.
    pub(super) fn kept_by(&self, lease: i64) -> Option<u16> {
        let held = self.instances.get(self.leases.get(&lease)?)?;
        Some(held.read.as_ref().map_or(self.terms.ttl_s, |read| read.ttl_s))
    }

    /// Whether an entry that was written at this revision, or one after it, was told.
    pub(super) fn told(&self, key: &str, written_at: u64) -> bool {
        let held = self.instances.get(key);
        held.is_some_and(|held| {
            held.entry.written_at >= written_at && held.told.is_some() && !self.dirty.contains(key)
        })
    }

    /// Whether an entry that was removed at this revision is not known any more.
    pub(super) fn told_gone(&self, key: &str, removed_at: u64) -> bool {
        self.instances.get(key).is_none_or(|held| held.entry.written_at > removed_at)
    }

    /// Whether everything was listed and told once.
    pub(super) fn is_complete(&self) -> bool {
        self.listing == Listing::Told
    }

    /// Whether something should be found out.
    pub(super) fn waits(&self) -> bool {
        !self.dirty.is_empty() || !self.unrecorded.is_empty()
    }

    /// What is taken now.
    pub(super) fn terms(&self) -> Terms {
        self.terms.clone()
    }

    pub(super) fn len(&self) -> usize {
        self.instances.len()
    }

    /// How the hub calls the entry at a key; `None` when it is no text, and so nobody's.
    fn name(&self, key: &[u8]) -> Option<String> {
        let below = str::from_utf8(key).ok()?.strip_prefix(&self.prefix)?;
        Some(below.strip_prefix('/').unwrap_or(below).to_owned())
    }

    fn touch(&mut self, whom: impl Fn(&Registered) -> bool) {
        let touched = |held: &Held| held.read.as_ref().is_ok_and(&whom);
        let keys = self.instances.iter().filter(|(_, held)| touched(held)).map(|(key, _)| key.clone());
        self.dirty.extend(keys);
    }

    fn judge(&self, held: &Held) -> Judged {
        let read = match &held.read {
            Ok(read) => read,
            Err(why) => return Judged::Told(Said::Unreadable(why.clone())),
        };
        let instance = &read.instance;
        let of = (instance.service.clone(), instance.version.clone());
        let retired = self.retired.contains(&of);
        let bound = self.versions.get(&of).and_then(|known| known.digest);
        let schema = match &instance.schema {
            _ if retired => Schema::Unnamed,
            None => Schema::Unnamed,
            Some(schema) => match self.schemas.get(&schema.digest) {
                None => return Judged::Waits,
                Some(LookedUp { found: None, .. }) => Schema::Unknown,
                Some(LookedUp { found: Some(_), .. }) if bound.is_none() => return Judged::Waits,
                Some(LookedUp { found: Some(services), .. }) => Schema::Stored((**services).clone()),
            },
        };
        let service_life = if retired { ServiceLife::Retired } else { ServiceLife::Open };
        let ground = Ground { bound, service_life, incarnation: None };
        let mut registered = read.clone();
        if let Err(refusal) = hold(&ground, instance, &schema) {
            registered.refused = Some(Arc::new(refusal.finding()));
        }
        Judged::Told(Said::Instance(registered))
    }
}

const WAITS: &str = "ENTRY_WAITS";

fn waits(key: &str) -> Said {
    Said::Unreadable(Diagnostic {
        severity: Severity::Warning,
        code: WAITS,
        message: format!("The instance {key} waits until its version and its descriptors are looked up."),
        help: "See whether etcd takes writes; the instance joins by itself.".to_owned(),
    })
}

/// How an instance is called in the hub.
pub(super) fn name(service: &ServiceName, id: &InstanceId) -> String {
    format!("{service}/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "/turnout/v1/instances";
    const START: (Duration, Timestamp) = (Duration::ZERO, Timestamp(1));

    fn view() -> View {
        let mut view = View::new(
            PREFIX.to_owned(),
            Terms { allow_cidrs: vec!["127.0.0.0/8".parse().unwrap()], ttl_s: 15 },
        );
        view.versions_are_listed();
        view.records_are_listed();
        view
    }

    fn entry(key: &str, written_at: u64, state: &str) -> Arc<Entry> {
        let value = format!(
            r#"{{"version":"1.5.0","endpoints":[{{"url":"grpc://127.0.0.1:1"}}],"state":"{state}",
                "schema":{{"digest":"{}"}}}}"#,
            digest()
        );
        let key = format!("{PREFIX}/{key}").into_bytes();
        Arc::new(Entry { key, value: value.into(), lease: Some(7), created_at: written_at, written_at })
    }

    fn digest() -> Digest {
        Digest::of(b"x")
    }

    fn of() -> Of {
        ("catalog".parse().unwrap(), "1.5.0".parse().unwrap())
    }

    fn record() -> VersionRecord {
        VersionRecord { digest: Some(digest()), first_seen: Timestamp(1) }
    }

    /// What was told, in short: `put catalog/a up`.
    fn told(inputs: &[Input]) -> String {
        let word = |said: &Said| match said {
            Said::Instance(registered) => registered.standing().as_str(),
            Said::Nothing => "nothing",
            Said::Unreadable(why) => why.code,
        };
        let line = |input: &Input| match input {
            Input::Listed(_, all) => {
                let all: Vec<String> =
                    all.iter().map(|(key, said)| format!(" {key} {}", word(said))).collect();
                format!("listed{}", all.concat())
            }
            Input::Put(_, key, said) => format!("put {key} {}", word(said)),
            Input::Removed(_, key, how) => format!("removed {key} {how:?}"),
            Input::Version(service, version, _) => format!("version {service} {version}"),
            Input::Heard(..) | Input::Probed(..) => "another".to_owned(),
        };
        inputs.iter().map(line).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn an_instance_waits_until_its_descriptors_and_its_binding_are_known() {
        let mut view = view();
        view.list(Vec::new(), START);
        assert_eq!(told(&view.flush(Duration::ZERO)), "listed");
        view.put(entry("catalog/a", 5, "up"), START);
        assert_eq!(told(&view.flush(Duration::ZERO)), "");
        assert_eq!(view.wishes(Duration::ZERO).schemas, [digest()].into());
        view.looked_up(digest(), Some(vec!["shop.v1.Shop".into()]), Duration::ZERO);
        assert_eq!(told(&view.flush(Duration::ZERO)), "");
        assert_eq!(view.wishes(Duration::ZERO).bindings, [(of(), Some(digest()))].into());
        view.learn(of(), record());
        assert_eq!(told(&view.flush(Duration::ZERO)), "version catalog 1.5.0; put catalog/a up");
        assert!(view.wishes(Duration::ZERO).is_empty() && view.told("catalog/a", 5));
        view.put(entry("catalog/a", 4, "draining"), START);
        assert_eq!(told(&view.flush(Duration::ZERO)), "", "older than what is known");
    }

    #[test]
    fn nothing_is_told_before_the_records_are_known() {
        let mut view = View { records_listed: false, ..view() };
        view.list(vec![entry("catalog/a", 5, "up")], START);
        view.looked_up(digest(), Some(vec!["shop.v1.Shop".into()]), Duration::ZERO);
        view.learn(of(), record());
        assert_eq!(told(&view.flush(Duration::from_secs(9))), "version catalog 1.5.0");
        assert!(!view.is_complete());
        view.records_are_listed();
        assert_eq!(told(&view.flush(Duration::from_secs(9))), "listed catalog/a up");
    }

    #[test]
    fn one_that_waits_too_long_is_listed_as_that() {
        let mut view = view();
        view.list(vec![entry("catalog/a", 5, "up")], START);
        assert_eq!(told(&view.flush(Duration::from_secs(1))), "");
        assert_eq!(told(&view.flush(Duration::from_secs(2))), "listed catalog/a ENTRY_WAITS");
        view.looked_up(digest(), None, Duration::from_secs(3));
        assert_eq!(told(&view.flush(Duration::from_secs(3))), "put catalog/a refused");
        assert!(view.wishes(Duration::from_secs(4)).is_empty());
        assert_eq!(view.wishes(Duration::from_secs(5)).schemas, [digest()].into(), "looked for again");
    }

    #[test]
    fn who_said_that_it_goes_says_goodbye_however_it_went() {
        let mut view = view();
        view.learn(of(), record());
        view.looked_up(digest(), Some(Vec::new()), Duration::ZERO);
        let (up, going) = (entry("catalog/a", 5, "up"), entry("catalog/b", 6, "draining"));
        view.list(vec![up.clone(), going.clone()], START);
        let listed = "version catalog 1.5.0; listed catalog/a up catalog/b draining";
        assert_eq!(told(&view.flush(Duration::ZERO)), listed);
        let gone = [view.gone(&up, Removal::Expired), view.gone(&going, Removal::Expired)].concat();
        assert_eq!(told(&gone), "removed catalog/a Expired; removed catalog/b Goodbye");
        assert_eq!(view.gone(&up, Removal::Expired), []);
    }

    #[test]
    fn a_goodbye_that_is_heard_at_once_with_the_end_has_its_last_word() {
        let mut view = view();
        view.learn(of(), record());
        view.looked_up(digest(), Some(Vec::new()), Duration::ZERO);
        view.list(vec![entry("catalog/a", 5, "up"), entry("catalog/b", 6, "up")], START);
        view.flush(Duration::ZERO);
        let going = entry("catalog/a", 7, "draining");
        view.put(going.clone(), START);
        let last = "put catalog/a draining; removed catalog/a Goodbye";
        assert_eq!(told(&view.gone(&going, Removal::Unknown)), last);
        let last = "put catalog/b draining; removed catalog/b Goodbye";
        assert_eq!(told(&view.left(&entry("catalog/b", 8, "up"))), last);
    }

    #[test]
    fn what_the_watch_did_not_tell_of_is_remembered_until_it_does() {
        let mut view = view();
        view.list(vec![entry("catalog/a", 5, "up")], START);
        let ahead = |view: &View| view.ahead().iter().map(|entry| entry.written_at).collect::<Vec<_>>();
        view.put_ahead(entry("catalog/a", 20, "up"), START);
        view.put_ahead(entry("catalog/b", 21, "up"), START);
        view.gone(&entry("catalog/a", 5, "up"), Removal::Unknown);
        view.put(entry("catalog/b", 19, "up"), START);
        assert_eq!(ahead(&view), [20, 21], "what is said is older");
        view.put_ahead(entry("catalog/b", 21, "up"), START);
        assert_eq!(ahead(&view), [20, 21], "and told here again");
        view.put(entry("catalog/b", 21, "up"), START);
        view.put_ahead(entry("catalog/b", 21, "up"), START);
        assert_eq!(ahead(&view), [20], "told by the watch");
        view.gone(&entry("catalog/a", 20, "up"), Removal::Unknown);
        assert_eq!((ahead(&view), view.len()), (Vec::new(), 1));
    }

    #[test]
    fn a_binding_stays_whatever_is_written_over_it() {
        let mut view = view();
        view.list(Vec::new(), START);
        view.learn(of(), record());
        view.learn(of(), VersionRecord { digest: Some(Digest::of(b"y")), ..record() });
        assert_eq!(view.version(&of()), Some(record()));
        assert_eq!(told(&view.flush(Duration::ZERO)), "version catalog 1.5.0; listed");
    }
}
