//! What becomes of a policy when somebody changes it, or everything that stands in the way.
//!
//! An edit names what changes and leaves the rest. It is judged as a whole, against what is known of versions,
//! what the frontend was built for and what a rollout is doing, and either all of it can be or nothing is
//! changed. Whether a candidate is able to stand in for the stable version is for the gate to say; here is
//! which pairs it has to be asked about.

use std::collections::{BTreeMap, BTreeSet};

use super::{Base, Own, Place, Policies, Scope, Tried};
use crate::frontend::Frontend;
use crate::id::{ServiceName, Version};
use crate::slot::{Unit, Weight};

/// What somebody wants changed. Nothing named, nothing changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// What the rest is applied to.
    pub start: Start,
    /// The stable version.
    pub stable: Option<Version>,
    /// The candidate.
    pub candidate: Option<Version>,
    /// The candidate's weight.
    pub weight: Option<Weight>,
    /// The largest share of the frontend's callers that a candidate may have.
    pub cap: Option<Weight>,
    /// Whether candidates are switched off.
    pub killed: Option<bool>,
    /// Units that are put on the list of those who get the candidate.
    pub allow: BTreeSet<Unit>,
    /// Units that are put on the list of those who never do.
    pub deny: BTreeSet<Unit>,
    /// Units that are taken off the one list.
    pub no_allow: BTreeSet<Unit>,
    /// Units that are taken off the other.
    pub no_deny: BTreeSet<Unit>,
}

/// What an edit is applied to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// What holds now.
    #[default]
    Now,
    /// Nothing but the version that is stable for everyone.
    Clear,
}

/// What is known of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Its descriptors are there.
    Described,
    /// It was registered, and nobody named its descriptors.
    Bare,
    /// It was retired.
    Retired,
}

/// What an edit is judged against.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Which policy is edited.
    pub place: &'a Place,
    /// The frontend, of a policy of one; `None` of one that is not published.
    pub frontend: Option<&'a Frontend>,
    /// All policies as they are.
    pub policies: &'a Policies,
    /// What is known of the service's versions; nothing of those that are not in it.
    pub known: &'a BTreeMap<Version, Known>,
    /// The version that a rollout of this service and major is bringing, if one is going on.
    pub rollout: Option<&'a Version>,
}

/// Why an edit cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// A policy for everyone without a stable version.
    #[error("there is no policy for everyone of {0} {1} yet, and one has a stable version; name it")]
    Unstable(ServiceName, u64),
    /// A cap for everyone.
    #[error("a cap is for one frontend, and the policy for everyone has none; name the frontend")]
    Cap,
    /// Nothing was ever registered under the version.
    #[error("{0} {1} was never registered")]
    Unknown(ServiceName, Version),
    /// The version cannot be served.
    #[error("{0} {1} has no descriptors, so that nobody could be served by it")]
    Bare(ServiceName, Version),
    /// The version was retired.
    #[error("{0} {1} was retired")]
    Retired(ServiceName, Version),
    /// The version is of another major.
    #[error("{0} is of another major, and this is the policy of major {1}")]
    Major(Version, u64),
    /// The version lies outside of what the frontend was built for.
    #[error("{0} does not satisfy the pin {1} of {2}")]
    Pin(Version, String, String),
    /// The frontend does not have the service.
    #[error("{0} has no pin for {1}")]
    Unpinned(String, ServiceName),
    /// The frontend is not published.
    #[error("{0} is not published")]
    Unpublished(String),
    /// The candidate is stable already.
    #[error("the candidate {0} is the stable version already")]
    Same(Version),
    /// The candidate is older than the stable version.
    #[error("the candidate {0} is older than the stable version {1}, and only a newer one can be tried")]
    Older(Version, Version),
    /// A weight of nothing.
    #[error("there is no candidate that could have a weight; name it")]
    Weightless,
    /// A new candidate without a weight.
    #[error("the candidate {0} has no weight yet; say how many get it")]
    Unweighed(Version),
    /// A unit is on both lists.
    #[error("{0} would be both allowed and denied")]
    Both(Unit),
    /// A rollout decides.
    #[error("the rollout of {0} {1} decides which versions serve and with which weight")]
    Rollout(ServiceName, Version),
    /// Nothing would change, because nothing was named.
    #[error("nothing is named that should change")]
    Nothing,
}

/// What would be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// All policies, with the one that was edited.
    pub policies: Policies,
    /// The stable version and a newcomer that the gate has to find able to stand in for it.
    pub to_judge: Option<(Version, Version)>,
}

