//! Changes of policies by operators: judged as a whole, tried first, written with their inverse.
//!
//! What an edit was judged by is expected of the store when it is written: the policy, the policy for everyone
//! beside it, the rollout, the frontend, and that the versions are not retired. So an answer of two edits at
//! once is never a mixture, and the loser is told what differs now.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::{InputObject, Result, SimpleObject};
use turnout_control::audit::{Act, Entry};
use turnout_control::id::{ServiceName, Version};
use turnout_control::policy::Health;
use turnout_control::records::{Change, Key};
use turnout_control::rollout;
use turnout_control::routes::edit::{self, Edit, Edited, Obstacle, Setting, Start};
use turnout_control::routes::moves::moves;
use turnout_control::routes::{Own, Place, Policies, Scope, undo, write_base, write_own};
use turnout_control::slot::{SLOTS, Unit, Weight};

use super::ground::{Ground, named, parsed, place_text, tombstone};
use super::policy::{self, Policy};
use super::{Facts, fault};
use crate::reconcile::Verdict;
use crate::registry;

/// The most units of an answer about who would move.
const UNITS_MAX: usize = 100;
/// How far back the audit log is searched for who changed a record.
const ENTRIES_MAX: usize = 200;

/// Which policy.
#[derive(InputObject)]
pub(super) struct PolicyPlace {
    service: String,
    /// Left out: the major of the versions that are named, or the one that its callers get.
    major: Option<u64>,
    /// Left out: everyone.
    frontend: Option<String>,
}

/// What changes of a policy; what is left out stays.
#[derive(InputObject)]
pub(super) struct PolicyChange {
    /// Forget everything first, except which version is stable for everyone.
    #[graphql(default)]
    clear: bool,
    stable: Option<String>,
    candidate: Option<String>,
    /// From 0 to 1000000.
    weight_ppm: Option<i64>,
    /// From 0 to 1000000; of one frontend only.
    cap_ppm: Option<i64>,
    killed: Option<bool>,
    #[graphql(default)]
    allow: Vec<String>,
    #[graphql(default)]
    deny: Vec<String>,
    #[graphql(default)]
    no_allow: Vec<String>,
    #[graphql(default)]
    no_deny: Vec<String>,
}

/// A policy that was changed, or would be.
#[derive(SimpleObject)]
pub(super) struct PolicySet {
    service: String,
    major: u64,
    frontend: Option<String>,
    /// Null when there was none.
    before: Option<Policy>,
    /// Null when there is none any more.
    after: Option<Policy>,
    /// What differs, a sentence each; none when nothing was changed, or would be.
    differences: Vec<String>,
    /// The place of the change in the audit chain; null when nothing was written.
    audit: Option<String>,
    /// The command that takes it back.
    inverse: String,
    /// Which shares of callers get another version by it.
    moves: Vec<PolicyMove>,
    /// What the units that were asked about get.
    units: Vec<UnitMove>,
}

/// A share of a frontend's callers that gets another version.
#[derive(SimpleObject)]
pub(super) struct PolicyMove {
    service: String,
    frontend: String,
    /// Null: nothing of the service.
    from: Option<String>,
    to: Option<String>,
    share_ppm: u32,
}

/// What one unit of a frontend gets before and after.
#[derive(SimpleObject)]
pub(super) struct UnitMove {
    service: String,
    unit: String,
    frontend: String,
    from: Option<String>,
    to: Option<String>,
    /// Why, afterwards.
    reason: Option<&'static str>,
}

/// An edit that was found possible, and what it was decided by.
pub(super) struct Decision {
    ground: Ground,
    place: Place,
    edited: Edited,
}

