//! Where a caller stands in a rollout: a number that is the same on every replica, for ever.
//!
//! A unit's slot is a salted hash of its identity on a scale of a million, and a rollout of weight `w` ppm has
//! the units whose slot is below `w`. So raising a weight only adds units, lowering it removes those that came
//! last, and the same weight is the same units again. The salt is the rollout's lineage: another service, or
//! the next minor, begins with other units, so that nobody is always the first.
//!
//! Reproducible elsewhere: `docs/units.md` has the recipe, with vectors and the same in JavaScript and Ruby.

mod percent;

use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::id;

/// How many slots there are: a weight is in parts per million.
pub const SLOTS: u32 = 1_000_000;

/// What the hash begins with, so that no other hash of the same texts is this one.
const DOMAIN: &[u8] = b"gw1";

/// The longest id of a unit.
const ID_BYTES_MAX: usize = 256;

/// Who stays with one version: the sticky identity of a caller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit {
    kind: UnitKind,
    id: Box<str>,
}

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    /// A person who is logged in.
    User,
    /// A customer, with all its users.
    Customer,
    /// Somebody with a signed cookie and no name.
    Anonymous,
}

impl UnitKind {
    /// The word before the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            UnitKind::User => "user",
            UnitKind::Customer => "customer",
            UnitKind::Anonymous => "anon",
        }
    }
}

impl Unit {
    /// A unit with an id of 1 to 256 bytes.
    pub fn new(kind: UnitKind, id: &str) -> Result<Unit, id::Error> {
        if id.is_empty() || id.len() > ID_BYTES_MAX || id.chars().any(char::is_control) {
            let reason = format!(
                "must have 1 to {ID_BYTES_MAX} bytes after the colon, none of them a control character"
            );
            return Err(id::Error(reason));
        }
        Ok(Unit { kind, id: id.into() })
    }

    /// What it is.
    pub fn kind(&self) -> UnitKind {
        self.kind
    }

    /// Its name among its kind.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

impl FromStr for Unit {
    type Err = id::Error;

    /// `user:42`, `customer:acme`, `anon:7f3a`.
    fn from_str(text: &str) -> Result<Unit, id::Error> {
        let kinds = [UnitKind::User, UnitKind::Customer, UnitKind::Anonymous];
        let (kind, id) = text.split_once(':').unwrap_or((text, ""));
        let kind = kinds.into_iter().find(|known| known.as_str() == kind);
        let unknown = || id::Error("must begin with \"user:\", \"customer:\" or \"anon:\"".to_owned());
        Unit::new(kind.ok_or_else(unknown)?, id)
    }
}

/// A unit's place in one lineage of rollouts: 0 to 999 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    /// The slot of a unit.
    pub fn of(salt: &str, unit: &Unit) -> Slot {
        let mut hash = Sha256::new_with_prefix(DOMAIN);
        for part in [salt, unit.kind.as_str(), &unit.id] {
            // Lengths keep ("ab", "c") and ("a", "bc") apart. No part is near 64 KiB.
            hash.update(u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        let head = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        // The high half of the product: no modulo, so no slot is more likely than another.
        let slot = (u128::from(head) * u128::from(SLOTS)) >> 64;
        Slot(u32::try_from(slot).unwrap_or(SLOTS - 1))
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// The share of units that get the candidate, in parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u32);

impl Weight {
    /// Nobody.
    pub const NONE: Weight = Weight(0);
    /// Everybody.
    pub const ALL: Weight = Weight(SLOTS);

    /// A weight of so many parts per million; none above a million.
    pub fn ppm(ppm: u32) -> Option<Weight> {
        (ppm <= SLOTS).then_some(Weight(ppm))
    }

    /// The number.
    pub fn as_ppm(self) -> u32 {
        self.0
    }

    /// Whether a unit at this slot gets the candidate.
    pub fn takes(self, slot: Slot) -> bool {
        slot.0 < self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(number: u32) -> Unit {
        Unit::new(UnitKind::User, &number.to_string()).unwrap()
    }

    fn share(weight: Weight, salt: &str, units: u32) -> Vec<u32> {
        (0..units).filter(|number| weight.takes(Slot::of(salt, &unit(*number)))).collect()
    }

    #[test]
    fn the_vectors_hold() {
        let vectors = include_str!("slot/vectors.txt");
        let mut seen = 0;
        for line in vectors.lines().filter(|line| !line.starts_with('#')) {
            let [salt, unit, slot] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            assert_eq!(Slot::of(salt, &unit.parse().unwrap()).number().to_string(), slot, "{line}");
            seen += 1;
        }
        assert_eq!(seen, 50);
    }

    #[test]
    fn raising_only_adds_and_the_same_weight_is_the_same_units() {
        let mut before = Vec::new();
        for ppm in [0, 10_000, 50_000, 200_000, 500_000, 1_000_000] {
            let now = share(Weight(ppm), "catalog/1", 20_000);
            assert!(before.iter().all(|unit| now.binary_search(unit).is_ok()), "{ppm}");
            assert_eq!(now, share(Weight(ppm), "catalog/1", 20_000));
            before = now;
        }
        assert_eq!(before.len(), 20_000);
    }

    #[test]
    fn two_services_choose_their_units_independently() {
        let tenth = Weight(100_000);
        let units = 200_000;
        let (one, other) = (share(tenth, "catalog/1", units), share(tenth, "orders/2", units));
        let both = one.iter().filter(|unit| other.binary_search(unit).is_ok()).count();
        // Binomial with p = 0.01: ± 0.1 % is more than four standard deviations.
        assert!((1_800..=2_200).contains(&both), "{both}");
        assert!((19_400..=20_600).contains(&one.len()), "{}", one.len());
    }

    #[test]
    fn a_unit_reads_as_it_is_written() {
        for text in ["user:42", "customer:acme:eu", "anon:7f3a"] {
            assert_eq!(text.parse::<Unit>().unwrap().to_string(), text);
        }
        for text in ["", "user", "user:", "robot:1", "42", "user:a\nb"] {
            assert!(text.parse::<Unit>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_weight_above_all_is_none() {
        assert_eq!(Weight::ppm(1_000_001), None);
        assert_eq!(Weight::ppm(1_000_000), Some(Weight::ALL));
        assert!(!Weight::NONE.takes(Slot(0)));
        assert!(Weight::ALL.takes(Slot(SLOTS - 1)));
    }
}
