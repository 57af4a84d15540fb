//! A candidate beside the stable version, in this process: what is counted of both, and the fuse that it feeds.
//!
//! Evidence are the calls of those whose slot decided, and of nobody else: who has no identity, is on a list or
//! fell back would make the arms differ by who they are. A unit that has failed in a method is not heard of
//! again in that method and tick, because retries are not independent. Whoever is neither is counted apart.
//! Counts are cumulative since the trial began; what they mean for the rollout is decided by the leader.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use turnout_control::id::{ServiceName, Version};
use turnout_control::policy::{Arm, Health, Policy, Reason};
use turnout_control::rollout::{self, Routed, StratumName, conforms};
use turnout_control::slot::{Slot, Unit};

use super::ending::Ending;
use super::fuse::Fuse;
use super::strata::{self, Asked, Strata, Stratum};
use super::{Chosen, frontend_name};
use crate::generation::Callee;
use crate::upstream::Worker;

/// A candidate that is compared with the stable version.
#[derive(Debug)]
pub struct Trial {
    /// The service.
    pub service: ServiceName,
    /// The version that is promised to everybody. A frontend may have another stable version; what its callers see
    /// counts for the candidate all the same.
    pub from: Version,
    /// The candidate.
    pub to: Version,
    /// How long an instance of the candidate has to be there before it counts, in milliseconds: of all trials.
    warmup_ms: Arc<AtomicU64>,
    /// The revision at which it began to count; 0 while no generation has it.
    since: AtomicU64,
    strata: Strata,
    mismatches: AtomicU64,
    no_unit: AtomicU64,
    fuse: Mutex<Fuse>,
    tripped: AtomicBool,
}

/// A call that ended, as a trial sees it.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// Who made it.
    pub worker: Worker,
    /// `/package.Service/Method`.
    pub method: &'a str,
    /// Who was called, for whom and why.
    pub chosen: &'a Chosen<'a>,
    /// How it ended.
    pub ending: Ending,
    /// How long it took; `None` where that says nothing about the version.
    pub took: Option<Duration>,
}

impl Trial {
    pub(super) fn new(
        (service, from, to): (&ServiceName, &Version, &Version),
        warmup_ms: Arc<AtomicU64>,
    ) -> Trial {
        Trial {
            service: service.clone(),
            from: from.clone(),
            to: to.clone(),
            warmup_ms,
            since: AtomicU64::new(0),
            strata: Strata::new(),
            mismatches: AtomicU64::new(0),
            no_unit: AtomicU64::new(0),
            fuse: Mutex::new(Fuse::new()),
            tripped: AtomicBool::new(false),
        }
    }

    /// How the candidate is doing here. Asked for whoever should get it.
    pub fn health(&self, candidate: &Callee) -> Health {
        if self.is_tripped() {
            return Health::FuseOpen;
        }
        let warmup = Duration::from_millis(self.warmup_ms.load(Ordering::Relaxed));
        match candidate.pool.age() {
            None => Health::Away,
            Some(age) if age < warmup => Health::Cold,
            Some(_) => Health::Serves,
        }
    }

    /// Whether the fuse is open: this process does not choose the candidate any more.
    pub fn is_tripped(&self) -> bool {
        self.tripped.load(Ordering::Relaxed)
    }

    /// Counts a call.
    pub fn count(&self, ended: &Ended<'_>) {
        let Chosen { arm, reason, slot, unit, .. } = *ended.chosen;
        if !self.conforms(ended.chosen) {
            self.mismatches.fetch_add(1, Ordering::Relaxed);
        }
        match (reason, slot, unit) {
            (Reason::Stable | Reason::Candidate, Some(_), Some(unit)) => self.evidence(ended, arm, unit),
            (Reason::NoUnit, ..) => drop(self.no_unit.fetch_add(1, Ordering::Relaxed)),
            (
                Reason::Stable
                | Reason::Candidate
                | Reason::Denied
                | Reason::Allowed
                | Reason::Killed
                | Reason::FuseOpen
                | Reason::Cold
                | Reason::Fallback
                | Reason::Override,
                ..,
            ) => {}
        }
    }

