//! What may an operation cost? The calls it will make, as far as its arguments tell.
//!
//! A fetch costs its RPC's cost for each call, and for each hundred items that its page arguments ask
//! for, whichever is more. How many keys a fetch gets follows from the lists they stand in: the page that
//! was asked for, or ten where nobody said. What is conditional counts. The sum saturates.

use super::Plan;
use super::fetch::{Call, Fetch, Page};
use super::select::LIST;

/// So many items cost as much as one more call.
const ITEMS_PER_CALL: u64 = 100;

impl Plan {
    /// The cost, given the whole numbers that variables have; a variable that has none says nothing.
    pub fn cost(&self, number: impl Fn(&str) -> Option<u64>) -> u64 {
        let page = |fetch: &Fetch| match &fetch.page {
            Page::Unknown => None,
            Page::Fixed(items) => Some(*items),
            Page::Variable(name) => number(name),
        };
        let mut keys = vec![1u64; self.fetches.len()];
        let mut cost = 0u64;
        for place in self.stages.iter().flat_map(|stage| &stage.waves).flatten().copied() {
            let fetch = &self.fetches[place];
            if !fetch.sources.is_empty() {
                let of = |source: &super::Source| {
                    let listed =
                        if source.paged { page(&self.fetches[source.fetch]).unwrap_or(LIST) } else { 1 };
                    keys[source.fetch].saturating_mul(listed).saturating_mul(source.times)
                };
                keys[place] = fetch.sources.iter().map(of).fold(0, u64::saturating_add);
            }
            let calls = match &fetch.call {
                Call::Once | Call::Stream => 1,
                Call::Keyed(keyed) => keys[place].div_ceil(u64::from(keyed.keys_max.max(1))),
            };
            let items = page(fetch).unwrap_or(0).saturating_mul(keys[place]);
            let weight = calls.max(items.div_ceil(ITEMS_PER_CALL));
            cost = cost.saturating_add(weight.saturating_mul(u64::from(fetch.rpc.cost)));
        }
        cost
    }
}
