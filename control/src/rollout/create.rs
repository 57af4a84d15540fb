//! Which rollout should begin?
//!
//! Asked about each major of each service whenever versions, verdicts of the gate or rollouts changed. The highest
//! release above stable that runs and that the gate lets through becomes a candidate, once: a version that was
//! tried is not tried again unless an operator starts it. A newer candidate takes the place of an older one
//! with the older one's lineage, so that those who had the risk already have the new one first; it goes back to
//! the version that was promoted last, never to the older candidate.

use super::record::lineage;
use super::{Approval, Order, Pending, Plan, Rollout, Settings, State};
use crate::id::{ServiceName, Timestamp, Version};

/// One major of a service.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// The version that is stable, by the policy for everybody; while another stands in for it, still the one that
    /// is stood in for.
    pub stable: &'a Version,
    /// The versions of this major that run.
    pub running: &'a [Running],
    /// All rollouts of this major, ended ones too.
    pub rollouts: &'a [Rollout],
    /// What to do about a new version.
    pub on_new_version: OnNewVersion,
    /// How rollouts of the service are meant to go.
    pub settings: &'a Settings,
    /// How many calls a second the service has; zero when nobody knows.
    pub calls_per_second: f64,
}

/// A version that has an instance which serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The version.
    pub version: Version,
    /// What the gate says of it in the place of stable.
    pub verdict: Verdict,
    /// Whether it says that it writes data which older versions may not be able to read.
    pub migrates: bool,
}

/// Whether a version can stand in for the stable one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It can.
    Fits,
    /// It cannot, or it was retired.
    Refused,
    /// Nobody knows yet.
    Unknown,
}

/// What to do about a new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnNewVersion {
    /// Begin a rollout.
    Rollout,
    /// Wait for an operator to begin it.
    Hold,
}

/// The rollout to create, or to write anew for another try. It is to be written in a change that expects the
/// record, if there is one, as it was read.
pub fn create(line: &Line<'_>, now: Timestamp) -> Option<Rollout> {
    let mut running: Vec<&Running> =
        line.running.iter().filter(|running| is_newer(running, line.stable)).collect();
    running.sort_by(|one, other| other.version.cmp(&one.version));
    // One that waits for instances which are gone is in nobody's way.
    let runs = |rollout: &Rollout| line.running.iter().any(|running| running.version == rollout.to);
    let is_under_way =
        |rollout: &&Rollout| rollout.is_exposed() || (!rollout.state.has_ended() && runs(rollout));
    let under_way = line.rollouts.iter().filter(is_under_way).max_by_key(|rollout| &rollout.to);
    for running in running {
        if under_way.is_some_and(|under_way| under_way.to >= running.version) {
            return None;
        }
        let known = line.rollouts.iter().find(|rollout| rollout.to == running.version);
        match known {
            None => return Some(begin(line, running, under_way, now)),
            Some(ended) if ended.orders.contains(&Order::Start) => {
                return Some(again(line, running, ended, now));
            }
            Some(_) => {}
        }
    }
    None
}

/// The candidate that takes the place of this one: a newer one that has begun, or that waits for nothing else.
pub fn newer<'a>(rollout: &Rollout, rollouts: impl IntoIterator<Item = &'a Rollout>) -> Option<Version> {
    let rivals = rollouts.into_iter().filter(|other| {
        let ready = other.is_exposed() || other.state == State::Pending(Pending::Others);
        let same_line = other.service == rollout.service && other.major() == rollout.major();
        same_line && other.to > rollout.to && ready
    });
    rivals.map(|other| other.to.clone()).max()
}

fn is_newer(running: &Running, stable: &Version) -> bool {
    let (new, old) = (running.version.semver(), stable.semver());
    running.verdict == Verdict::Fits
        && new.pre.is_empty()
        && new.major == old.major
        && running.version > *stable
}

fn begin(line: &Line<'_>, running: &Running, under_way: Option<&Rollout>, now: Timestamp) -> Rollout {
    // What is pending has exposed nobody, and yet its lineage is as good as any.
    let salt =
        under_way.map_or_else(|| lineage(line.service, &running.version), |rollout| rollout.salt.clone());
    Rollout {
        service: line.service.clone(),
        from: line.stable.clone(),
        to: running.version.clone(),
        salt,
        plan: plan(line, running),
        state: State::Pending(match line.on_new_version {
            OnNewVersion::Rollout => Pending::Instances,
            OnNewVersion::Hold => Pending::Operator,
        }),
        orders: Vec::new(),
        retries: 0,
        migrates: running.migrates,
        created_at: now,
        started_at: None,
        changed_at: now,
        history: Vec::new(),
    }
}

/// Another try with the same build, which an operator wanted.
fn again(line: &Line<'_>, running: &Running, ended: &Rollout, now: Timestamp) -> Rollout {
    let retries = ended.retries.saturating_add(1);
    // Halved once for each try; after a hundred it is as good as never.
    let plan = (0..retries.min(100)).fold(plan(line, running), |plan, _| plan.again());
    Rollout {
        salt: ended.salt.clone(),
        plan,
        state: State::Pending(Pending::Instances),
        retries,
        created_at: ended.created_at,
        history: ended.history.clone(),
        ..begin(line, running, None, now)
    }
}

fn plan(line: &Line<'_>, running: &Running) -> Plan {
    // Nobody but a person can see whether stable reads what the candidate wrote.
    let approval = if running.migrates { Approval::Operator } else { line.settings.approval };
    Plan::new(&Settings { approval, ..line.settings.clone() }, line.calls_per_second)
}
