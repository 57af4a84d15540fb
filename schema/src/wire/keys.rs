//! Which keys does the next wave need, and which item of a response is whose?
//!
//! Keys are walked for from the root of a plan through everything that was brought, obeying `@skip` and
//! `@include` as the writer will, so that nothing is asked for that will not be written. A key is brought into
//! the form that the request takes before it is compared with another: an order may hold as text what a
//! user has as a number. One that the request has no room for is nobody's key and is left out.

use super::answers::{Answers, Found, Held, Place};
use super::index::Response;
use super::key::Key;
use crate::graph::Read;
use crate::plan::{Holds, Keyed, Plan};

/// The keys that the fetches of one wave need: for each fetch in the wave, each key once, in the order in
/// which they are met. A fetch without keys is not called.
pub fn collect(
    plan: &Plan,
    holds: &Holds,
    answers: &Answers,
    stage: usize,
    wave: usize,
) -> Vec<(usize, Vec<Held>)> {
    let _ = (plan, holds, answers, stage, wave);
    Vec::new()
}

/// Which key each item of a batch's response has: only keys that were asked for are in it.
pub fn matched(keyed: &Keyed, keys: &[Held], place: Place, response: &Response) -> Vec<(Held, Found)> {
    let _ = (keyed, keys, place, response);
    Vec::new()
}

/// A key in the form that a request field takes; `None` when it has no room for it.
pub fn normal<'k>(field: &Read, key: Key<'k>) -> Option<std::borrow::Cow<'k, Held>> {
    let _ = (field, key);
    None
}
