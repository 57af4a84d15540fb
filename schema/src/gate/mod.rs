//! Whether a new version of a service can stand in for an old one, for everybody who uses the old one.
//!
//! While a candidate runs beside the stable version, the plans made for the stable one are executed by
//! both. So the descriptors must agree wherever the graph looks (rules about bytes and RPCs), and what the
//! graph promises must still be kept when the candidate becomes the stable one (rules about the graph).
//! Taking something away blocks only when a recorded operation uses it.
//!
//! The gate judges descriptors. It cannot see that data written by the new version is unreadable for the
//! old one, and it does not decide who may route where.

mod calls;
mod exposed;
mod fields;
mod promise;
mod record;
mod reserved;
mod rule;
mod shape;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use rule::Rule;
pub use shape::{Shape, Use};

use crate::diff::Coordinate;
use crate::{Descriptors, Subgraph};
use exposed::{Exposed, Place};
use rule::Weight;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know before traffic moves.
    Warn,
    /// The new version must not stand in for the old one.
    Block,
}

impl Severity {
    /// The word that people and machines read.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Warn => "warn",
            Severity::Block => "block",
        }
    }
}

/// A rule that is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule. It also says what would mend it.
    pub rule: Rule,
    /// How bad it is here.
    pub severity: Severity,
    /// The full protobuf name it is about; none when only the graph differs.
    pub proto: Option<String>,
    /// The places of the graph it is about, under the names that the old version gives them.
    pub graph: Vec<Coordinate>,
    /// How it was. Empty when there was nothing.
    pub old: String,
    /// How it is. Empty when there is nothing.
    pub new: String,
}

/// A recorded operation that the new version cannot answer as the old one does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenShape {
    /// Its name.
    pub shape: String,
    /// By what.
    pub by: Vec<Coordinate>,
}

/// What the gate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether the new version can stand in for the old one.
    pub drop_in: bool,
    /// The rules that are not kept, the worst first, then by name.
    pub findings: Vec<Finding>,
    /// The recorded operations that would break, in the order they were given.
    pub broken_shapes: Vec<BrokenShape>,
}

/// Compares two versions of a service, and replays recorded operations against the new one.
pub fn gate(old: (&Descriptors, &Subgraph), new: (&Descriptors, &Subgraph), shapes: &[Shape]) -> Report {
    let mut findings = Findings { shapes, found: Vec::new(), broken: BTreeMap::new() };
    let exposed = Exposed::of(old.1);
    let pools = (old.0.pool(), new.0.pool());
    calls::check(&exposed, pools, &mut findings);
    fields::check(&exposed, pools, &mut findings);
    values::check(&exposed, pools, &mut findings);
    promise::check(old.1, new.1, &mut findings);
    findings.report()
}

/// The findings so far, and the operations they break.
struct Findings<'a> {
    shapes: &'a [Shape],
    found: Vec<Finding>,
    broken: BTreeMap<usize, BTreeSet<Coordinate>>,
}

/// How something was and how it is.
struct Sides {
    old: String,
    new: String,
}

impl Sides {
    fn new(old: impl Into<String>, new: impl Into<String>) -> Sides {
        Sides { old: old.into(), new: new.into() }
    }
}

impl Findings<'_> {
    /// Adds a finding; how bad it is follows from the rule and from who uses the places.
    fn push(&mut self, rule: Rule, proto: Option<&str>, places: &[Place], sides: Sides) {
        let severity = self.severity(rule, places);
        if severity == Severity::Block {
            for place in places {
                for (at, shape) in self.shapes.iter().enumerate() {
                    if shape.is_touched(&place.touch) {
                        self.broken.entry(at).or_default().insert(place.graph.clone());
                    }
                }
            }
        }
        let graph: BTreeSet<Coordinate> = places.iter().map(|place| place.graph.clone()).collect();
        self.found.push(Finding {
            rule,
            severity,
            proto: proto.map(str::to_owned),
            graph: graph.into_iter().collect(),
            old: sides.old,
            new: sides.new,
        });
    }

    fn severity(&self, rule: Rule, places: &[Place]) -> Severity {
        let used =
            || places.iter().any(|place| self.shapes.iter().any(|shape| shape.is_touched(&place.touch)));
        match rule.weight() {
            Weight::Block => Severity::Block,
            Weight::BlockIfUsed if used() => Severity::Block,
            Weight::BlockIfUsed | Weight::Warn => Severity::Warn,
        }
    }

    /// Whether this place already has a finding at least as bad.
    fn covers(&self, at: &Coordinate, severity: Severity) -> bool {
        self.found.iter().any(|finding| finding.severity >= severity && finding.graph.contains(at))
    }

    fn report(self) -> Report {
        let Findings { shapes, mut found, broken } = self;
        found.sort_by(|one, other| {
            let key =
                |finding: &Finding| (finding.proto.is_none(), finding.proto.clone(), finding.graph.clone());
            other
                .severity
                .cmp(&one.severity)
                .then_with(|| (key(one), one.rule).cmp(&(key(other), other.rule)))
        });
        let broken_shapes = broken
            .into_iter()
            .map(|(at, by)| BrokenShape { shape: shapes[at].name.clone(), by: by.into_iter().collect() });
        Report {
            drop_in: found.iter().all(|finding| finding.severity == Severity::Warn),
            broken_shapes: broken_shapes.collect(),
            findings: found,
        }
    }
}

impl fmt::Display for Finding {
    /// A line with the rule and the names, and one each for both sides and for what would mend it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.severity.as_str(), self.rule.id())?;
        if let Some(proto) = &self.proto {
            write!(f, " {proto}")?;
        }
        let places: Vec<String> = self.graph.iter().map(Coordinate::to_string).collect();
        match (places.is_empty(), self.proto.is_some()) {
            (true, _) => {}
            (false, true) => write!(f, " ({})", places.join(", "))?,
            (false, false) => write!(f, " {}", places.join(", "))?,
        }
        for (word, side) in [("was ", &self.old), ("is  ", &self.new)] {
            if !side.is_empty() {
                write!(f, "\n  {word} {side}")?;
            }
        }
        write!(f, "\n  mend {}", self.rule.mend())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = self.findings.iter().filter(|finding| finding.severity == Severity::Block).count();
        let verdict = if self.drop_in { "a drop-in" } else { "no drop-in" };
        writeln!(f, "{verdict}: {blocks} to mend, {} to know", self.findings.len() - blocks)?;
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        for BrokenShape { shape, by } in &self.broken_shapes {
            let by: Vec<String> = by.iter().map(Coordinate::to_string).collect();
            writeln!(f, "breaks {shape} by {}", by.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
