//! What operators see of rollouts: where each stands, by which evidence, what is missing and who can decide.
//!
//! All of it is read from records, so that every gateway tells the same, whoever leads. Descriptions here are
//! what a person reads in a schema browser.

use async_graphql::{Enum, Result, SimpleObject};
use turnout_control::evidence::Counts;
use turnout_control::frontend::Frontend;
use turnout_control::id::{ServiceName, Timestamp, Version};
use turnout_control::records::Records;
use turnout_control::registry::Standing;
use turnout_control::rollout::{self, Approval, Rollout as Known, State as Stands, Stored};
use turnout_control::routes::moves::taken;
use turnout_control::routes::{Place, Scope};

use super::ground::{Ground, Recorded, named, parsed};
use super::reports::{Gateway, Reports, share};
use super::{Facts, fault, order};
use crate::clock::rfc3339;

/// No evidence is shown above this.
const EVIDENCE_MAX: f64 = 1e9;

/// Weight that moves from a stable version to a candidate.
#[derive(SimpleObject)]
pub(super) struct Rollout {
    service: String,
    /// The stable version, to which it goes back.
    from: String,
    /// The candidate.
    to: String,
    state: State,
    /// Whether it can still change by itself.
    live: bool,
    /// Why it stands where it stands, and what is missing, in one sentence.
    why: String,
    /// What only an operator can do now; null when there is nothing.
    needs: Option<&'static str>,
    /// The step it is at, from 1; null before the first and after the end.
    step: Option<usize>,
    steps: Vec<Step>,
    /// How long it has been at its step, counted while all gateways routed by it.
    dwelt_seconds: Option<f64>,
    /// The candidate's weight as the policy has it, in parts per million.
    weight_ppm: u32,
    /// The candidate's share of the calls that count as evidence, in parts per million; null without calls.
    seen_ppm: Option<u32>,
    /// That the candidate fails more. It goes back when there is enough.
    harm: Evidence,
    /// That the candidate is slower. It goes back when there is enough.
    slowness: Evidence,
    /// That the candidate is not twice as bad. It goes on when there is enough.
    safety: Evidence,
    /// Failures of the candidate beyond those that the stable version would have had, and beyond chance.
    excess_failures: String,
    /// After how many of them it goes back without more proof.
    excess_failures_max: String,
    /// What was counted of the candidate.
    candidate: Arm,
    /// What was counted of the stable version beside it.
    stable: Arm,
    /// The candidate's calls a second, of late.
    calls_per_second: f64,
    /// What the callers of each frontend have of it.
    frontends: Vec<Share>,
    /// What each gateway that lives says of it.
    gateways: Vec<Gateway>,
    /// How often the same build was tried before.
    retries: u32,
    /// Whether the candidate writes data that the stable version may not be able to read.
    migrates: bool,
    /// Its lineage, which decides who comes first.
    salt: String,
    /// What operators want and the leader has not carried out yet, the oldest first.
    orders: Vec<&'static str>,
    created_at: String,
    /// When somebody got the candidate for the first time.
    started_at: Option<String>,
    /// When its state or its step last became another one.
    changed_at: String,
    /// Seconds since it was created.
    age_seconds: f64,
    /// When its evidence was last brought up to date; null before the first time.
    counted_at: Option<String>,
    /// What people were told of it, the oldest first.
    history: Vec<Told>,
    /// Becomes another one with its state and its step, and not with every tick; for `expectedStage`.
    stage: String,
}

/// Where a rollout stands.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "RolloutState")]
enum State {
    /// It has not begun: nobody gets the candidate.
    Pending,
    /// It moves weight by its plan.
    Shifting,
    /// It stays where it is until the reason goes. It still goes back when harm shows.
    Holding,
    /// A step's time is over and nothing is proven. An operator decides; it still goes back when harm shows.
    Inconclusive,
    /// The candidate is stable.
    Promoted,
    /// Nobody gets the candidate, and it is quarantined.
    RolledBack,
    /// Another version took its place.
    Superseded,
}

/// A step of a rollout.
#[derive(SimpleObject)]
#[graphql(name = "RolloutStep")]
struct Step {
    weight_ppm: u32,
    /// How long it stays at least.
    dwell_min_seconds: f64,
    /// After how long without proof an operator decides.
    dwell_max_seconds: f64,
    /// How many warm instances of the candidate it takes to go on.
    instances_min: u32,
    /// Whether an operator has to approve going on.
    asks_operator: bool,
}

