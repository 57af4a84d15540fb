//! The versions that one operation uses: one of each service, chosen at the first touch and kept to the end.
//!
//! A choice is a pure function of the view's policy, of who asks and of what is healthy here
//! (`turnout_control::policy`). Everything that belongs to one operation (its entries in a batch, deferred
//! parts, loaders, the events of a stream) shares one lineup. It is decided once and told to the services that
//! are called, so that those that call others agree; until the first call of a service its candidate may still
//! give way to the stable version, and afterwards nothing changes. What calls bring is counted in the `Trial` of
//! the candidate, by whose counts the fuse decides here and the leader for all.

mod bound;
mod ending;
mod fuse;
mod strata;
mod told;
mod trial;
mod trials;

#[cfg(test)]
mod tests;

pub use ending::Ending;
pub use told::Told;
pub use trial::{Ended, Trial};
pub use trials::{Trials, run};

use std::collections::BTreeMap;
use std::sync::OnceLock;

use http::HeaderValue;
use turnout_control::frontend::Units;
use turnout_control::id::{FrontendId, ServiceName, Version};
use turnout_control::policy::{Arm, Choice, Health, Reason};
use turnout_control::slot::{Slot, Unit};

use crate::config::CohortUnit;
use crate::generation::{Callee, Route, View};

/// The versions of an operation. Several operations that belong together may share it, at the same time.
#[derive(Debug)]
pub struct Lineup<'a> {
    view: &'a View,
    units: &'a Units,
    /// By the member's place in the graph.
    chosen: Box<[Choosing]>,
    /// What services are told.
    told: OnceLock<Option<HeaderValue>>,
}

/// How far a choice is.
#[derive(Debug, Default)]
struct Choosing {
    /// What services are told.
    decided: OnceLock<Picked>,
    /// What is called.
    fixed: OnceLock<Picked>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Picked {
    arm: Arm,
    reason: Reason,
    slot: Option<Slot>,
}

/// A version that was chosen.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// What it was chosen by.
    pub route: &'a Route,
    /// Who is called.
    pub callee: &'a Callee,
    /// Which of the two it is.
    pub arm: Arm,
    /// Why.
    pub reason: Reason,
    /// Where the unit stands, where that was looked at.
    pub slot: Option<Slot>,
    /// Who asks, of those that the service sticks to.
    pub unit: Option<&'a Unit>,
    /// For which frontend; `None`: the built-in one.
    pub frontend: Option<&'a FrontendId>,
}

impl<'a> Lineup<'a> {
    /// Nothing chosen yet.
    pub fn new(view: &'a View, units: &'a Units) -> Lineup<'a> {
        let chosen = view.routes.iter().map(|_| Choosing::default()).collect();
        Lineup { view, units, chosen, told: OnceLock::new() }
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
            let found = routes.find(|(route, _)| route.service == *service);
            let (route, choosing) = found.ok_or_else(outside)?;
            let tried = route.candidate.as_ref().is_some_and(|(callee, _)| callee.version == *version);
            let arm = match (route.stable.version == *version, tried) {
                (true, _) => Arm::Stable,
                (false, true) => Arm::Candidate,
                (false, false) => return Err(outside()),
            };
            // An operator who asks for a version wants to see how it is, also where its fuse is open.
            choosing.decided.get_or_init(|| Picked { arm, reason: Reason::Override, slot: None });
        }
        Ok(lineup)
    }

    /// Who is called for a member of the graph: chosen now, or before. `None` for a member of another graph.
    pub fn choose(&self, member: usize) -> Option<Chosen<'a>> {
        let (choosing, route) = (self.chosen.get(member)?, self.view.routes.get(member)?);
        let fixed = choosing.fixed.get_or_init(|| still(route, self.decided(choosing, route)));
        Some(self.of(route, *fixed))
    }

    /// What was chosen so far, by service.
    pub fn chosen(&self) -> impl Iterator<Item = Chosen<'a>> {
        let places = self.view.routes.iter().zip(&self.chosen);
        places.filter_map(|(route, choosing)| Some(self.of(route, *choosing.fixed.get()?)))
    }

    /// Who asks.
    pub fn units(&self) -> &'a Units {
        self.units
    }

    fn decided(&self, choosing: &Choosing, route: &Route) -> Picked {
        *choosing.decided.get_or_init(|| pick(route, self.units))
    }

    fn of(&self, route: &'a Route, picked: Picked) -> Chosen<'a> {
        let Picked { arm, reason, slot } = picked;
        let callee = match (arm, &route.candidate) {
            (Arm::Candidate, Some((callee, _))) => callee,
            // Without a candidate nobody is given one.
            (Arm::Candidate, None) | (Arm::Stable, _) => &route.stable,
        };
        let (unit, frontend) = (unit(route.cohort, self.units), self.view.frontend.as_ref());
        Chosen { route, callee, arm, reason, slot, unit, frontend }
    }
}

impl<'a> Chosen<'a> {
    /// The trial that its calls are counted in, while there is one.
    pub fn trial(&self) -> Option<&'a Trial> {
        self.route.candidate.as_ref().map(|(_, trial)| &**trial)
    }
}

fn pick(route: &Route, units: &Units) -> Picked {
    let trial = route.candidate.as_ref();
    let health = |_: &_| trial.map_or(Health::Away, |(callee, trial)| trial.health(callee));
    let Choice { arm, reason, slot, .. } = route.policy.choose(unit(route.cohort, units), &health);
    Picked { arm, reason, slot }
}

/// What was decided, unless nobody of the candidate is left and nobody of it was called.
fn still(route: &Route, decided: Picked) -> Picked {
    let is_away = || match &route.candidate {
        Some((callee, trial)) => trial.health(callee) == Health::Away,
        None => true,
    };
    match decided.arm {
        Arm::Candidate if is_away() => {
            Picked { arm: Arm::Stable, reason: Reason::Fallback, slot: decided.slot }
        }
        Arm::Candidate | Arm::Stable => decided,
    }
}

/// Who sticks to a version, of those that a caller is.
pub fn unit(cohort: CohortUnit, units: &Units) -> Option<&Unit> {
    match cohort {
        CohortUnit::User => units.person.as_ref(),
        CohortUnit::Customer => units.customer.as_ref(),
    }
}

/// The name of a frontend in headers and reports.
pub(crate) fn frontend_name(frontend: Option<&FrontendId>) -> String {
    frontend.map_or_else(|| BUILT_IN.to_owned(), FrontendId::to_string)
}

/// What callers have who name no published frontend.
const BUILT_IN: &str = "any@0.0.0";