impl Decision {
    /// Judges an edit; an error names everything that stands in the way.
    pub(super) async fn of(
        facts: &Facts,
        of: &PolicyPlace,
        change: &PolicyChange,
        expected: Option<&str>,
    ) -> Result<Decision> {
        let ground = Ground::of(facts);
        let edit = change.parsed()?;
        let place = place(&ground, of, &edit)?;
        if let Some(expected) = expected {
            let expected: u64 = expected.parse().map_err(|error| fault::input("expectedRevision", &error))?;
            let found = ground.revision(&place.key());
            if found != expected {
                return Err(overtaken(facts, &ground, &place, expected).await);
            }
        }
        let known = ground.known(&place.service);
        let live = ground.live(&place.service, place.major);
        let frontend = match &place.scope {
            Scope::Everyone => None,
            Scope::Frontend(id) => ground.frontends.published.get(id),
        };
        let setting = Setting {
            place: &place,
            frontend,
            policies: &ground.policies,
            known: &known,
            rollout: live.as_ref().map(|live| &live.rollout.to),
        };
        let edited = edit::edit(&setting, &edit).map_err(|obstacles| refused(&obstacles))?;
        let decision = Decision { ground, place, edited };
        decision.ask_gate(facts)?;
        Ok(decision)
    }

    /// A candidate has to be able to stand in for what is stable. Nobody may decide otherwise.
    fn ask_gate(&self, facts: &Facts) -> Result<()> {
        let Some((stable, newcomer)) = &self.edited.to_judge else { return Ok(()) };
        let report = facts.graph.borrow();
        let service = &self.place.service;
        let found =
            report.newcomers.iter().find(|found| found.service == *service && found.version == *newcomer);
        let check =
            format!("`turnout service check` with its descriptors, or `turnout service show {service}`");
        let refuse = |why: String| Err(fault::conflict(why));
        match found.map(|found| (&found.verdict, &found.stable)) {
            Some((Verdict::Fits(_), judged)) if judged == stable => Ok(()),
            Some((Verdict::Fits(_), judged)) => refuse(format!(
                "{service} {newcomer} was found able to stand in for {judged} and not for {stable}; try again in a \
                 moment"
            )),
            Some((Verdict::Refused(rules), _)) => {
                let rules: Vec<&str> = rules.iter().map(|rule| rule.code).collect();
                refuse(format!(
                    "{service} {newcomer} cannot stand in for {stable}: {}; {check} says all of it",
                    rules.join(", ")
                ))
            }
            Some((Verdict::Unknown(why), _)) => refuse(format!(
                "whether {service} {newcomer} can stand in for {stable} is not known yet: {why}; try again in a moment"
            )),
            None => refuse(format!(
                "{service} {newcomer} is run by nobody, so that it was not held against {stable}; start an instance \
                 of it first"
            )),
        }
    }

    fn own_in(&self, policies: &Policies) -> Option<Own> {
        let Place { scope, service, major } = &self.place;
        match scope {
            Scope::Everyone => policies.base(service, *major).map(undo::of_base),
            Scope::Frontend(id) => policies.owns.get(&(id.clone(), service.clone(), *major)).cloned(),
        }
    }

    fn differences(&self) -> Vec<String> {
        let [before, after] =
            [&self.ground.policies, &self.edited.policies].map(|all| self.own_in(all).unwrap_or_default());
        undo::differences(&before, &after)
    }

    /// The record afterwards; `None` when there is none.
    fn record(&self) -> Option<Vec<u8>> {
        let Place { scope, service, major } = &self.place;
        match scope {
            Scope::Everyone => self.edited.policies.base(service, *major).map(write_base),
            Scope::Frontend(id) => {
                self.edited.policies.owns.get(&(id.clone(), service.clone(), *major)).map(write_own)
            }
        }
    }

    /// The command that takes it back.
    fn inverse(&self) -> String {
        let [before, after] =
            [&self.ground.policies, &self.edited.policies].map(|all| self.own_in(all).unwrap_or_default());
        command(&self.place, &undo::inverse(&before, &after))
    }

    /// What would come of it.
    pub(super) fn rehearse(self, units: &[String]) -> Result<PolicySet> {
        let units = parsed_units("units", units)?;
        if units.len() > UNITS_MAX {
            let found = format!("are {}, and {UNITS_MAX} are allowed", units.len());
            return Err(fault::input("units", &found));
        }
        let who = Who { ground: &self.ground, after: &self.edited.policies, service: &self.place.service };
        let (moves, units) = (who.moves(), who.units(&units));
        Ok(PolicySet { moves, units, ..self.view(None, &self.ground) })
    }

