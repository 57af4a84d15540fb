//! Which stored descriptors are not needed any more, and how many there may be.
//!
//! Descriptors are needed by an instance that names them, by whatever serves or would serve, and by what
//! operators decided. What nobody has needed for a day may go. Since when that is so is a record, so that a
//! gateway that takes over goes on where the last one stopped. What cannot be read counts as a need: unknown
//! never means unused. Nothing is removed here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use turnout_schema::Digest;

use crate::id::{ServiceName, Timestamp, Version};
use crate::lineup;
use crate::records::{Key, Kind, Records};
use crate::registry::{Service, Snapshot};

/// How long nobody must have needed descriptors before they go.
pub const UNNEEDED: Duration = Duration::from_hours(24);

/// The most descriptors of which is remembered since when they are not needed. A record holds that many; the
/// others begin when there is room.
const REMEMBERED_MAX: usize = 5_000;

/// The most that fall due at once.
const DUE_MAX: usize = 500;

/// How much one store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// How many descriptor sets.
    pub sets: u64,
    /// How many bytes they have together.
    pub bytes: u64,
}

/// What every store has room for: a token that may register must not fill a disk. Ten thousand sets are a
/// new version every ten minutes for ten weeks in which nothing went.
pub const ROOM: Room = Room { sets: 10_000, bytes: 4 << 30 };

/// There is no room for more descriptors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{digest} has no room: {} descriptor sets with {} bytes are stored, and there is room for {} with {} bytes",
    .held.sets, .held.bytes, .room.sets, .room.bytes
)]
pub struct Full {
    /// What was to be stored.
    pub digest: Digest,
    /// What is stored.
    pub held: Room,
    /// What may be.
    pub room: Room,
}

impl Full {
    /// The way out.
    pub fn help(&self) -> String {
        "Descriptors that no instance, policy or best version refers to for 24 hours are removed by \
         themselves. Give a version its own descriptors once, not with every build."
            .to_owned()
    }
}

impl Room {
    /// Whether there is room for one more set of so many bytes beside what is held.
    pub fn admit(self, held: Room, digest: Digest, bytes: u64) -> Result<(), Full> {
        if held.sets < self.sets && held.bytes.saturating_add(bytes) <= self.bytes {
            return Ok(());
        }
        Err(Full { digest, held, room: self })
    }
}

/// A record may refer to descriptors and cannot be read, so that nobody knows what is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record {0} cannot be read")]
pub struct Unreadable(pub Key);

/// The descriptors that somebody needs: every instance, whatever serves, the best version of each major of
/// each service, and every version or digest that an operator's record names.
pub fn needed(
    snapshot: &Snapshot,
    serving: &[(ServiceName, Version)],
    records: &Records,
) -> Result<BTreeSet<Digest>, Unreadable> {
    let mut needed = BTreeSet::new();
    let instances = snapshot.instances().filter_map(|known| known.instance.schema.as_ref());
    needed.extend(instances.map(|schema| schema.digest));
    for (_, service) in snapshot.services() {
        needed.extend(best(service));
    }
    let digest = |(service, version): &(ServiceName, Version)| {
        snapshot.service(service)?.versions.get(version)?.digest
    };
    needed.extend(serving.iter().filter_map(digest));
    for kind in Kind::ALL.into_iter().filter(|kind| refers(*kind)) {
        for (key, record) in records.of(kind) {
            let said = serde_json::from_slice(&record.value).map_err(|_| Unreadable(key.clone()))?;
            let mut words = key.name().split('/').collect();
            gather(&said, &mut words);
            needed.extend(named(&words, snapshot));
        }
    }
    Ok(needed)
}

/// Of each major, the version that is served first.
fn best(service: &Service) -> impl Iterator<Item = Digest> {
    let mut majors = BTreeSet::new();
    let choices = lineup::choices(service).into_iter();
    choices.filter(move |choice| majors.insert(choice.version.semver().major)).map(|choice| choice.digest)
}

/// Whether a record of the kind may keep descriptors.
fn refers(kind: Kind) -> bool {
    match kind {
        Kind::Service | Kind::Policy | Kind::Frontend | Kind::Rollout | Kind::Analysis => true,
        Kind::Locks | Kind::Assignment | Kind::Tombstone | Kind::Garbage | Kind::Audit => false,
    }
}