/// What becomes of the policies, or everything that stands in the way.
pub fn edit(setting: &Setting<'_>, edit: &Edit) -> Result<Edited, Vec<Obstacle>> {
    let mut judge = Judge { setting, edit, obstacles: Vec::new() };
    if *edit == Edit::default() {
        return Err(vec![Obstacle::Nothing]);
    }
    let mut policies = setting.policies.clone();
    let Place { scope, service, major } = setting.place;
    let to_judge = match scope {
        Scope::Everyone => {
            let base = judge.base()?;
            let newcomer =
                fresh(base.candidate.as_ref(), judge.base_now().and_then(|now| now.candidate.as_ref()));
            let pair = newcomer.map(|newcomer| (base.stable.clone(), newcomer));
            policies.bases.entry(service.clone()).or_default().insert(*major, base);
            pair
        }
        Scope::Frontend(id) => {
            let own = judge.own()?;
            let place = (id.clone(), service.clone(), *major);
            let newcomer = fresh(own.candidate.as_ref(), None);
            let pair = newcomer.zip(judge.stable_of(&own)).map(|(newcomer, stable)| (stable, newcomer));
            if own == Own::default() {
                policies.owns.remove(&place);
            } else {
                policies.owns.insert(place, own);
            }
            pair
        }
    };
    Ok(Edited { policies, to_judge })
}

/// A candidate that was not one before.
fn fresh(after: Option<&Tried>, before: Option<&Tried>) -> Option<Version> {
    let after = after.map(|tried| &tried.version);
    after.filter(|after| before.map(|tried| &tried.version) != Some(after)).cloned()
}

struct Judge<'a> {
    setting: &'a Setting<'a>,
    edit: &'a Edit,
    obstacles: Vec<Obstacle>,
}

