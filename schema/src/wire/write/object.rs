//! An object: its response keys in order, each with its value.
//!
//! This is where most of the time goes. Names of the graph need no escaping, so a key is copied as it is.

use super::introspection;
use super::trail::Trail;
use super::{Miss, Outcome, Row, Why, Writer, text};
use crate::plan::{Inside, Member, Output, Shape, Turn, Value};
use crate::wire::index::Cell as Found;

impl<'a> Writer<'_, 'a> {
    /// Writes the object that a selection makes of a message.
    pub(super) fn object(&mut self, selection: usize, row: Row<'a>, trail: &Trail<'_>) -> Outcome {
        let plan = self.asked.plan;
        let Some(selection) = plan.selections.get(selection) else { return Err(Miss::Null(Why::Null)) };
        let mut before = b'{';
        for turn in &selection.turns {
            let Some(output) = selection.outputs.get(turn.output) else { continue };
            if !self.is_wanted(turn) {
                continue;
            }
            self.out.push(before);
            before = b',';
            self.out.extend_from_slice(&output.label);
            self.output(output, &selection.of, row, &trail.output(output))?;
        }
        if before == b'{' {
            self.out.push(before);
        }
        self.out.push(b'}');
        Ok(())
    }

    #[inline]
    fn is_wanted(&self, turn: &Turn) -> bool {
        let holds = self.asked.holds;
        holds.is(turn.when) && !(turn.unless.is_some() && holds.is(turn.unless))
    }

    /// Writes the value of a response key, or null where that may be.
    #[inline]
    fn output(&mut self, output: &'a Output, of: &str, row: Row<'a>, trail: &Trail<'_>) -> Outcome {
        let mark = self.out.len();
        match self.value(output, of, row, trail) {
            Ok(()) => self.measure(trail),
            // The usual null, of which nothing has been written.
            Err(Miss::Null(_)) if output.shape.is_nullable() && self.out.len() == mark => {
                self.out.extend_from_slice(b"null");
                self.measure(trail)
            }
            // Whoever was called for the value has sent it, and not who was called for what is around it.
            Err(miss) => self.settle(mark, output.shape.is_nullable(), miss, &source(&output.value, trail)),
        }
    }

    #[inline]
    fn value(&mut self, output: &'a Output, of: &str, row: Row<'a>, trail: &Trail<'_>) -> Outcome {
        match &output.value {
            Value::Cell(cell) => self.cell(cell, output.shape, row, trail),
            Value::Join(join) => self.join(join, output.shape, row, trail),
            Value::Call { fetch, answer } => self.call(*fetch, answer, output.shape, trail),
            Value::Choice(members) => self.choice(members, row, trail),
            Value::Case(members) => {
                let set = members.iter().find(|(slot, _)| row.cell(*slot) != Found::Absent);
                let (_, name) = set.ok_or(Miss::Null(Why::Null))?;
                text::plain(name, self.out);
                Ok(())
            }
            Value::Typename => {
                text::plain(of, self.out);
                Ok(())
            }
            Value::Ok => {
                self.out.extend_from_slice(b"true");
                Ok(())
            }
            Value::Introspection => introspection::write(self.asked.introspection, &output.key, self.out),
        }
    }

    /// Writes the member of a oneof that is set.
    fn choice(&mut self, members: &'a [Member], row: Row<'a>, trail: &Trail<'_>) -> Outcome {
        let set = members.iter().find(|member| row.cell(member.slot) != Found::Absent);
        let member = set.ok_or(Miss::Null(Why::Null))?;
        if member.wrapped {
            return self.object(member.selection, row, trail);
        }
        self.inside(Inside::Object(member.selection), &member.read, (row, row.cell(member.slot)), trail)
    }
}

/// Where the value of a response key comes from.
fn source<'t>(value: &Value, trail: &'t Trail<'t>) -> Trail<'t> {
    match value {
        Value::Join(join) => trail.fetch(join.fetch),
        Value::Call { fetch, .. } => trail.fetch(*fetch),
        Value::Cell(_)
        | Value::Choice(_)
        | Value::Case(_)
        | Value::Typename
        | Value::Ok
        | Value::Introspection => *trail,
    }
}

impl Shape {
    /// Whether null may stand in its place.
    #[inline]
    pub(super) fn is_nullable(self) -> bool {
        match self {
            Shape::One { nullable } | Shape::List { nullable, .. } => nullable,
        }
    }

    /// Whether null may stand among its items.
    pub(super) fn is_nullable_inside(self) -> bool {
        match self {
            Shape::One { .. } => false,
            Shape::List { items_nullable, .. } => items_nullable,
        }
    }
}
