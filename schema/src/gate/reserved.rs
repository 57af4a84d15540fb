//! Numbers and names that a message or an enum promised never to use again.
//!
//! Old data and old peers may still hold what once stood there. Dropping the promise is told; breaking it,
//! by putting something new in the place, blocks.

use std::ops::Range;

use prost_reflect::{EnumDescriptor, MessageDescriptor};

use super::{Findings, Rule, Sides};

/// What is reserved. Numbers are wider than protobuf's, so that the end of a range always exists.
pub(super) struct Reserved {
    numbers: Vec<Range<i64>>,
    names: Vec<String>,
}

/// Something that stands in a place.
pub(super) struct Member {
    pub(super) number: i64,
    pub(super) name: String,
    /// As a proto file has it.
    pub(super) spelled: String,
}

impl Reserved {
    pub(super) fn of_message(message: &MessageDescriptor) -> Reserved {
        let numbers = message.reserved_ranges().map(|range| i64::from(range.start)..i64::from(range.end));
        Reserved { numbers: numbers.collect(), names: message.reserved_names().map(str::to_owned).collect() }
    }

    pub(super) fn of_enum(definition: &EnumDescriptor) -> Reserved {
        let numbers =
            definition.reserved_ranges().map(|range| i64::from(*range.start())..i64::from(*range.end()) + 1);
        Reserved {
            numbers: numbers.collect(),
            names: definition.reserved_names().map(str::to_owned).collect(),
        }
    }

    pub(super) fn has_number(&self, number: i64) -> bool {
        self.numbers.iter().any(|range| range.contains(&number))
    }

    pub(super) fn has_name(&self, name: &str) -> bool {
        self.names.iter().any(|reserved| reserved == name)
    }

    /// Whether every number of the range is in here, in however many pieces.
    fn has_all(&self, range: &Range<i64>) -> bool {
        let mut pieces: Vec<&Range<i64>> = self.numbers.iter().collect();
        pieces.sort_by_key(|piece| piece.start);
        let mut next = range.start;
        for piece in pieces {
            if piece.start <= next {
                next = next.max(piece.end);
            }
        }
        next >= range.end
    }

    /// Compares what was reserved with what is, and with what stands there now.
    pub(super) fn check(
        &self,
        new: &Reserved,
        now: &[Member],
        about: (Rule, &str),
        findings: &mut Findings<'_>,
    ) {
        let (dropped, proto) = about;
        let mut tell = |was: String, reused: Vec<&str>, kept: bool| {
            if !reused.is_empty() {
                findings.push(Rule::ReservedReused, Some(proto), &[], Sides::new(was, reused.join("; ")));
            } else if !kept {
                findings.push(dropped, Some(proto), &[], Sides::new(was, ""));
            }
        };
        for range in &self.numbers {
            let reused = now.iter().filter(|member| range.contains(&member.number));
            let was = match range.end - range.start {
                1 => format!("reserved {}", range.start),
                _ => format!("reserved {} to {}", range.start, range.end - 1),
            };
            tell(was, reused.map(|member| member.spelled.as_str()).collect(), new.has_all(range));
        }
        for name in &self.names {
            let reused = now.iter().filter(|member| member.name == *name);
            let reused = reused.map(|member| member.spelled.as_str()).collect();
            tell(format!("reserved {name:?}"), reused, new.has_name(name));
        }
    }
}