/// How sure one is of something.
#[derive(SimpleObject)]
struct Evidence {
    /// A number that reaches 100 with a chance of at most 1 % where there is nothing; 1 without evidence.
    value: f64,
    /// How much is enough.
    needed: f64,
    /// Its natural logarithm, which has no bound.
    ln: f64,
}

/// What was counted of one version.
#[derive(SimpleObject)]
#[graphql(name = "RolloutArm")]
struct Arm {
    version: String,
    /// Calls that count as evidence.
    calls: String,
    failures: String,
    /// Instances that take calls.
    instances_up: usize,
    /// All that are registered.
    instances: usize,
}

/// What the callers of one frontend have of a rollout.
#[derive(SimpleObject)]
#[graphql(name = "RolloutShare")]
struct Share {
    frontend: String,
    /// What they get beside the candidate.
    stable: String,
    /// How many get the candidate, caps and switches considered, in parts per million.
    effective_ppm: u32,
    /// The candidate's share of its counted calls, in parts per million; null without calls.
    seen_ppm: Option<u32>,
    /// The frontend's own cap, in parts per million.
    cap_ppm: u32,
    /// Whether candidates are switched off for it.
    killed: bool,
}

/// Something that people were told.
#[derive(SimpleObject)]
#[graphql(name = "RolloutNote")]
struct Told {
    at: String,
    text: String,
}

/// All rollouts, by service and version; of one service when it is named.
pub(super) fn all(facts: &Facts, service: Option<&str>) -> Result<Vec<Rollout>> {
    let service: Option<ServiceName> = service.map(|name| parsed("service", name)).transpose()?;
    let ground = Ground::of(facts);
    let wanted = |found: &Recorded| service.as_ref().is_none_or(|wanted| *wanted == found.rollout.service);
    let found = ground.rollouts().into_iter().filter(wanted);
    let reports = Reports::of(facts);
    Ok(found.map(|found| view(facts, &ground, &reports, &found)).collect())
}

/// One rollout: of a version, or the one of the service that an operator would mean.
pub(super) fn one(facts: &Facts, service: &str, version: Option<&str>) -> Result<Option<Rollout>> {
    let ground = Ground::of(facts);
    let (service, version) = subject(service, version)?;
    let found = meant(ground.rollouts(), &service, version.as_ref())?;
    Ok(found.map(|found| view(facts, &ground, &Reports::of(facts), &found)))
}

/// A service, and a version of it.
pub(super) fn subject(service: &str, version: Option<&str>) -> Result<(ServiceName, Option<Version>)> {
    Ok((parsed("service", service)?, version.map(|text| parsed("version", text)).transpose()?))
}

/// The rollout of a version; without one, that which is going on, or else the one that changed last.
pub(super) fn meant(
    all: Vec<Recorded>,
    service: &ServiceName,
    version: Option<&Version>,
) -> Result<Option<Recorded>> {
    let of_service = all.into_iter().filter(|found| found.rollout.service == *service);
    if let Some(version) = version {
        return Ok(of_service.into_iter().find(|found| found.rollout.to == *version));
    }
    let (live, ended): (Vec<Recorded>, Vec<Recorded>) =
        of_service.partition(|found| !found.rollout.state.has_ended());
    if live.len() > 1 {
        let names: Vec<String> = live.iter().map(|found| format!("{service}@{}", found.rollout.to)).collect();
        let text = format!("is needed: several rollouts are going on: {}", names.join(", "));
        return Err(fault::input("version", &text));
    }
    Ok(live.into_iter().next().or_else(|| ended.into_iter().max_by_key(|found| found.rollout.changed_at)))
}

