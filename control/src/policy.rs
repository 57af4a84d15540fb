//! Which version of a service a caller gets, and why.
//!
//! A policy names a stable version and perhaps a candidate, for the callers of one frontend or of all. `choose`
//! is asked at an operation's first touch of the service, and its answer holds to the operation's end. It is a
//! pure function of the policy, the unit and what is healthy, so that every replica agrees. Risk moves one way:
//! whoever should get the candidate may fall back to stable, and nobody falls from stable to the candidate.

use std::collections::BTreeSet;

use crate::id::Version;
use crate::slot::{Slot, Unit, Weight};

/// What a service's callers get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    stable: Version,
    candidate: Option<Candidate>,
}

/// A version that is being tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The version.
    pub version: Version,
    /// How many get it.
    pub weight: Weight,
    /// The most that get it, whatever the rollout says: a frontend's own cap.
    pub cap: Weight,
    /// The rollout's lineage, which decides who comes first.
    pub salt: String,
    /// Whether an operator has switched it off for everybody.
    pub killed: bool,
    /// Units that get it at any weight above zero.
    pub allow: BTreeSet<Unit>,
    /// Units that never get it.
    pub deny: BTreeSet<Unit>,
}

/// Why a policy cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// The candidate is the stable version.
    #[error("the candidate {0} is the stable version already")]
    Same(Version),
    /// A candidate of another major would change what callers were built for.
    #[error(
        "the candidate {candidate} is of another major than the stable {stable}; a new major serves only frontends that pin it"
    )]
    Major {
        /// The stable version.
        stable: Version,
        /// The candidate.
        candidate: Version,
    },
    /// A version does not lie in what the frontend pins.
    #[error("{version} does not satisfy the pin {range}")]
    Pin {
        /// The version.
        version: Version,
        /// What the frontend was built for.
        range: String,
    },
    /// A version was retired.
    #[error("{0} was retired")]
    Retired(Version),
    /// A unit is on both lists.
    #[error("{0} is both allowed and denied")]
    Both(Unit),
}

impl Policy {
    /// A policy, or everything that is wrong with it. `pin` is what the frontend was built for, if it is one
    /// frontend's policy; `retired` tells what was retired.
    pub fn new(
        stable: Version,
        candidate: Option<Candidate>,
        pin: Option<&semver::VersionReq>,
        retired: &dyn Fn(&Version) -> bool,
    ) -> Result<Policy, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let versions = std::iter::once(&stable).chain(candidate.iter().map(|candidate| &candidate.version));
        for version in versions {
            if let Some(range) = pin.filter(|range| !range.matches(version.semver())) {
                mistakes.push(Mistake::Pin { version: version.clone(), range: range.to_string() });
            }
            if retired(version) {
                mistakes.push(Mistake::Retired(version.clone()));
            }
        }
        if let Some(candidate) = &candidate {
            let version = candidate.version.clone();
            if version == stable {
                mistakes.push(Mistake::Same(version));
            } else if version.semver().major != stable.semver().major {
                mistakes.push(Mistake::Major { stable: stable.clone(), candidate: version });
            }
            mistakes.extend(candidate.allow.intersection(&candidate.deny).cloned().map(Mistake::Both));
        }
        if mistakes.is_empty() { Ok(Policy { stable, candidate }) } else { Err(mistakes) }
    }

    /// The version that everybody gets about whom nothing else is decided.
    pub fn stable(&self) -> &Version {
        &self.stable
    }

    /// The version that is being tried.
    pub fn candidate(&self) -> Option<&Candidate> {
        self.candidate.as_ref()
    }

    /// The version that a caller gets.
    pub fn choose(&self, unit: Option<&Unit>, health: &dyn Fn(&Version) -> Health) -> Choice<'_> {
        let Some(candidate) = &self.candidate else { return self.stays(Reason::Stable) };
        let weight = candidate.weight.min(candidate.cap);
        let (wanted, slot) = match unit {
            _ if candidate.killed => return self.stays(Reason::Killed),
            _ if weight == Weight::NONE => return self.stays(Reason::Stable),
            None => return self.stays(Reason::NoUnit),
            Some(unit) if candidate.deny.contains(unit) => return self.stays(Reason::Denied),
            Some(unit) if candidate.allow.contains(unit) => (Reason::Allowed, None),
            Some(unit) => {
                let slot = Slot::of(&candidate.salt, unit);
                if !weight.takes(slot) {
                    return Choice { slot: Some(slot), ..self.stays(Reason::Stable) };
                }
                (Reason::Candidate, Some(slot))
            }
        };
        match health(&candidate.version) {
            Health::Serves => {
                Choice { version: &candidate.version, arm: Arm::Candidate, reason: wanted, slot }
            }
            Health::FuseOpen => Choice { slot, ..self.stays(Reason::FuseOpen) },
            Health::Cold => Choice { slot, ..self.stays(Reason::Cold) },
            Health::Away => Choice { slot, ..self.stays(Reason::Fallback) },
        }
    }

    fn stays(&self, reason: Reason) -> Choice<'_> {
        Choice { version: &self.stable, arm: Arm::Stable, reason, slot: None }
    }
}

