//! A plan's answer as text: what is written under which key, and where it comes from.
//!
//! For tests, and for people who wonder about an answer. Fields of messages stand by their names in the
//! proto, other calls by those of `explain`.

use std::fmt::Write;

use super::Plan;
use super::selection::{Answer, Cell, Inside, Member, Turn, Value};

impl Plan {
    /// The answer of the plan, for people.
    pub fn outline(&self) -> String {
        let mut out = String::new();
        self.object(self.root, 0, &mut out);
        out.truncate(out.trim_end().len());
        out
    }

    fn object(&self, selection: usize, depth: usize, out: &mut String) {
        for turn in &self.selections[selection].turns {
            self.turn(selection, *turn, depth, out);
        }
    }

    fn turn(&self, selection: usize, turn: Turn, depth: usize, out: &mut String) {
        let output = &self.selections[selection].outputs[turn.output];
        let _ = write!(out, "{:1$}{2} = ", "", depth * 2, output.key);
        let below = match &output.value {
            Value::Typename => {
                let _ = write!(out, "\"{}\"", self.selections[selection].of);
                None
            }
            Value::Ok => {
                out.push_str("true");
                None
            }
            Value::Introspection => {
                out.push_str(&output.field);
                None
            }
            Value::Cell(cell) => write_cell(cell, out),
            Value::Case(cases) => {
                let names: Vec<&str> = cases.iter().map(|(_, name)| &**name).collect();
                let _ = write!(out, "case of {}", names.join(", "));
                None
            }
            Value::Choice(_) => {
                out.push_str("one of");
                None
            }
            Value::Join(join) => {
                let _ = write!(out, "{} by {}", self.label(join.fetch), join.key.name);
                self.answer(&join.answer, out)
            }
            Value::Call { fetch, answer } => {
                out.push_str(&self.label(*fetch));
                self.answer(answer, out)
            }
        };
        self.conditions(turn, out);
        out.push('\n');
        if let Value::Choice(members) = &output.value {
            for member in members {
                self.member(member, depth + 1, out);
            }
        }
        if let Some(below) = below {
            self.object(below, depth + 1, out);
        }
    }

    fn conditions(&self, turn: Turn, out: &mut String) {
        for (word, condition) in [("if", turn.when), ("unless", turn.unless)] {
            if let Some(condition) = condition.and_then(|place| self.conditions.get(place)) {
                let _ = write!(out, " {word} {condition}");
            }
        }
    }

    fn answer(&self, answer: &Answer, out: &mut String) -> Option<usize> {
        match answer {
            Answer::Message(selection) | Answer::Item(selection) => Some(*selection),
            Answer::Items(selection) => {
                out.push_str(", all");
                Some(*selection)
            }
            Answer::Field(cell) => {
                out.push_str(" . ");
                write_cell(cell, out)
            }
        }
    }

    fn member(&self, member: &Member, depth: usize, out: &mut String) {
        let of = &self.selections[member.selection].of;
        let _ = writeln!(out, "{:1$}{2}: {of}", "", depth * 2, member.read.name);
        self.object(member.selection, depth + 1, out);
    }
}

fn write_cell(cell: &Cell, out: &mut String) -> Option<usize> {
    out.push_str(&cell.read.name);
    match cell.inside {
        Inside::Leaf | Inside::Enum(_) => None,
        Inside::Object(selection) | Inside::Entries { selection, .. } => Some(selection),
    }
}
