//! The shape of an operation, taken from its document and the graph it was valid for.
//!
//! Every fragment is looked at once, so this takes time in proportion to the document. Documents have been
//! measured before, so their nesting is bounded. What the graph does not know is passed over: validation
//! is not done again here.

use std::collections::BTreeSet;

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{
    ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
    VariableDefinition,
};
use async_graphql_value::{ConstValue, Name as Word, Value, Variables};

use super::shape::{Shape, Use, source};
use crate::Supergraph;
use crate::diff::Coordinate;
use crate::graph::{Argument, Name, Resolve, RootKind, Type};

impl Shape {
    /// What the operations of a document use. Without variables, all that their types allow counts.
    pub fn of(
        name: impl Into<String>,
        document: &ExecutableDocument,
        variables: Option<&Variables>,
        graph: &Supergraph,
    ) -> Shape {
        let mut recorder = Recorder { document, graph, variables, uses: BTreeSet::new() };
        for (_, operation) in document.operations.iter() {
            recorder.operation(&operation.node);
        }
        for fragment in document.fragments.values() {
            let on = &fragment.node.type_condition.node.on.node;
            recorder.condition(on);
            recorder.selections(on, &fragment.node.selection_set.node);
        }
        recorder.variables();
        Shape { name: name.into(), uses: recorder.uses }
    }
}

struct Recorder<'a> {
    document: &'a ExecutableDocument,
    graph: &'a Supergraph,
    variables: Option<&'a Variables>,
    uses: BTreeSet<Use>,
}

impl<'a> Recorder<'a> {
    fn operation(&mut self, operation: &OperationDefinition) {
        let root = match operation.ty {
            OperationType::Query => RootKind::Query,
            OperationType::Mutation => RootKind::Mutation,
            OperationType::Subscription => RootKind::Subscription,
        };
        self.selections(root.as_str(), &operation.selection_set.node);
    }

    fn selections(&mut self, on: &str, selections: &SelectionSet) {
        for selection in &selections.items {
            match &selection.node {
                Selection::Field(field) => self.field(on, &field.node),
                // Fragments are looked at on their own: those that nobody spreads are not valid.
                Selection::FragmentSpread(_) => {}
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let on = condition.map_or(on, |condition| condition.node.on.node.as_str());
                    if condition.is_some() {
                        self.condition(on);
                    }
                    self.selections(on, &fragment.node.selection_set.node);
                }
            }
        }
    }

    fn condition(&mut self, on: &str) {
        if let Some(source) = self.graph.types.get(on).and_then(source) {
            self.uses.insert(Use::At(Coordinate::Type(source.clone())));
        }
    }

    fn field(&mut self, on: &str, selected: &Field) {
        let graph = self.graph;
        let Some(Type::Object(object)) = graph.types.get(on) else { return };
        let Some(field) = object.field(&selected.name.node) else { return };
        let owner: Name = match &field.resolve {
            Resolve::Root(_) => on.into(),
            Resolve::Extension(place) => match graph.extensions.get(*place) {
                Some(extension) => extension.what.entity.clone(),
                None => return,
            },
            Resolve::Read(_) | Resolve::Case(_) | Resolve::Choice(_) | Resolve::Edge(_) | Resolve::Ok => {
                object.source.clone()
            }
        };
        if let Resolve::Edge(edge) = &field.resolve {
            let message = graph.types.get(&edge.entity).and_then(source).unwrap_or(&edge.entity);
            self.uses.insert(Use::Load(message.clone()));
        }
        self.uses.insert(Use::At(Coordinate::Member(owner.clone(), field.name.clone())));
        for (name, value) in &selected.arguments {
            if let Some(argument) = field.arguments.iter().find(|argument| *argument.name == *name.node) {
                let at = Coordinate::Argument(owner.clone(), field.name.clone(), argument.name.clone());
                self.uses.insert(Use::At(at));
                self.value(argument.ty.core(), &value.node);
            }
        }
        self.selections(field.ty.core(), &selected.selection_set.node);
    }

    /// A value for a type, through any number of lists. Variables are looked at on their own.
    fn value(&mut self, ty: &str, value: &Value) {
        let graph = self.graph;
        match (graph.types.get(ty), value) {
            (_, Value::List(items)) => items.iter().for_each(|item| self.value(ty, item)),
            (Some(Type::Input(input)), Value::Object(members)) => {
                self.uses.insert(Use::At(Coordinate::Type(input.source.clone())));
                for (name, value) in members {
                    if let Some(field) = input.fields.iter().find(|field| *field.name == **name) {
                        self.member(&input.source, &field.name);
                        self.value(field.ty.core(), value);
                    }
                }
            }
            (Some(Type::Enum(definition)), Value::Enum(name)) => self.member(&definition.source, name),
            // In JSON a name is a string.
            (Some(Type::Enum(definition)), Value::String(name)) => self.member(&definition.source, name),
            _ => {}
        }
    }

    fn member(&mut self, source: &Name, name: &str) {
        self.uses.insert(Use::At(Coordinate::Member(source.clone(), name.into())));
    }

    fn variables(&mut self) {
        let document = self.document;
        for (_, operation) in document.operations.iter() {
            for Positioned { node: definition, .. } in &operation.node.variable_definitions {
                self.variable(definition);
            }
        }
    }

    fn variable(&mut self, definition: &VariableDefinition) {
        let mut ty = &definition.var_type.node.base;
        let ty = loop {
            match ty {
                async_graphql_parser::types::BaseType::Named(name) => break name.as_str(),
                async_graphql_parser::types::BaseType::List(inner) => ty = &inner.base,
            }
        };
        let default = definition.default_value.as_ref().map(|value| &value.node);
        match self.variables {
            None => self.everything(ty),
            Some(variables) => {
                let name: &Word = &definition.name.node;
                let given: Option<&ConstValue> = variables.get(name).or(default);
                if let Some(value) = given {
                    self.value(ty, &value.clone().into_value());
                }
            }
        }
    }

    /// All that could be sent for a type.
    fn everything(&mut self, ty: &str) {
        let graph = self.graph;
        let (mut rest, mut seen) = (vec![ty], BTreeSet::new());
        while let Some(name) = rest.pop() {
            match graph.types.get(name) {
                Some(Type::Input(input)) if seen.insert(name) => {
                    self.uses.insert(Use::At(Coordinate::Type(input.source.clone())));
                    for Argument { name, ty, .. } in &input.fields {
                        self.member(&input.source, name);
                        rest.push(ty.core());
                    }
                }
                Some(Type::Enum(definition)) if seen.insert(name) => {
                    for value in &definition.values {
                        self.member(&definition.source, &value.name);
                    }
                }
                _ => {}
            }
        }
    }
}