/// How a version is doing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It has a warm instance that serves.
    Serves,
    /// This gateway's fuse for it is open.
    FuseOpen,
    /// Its instances have not served long enough to be judged.
    Cold,
    /// It has no instance that serves.
    Away,
}

/// What a caller gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The version.
    pub version: &'a Version,
    /// Which of the two it is.
    pub arm: Arm,
    /// Why.
    pub reason: Reason,
    /// Where the unit stands in the lineage, where that was looked at.
    pub slot: Option<Slot>,
}

/// Which of the two versions of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arm {
    /// The proven one.
    Stable,
    /// The one that is being tried.
    Candidate,
}

impl Arm {
    /// The word in `turnout-lineup`.
    pub fn as_str(self) -> &'static str {
        match self {
            Arm::Stable => "stable",
            Arm::Candidate => "candidate",
        }
    }
}

/// Why a caller gets a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its slot is not below the weight, or nothing is being tried.
    Stable,
    /// Its slot is below the weight.
    Candidate,
    /// It has no identity to stick to.
    NoUnit,
    /// It is on the list of those who never get a candidate.
    Denied,
    /// It is on the list of those who do.
    Allowed,
    /// The candidate is switched off.
    Killed,
    /// The candidate fails here.
    FuseOpen,
    /// The candidate's instances are not warm.
    Cold,
    /// The candidate has no instance that serves.
    Fallback,
    /// An operator asked for it.
    Override,
}

impl Reason {
    /// The word that people and machines read.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Stable => "STABLE",
            Reason::Candidate => "STICKY_CANARY",
            Reason::NoUnit => "NO_UNIT",
            Reason::Denied => "DENY",
            Reason::Allowed => "ALLOW",
            Reason::Killed => "KILLED",
            Reason::FuseOpen => "FUSE_OPEN",
            Reason::Cold => "CANARY_COLD",
            Reason::Fallback => "FALLBACK",
            Reason::Override => "OVERRIDE",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::UnitKind;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn user(id: &str) -> Unit {
        Unit::new(UnitKind::User, id).unwrap()
    }

    fn candidate(ppm: u32) -> Candidate {
        Candidate {
            version: version("1.5.0"),
            weight: Weight::ppm(ppm).unwrap(),
            cap: Weight::ALL,
            salt: "catalog/1".to_owned(),
            killed: false,
            allow: BTreeSet::new(),
            deny: BTreeSet::new(),
        }
    }

    fn policy(candidate: Candidate) -> Policy {
        Policy::new(version("1.4.0"), Some(candidate), None, &|_| false).unwrap()
    }

    fn serves(_: &Version) -> Health {
        Health::Serves
    }

