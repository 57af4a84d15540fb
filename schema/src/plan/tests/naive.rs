//! What an operation writes, by the specification's own algorithm and by a plan, in one form: the keys in
//! their order, and what is inside.

use std::collections::HashSet;

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{Directive, ExecutableDocument, Field, Selection, SelectionSet};
use async_graphql_value::Value as Literal;
use indexmap::IndexMap;

use super::super::{Answer, Holds, Inside, Plan, Value};
use crate::Supergraph;
use crate::graph::Type;

/// The specification's CollectFields, with nothing added.
pub(super) struct Naive<'d> {
    pub(super) graph: &'d Supergraph,
    pub(super) document: &'d ExecutableDocument,
    /// Of the variables `$a` and `$b`.
    pub(super) values: (bool, bool),
}

impl<'d> Naive<'d> {
    pub(super) fn object(&self, of: &str, sets: &[&'d SelectionSet]) -> String {
        let (mut groups, mut visited) = (IndexMap::new(), HashSet::new());
        for set in sets {
            self.collect(of, set, &mut groups, &mut visited);
        }
        let text = |(key, fields): (&&str, &Vec<&'d Field>)| format!("{key}{}", self.value(of, fields));
        groups.iter().map(text).collect::<Vec<_>>().join(" ")
    }

    fn value(&self, of: &str, fields: &[&'d Field]) -> String {
        let name = &fields[0].name.node;
        let Some(Type::Object(object)) = self.graph.types.get(of) else { panic!("{of}") };
        let Some(field) = object.field(name) else { return String::new() };
        let sets: Vec<&SelectionSet> = fields.iter().map(|field| &field.selection_set.node).collect();
        match self.graph.types.get(field.ty.core()) {
            Some(Type::Object(_)) => format!("{{{}}}", self.object(field.ty.core(), &sets)),
            Some(Type::Union(union)) => {
                let member = |of: &crate::graph::Name| format!("{of}{{{}}}", self.object(of, &sets));
                format!("<{}>", union.members.iter().map(member).collect::<Vec<_>>().join("|"))
            }
            _ => String::new(),
        }
    }

    fn collect(
        &self,
        of: &str,
        set: &'d SelectionSet,
        groups: &mut IndexMap<&'d str, Vec<&'d Field>>,
        visited: &mut HashSet<&'d str>,
    ) {
        for selection in &set.items {
            if !self.wanted(selection.node.directives()) {
                continue;
            }
            match &selection.node {
                Selection::Field(field) => {
                    groups.entry(field.node.response_key().node.as_str()).or_default().push(&field.node);
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if visited.insert(name.as_str()) {
                        let fragment = &self.document.fragments[name].node;
                        if self.applies(of, &fragment.type_condition.node.on.node) {
                            self.collect(of, &fragment.selection_set.node, groups, visited);
                        }
                    }
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    if on.is_none_or(|on| self.applies(of, &on.node.on.node)) {
                        self.collect(of, &inline.node.selection_set.node, groups, visited);
                    }
                }
            }
        }
    }

    fn applies(&self, of: &str, on: &str) -> bool {
        of == on
            || matches!(self.graph.types.get(on), Some(Type::Union(union)) if union.members.iter().any(|member| &**member == of))
    }

    fn wanted(&self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().all(|directive| {
            let value = match &directive.node.get_argument("if").unwrap().node {
                Literal::Boolean(value) => *value,
                Literal::Variable(name) if name.as_str() == "a" => self.values.0,
                _ => self.values.1,
            };
            value == (directive.node.name.node.as_str() == "include")
        })
    }
}

/// The same from a plan.
pub(super) fn written(plan: &Plan, selection: usize, holds: &Holds) -> String {
    let selection = &plan.selections[selection];
    let turns = selection
        .turns
        .iter()
        .filter(|turn| holds.is(turn.when) && !(turn.unless.is_some() && holds.is(turn.unless)));
    let object = |selection: usize| format!("{{{}}}", written(plan, selection, holds));
    let inside = |inside: Inside| match inside {
        Inside::Object(selection) | Inside::Entries { selection, .. } => object(selection),
        Inside::Leaf | Inside::Enum(_) => String::new(),
    };
    let answer = |answer: &Answer| match answer {
        Answer::Message(selection) | Answer::Item(selection) | Answer::Items(selection) => object(*selection),
        Answer::Field(cell) => inside(cell.inside),
    };
    let text = |value: &Value| match value {
        Value::Cell(cell) => inside(cell.inside),
        Value::Call { answer: of, .. } => answer(of),
        Value::Join(join) => answer(&join.answer),
        Value::Choice(members) => {
            let member = |member: &super::super::Member| {
                format!("{}{}", plan.selections[member.selection].of, object(member.selection))
            };
            format!("<{}>", members.iter().map(member).collect::<Vec<_>>().join("|"))
        }
        Value::Typename | Value::Ok | Value::Introspection | Value::Case(_) => String::new(),
    };
    turns
        .map(|turn| &selection.outputs[turn.output])
        .map(|output| format!("{}{}", output.key, text(&output.value)))
        .collect::<Vec<_>>()
        .join(" ")
}
