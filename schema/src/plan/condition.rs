//! When is a part of an answer wanted? `@skip` and `@include` over variables, as values.
//!
//! One plan serves all values of the variables. So a directive is not obeyed when planning: what it says
//! becomes a condition, of which each request finds out once whether it holds. A field that is reached on
//! several ways is wanted when one of the ways is open: a condition is a disjunction of conjunctions.
//! Conditions with constants never get here; what is never wanted is not in a plan.

use std::collections::BTreeMap;
use std::fmt;

use crate::graph::Name;

/// A variable, and the value it must have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Literal {
    /// The variable's name, without the `$`.
    pub variable: Name,
    /// What it must be.
    pub is: bool,
}

/// Literals that must all hold, each variable once, sorted. None: it always holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct All(Vec<Literal>);

impl All {
    /// Both this and one more; `None` when that can never be.
    pub(super) fn and(&self, literal: Literal) -> Option<All> {
        match self.0.binary_search_by(|known| known.variable.cmp(&literal.variable)) {
            Ok(at) => (self.0[at].is == literal.is).then(|| self.clone()),
            Err(at) => {
                let mut all = self.clone();
                all.0.insert(at, literal);
                Some(all)
            }
        }
    }

    /// Whether the other holds whenever this does.
    pub(super) fn implies(&self, other: &All) -> bool {
        other.0.len() <= self.0.len() && other.0.iter().all(|literal| self.0.binary_search(literal).is_ok())
    }

    /// What both demand.
    pub(super) fn common(&self, other: &All) -> All {
        All(self.0.iter().filter(|literal| other.0.binary_search(literal).is_ok()).cloned().collect())
    }

    /// What this demands beyond the other.
    pub(super) fn beyond(&self, other: &All) -> All {
        All(self.0.iter().filter(|literal| other.0.binary_search(literal).is_err()).cloned().collect())
    }
}

/// Some conjunctions, of which one must hold. None of them implies another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition(Vec<All>);

impl Condition {
    /// The conjunctions.
    pub fn any(&self) -> impl Iterator<Item = &[Literal]> {
        self.0.iter().map(|all| all.0.as_slice())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, all) in self.0.iter().enumerate() {
            let text: Vec<String> = all
                .0
                .iter()
                .map(|literal| format!("{}${}", if literal.is { "" } else { "not " }, literal.variable))
                .collect();
            write!(f, "{}{}", if at == 0 { "" } else { " or " }, text.join(" and "))?;
        }
        Ok(())
    }
}

/// The conditions of a plan, each once.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    all: Vec<Condition>,
    places: BTreeMap<Condition, usize>,
}

impl Conditions {
    /// The condition at a place.
    pub fn get(&self, place: usize) -> Option<&Condition> {
        self.all.get(place)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Every condition, in order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.all.iter()
    }

    /// The place of a disjunction; `None` when it always holds.
    pub(super) fn place<'a>(&mut self, any: impl Iterator<Item = &'a All>) -> Option<usize> {
        let mut least: Vec<All> = Vec::new();
        for all in any {
            if least.iter().any(|known| all.implies(known)) {
                continue;
            }
            least.retain(|known| !known.implies(all));
            least.push(all.clone());
        }
        if least.iter().any(|all| all.0.is_empty()) {
            return None;
        }
        least.sort();
        let condition = Condition(least);
        let next = self.all.len();
        let place = *self.places.entry(condition.clone()).or_insert(next);
        if place == next {
            self.all.push(condition);
        }
        Some(place)
    }

    /// Which of them hold for these values; the name of a variable that has none.
    pub(super) fn evaluate(&self, value: impl Fn(&str) -> Option<bool>) -> Result<Holds, Name> {
        let holds = |literal: &Literal| match value(&literal.variable) {
            Some(value) => Ok(value == literal.is),
            None => Err(literal.variable.clone()),
        };
        let mut all = Vec::with_capacity(self.all.len());
        for condition in &self.all {
            let mut one = false;
            for conjunction in condition.any() {
                let mut every = true;
                for literal in conjunction {
                    every &= holds(literal)?;
                }
                one |= every;
            }
            all.push(one);
        }
        Ok(Holds(all))
    }
}

/// Which conditions of a plan hold for one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds(Vec<bool>);

impl Holds {
    /// Whether a condition holds; none always does.
    pub fn is(&self, condition: Option<usize>) -> bool {
        condition.is_none_or(|place| self.0.get(place).copied().unwrap_or(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(literals: &[(&str, bool)]) -> All {
        literals.iter().fold(All::default(), |all, (variable, is)| {
            all.and(Literal { variable: (*variable).into(), is: *is }).unwrap()
        })
    }

    fn text(any: &[All]) -> String {
        let mut conditions = Conditions::default();
        let place = conditions.place(any.iter());
        place.map_or("always".to_owned(), |place| conditions.get(place).unwrap().to_string())
    }

    #[test]
    fn ways_that_another_way_covers_are_left_out() {
        let (a, b, ab) = (all(&[("a", true)]), all(&[("b", false)]), all(&[("b", false), ("a", true)]));
        assert_eq!(text(std::slice::from_ref(&ab)), "$a and not $b");
        assert_eq!(text(&[ab.clone(), a.clone()]), "$a");
        assert_eq!(text(&[a.clone(), ab, b.clone()]), "$a or not $b");
        assert_eq!(text(&[a, All::default(), b]), "always");
    }

    #[test]
    fn what_can_never_hold_is_nothing() {
        assert_eq!(all(&[("a", true)]).and(Literal { variable: "a".into(), is: false }), None);
    }

    #[test]
    fn a_condition_has_one_place() {
        let mut conditions = Conditions::default();
        let (a, b) = (all(&[("a", true)]), all(&[("b", true)]));
        assert_eq!(conditions.place([&a, &b].into_iter()), Some(0));
        assert_eq!(conditions.place([&a].into_iter()), Some(1));
        assert_eq!(conditions.place([&b, &a].into_iter()), Some(0));
        assert_eq!(conditions.len(), 2);
    }

    #[test]
    fn values_decide_and_a_missing_one_is_named() {
        let mut conditions = Conditions::default();
        conditions.place([&all(&[("a", true), ("b", false)]), &all(&[("c", true)])].into_iter());
        for (a, b, c, expected) in [
            (true, false, false, true),
            (true, true, false, false),
            (false, false, false, false),
            (false, true, true, true),
        ] {
            let value = |name: &str| {
                Some(if name == "a" {
                    a
                } else if name == "b" {
                    b
                } else {
                    c
                })
            };
            assert_eq!(conditions.evaluate(value).unwrap().is(Some(0)), expected, "{a} {b} {c}");
        }
        assert_eq!(conditions.evaluate(|name| (name != "b").then_some(false)), Err("b".into()));
        assert!(Holds::default().is(None));
    }
}