    /// Does it.
    pub(super) async fn perform(self, facts: &Facts, actor: String, reason: String) -> Result<PolicySet> {
        let who = Who { ground: &self.ground, after: &self.edited.policies, service: &self.place.service };
        let moves = who.moves();
        if self.differences().is_empty() {
            return Ok(self.view(None, &self.ground));
        }
        let (key, next) = (self.place.key(), self.record());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let act = Act {
            actor,
            verb: "policy.set".to_owned(),
            subject: self.place.key().name().to_owned(),
            before: self.ground.records.get(&key).map(|record| text(&record.value)),
            after: next.as_deref().map(text),
            reason,
            inverse: format!("{} --reason 'taken back'", self.inverse()),
        };
        let change = Change { expected: self.expected(), writes: [(key, next.map(Into::into))].into() };
        let written = match facts.audit.change(change, act).await {
            Ok(written) => written,
            Err(registry::Error::Conflict(conflict)) => return Err(self.lost(facts, &conflict.key).await),
            Err(error) => return Err(fault::store(&error)),
        };
        let now = Ground::of(facts);
        Ok(PolicySet { moves, ..self.view(Some(written.sequence), &now) })
    }

    /// All that it was decided by.
    fn expected(&self) -> BTreeMap<Key, turnout_control::records::Expected> {
        let Place { scope, service, major } = &self.place;
        let everyone = Place { scope: Scope::Everyone, service: service.clone(), major: *major };
        let mut keys: BTreeSet<Key> = [self.place.key(), everyone.key()].into();
        if let Scope::Frontend(id) = scope {
            keys.insert(turnout_control::frontend::key(id));
        }
        if let Some(own) = self.own_in(&self.edited.policies) {
            let versions = own.stable.iter().chain(own.candidate.iter().map(|tried| &tried.version));
            // A rollout that is going on is written at every tick, and what it decides is not in this edit.
            let live = self.ground.live(service, *major).map(|live| live.rollout.to);
            for version in versions {
                keys.insert(tombstone(service, version));
                if live.as_ref() != Some(version) {
                    keys.insert(rollout::key(service, version));
                }
            }
        }
        keys.into_iter().map(|key| self.ground.seen(key)).collect()
    }

    /// What the loser of two edits is told: what it is now, against what it was when he looked.
    async fn lost(&self, facts: &Facts, key: &Key) -> async_graphql::Error {
        if *key != self.place.key() {
            return fault::conflict(format!(
                "{key} was changed by someone else meanwhile; look at what it is now, and decide again"
            ));
        }
        let now = Ground::of(facts);
        let [before, after] =
            [&self.ground.policies, &now.policies].map(|all| self.own_in(all).unwrap_or_default());
        let found = undo::differences(&before, &after).join("; ");
        fault::conflict(format!(
            "the policy of {} was changed by someone else meanwhile: {found}; decide again",
            place_text(&self.place)
        ))
    }

    fn view(&self, sequence: Option<u64>, now: &Ground) -> PolicySet {
        let Place { scope, service, major } = &self.place;
        let show = |ground: &Ground, policies: &Policies| match scope {
            Scope::Everyone => {
                policies.base(service, *major).map(|base| policy::of_base(ground, &self.place, base))
            }
            Scope::Frontend(id) => {
                let own = policies.owns.get(&(id.clone(), service.clone(), *major));
                own.map(|own| policy::of_own(ground, &self.place, own))
            }
        };
        let frontend = match scope {
            Scope::Everyone => None,
            Scope::Frontend(id) => Some(id.to_string()),
        };
        PolicySet {
            service: service.to_string(),
            major: *major,
            frontend,
            before: show(&self.ground, &self.ground.policies),
            after: show(now, &self.edited.policies),
            differences: self.differences(),
            audit: sequence.map(|place| place.to_string()),
            inverse: self.inverse(),
            moves: Vec::new(),
            units: Vec::new(),
        }
    }
}

/// Who would move when the policies of a service became others.
pub(super) struct Who<'a> {
    pub(super) ground: &'a Ground,
    pub(super) after: &'a Policies,
    pub(super) service: &'a ServiceName,
}