/// All texts in a value, whole and in the pieces that a version may be written in: `orders@2.1.0`.
fn gather<'a>(value: &'a Value, words: &mut BTreeSet<&'a str>) {
    let mut gather_text = |text: &'a str| {
        words.insert(text);
        words.extend(text.split(|letter: char| "@/ ,=^~<>".contains(letter)));
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => gather_text(text),
        Value::Array(all) => all.iter().for_each(|one| gather(one, words)),
        Value::Object(all) => {
            all.keys().for_each(|name| gather_text(name));
            all.values().for_each(|one| gather(one, words));
        }
    }
}

/// The descriptors that are meant by words of one record: named themselves, or by service and version.
fn named(words: &BTreeSet<&str>, snapshot: &Snapshot) -> Vec<Digest> {
    let mut found: Vec<Digest> = words.iter().filter_map(|word| word.parse().ok()).collect();
    for (_, service) in snapshot.services().filter(|(name, _)| words.contains(name.as_str())) {
        let versions = service.versions.iter();
        let meant = versions.filter(|(version, _)| words.contains(version.to_string().as_str()));
        found.extend(meant.filter_map(|(_, record)| record.digest));
    }
    found
}

/// Since when descriptors are not needed, by the wall clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unneeded {
    since: BTreeMap<Digest, Timestamp>,
}

impl Unneeded {
    /// The record of it.
    pub fn key() -> Key {
        Key::new(Kind::Garbage, "schemas").expect("letters are a name")
    }

    /// Reads a record. What cannot be read begins anew, which only lets things stay longer.
    pub fn read(text: &[u8]) -> Unneeded {
        let said: Value = serde_json::from_slice(text).unwrap_or_default();
        let entry =
            |(digest, since): (&String, &Value)| Some((digest.parse().ok()?, Timestamp(since.as_u64()?)));
        let since = said["since"].as_object().into_iter().flatten().filter_map(entry);
        Unneeded { since: since.take(REMEMBERED_MAX).collect() }
    }

    /// Writes the record: `{"since":{"sha256:…":1763700000000}}`.
    pub fn write(&self) -> Vec<u8> {
        let since = self.since.iter().map(|(digest, since)| (digest.to_string(), Value::from(since.0)));
        let since = Value::Object(since.collect());
        serde_json::json!({ "since": since }).to_string().into_bytes()
    }

