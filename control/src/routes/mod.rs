//! What callers of a frontend get of each service: decided policies, pins and caps, made one `Policy`.
//!
//! A *base* says what holds for everyone of one major of a service; an *own* policy says what differs for one
//! frontend. `route` puts both together with what the frontend was built for. A frontend sees the services
//! that it pins and no other, and never a version outside its pin; the built-in frontend pins nothing and sees
//! the highest major of everything that somebody runs. Nothing here knows instances, weights over time or
//! callers: that is `lineup`, `rollout` and `policy`.

pub mod edit;
pub mod moves;
mod record;
pub mod turn;
pub mod undo;

use std::collections::{BTreeMap, BTreeSet};

pub use record::{Place, Scope, Unreadable, read_base, read_own, write_base, write_own};

use crate::frontend::Frontend;
use crate::id::{FrontendId, ServiceName, Version};
use crate::policy::{Candidate, Policy};
use crate::records::{Kind, Records};
use crate::slot::{Unit, Weight};

/// What holds for everyone of one major of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The version that everybody gets about whom nothing else is decided.
    pub stable: Version,
    /// The version in whose place `stable` stands because nobody runs that.
    pub instead_of: Option<Version>,
    /// Whether nobody has run any version of this major for long while others run, so that callers who pin
    /// nothing get another major.
    pub vacant: bool,
    /// What is being tried.
    pub candidate: Option<Tried>,
    /// Whether an operator has switched the candidate off.
    pub killed: bool,
    /// Units that get the candidate at any weight above zero.
    pub allow: BTreeSet<Unit>,
    /// Units that never get it.
    pub deny: BTreeSet<Unit>,
}

impl Base {
    /// The version that is promised to everybody, also while an older one stands in for it: rollouts are beside
    /// this one. Where a newer one had to take its place nobody waits for it, because it does not come back.
    pub fn promised(&self) -> &Version {
        self.instead_of.as_ref().filter(|absent| **absent > self.stable).unwrap_or(&self.stable)
    }

    /// A version that is stable, and nothing else decided.
    pub fn new(stable: Version) -> Base {
        Base {
            stable,
            instead_of: None,
            vacant: false,
            candidate: None,
            killed: false,
            allow: BTreeSet::new(),
            deny: BTreeSet::new(),
        }
    }
}

/// A version that is being tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The version.
    pub version: Version,
    /// How many get it.
    pub weight: Weight,
    /// The lineage, which decides who comes first.
    pub salt: String,
}

/// What differs for one frontend, of one major of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Its own stable version.
    pub stable: Option<Version>,
    /// Its own candidate, with a weight that no rollout moves.
    pub candidate: Option<Tried>,
    /// The largest share of its callers that a candidate may have.
    pub cap: Option<Weight>,
    /// Whether candidates are switched off for it.
    pub killed: bool,
    /// Units that get the candidate at any weight above zero.
    pub allow: BTreeSet<Unit>,
    /// Units that never get it.
    pub deny: BTreeSet<Unit>,
}

/// All decided policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// By service and major.
    pub bases: BTreeMap<ServiceName, BTreeMap<u64, Base>>,
    /// By frontend, service and major.
    pub owns: BTreeMap<(FrontendId, ServiceName, u64), Own>,
}

/// Why a frontend gets nothing of a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrouted {
    /// It does not pin the service.
    #[error("it has no pin for the service")]
    Unpinned,
    /// Nothing satisfies its pin.
    #[error("no version satisfies its pin {0}")]
    Unsatisfied(String),
    /// Nothing was decided about the service yet.
    #[error("no version of the service serves yet")]
    Undecided,
    /// What it should get cannot be served.
    #[error("{0} cannot be served: {1}")]
    Unserved(Version, String),
}

impl Policies {
    /// What the records say, and which of them say nothing that can be read.
    pub fn read(records: &Records) -> (Policies, Vec<Unreadable>) {
        let (mut policies, mut unreadable) = (Policies::default(), Vec::new());
        for (key, record) in records.of(Kind::Policy) {
            match policies.take(key, &record.value) {
                Ok(()) => {}
                Err(why) => unreadable.push(Unreadable { key: key.clone(), why }),
            }
        }
        (policies, unreadable)
    }

    /// What holds for everyone of a major of a service.
    pub fn base(&self, service: &ServiceName, major: u64) -> Option<&Base> {
        self.bases.get(service)?.get(&major)
    }