impl<'a> Judge<'a> {
    fn base_now(&self) -> Option<&'a Base> {
        let Place { service, major, .. } = self.setting.place;
        self.setting.policies.base(service, *major)
    }

    fn base(&mut self) -> Result<Base, Vec<Obstacle>> {
        let Place { service, major, .. } = self.setting.place;
        let now = self.base_now();
        let Some(stable) = self.edit.stable.clone().or_else(|| now.map(|now| now.stable.clone())) else {
            self.obstacles.push(Obstacle::Unstable(service.clone(), *major));
            return Err(std::mem::take(&mut self.obstacles));
        };
        let mut base = match (self.edit.start, now) {
            (Start::Now, Some(now)) => now.clone(),
            (Start::Clear, Some(now)) => Base { vacant: now.vacant, ..Base::new(stable.clone()) },
            (Start::Now | Start::Clear, None) => Base::new(stable.clone()),
        };
        if self.edit.stable.is_some() {
            base.instead_of = None;
        }
        base.stable = stable;
        if self.edit.cap.is_some() {
            self.obstacles.push(Obstacle::Cap);
        }
        base.candidate = self.candidate(base.candidate.take(), None);
        base.candidate = self.above(base.candidate, &base.stable);
        base.killed = self.edit.killed.unwrap_or(base.killed);
        self.lists(&mut base.allow, &mut base.deny);
        self.versions(Some(&base.stable), base.candidate.as_ref());
        let before = now.map(|now| (&now.stable, now.candidate.as_ref()));
        if let Some(to) = self.setting.rollout
            && before != Some((&base.stable, base.candidate.as_ref()))
        {
            self.obstacles.push(Obstacle::Rollout(service.clone(), to.clone()));
        }
        self.end(base)
    }

    fn own(&mut self) -> Result<Own, Vec<Obstacle>> {
        let Place { service, major, scope } = self.setting.place;
        let now = match scope {
            Scope::Frontend(id) => {
                self.setting.policies.owns.get(&(id.clone(), service.clone(), *major)).cloned()
            }
            Scope::Everyone => None,
        };
        let mut own = match self.edit.start {
            Start::Now => now.unwrap_or_default(),
            Start::Clear => Own::default(),
        };
        own.stable = self.edit.stable.clone().or(own.stable);
        own.cap = self.edit.cap.or(own.cap);
        own.killed = self.edit.killed.unwrap_or(own.killed);
        let shared = self.base_now().and_then(|base| base.candidate.as_ref());
        own.candidate = self.candidate(own.candidate.take(), shared);
        if let Some(stable) = self.stable_of(&own) {
            own.candidate = self.above(own.candidate, &stable);
        }
        self.lists(&mut own.allow, &mut own.deny);
        self.versions(own.stable.as_ref(), own.candidate.as_ref());
        self.pins(&own);
        self.end(own)
    }

    /// The candidate: a named one, or the one there is with another weight. `shared` is the candidate for
    /// everyone, whose lineage and version a frontend's own has unless it names another.
    fn candidate(&mut self, now: Option<Tried>, shared: Option<&Tried>) -> Option<Tried> {
        let Edit { candidate, weight, .. } = self.edit;
        let like = |version: &Version| {
            let known = now.as_ref().filter(|tried| tried.version == *version);
            known.or(shared.filter(|tried| tried.version == *version)).cloned()
        };
        match (candidate, *weight) {
            (None, None) => now,
            (None, Some(weight)) => {
                let Some(tried) = now.or_else(|| shared.cloned()) else {
                    self.obstacles.push(Obstacle::Weightless);
                    return None;
                };
                Some(Tried { weight, ..tried })
            }
            (Some(version), weight) => {
                let known = like(version);
                let Some(weight) = weight.or_else(|| known.as_ref().map(|tried| tried.weight)) else {
                    self.obstacles.push(Obstacle::Unweighed(version.clone()));
                    return None;
                };
                let Place { service, major, .. } = self.setting.place;
                let salt = known.map_or_else(|| lineage(service, *major, version), |tried| tried.salt);
                Some(Tried { version: version.clone(), weight, salt })
            }
        }
    }

    /// Only a newer version than the stable one is tried: one that was named and is not newer is a mistake, and
    /// one that was overtaken is left behind.
    fn above(&mut self, tried: Option<Tried>, stable: &Version) -> Option<Tried> {
        let tried = tried?;
        if tried.version > *stable {
            return Some(tried);
        }
        if self.edit.candidate.is_some() || self.edit.weight.is_some() {
            let version = tried.version.clone();
            self.obstacles.push(match version == *stable {
                true => Obstacle::Same(version),
                false => Obstacle::Older(version, stable.clone()),
            });
        }
        None
    }

    fn lists(&mut self, allow: &mut BTreeSet<Unit>, deny: &mut BTreeSet<Unit>) {
        let Edit { allow: allowed, deny: denied, no_allow, no_deny, .. } = self.edit;
        allow.retain(|unit| !no_allow.contains(unit));
        deny.retain(|unit| !no_deny.contains(unit));
        allow.extend(allowed.iter().cloned());
        deny.extend(denied.iter().cloned());
        self.obstacles.extend(allow.intersection(deny).cloned().map(Obstacle::Both));
    }

    /// What is known of the versions that this edit names.
    fn versions(&mut self, stable: Option<&Version>, candidate: Option<&Tried>) {
        let Place { service, major, .. } = self.setting.place;
        let named = [
            stable.filter(|_| self.edit.stable.is_some()),
            candidate.map(|tried| &tried.version).filter(|_| self.edit.candidate.is_some()),
        ];
        for version in named.into_iter().flatten() {
            if version.semver().major != *major {
                self.obstacles.push(Obstacle::Major(version.clone(), *major));
            }
            let (service, version) = (service.clone(), version.clone());
            match self.setting.known.get(&version) {
                Some(Known::Described) => {}
                Some(Known::Bare) => self.obstacles.push(Obstacle::Bare(service, version)),
                Some(Known::Retired) => self.obstacles.push(Obstacle::Retired(service, version)),
                None => self.obstacles.push(Obstacle::Unknown(service, version)),
            }
        }
    }

    /// What the frontend was built for.
    fn pins(&mut self, own: &Own) {
        let Place { service, scope, .. } = self.setting.place;
        let Scope::Frontend(id) = scope else { return };
        let Some(frontend) = self.setting.frontend else {
            return self.obstacles.push(Obstacle::Unpublished(id.to_string()));
        };
        let Some(pin) = frontend.pins.get(service) else {
            return self.obstacles.push(Obstacle::Unpinned(id.to_string(), service.clone()));
        };
        let versions = own.stable.iter().chain(own.candidate.iter().map(|tried| &tried.version));
        let outside = versions.filter(|version| !pin.range.matches(version.semver()));
        self.obstacles.extend(
            outside.map(|version| Obstacle::Pin(version.clone(), pin.range.to_string(), id.to_string())),
        );
    }

    /// The stable version of the frontend's callers, as far as policies say.
    fn stable_of(&self, own: &Own) -> Option<Version> {
        own.stable.clone().or_else(|| self.base_now().map(|base| base.stable.clone()))
    }

    fn end<T>(&mut self, edited: T) -> Result<T, Vec<Obstacle>> {
        if self.obstacles.is_empty() { Ok(edited) } else { Err(std::mem::take(&mut self.obstacles)) }
    }
}

/// The lineage of a candidate that no other came before.
pub fn lineage(service: &ServiceName, major: u64, version: &Version) -> String {
    format!("{service}/{major}/{version}")
}

#[cfg(test)]
mod tests;