    /// What is remembered after a look at what is stored and what is needed, and what is due to be removed,
    /// the longest unneeded first. What is due is remembered until it is not stored any more.
    #[must_use]
    pub fn step(
        &self,
        stored: &BTreeSet<Digest>,
        needed: &BTreeSet<Digest>,
        now: Timestamp,
    ) -> (Unneeded, Vec<Digest>) {
        let unneeded = || stored.iter().filter(|digest| !needed.contains(digest));
        // A clock that was set back, or another gateway's that goes ahead, must not make it longer.
        let known = |digest: &Digest| self.since.get(digest).map(|since| (*digest, (*since).min(now)));
        let mut since: BTreeMap<Digest, Timestamp> = unneeded().filter_map(known).collect();
        let new = unneeded().filter(|digest| !self.since.contains_key(digest));
        let room = REMEMBERED_MAX.saturating_sub(since.len());
        since.extend(new.take(room).map(|digest| (*digest, now)).collect::<Vec<_>>());

        let wait = u64::try_from(UNNEEDED.as_millis()).unwrap_or(u64::MAX);
        let mut due: Vec<(Timestamp, Digest)> = since
            .iter()
            .filter(|(_, since)| now.0.saturating_sub(since.0) >= wait)
            .map(|(digest, since)| (*since, *digest))
            .collect();
        due.sort_unstable();
        due.truncate(DUE_MAX);
        (Unneeded { since }, due.into_iter().map(|(_, digest)| digest).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::records::{Change, Expected};
    use crate::registry::tests::registered;
    use crate::registry::{Event, Presence, Why};

    const HOUR: u64 = 3_600_000;

    /// Services as `catalog 1.4.0` (an instance lives) or `catalog 1.4.0-` (none does, the version stays).
    /// The descriptors of a version are the digest of its text.
    fn world(rows: &[&str]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (at, row) in rows.iter().enumerate() {
            let (service, version) = row.split_once(' ').unwrap();
            let one = registered(service, &format!("i{at}"), version.trim_end_matches(['-', '?']));
            let (name, id) = (one.instance.service.clone(), one.instance.id.clone());
            snapshot = snapshot.apply(&Event::Up(one));
            if version.ends_with('-') {
                snapshot = snapshot.apply(&Event::Down(name, id, Why::Expired));
            } else if version.ends_with('?') {
                snapshot = snapshot.apply(&Event::Heard(name, id, Presence::Missing));
            }
        }
        snapshot
    }

    fn records(rows: &[(&str, &str)]) -> Records {
        let writes = rows.iter().map(|(key, value)| (key.parse().unwrap(), Some(value.as_bytes().into())));
        let change = Change { expected: BTreeMap::<Key, Expected>::new(), writes: writes.collect() };
        Records::default().apply(&change, 1)
    }

    /// Which of these versions' descriptors are needed.
    fn kept(snapshot: &Snapshot, serving: &[(&str, &str)], records: &Records) -> String {
        let serving: Vec<(ServiceName, Version)> = serving
            .iter()
            .map(|(service, version)| (service.parse().unwrap(), version.parse().unwrap()))
            .collect();
        let needed = needed(snapshot, &serving, records).unwrap();
        let mut kept = Vec::new();
        for (name, service) in snapshot.services() {
            for (version, record) in &service.versions {
                if needed.contains(&record.digest.unwrap()) {
                    kept.push(format!("{name} {version}"));
                }
            }
        }
        kept.join(", ")
    }

    #[test]
    fn what_somebody_needs_is_kept() {
        let none = Records::default();
        for (rows, expected) in [
            (&["a 1.0.0"][..], "a 1.0.0"),
            // The best version of a major stays also when nobody runs it, and no other does.
            (&["a 1.0.0-", "a 1.1.0-"], "a 1.1.0"),
            (&["a 1.0.0", "a 1.1.0-"], "a 1.0.0"),
            (&["a 1.0.0-", "a 1.1.0-", "a 2.3.0", "a 2.4.0-"], "a 1.1.0, a 2.3.0"),
            (&["a 1.0.0?", "a 1.1.0-", "a 1.2.0"], "a 1.0.0, a 1.2.0"),
            (&["a 1.1.0-", "a 1.2.0-rc.1-"], "a 1.1.0"),
            (&["a 2.0.0-rc.1-", "a 2.0.0-rc.2-", "a 1.0.0-"], "a 1.0.0, a 2.0.0-rc.2"),
            (&["a 1.0.0-", "b 3.0.0-"], "a 1.0.0, b 3.0.0"),
        ] {
            assert_eq!(kept(&world(rows), &[], &none), expected, "{rows:?}");
        }
    }

    #[test]
    fn what_serves_is_kept_though_a_better_version_is_known() {
        let world = world(&["a 1.0.0-", "a 1.1.0-", "a 1.2.0-"]);
        assert_eq!(kept(&world, &[("a", "1.1.0")], &Records::default()), "a 1.1.0, a 1.2.0");
        assert_eq!(kept(&world, &[("x", "1.1.0"), ("a", "7.0.0")], &Records::default()), "a 1.2.0");
    }

    #[test]
    fn what_an_operator_names_is_kept() {
        let world = world(&["a 1.0.0-", "a 1.1.0-", "a 1.2.0-", "b 1.1.0-", "b 1.3.0-"]);
        let digest = Digest::of(b"1.0.0").to_string();
        for (key, value, expected) in [
            ("policy/web@2.4.1/a/1", r#"{"stable":"1.0.0","candidate":"1.1.0"}"#, "a 1.0.0, a 1.1.0, "),
            ("policy/web@2.4.1/b/1", r#"{"stable":"1.0.0"}"#, ""),
            ("rollout/r1", r#"{"steps":[{"service":"a"}],"from":"1.1.0"}"#, "a 1.1.0, "),
            ("frontend/web@2.4.1", r#"{"pins":{"a":"~1.0.0"}}"#, "a 1.0.0, "),
            ("analysis/x", r#"["a@1.0.0"]"#, "a 1.0.0, "),
            ("service/b", &format!("{digest:?}"), "a 1.0.0, "),
            ("tombstone/a", r#""1.0.0""#, ""),
            ("locks/a", "no json", ""),
        ] {
            let expected = format!("{expected}a 1.2.0, b 1.3.0");
            let found = kept(&world, &[], &records(&[(key, value)]));
            // The digest of a version is that of its text, so b 1.1.0 has what a 1.1.0 has.
            assert_eq!(found.replace(", b 1.1.0", ""), expected, "{key} {value}");
        }
    }

    #[test]
    fn nobody_knows_what_an_unreadable_policy_needs() {
        let unreadable = records(&[("policy/a", "1.0.0 or so")]);
        let told = needed(&world(&["a 1.0.0"]), &[], &unreadable);
        assert_eq!(told, Err(Unreadable("policy/a".parse().unwrap())));
    }

    /// Looks at the hours given, each with what is stored and what is needed, and tells what is due.
    fn looks(rows: &[(u64, &str, &str)]) -> Vec<String> {
        let set = |names: &str| names.bytes().map(|name| Digest::of(&[name])).collect::<BTreeSet<_>>();
        let name = |digest: &Digest| (b'a'..=b'z').find(|name| Digest::of(&[*name]) == *digest).unwrap();
        let mut unneeded = Unneeded::default();
        let mut told = Vec::new();
        for (hour, stored, needed) in rows {
            let (next, due) = unneeded.step(&set(stored), &set(needed), Timestamp(hour * HOUR));
            // A gateway that takes over reads what the last one wrote.
            unneeded = Unneeded::read(&next.write());
            assert_eq!(unneeded, next);
            told.push(due.iter().map(|digest| char::from(name(digest))).collect());
        }
        told
    }

    #[test]
    fn what_nobody_needs_for_a_day_is_due() {
        for (rows, expected) in [
            (&[(0, "ab", "a"), (23, "ab", "a"), (24, "ab", "a")][..], &["", "", "b"][..]),
            (
                &[(0, "a", ""), (12, "a", "a"), (24, "a", ""), (47, "a", ""), (48, "a", "")],
                &["", "", "", "", "a"],
            ),
            // Not removed the first time, so due again; removed and stored anew, so a day more.
            (
                &[(0, "a", ""), (24, "a", ""), (25, "a", ""), (26, "", ""), (27, "a", "")],
                &["", "a", "a", "", ""],
            ),
            (&[(5, "b", ""), (6, "ab", ""), (29, "ab", ""), (30, "ab", "")], &["", "", "b", "ba"]),
            // A clock that is set back costs time and removes nothing early.
            (&[(40, "a", ""), (10, "a", ""), (33, "a", ""), (34, "a", "")], &["", "", "", "a"]),
            (&[], &[]),
        ] {
            assert_eq!(looks(rows), expected, "{rows:?}");
        }
    }

    #[test]
    fn a_crowd_is_remembered_and_falls_due_within_its_bounds() {
        let crowd: BTreeSet<Digest> = (0..6_000_u32).map(|at| Digest::of(&at.to_be_bytes())).collect();
        let (first, _) = Unneeded::default().step(&crowd, &BTreeSet::new(), Timestamp(0));
        assert_eq!(first.since.len(), REMEMBERED_MAX);
        assert!(first.write().len() <= crate::records::VALUE_BYTES_MAX, "{}", first.write().len());
        let (_, due) = first.step(&crowd, &BTreeSet::new(), Timestamp(24 * HOUR));
        assert_eq!(due.len(), DUE_MAX);
    }

    #[test]
    fn a_record_that_cannot_be_read_begins_anew() {
        for text in ["", "no json", "[]", r#"{"since":7}"#, r#"{"since":{"sha256:7":1}}"#] {
            assert_eq!(Unneeded::read(text.as_bytes()), Unneeded::default(), "{text}");
        }
    }

    #[test]
    fn there_is_room_until_either_bound_is_reached() {
        let room = Room { sets: 3, bytes: 100 };
        let digest = Digest::of(b"");
        for (sets, bytes, more, fits) in [
            (0, 0, 100, true),
            (2, 90, 10, true),
            (3, 0, 0, false),
            (2, 90, 11, false),
            (0, u64::MAX, 1, false),
        ] {
            let held = Room { sets, bytes };
            let expected = if fits { Ok(()) } else { Err(Full { digest, held, room }) };
            assert_eq!(room.admit(held, digest, more), expected, "{sets} {bytes} {more}");
        }
    }

    #[test]
    fn an_instance_without_descriptors_needs_none() {
        let mut bare = registered("a", "i", "1.0.0");
        Arc::make_mut(&mut bare.instance).schema = None;
        let snapshot = Snapshot::default().apply(&Event::Up(bare));
        assert_eq!(needed(&snapshot, &[], &Records::default()), Ok(BTreeSet::new()));
    }
}
