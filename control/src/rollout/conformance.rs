//! Did a call go where the policy sends it, and may it be compared with others?
//!
//! Asked of each call that a policy with a candidate decided, by the gateway that made it, with what it wrote down:
//! the weight and the cap of its table, the caller's slot, the version's arm and the reason. A single call that
//! does not conform is a fault of the gateway, because the decision is a pure function; there is no sample and
//! no threshold.

use crate::policy::{Arm, Reason};
use crate::slot::{Slot, Weight};

/// A call as it was routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The weight of the candidate, by the table that routed it.
    pub weight: Weight,
    /// The frontend's cap.
    pub cap: Weight,
    /// The caller's slot; `None` for nobody who could be told apart.
    pub slot: Option<Slot>,
    /// Which of the two versions got it.
    pub arm: Arm,
    /// Why.
    pub reason: Reason,
}

/// Whether a call went where it should. Costs a few comparisons.
pub fn conforms(routed: &Routed) -> bool {
    let share = routed.weight.min(routed.cap);
    let tried = share > Weight::NONE;
    let below = routed.slot.is_some_and(|slot| share.takes(slot));
    match (routed.reason, routed.arm) {
        (Reason::Override, Arm::Stable | Arm::Candidate) | (Reason::Killed, Arm::Stable) => true,
        (Reason::Candidate, Arm::Candidate) => below,
        (Reason::Allowed, Arm::Candidate) => tried && routed.slot.is_some(),
        (Reason::Stable, Arm::Stable) => !tried || (routed.slot.is_some() && !below),
        (Reason::NoUnit, Arm::Stable) => tried && routed.slot.is_none(),
        // Whoever is on a list may have any slot, and is not known here.
        (Reason::Denied | Reason::FuseOpen | Reason::Cold | Reason::Fallback, Arm::Stable) => {
            tried && routed.slot.is_some()
        }
        (
            Reason::Stable
            | Reason::NoUnit
            | Reason::Denied
            | Reason::Killed
            | Reason::FuseOpen
            | Reason::Cold
            | Reason::Fallback,
            Arm::Candidate,
        )
        | (Reason::Candidate | Reason::Allowed, Arm::Stable) => false,
    }
}

/// For which version a call counts as evidence; for neither unless chance alone decided who got it. Callers without
/// an identity, those on lists and those who fell back to stable differ from the others by more than the version.
pub fn compared(routed: &Routed) -> Option<Arm> {
    let drawn = routed.slot.is_some() && routed.weight.min(routed.cap) > Weight::NONE;
    match routed.reason {
        Reason::Candidate | Reason::Stable => drawn.then_some(routed.arm),
        Reason::NoUnit
        | Reason::Denied
        | Reason::Allowed
        | Reason::Killed
        | Reason::FuseOpen
        | Reason::Cold
        | Reason::Fallback
        | Reason::Override => None,
    }
}