/// A rollout with its evidence, as it is shown.
pub(super) fn view(facts: &Facts, ground: &Ground, reports: &Reports, found: &Recorded) -> Rollout {
    let now = facts.clock.now();
    let rollout = &found.rollout;
    let stored = stored(&ground.records, rollout, now);
    let (analysis, sum) = (&stored.analysis, stored.analysis.sum());
    let rate = stored.rate.per_second();
    let plan = &rollout.plan;
    let evidence =
        |ln: f64, chance: f64| Evidence { value: ln.exp().min(EVIDENCE_MAX), needed: 1.0 / chance, ln };
    let at = rollout.state.dwelling();
    Rollout {
        service: rollout.service.to_string(),
        from: rollout.from.to_string(),
        to: rollout.to.to_string(),
        state: state(&rollout.state),
        live: !rollout.state.has_ended(),
        why: rollout.why(analysis, rate),
        needs: rollout.needs_operator(),
        step: at.map(|at| at.step + 1),
        steps: plan.steps.iter().map(step).collect(),
        dwelt_seconds: at.map(|at| at.dwelt.as_secs_f64()),
        weight_ppm: weight_ppm(ground, rollout),
        seen_ppm: share(sum.candidate.calls, sum.stable.calls),
        harm: evidence(analysis.failures().ln(), plan.alpha_failures),
        slowness: evidence(analysis.slowness().harm().ln(), plan.alpha_slowness),
        safety: evidence(analysis.safety().ln(), plan.beta),
        excess_failures: analysis.excess_failures().to_string(),
        excess_failures_max: plan.excess_failures_max.to_string(),
        candidate: arm(ground, &rollout.service, &rollout.to, sum.candidate),
        stable: arm(ground, &rollout.service, &rollout.from, sum.stable),
        calls_per_second: rate,
        frontends: shares(ground, rollout, reports),
        gateways: reports.gateways(&rollout.subject(), policy_revision(ground, rollout)),
        retries: rollout.retries,
        migrates: rollout.migrates,
        salt: rollout.salt.clone(),
        orders: rollout.orders.iter().map(|order| order.as_str()).collect(),
        created_at: rfc3339(rollout.created_at),
        started_at: rollout.started_at.map(rfc3339),
        changed_at: rfc3339(rollout.changed_at),
        age_seconds: seconds(now.0.saturating_sub(rollout.created_at.0)),
        counted_at: ground
            .records
            .get(&rollout::analysis_key(&rollout.service, &rollout.to))
            .map(|_| rfc3339(stored.at)),
        history: rollout
            .history
            .iter()
            .map(|(at, text)| Told { at: rfc3339(*at), text: text.clone() })
            .collect(),
        stage: order::stage(rollout),
    }
}

fn stored(records: &Records, rollout: &Known, now: Timestamp) -> Stored {
    let record = records.get(&rollout::analysis_key(&rollout.service, &rollout.to));
    Stored::resume(record.map(|record| &*record.value), rollout, now)
}

fn weight_ppm(ground: &Ground, rollout: &Known) -> u32 {
    let base = ground.policies.base(&rollout.service, rollout.major());
    let tried = base.and_then(|base| base.candidate.as_ref());
    tried.filter(|tried| tried.version == rollout.to).map_or(0, |tried| tried.weight.as_ppm())
}

fn policy_revision(ground: &Ground, rollout: &Known) -> u64 {
    let (service, major) = (rollout.service.clone(), rollout.major());
    ground.revision(&Place { scope: Scope::Everyone, service, major }.key())
}

fn shares(ground: &Ground, rollout: &Known, reports: &Reports) -> Vec<Share> {
    let subject = rollout.subject();
    let share = |frontend: Option<&Frontend>| {
        let policy = ground.route(&ground.policies, frontend, &rollout.service).ok()?;
        let candidate = policy.candidate().filter(|candidate| candidate.version == rollout.to)?;
        Some(Share {
            frontend: named(frontend),
            stable: policy.stable().to_string(),
            effective_ppm: taken(&policy).as_ppm(),
            seen_ppm: reports.seen(&subject, &named(frontend)),
            cap_ppm: candidate.cap.as_ppm(),
            killed: candidate.killed,
        })
    };
    ground.callers().filter_map(share).collect()
}

fn arm(ground: &Ground, service: &ServiceName, version: &Version, counts: Counts) -> Arm {
    let registered = ground.snapshot.service(service).into_iter().flat_map(|known| known.instances.values());
    let of_version = registered.filter(|one| one.instance.version == *version);
    let standings: Vec<Standing> = of_version.map(|one| one.standing()).collect();
    let up = standings.iter().filter(|standing| matches!(standing, Standing::Up | Standing::Held));
    Arm {
        version: version.to_string(),
        calls: counts.calls.to_string(),
        failures: counts.failures.to_string(),
        instances_up: up.count(),
        instances: standings.len(),
    }
}

fn step(step: &rollout::Step) -> Step {
    Step {
        weight_ppm: step.weight.as_ppm(),
        dwell_min_seconds: step.dwell_min.as_secs_f64(),
        dwell_max_seconds: step.dwell_max.as_secs_f64(),
        instances_min: step.instances_min,
        asks_operator: step.approval == Approval::Operator,
    }
}

fn state(state: &Stands) -> State {
    match state {
        Stands::Pending(_) => State::Pending,
        Stands::Shifting(_) => State::Shifting,
        Stands::Holding(..) => State::Holding,
        Stands::Inconclusive(_) => State::Inconclusive,
        Stands::Promoted => State::Promoted,
        Stands::RolledBack(_) => State::RolledBack,
        Stands::Superseded(_) => State::Superseded,
    }
}

/// Milliseconds as seconds.
fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}