    #[test]
    fn who_gets_what_and_why() {
        let all = Weight::ALL.as_ppm();
        let vip = || BTreeSet::from([user("vip")]);
        for (candidate, unit, expected) in [
            (candidate(0), Some("vip"), Reason::Stable),
            (candidate(all), None, Reason::NoUnit),
            (candidate(all), Some("vip"), Reason::Candidate),
            (candidate(1), Some("vip"), Reason::Stable),
            (Candidate { deny: vip(), ..candidate(all) }, Some("vip"), Reason::Denied),
            (Candidate { allow: vip(), ..candidate(1) }, Some("vip"), Reason::Allowed),
            (Candidate { allow: vip(), ..candidate(0) }, Some("vip"), Reason::Stable),
            (Candidate { killed: true, ..candidate(all) }, Some("vip"), Reason::Killed),
            (Candidate { cap: Weight::NONE, ..candidate(all) }, Some("vip"), Reason::Stable),
            (Candidate { cap: Weight::NONE, allow: vip(), ..candidate(all) }, Some("vip"), Reason::Stable),
        ] {
            let policy = policy(candidate.clone());
            let choice = policy.choose(unit.map(user).as_ref(), &serves);
            assert_eq!(choice.reason, expected, "{candidate:?}");
            let tried = matches!(expected, Reason::Candidate | Reason::Allowed);
            assert_eq!(choice.arm == Arm::Candidate, tried);
            assert_eq!(choice.version.to_string(), if tried { "1.5.0" } else { "1.4.0" });
        }
    }

    #[test]
    fn a_candidate_that_does_not_serve_gives_way_and_stable_never_does() {
        let policy = policy(candidate(Weight::ALL.as_ppm()));
        for (health, expected) in [
            (Health::FuseOpen, Reason::FuseOpen),
            (Health::Cold, Reason::Cold),
            (Health::Away, Reason::Fallback),
        ] {
            let choice = policy.choose(Some(&user("a")), &|_| health);
            assert_eq!((choice.arm, choice.reason), (Arm::Stable, expected));
        }
        let bare = Policy::new(version("1.4.0"), None, None, &|_| false).unwrap();
        assert_eq!(bare.choose(Some(&user("a")), &|_| Health::Away).arm, Arm::Stable);
    }

    #[test]
    fn a_policy_that_cannot_be_is_told_all_its_mistakes() {
        let retired = |version: &Version| version.to_string() == "1.4.0";
        let pin: semver::VersionReq = "^1.4, <1.5".parse().unwrap();
        let mistakes = Policy::new(version("1.4.0"), Some(candidate(1)), Some(&pin), &retired).unwrap_err();
        assert_eq!(
            mistakes,
            [
                Mistake::Retired(version("1.4.0")),
                Mistake::Pin { version: version("1.5.0"), range: pin.to_string() },
            ]
        );
        let same = Policy::new(version("1.5.0"), Some(candidate(1)), None, &|_| false).unwrap_err();
        assert_eq!(same, [Mistake::Same(version("1.5.0"))]);
        let major = Policy::new(version("2.0.0"), Some(candidate(1)), None, &|_| false).unwrap_err();
        assert!(matches!(major[..], [Mistake::Major { .. }]));
        let both = BTreeSet::from([user("a")]);
        let torn = Candidate { allow: both.clone(), deny: both, ..candidate(1) };
        let torn = Policy::new(version("1.4.0"), Some(torn), None, &|_| false).unwrap_err();
        assert_eq!(torn, [Mistake::Both(user("a"))]);
    }

    #[test]
    fn a_service_that_many_units_call_shifts_by_its_weight() {
        let units = 50_000;
        let mut before = 0;
        for percent in [1, 5, 20, 50] {
            let policy = policy(candidate(percent * 10_000));
            let tried = (0..units)
                .filter(|id: &u32| policy.choose(Some(&user(&id.to_string())), &serves).arm == Arm::Candidate)
                .count();
            let expected = usize::try_from(units * percent / 100).unwrap();
            assert!(tried.abs_diff(expected) < usize::try_from(units).unwrap() / 100, "{percent} %: {tried}");
            assert!(tried > before);
            before = tried;
        }
    }
}
