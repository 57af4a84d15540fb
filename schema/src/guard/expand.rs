//! What a document comes to with its fragments written out, without writing them out.
//!
//! Each fragment is measured once, after those it spreads, so the work is proportional to the text however
//! often fragments multiply each other; numbers stop at the largest there is. A fragment that no operation
//! reaches is measured like an operation: validators walk it all the same. A spread of an unknown fragment
//! adds nothing. Of two fragments with one name the later one is meant; no parser lets them pass.

use std::collections::BTreeMap;

use super::outline::{Counts, Definition};

/// Fragments that spread each other: places in the list of definitions, each spreading the next and the
/// last the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cycle(pub(super) Vec<usize>);

/// Sums up a document.
pub(super) fn expand(definitions: &[Definition<'_>]) -> Result<Counts, Cycle> {
    let targets = targets(definitions);
    let totals = totals(definitions, &targets)?;
    let roots = roots(definitions, &targets);
    let mut sum = Counts::default();
    for (total, _) in totals.iter().zip(roots).filter(|(_, root)| *root) {
        sum.include(total, 0, 0);
    }
    Ok(sum)
}

impl Counts {
    /// Adds what stands at a place with so many fields and selection sets around it.
    fn include(&mut self, inner: &Counts, depth: usize, levels: usize) {
        self.depth = self.depth.max(inner.depth.saturating_add(depth));
        self.levels = self.levels.max(inner.levels.saturating_add(levels));
        self.selections = self.selections.saturating_add(inner.selections);
        self.aliases = self.aliases.saturating_add(inner.aliases);
        self.directives = self.directives.saturating_add(inner.directives);
    }
}

/// Which definition each spread of each definition means.
fn targets(definitions: &[Definition<'_>]) -> Vec<Vec<Option<usize>>> {
    let named = definitions.iter().enumerate();
    let named: BTreeMap<&str, usize> =
        named.filter_map(|(index, definition)| Some((definition.fragment?, index))).collect();
    let target = |definition: &Definition<'_>| {
        definition.spreads.iter().map(|spread| named.get(spread.name).copied()).collect()
    };
    definitions.iter().map(target).collect()
}

/// What each definition comes to. Whoever waits for nobody is summed up and told to those who wait for it.
fn totals(definitions: &[Definition<'_>], targets: &[Vec<Option<usize>>]) -> Result<Vec<Counts>, Cycle> {
    let mut waiting: Vec<usize> = targets.iter().map(|targets| targets.iter().flatten().count()).collect();
    let mut users = vec![Vec::new(); definitions.len()];
    for (user, targets) in targets.iter().enumerate() {
        targets.iter().flatten().for_each(|target| users[*target].push(user));
    }
    let mut totals: Vec<Counts> = definitions.iter().map(|definition| definition.counts).collect();
    let mut ready: Vec<usize> = (0..definitions.len()).filter(|index| waiting[*index] == 0).collect();
    while let Some(index) = ready.pop() {
        let mut total = totals[index];
        for (spread, target) in definitions[index].spreads.iter().zip(&targets[index]) {
            if let Some(target) = target {
                total.include(&totals[*target], spread.depth, spread.levels);
            }
        }
        totals[index] = total;
        for user in &users[index] {
            waiting[*user] -= 1;
            if waiting[*user] == 0 {
                ready.push(*user);
            }
        }
    }
    match waiting.iter().position(|count| *count > 0) {
        None => Ok(totals),
        Some(start) => Err(cycle(start, targets, &waiting)),
    }
}

/// Whoever still waits, waits for somebody who does: that way leads into a circle.
fn cycle(start: usize, targets: &[Vec<Option<usize>>], waiting: &[usize]) -> Cycle {
    let mut path = vec![start];
    let mut places = BTreeMap::from([(start, 0)]);
    while let Some(last) = path.last() {
        let next = targets[*last].iter().flatten().find(|target| waiting[**target] > 0);
        let Some(next) = next.copied() else { break };
        if let Some(place) = places.insert(next, path.len()) {
            return Cycle(path.split_off(place));
        }
        path.push(next);
    }
    Cycle(path)
}

/// Operations, and what none of them reaches.
fn roots(definitions: &[Definition<'_>], targets: &[Vec<Option<usize>>]) -> Vec<bool> {
    let mut reached: Vec<bool> = vec![false; definitions.len()];
    let mut visit: Vec<usize> = Vec::new();
    visit.extend((0..definitions.len()).filter(|index| definitions[*index].fragment.is_none()));
    while let Some(index) = visit.pop() {
        for target in targets[index].iter().flatten() {
            if !std::mem::replace(&mut reached[*target], true) {
                visit.push(*target);
            }
        }
    }
    reached.into_iter().map(|reached| !reached).collect()
}
