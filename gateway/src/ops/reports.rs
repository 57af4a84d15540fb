//! What all living gateways say of rollouts, as operators see it: who counts what, and whose fuse is open.
//!
//! Reports are read once for each question. One that cannot be read is a gateway that is there and says nothing.

use std::collections::BTreeMap;

use async_graphql::SimpleObject;
use turnout_control::rollout::{Arms, Report, Subject, Trial};
use turnout_control::slot::SLOTS;

use super::Facts;

/// What gateways say, by name.
pub(super) struct Reports(BTreeMap<String, Option<Report>>);

/// What one gateway says of a rollout.
#[derive(SimpleObject)]
#[graphql(name = "RolloutGateway")]
pub(super) struct Gateway {
    name: String,
    /// The revision of the records that it routes by; null when its report cannot be read.
    revision: Option<String>,
    /// Whether it routes by the last change of the policy.
    current: bool,
    /// Whether it has stopped choosing the candidate, because it failed here.
    fuse_open: bool,
    /// Calls that went to another version than was decided.
    mismatches: String,
    /// Calls of callers without identity, which are no evidence.
    no_unit: String,
}

impl Reports {
    pub(super) fn of(facts: &Facts) -> Reports {
        let replicas = facts.registry.store.replicas();
        let said = replicas.borrow().clone();
        Reports(said.iter().map(|(name, bytes)| (name.clone(), Report::decode(bytes).ok())).collect())
    }

    /// What each says of two versions; `revision` is that of the policy's record.
    pub(super) fn gateways(&self, subject: &Subject, revision: u64) -> Vec<Gateway> {
        let gateway = |(name, report): (&String, &Option<Report>)| {
            let trial = report.as_ref().and_then(|report| report.trials.get(subject));
            let count = |of: fn(&Trial) -> u64| trial.map_or(0, of).to_string();
            Gateway {
                name: name.clone(),
                revision: report.as_ref().map(|report| report.revision.to_string()),
                current: report.as_ref().is_some_and(|report| report.revision >= revision),
                fuse_open: trial.is_some_and(|trial| trial.tripped),
                mismatches: count(|trial| trial.mismatches),
                no_unit: count(|trial| trial.no_unit),
            }
        };
        self.0.iter().map(gateway).collect()
    }

    /// The candidate's share of the counted calls of one frontend since the gateways that live began to count, in
    /// parts per million; `None` without calls.
    pub(super) fn seen(&self, subject: &Subject, frontend: &str) -> Option<u32> {
        let reports = self.0.values().flatten();
        let strata = reports.filter_map(|report| report.trials.get(subject)).flat_map(|trial| &trial.strata);
        let own = strata.filter(|(name, _)| name.frontend == frontend).map(|(_, arms)| arms);
        let add = |(candidate, stable): (u64, u64), arms: &Arms| {
            (candidate.saturating_add(arms.candidate.calls), stable.saturating_add(arms.stable.calls))
        };
        let (candidate, stable) = own.fold((0, 0), add);
        share(candidate, stable)
    }
}

/// Of all calls of both arms, in parts per million.
pub(super) fn share(candidate: u64, stable: u64) -> Option<u32> {
    let all = u128::from(candidate) + u128::from(stable);
    let part = (u128::from(candidate) * u128::from(SLOTS)).checked_div(all)?;
    u32::try_from(part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use turnout_control::rollout::{StratumName, Tallied};

    #[test]
    fn shares_are_those_of_all_gateways_together() {
        let subject = Subject {
            service: "catalog".parse().unwrap(),
            from: "1.4.0".parse().unwrap(),
            to: "1.5.0".parse().unwrap(),
        };
        let report = |replica: &str, candidate: u64, tripped: bool| {
            let name = StratumName { method: "/a.B/C".to_owned(), frontend: "web@2.4.1".to_owned() };
            let counted = |calls| Tallied { calls, ..Tallied::default() };
            let arms = Arms { candidate: counted(candidate), stable: counted(90) };
            let trial = Trial { strata: [(name, arms)].into(), tripped, ..Trial::begin(1) };
            Report {
                replica: replica.to_owned(),
                incarnation: 1,
                sequence: 1,
                revision: if tripped { 6 } else { 7 },
                trials: [(subject.clone(), trial)].into(),
            }
        };
        let said = [
            ("a".to_owned(), Some(report("a", 10, false))),
            ("b".to_owned(), Some(report("b", 10, true))),
            ("c".to_owned(), None),
        ];
        let reports = Reports(said.into());
        assert_eq!(reports.seen(&subject, "web@2.4.1"), Some(100_000));
        assert_eq!(reports.seen(&subject, "any@0.0.0"), None);
        let gateways = reports.gateways(&subject, 7);
        let told: Vec<(bool, bool)> = gateways.iter().map(|one| (one.current, one.fuse_open)).collect();
        assert_eq!(told, [(true, false), (false, true), (false, false)]);
    }
}