    /// Counts that the answer to a call that was counted as good cannot be read.
    pub fn count_undecodable(&self, ended: &Ended<'_>) {
        let Chosen { arm, reason, slot, unit, .. } = *ended.chosen;
        let (Reason::Stable | Reason::Candidate, Some(_), Some(unit)) = (reason, slot, unit) else { return };
        let first = self.strata.fails(unit, ended.method);
        self.strata.count(ended.worker, asked(ended), |counted, _| {
            strata::of(counted, arm).failures += u64::from(first);
        });
    }

    fn evidence(&self, ended: &Ended<'_>, arm: Arm, unit: &Unit) {
        let first = match ended.ending {
            Ending::Untold => return,
            Ending::Good | Ending::Shifted(_) => None,
            Ending::Failed => Some(self.strata.fails(unit, ended.method)),
        };
        self.strata.count(ended.worker, asked(ended), |counted, bound| {
            let tallied = strata::of(counted, arm);
            if let Some(first) = first {
                // A failure that is not the first is no call either.
                tallied.calls += u64::from(first);
                tallied.failures += u64::from(first);
                return;
            }
            tallied.calls += 1;
            if let Ending::Shifted(shift) = ended.ending {
                tallied.shifts[shift.place()] += 1;
            }
            let Some(took) = ended.took else { return };
            match (bound.is_slow(took), arm) {
                (Some(slow), Arm::Stable | Arm::Candidate) => {
                    tallied.timed += 1;
                    tallied.slow += u64::from(slow);
                }
                (None, Arm::Stable) => bound.sample(took),
                (None, Arm::Candidate) => {}
            }
        });
    }

    /// Whether a call went where the policy sends it.
    fn conforms(&self, chosen: &Chosen<'_>) -> bool {
        let policy: &Policy = &chosen.route.policy;
        let Some(candidate) = policy.candidate() else { return false };
        let called = match chosen.arm {
            Arm::Stable => policy.stable(),
            Arm::Candidate => &candidate.version,
        };
        // Who is on a list was not asked for a slot, and has one all the same.
        let slot = match chosen.reason {
            Reason::Stable | Reason::Candidate | Reason::NoUnit => chosen.slot,
            Reason::Denied
            | Reason::Allowed
            | Reason::Killed
            | Reason::FuseOpen
            | Reason::Cold
            | Reason::Fallback
            | Reason::Override => {
                chosen.slot.or_else(|| chosen.unit.map(|unit| Slot::of(&candidate.salt, unit)))
            }
        };
        let Chosen { arm, reason, .. } = *chosen;
        let routed = Routed { weight: candidate.weight, cap: candidate.cap, slot, arm, reason };
        *called == chosen.callee.version && conforms(&routed)
    }

    /// Takes up that a second is over; whether the fuse has just opened.
    pub(super) fn second(&self) -> bool {
        if self.is_tripped() {
            return false;
        }
        let counted = self.strata.read();
        let mut fuse = self.fuse.lock().unwrap_or_else(PoisonError::into_inner);
        let opens = fuse.take(counted);
        if opens {
            self.tripped.store(true, Ordering::Relaxed);
            let Trial { service, from, to, .. } = self;
            tracing::warn!(
                %service, %from, %to, ln_evidence = fuse.ln(),
                "the candidate fails here: this gateway chooses it no more until its rollout begins anew"
            );
        }
        opens
    }

    /// Takes up that a tick is over.
    pub(super) fn tick(&self) {
        self.strata.tick();
    }

    /// Takes up the revision of a generation that has it.
    pub(super) fn begins(&self, since: u64) {
        // Only the first one is when it began.
        let _ = self.since.compare_exchange(0, since, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Since when it counts; 0 while no generation has it.
    pub(super) fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    /// What was counted.
    pub fn report(&self) -> rollout::Trial {
        let mut trial = rollout::Trial::begin(self.since());
        for (stratum, counted) in self.strata.read() {
            let Stratum { method, frontend } = &*stratum;
            let name = StratumName { method: method.to_string(), frontend: frontend_name(frontend.as_ref()) };
            // What does not fit is put together.
            let sum = trial.stratum(name);
            *sum = sum.plus(&counted);
        }
        trial.tripped = self.is_tripped();
        trial.mismatches = self.mismatches.load(Ordering::Relaxed);
        trial.no_unit = self.no_unit.load(Ordering::Relaxed);
        trial
    }
}

fn asked<'a>(ended: &Ended<'a>) -> Asked<'a> {
    Asked { method: ended.method, frontend: ended.chosen.frontend }
}