    fn take(&mut self, key: &crate::records::Key, value: &[u8]) -> Result<(), String> {
        let Place { scope, service, major } =
            Place::of(key).ok_or_else(|| "its name is not that of a policy".to_owned())?;
        match scope {
            Scope::Everyone => {
                let base = read_base(value)?;
                self.bases.entry(service).or_default().insert(major, base);
            }
            Scope::Frontend(frontend) => {
                self.owns.insert((frontend, service, major), read_own(value)?);
            }
        }
        Ok(())
    }
}

/// What callers of a frontend get of a service. `ranks` are the versions that a pin may demand, as
/// `lineup::demanded` has them: those of a later rank only where none of an earlier one would do. `None`: the
/// built-in frontend.
pub fn route(
    policies: &Policies,
    frontend: Option<&Frontend>,
    service: &ServiceName,
    ranks: &[BTreeSet<Version>],
) -> Result<Policy, Unrouted> {
    let bases = policies.bases.get(service).ok_or(Unrouted::Undecided)?;
    let Some(frontend) = frontend else {
        let (_, base) = highest(bases).ok_or(Unrouted::Undecided)?;
        return Ok(policy(base, &Own::default(), (&base.stable, Weight::ALL), &|_| true));
    };
    let pin = frontend.pins.get(service).ok_or(Unrouted::Unpinned)?;
    let fits = |version: &Version| pin.range.matches(version.semver());
    let unsatisfied = || Unrouted::Unsatisfied(pin.range.to_string());
    let cap = frontend.caps.get(service).copied().unwrap_or(Weight::ALL);
    let own = |major| policies.owns.get(&(frontend.id.clone(), service.clone(), major));
    // The highest major of which something fits: what is stable, or else the version next to it. Those above were
    // not proven: whoever needs one of them gets the first, and those after it as candidates like anybody else.
    let of = |known: &BTreeSet<Version>, (major, base): (&u64, &Base)| {
        let own = own(*major).cloned().unwrap_or_default();
        let decided = own.stable.as_ref().filter(|stable| fits(stable));
        let stable = decided.or(Some(&base.stable).filter(|stable| fits(stable)));
        let mut fitting = known.iter().filter(|version| version.semver().major == *major && fits(version));
        let next = fitting.clone().find(|version| **version > base.stable);
        let stable = stable.or(next).or_else(|| fitting.next_back())?;
        Some(policy(base, &own, (stable, cap), &fits))
    };
    let found = ranks.iter().find_map(|known| bases.iter().rev().find_map(|base| of(known, base)));
    found.ok_or_else(unsatisfied)
}

/// The major that callers get who pin nothing.
pub fn highest(bases: &BTreeMap<u64, Base>) -> Option<(u64, &Base)> {
    let served = bases.iter().rev().find(|(_, base)| !base.vacant && base.stable.semver().pre.is_empty());
    let served = served.or_else(|| bases.iter().rev().find(|(_, base)| !base.vacant));
    served.or_else(|| bases.iter().next_back()).map(|(major, base)| (*major, base))
}