impl Who<'_> {
    /// Shares of callers, by frontend.
    pub(super) fn moves(&self) -> Vec<PolicyMove> {
        let mut all = Vec::new();
        for frontend in self.ground.callers() {
            let [before, after] = [&self.ground.policies, self.after]
                .map(|policies| self.ground.route(policies, frontend, self.service).ok());
            all.extend(moves(before.as_ref(), after.as_ref()).into_iter().map(|one| PolicyMove {
                service: self.service.to_string(),
                frontend: named(frontend),
                from: one.from.map(|version| version.to_string()),
                to: one.to.map(|version| version.to_string()),
                share_ppm: one.share.as_ppm(),
            }));
        }
        all
    }

    /// What these units get, by frontend.
    pub(super) fn units(&self, units: &[Unit]) -> Vec<UnitMove> {
        let mut all = Vec::new();
        for frontend in self.ground.callers() {
            let [before, after] = [&self.ground.policies, self.after]
                .map(|policies| self.ground.route(policies, frontend, self.service).ok());
            if before.is_none() && after.is_none() {
                continue;
            }
            for unit in units {
                let choose = |policy: &Option<turnout_control::policy::Policy>| {
                    let choice = policy.as_ref()?.choose(Some(unit), &|_| Health::Serves);
                    Some((choice.version.to_string(), choice.reason.as_str()))
                };
                let ((from, _), (to, reason)) = (choose(&before).unzip(), choose(&after).unzip());
                let service = self.service.to_string();
                all.push(UnitMove {
                    service,
                    unit: unit.to_string(),
                    frontend: named(frontend),
                    from,
                    to,
                    reason,
                });
            }
        }
        all
    }
}

impl PolicyChange {
    fn parsed(&self) -> Result<Edit> {
        let version = |argument: &str, text: &Option<String>| -> Result<Option<Version>> {
            text.as_deref().map(|text| parsed(argument, text)).transpose()
        };
        Ok(Edit {
            start: if self.clear { Start::Clear } else { Start::Now },
            stable: version("stable", &self.stable)?,
            candidate: version("candidate", &self.candidate)?,
            weight: weight("weightPpm", self.weight_ppm)?,
            cap: weight("capPpm", self.cap_ppm)?,
            killed: self.killed,
            allow: parsed_units("allow", &self.allow)?.into_iter().collect(),
            deny: parsed_units("deny", &self.deny)?.into_iter().collect(),
            no_allow: parsed_units("noAllow", &self.no_allow)?.into_iter().collect(),
            no_deny: parsed_units("noDeny", &self.no_deny)?.into_iter().collect(),
        })
    }
}

fn weight(argument: &str, ppm: Option<i64>) -> Result<Option<Weight>> {
    let Some(ppm) = ppm else { return Ok(None) };
    let weight = u32::try_from(ppm).ok().and_then(Weight::ppm);
    let wrong = || fault::input(argument, &format!("must be a whole number from 0 to {SLOTS}, and is {ppm}"));
    weight.map(Some).ok_or_else(wrong)
}

/// Units by their names.
pub(super) fn parsed_units(argument: &str, texts: &[String]) -> Result<Vec<Unit>> {
    let unit =
        |text: &String| text.parse().map_err(|error| fault::input(argument, &format!("{text:?} {error}")));
    texts.iter().map(unit).collect()
}

/// The policy that is meant.
fn place(ground: &Ground, of: &PolicyPlace, edit: &Edit) -> Result<Place> {
    let service: ServiceName = parsed("service", &of.service)?;
    let scope = match &of.frontend {
        None => Scope::Everyone,
        Some(frontend) => Scope::Frontend(parsed("frontend", frontend)?),
    };
    let named = edit.stable.as_ref().or(edit.candidate.as_ref()).map(|version| version.semver().major);
    let routed = || {
        let frontend = match &scope {
            Scope::Everyone => None,
            Scope::Frontend(id) => Some(ground.frontends.published.get(id)?),
        };
        let policy = ground.route(&ground.policies, frontend, &service).ok()?;
        Some(policy.stable().semver().major)
    };
    let none = || {
        let text = format!("is needed: nothing is decided about {service} yet, from which it could be taken");
        fault::input("major", &text)
    };
    let major = of.major.or(named).or_else(routed).ok_or_else(none)?;
    Ok(Place { scope, service, major })
}

