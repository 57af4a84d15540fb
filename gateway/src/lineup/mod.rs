//! The versions that one operation uses: one of each service, chosen at the first touch and kept to the end.
//!
//! A choice is a pure function of the view's policy, of who asks and of what is healthy here
//! (`turnout_control::policy`). Everything that belongs to one operation (its entries in a batch, deferred
//! parts, loaders, the events of a stream) shares one lineup. What calls bring is counted in the `Trial` of
//! the candidate, by whose counts the fuse decides here and the leader for all.

mod trial;

pub use trial::{Trial, Trials};

use std::collections::BTreeMap;
use std::sync::OnceLock;

use turnout_control::frontend::Units;
use turnout_control::id::{ServiceName, Version};
use turnout_control::policy::{Arm, Choice, Health, Reason};
use turnout_control::slot::{Slot, Unit};

use crate::config::CohortUnit;
use crate::generation::{Callee, Route, View};

/// The versions of an operation.
#[derive(Debug)]
pub struct Lineup<'a> {
    view: &'a View,
    units: &'a Units,
    /// By the member's place in the graph.
    chosen: Box<[OnceLock<Picked>]>,
}

/// A version that an operator chose and that the caller's policies do not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{service} {version} is neither the stable version of this frontend nor its candidate")]
pub struct Outside {
    /// The service.
    pub service: ServiceName,
    /// The version.
    pub version: Version,
}

/// What was decided about a service, by which it is chosen.
#[derive(Clone, Copy, Debug)]
struct Picked {
    arm: Arm,
    reason: Reason,
    slot: Option<Slot>,
}

/// A version that was chosen.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// Who is called.
    pub callee: &'a Callee,
    /// Which of the two it is.
    pub arm: Arm,
    /// Why.
    pub reason: Reason,
    /// Where the unit stands, where that was looked at.
    pub slot: Option<Slot>,
}

impl<'a> Lineup<'a> {
    /// Nothing chosen yet.
    pub fn new(view: &'a View, units: &'a Units) -> Lineup<'a> {
        let chosen = view.routes.iter().map(|_| OnceLock::new()).collect();
        Lineup { view, units, chosen }
    }

    /// With versions that an operator chose, which the view's policies must have. The error: one that they
    /// have not.
    pub fn with_overrides(
        view: &'a View,
        units: &'a Units,
        overrides: &BTreeMap<ServiceName, Version>,
    ) -> Result<Lineup<'a>, Outside> {
        let lineup = Lineup::new(view, units);
        for (service, version) in overrides {
            let outside = || Outside { service: service.clone(), version: version.clone() };
            let mut routes = view.routes.iter().zip(&lineup.chosen);
            let (route, place) = routes.find(|(route, _)| route.service == *service).ok_or_else(outside)?;
            let tried = route.candidate.as_ref().is_some_and(|(callee, _)| callee.version == *version);
            let arm = match (route.stable.version == *version, tried) {
                (true, _) => Arm::Stable,
                (false, true) => Arm::Candidate,
                (false, false) => return Err(outside()),
            };
            // An operator who asks for a version wants to see how it is, also where it is not well.
            place.get_or_init(|| Picked { arm, reason: Reason::Override, slot: None });
        }
        Ok(lineup)
    }

    /// Who is called for a member of the graph: chosen now, or before. `None` for a member of another graph.
    pub fn choose(&self, member: usize) -> Option<Chosen<'a>> {
        let (place, route) = (self.chosen.get(member)?, self.view.routes.get(member)?);
        let picked = place.get_or_init(|| pick(route, self.units));
        Some(chosen(route, *picked))
    }

    /// What was chosen so far, by service.
    pub fn chosen(&self) -> impl Iterator<Item = (&'a Route, Chosen<'a>)> {
        let places = self.view.routes.iter().zip(&self.chosen);
        places.filter_map(|(route, place)| Some((route, chosen(route, *place.get()?))))
    }

    /// Who asks.
    pub fn units(&self) -> &'a Units {
        self.units
    }
}

fn pick(route: &Route, units: &Units) -> Picked {
    let trial = route.candidate.as_ref();
    let health = |_: &_| trial.map_or(Health::Away, |(callee, trial)| trial.health(callee));
    let Choice { arm, reason, slot, .. } = route.policy.choose(unit(route.cohort, units), &health);
    Picked { arm, reason, slot }
}

fn chosen(route: &Route, Picked { arm, reason, slot }: Picked) -> Chosen<'_> {
    let callee = match (arm, &route.candidate) {
        (Arm::Candidate, Some((callee, _))) => callee,
        // Without a candidate nobody is given one.
        (Arm::Candidate, None) | (Arm::Stable, _) => &route.stable,
    };
    Chosen { callee, arm, reason, slot }
}

/// Who sticks to a version, of those that a caller is.
pub fn unit(cohort: CohortUnit, units: &Units) -> Option<&Unit> {
    match cohort {
        CohortUnit::User => units.person.as_ref(),
        CohortUnit::Customer => units.customer.as_ref(),
    }
}