/// One frontend's policy: its own decisions before those for everyone.
fn policy(
    base: &Base,
    own: &Own,
    (stable, cap): (&Version, Weight),
    fits: &dyn Fn(&Version) -> bool,
) -> Policy {
    let tried = own.candidate.as_ref().or(base.candidate.as_ref());
    // A candidate was found able to stand in for the stable version of everyone, and for no older one.
    let tried = tried.filter(|tried| fits(&tried.version) && *stable < tried.version);
    let candidate = tried.map(|tried| {
        let deny: BTreeSet<Unit> = base.deny.union(&own.deny).cloned().collect();
        let allow = base.allow.union(&own.allow).filter(|unit| !deny.contains(unit)).cloned().collect();
        Candidate {
            version: tried.version.clone(),
            weight: tried.weight,
            cap: own.cap.unwrap_or(Weight::ALL).min(cap),
            salt: tried.salt.clone(),
            killed: base.killed || own.killed,
            allow,
            deny,
        }
    });
    // What the records say was checked when it was written; what cannot be both is left out above.
    Policy::new(stable.clone(), candidate, None, &|_| false)
        .or_else(|_| Policy::new(stable.clone(), None, None, &|_| false))
        .expect("a stable version alone is a policy")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::{Lifecycle, Pin};

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn tried(text: &str, ppm: u32) -> Tried {
        Tried { version: version(text), weight: Weight::ppm(ppm).unwrap(), salt: "catalog/1".to_owned() }
    }

    fn frontend(pin: &str) -> Frontend {
        Frontend {
            id: "web@2.4.1".parse().unwrap(),
            state: Lifecycle::Active,
            pins: [("catalog".parse().unwrap(), Pin { range: pin.parse().unwrap(), optional: false })].into(),
            caps: [("catalog".parse().unwrap(), Weight::ppm(200_000).unwrap())].into(),
        }
    }

    fn policies() -> Policies {
        let mut one = Base::new(version("1.4.0"));
        one.candidate = Some(tried("1.5.0", 500_000));
        let bases = [(1, one), (2, Base::new(version("2.0.0")))].into();
        Policies { bases: [("catalog".parse().unwrap(), bases)].into(), owns: BTreeMap::new() }
    }

    fn told(policies: &Policies, frontend: Option<&Frontend>) -> String {
        let known = ["1.3.0", "1.4.0", "1.5.0", "2.0.0"].map(version).into();
        match route(policies, frontend, &"catalog".parse().unwrap(), &[known]) {
            Ok(policy) => match policy.candidate() {
                Some(candidate) => format!(
                    "{} and {} at {}",
                    policy.stable(),
                    candidate.version,
                    candidate.weight.min(candidate.cap).as_ppm()
                ),
                None => policy.stable().to_string(),
            },
            Err(unrouted) => unrouted.to_string(),
        }
    }

    #[test]
    fn a_frontend_gets_what_it_was_built_for() {
        let policies = policies();
        assert_eq!(told(&policies, None), "2.0.0");
        for (pin, expected) in [
            ("^1.4", "1.4.0 and 1.5.0 at 200000"),
            // Its pin demands what is tried for others.
            ("^1.5", "1.5.0"),
            ("=1.3.0", "1.3.0"),
            ("<1.5", "1.4.0"),
            (">=1", "2.0.0"),
            ("^2", "2.0.0"),
            ("^3", "no version satisfies its pin ^3"),
        ] {
            assert_eq!(told(&policies, Some(&frontend(pin))), expected, "{pin}");
        }
        let mut other = frontend("^1");
        other.pins.clear();
        assert_eq!(told(&policies, Some(&other)), "it has no pin for the service");
    }

    #[test]
    fn what_is_decided_for_one_frontend_goes_first() {
        let mut policies = policies();
        let mut decide = |own: Own| {
            let place = ("web@2.4.1".parse().unwrap(), "catalog".parse().unwrap(), 1);
            policies.owns.insert(place, own);
            told(&policies, Some(&frontend("^1")))
        };
        let none = Own { cap: Some(Weight::NONE), ..Own::default() };
        assert_eq!(decide(none), "1.4.0 and 1.5.0 at 0");
        let own = Own { candidate: Some(tried("1.5.0", 100_000)), ..Own::default() };
        assert_eq!(decide(own), "1.4.0 and 1.5.0 at 100000");
        let stays = Own { stable: Some(version("1.5.0")), ..Own::default() };
        assert_eq!(decide(stays), "1.5.0");
    }

    #[test]
    fn what_a_pin_demands_is_the_next_version_and_newer_ones_are_tried_beside_it() {
        let mut policies = policies();
        let bases = policies.bases.get_mut(&"catalog".parse::<ServiceName>().unwrap()).unwrap();
        bases.get_mut(&1).unwrap().candidate = Some(tried("1.5.1", 10_000));
        let given = |pin: &str, ranks: &[&[&str]]| {
            let ranks: Vec<BTreeSet<Version>> =
                ranks.iter().map(|known| known.iter().copied().map(version).collect()).collect();
            let policy = route(&policies, Some(&frontend(pin)), &"catalog".parse().unwrap(), &ranks).unwrap();
            (policy.stable().to_string(), policy.candidate().map(|tried| tried.version.to_string()))
        };
        let tried = Some("1.5.1".to_owned());
        // 1.5.1 has just come: it is not given to all callers of a frontend because that one needs 1.5.
        assert_eq!(given("^1.5", &[&["1.3.0", "1.5.0", "1.5.1"]]), ("1.5.0".to_owned(), tried));
        // What nobody runs is given only where nothing else would do.
        assert_eq!(given("^1.5", &[&["1.6.0"], &["1.5.0", "1.6.0"]]).0, "1.6.0");
        assert_eq!(given("=1.5.0", &[&["1.6.0"], &["1.5.0", "1.6.0"]]).0, "1.5.0");
        assert_eq!(given("<1.4", &[&["1.2.0", "1.3.0"]]).0, "1.3.0");
    }

    #[test]
    fn a_major_that_nobody_runs_gives_way_for_those_who_pin_nothing() {
        let mut policies = policies();
        let bases = policies.bases.get_mut(&"catalog".parse::<ServiceName>().unwrap()).unwrap();
        bases.get_mut(&2).unwrap().vacant = true;
        assert_eq!(told(&policies, None), "1.4.0 and 1.5.0 at 500000");
        assert_eq!(told(&policies, Some(&frontend("^2"))), "2.0.0");
    }
}