fn refused(obstacles: &[Obstacle]) -> async_graphql::Error {
    let texts: Vec<String> = obstacles.iter().map(obstacle).collect();
    let by_others = obstacles.iter().all(|obstacle| matches!(obstacle, Obstacle::Rollout(..)));
    let text = texts.join("; ");
    if by_others { fault::conflict(text) } else { fault::input("change", &format!("cannot be: {text}")) }
}

fn obstacle(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::Rollout(service, version) => format!(
            "{obstacle}; `turnout rollout hold|advance|promote|rollback {service}@{version}` leads it elsewhere, and \
             `turnout policy set {service} --kill` switches the candidate off at once"
        ),
        other => other.to_string(),
    }
}

/// What an operator is told who decided by what is no more.
async fn overtaken(facts: &Facts, ground: &Ground, place: &Place, expected: u64) -> async_graphql::Error {
    let found = ground.revision(&place.key());
    let subject = place.key().name().to_owned();
    let entries = facts.audit.last(ENTRIES_MAX).await.unwrap_or_default();
    let entries = entries.iter().rev().filter_map(|(_, record)| Entry::decode(&record.value).ok());
    let last = entries.into_iter().find(|entry| entry.act.subject == subject);
    let last = last.map_or_else(String::new, |Entry { sequence, act, .. }| {
        format!(
            "; the last change was made by {} (entry {sequence} of the audit log: {}){}",
            act.actor,
            act.reason,
            difference(place, act.before.as_deref(), act.after.as_deref())
        )
    });
    fault::conflict(format!(
        "the policy of {} is at revision {found} and not {expected}{last}; look at what it is now, and decide again",
        place_text(place)
    ))
}

fn difference(place: &Place, before: Option<&str>, after: Option<&str>) -> String {
    let read = |text: Option<&str>| {
        let Some(text) = text else { return Some(Own::default()) };
        match place.scope {
            Scope::Everyone => {
                turnout_control::routes::read_base(text.as_bytes()).ok().map(|base| undo::of_base(&base))
            }
            Scope::Frontend(_) => turnout_control::routes::read_own(text.as_bytes()).ok(),
        }
    };
    let Some((before, after)) = read(before).zip(read(after)) else { return String::new() };
    let found = undo::differences(&before, &after);
    if found.is_empty() { String::new() } else { format!(": {}", found.join("; ")) }
}

/// The command that makes an edit.
fn command(place: &Place, edit: &Edit) -> String {
    let mut words = vec![format!("turnout policy set {} --major {}", place.service, place.major)];
    if let Scope::Frontend(id) = &place.scope {
        words.push(format!("--frontend {id}"));
    }
    match edit.start {
        Start::Now => {}
        Start::Clear => words.push("--clear".to_owned()),
    }
    words.extend(edit.stable.iter().map(|version| format!("--stable {version}")));
    words.extend(edit.candidate.iter().map(|version| format!("--candidate {version}")));
    let share = |flag: &str, weight: Option<Weight>| {
        weight.map(|weight| format!("--{flag} {}", weight.to_string().replace(' ', "")))
    };
    words.extend(share("weight", edit.weight));
    words.extend(share("cap", edit.cap));
    words.extend(edit.killed.map(|killed| if killed { "--kill" } else { "--unkill" }.to_owned()));
    let lists = [
        ("allow", &edit.allow),
        ("deny", &edit.deny),
        ("no-allow", &edit.no_allow),
        ("no-deny", &edit.no_deny),
    ];
    for (flag, units) in lists {
        words.extend(units.iter().map(|unit| format!("--{flag} {}", quoted(&unit.to_string()))));
    }
    words.join(" ")
}

/// A word of a command line, quoted where a shell would read it otherwise.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "@%+=:,./-_".contains(letter);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
