//! How is an operation answered? Which RPCs are called, in which order, and what is written from what.
//!
//! A plan is made once per operation and graph and serves every request, whatever its variables are: they
//! are still variables in it. It needs neither the document nor, but for arguments, the graph any more.
//! The operation must be valid and measured. Whatever is not as it should be is an error here and never
//! a panic, and the work is bounded. Calling is `execute`'s business, bytes are `wire`'s.

mod build;
mod cache;
mod call;
mod collect;
mod condition;
mod cost;
mod error;
mod explain;
mod fetch;
mod outline;
mod select;
mod selection;
mod table;

#[cfg(test)]
mod tests;

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, VariableDefinition,
};
use async_graphql_value::ConstValue;

pub use cache::Cache;
pub use condition::{Condition, Conditions, Holds, Literal};
pub use error::Error;
pub use fetch::{Call, Fetch, Items, Keyed, Origin, Page, Source, Stage};
pub use selection::{Answer, Cell, Inside, Join, Member, Names, Output, Selection, Shape, Turn, Value};
pub use table::{Column, Table};

use crate::Supergraph;
use crate::graph::{Name, RootKind};
use crate::variables::Declaration;
use build::Builder;
use collect::Collector;

/// How an operation is answered.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it does.
    pub kind: RootKind,
    /// Its variables, to be coerced for each request.
    pub variables: Vec<Declaration>,
    /// The selection of its root.
    pub root: usize,
    /// What is written for each object.
    pub selections: Vec<Selection>,
    /// What is looked for in each message.
    pub tables: Vec<Table>,
    /// The names of the enums in it.
    pub names: Vec<Names>,
    /// When parts of it are wanted.
    pub conditions: Conditions,
    /// What is called.
    pub fetches: Vec<Fetch>,
    /// In which order. The stages of a mutation belong to its fields, in their order.
    pub stages: Vec<Stage>,
    /// The fields it uses, as type and name, sorted. `__typename` and introspection are none.
    pub coordinates: Vec<(Name, Name)>,
    /// The defaults of its variables that are true or false.
    defaults: Vec<(Name, bool)>,
    /// The services in it, by their places among the supergraph's members.
    services: Vec<(usize, Name)>,
}

/// Plans an operation of a document.
pub fn plan(
    supergraph: &Supergraph,
    document: &ExecutableDocument,
    operation_name: Option<&str>,
) -> Result<Plan, Vec<Error>> {
    let operation = operation(document, operation_name).map_err(|error| vec![error])?;
    let kind = match operation.node.ty {
        OperationType::Query => RootKind::Query,
        OperationType::Mutation => RootKind::Mutation,
        OperationType::Subscription => RootKind::Subscription,
    };
    let collector = Collector::new(&document.fragments, &supergraph.types);
    let mut builder = Builder::new(supergraph, collector);
    let definitions = &operation.node.variable_definitions;
    let variables = match Declaration::read(definitions, &supergraph.types) {
        Ok(variables) => Ok(variables),
        Err(errors) => builder.fail_all(errors.into_iter().map(Error::Value)),
    };
    let root = builder.root(kind, &operation.node.selection_set.node);
    match (root, variables) {
        (Ok(root), Ok(variables)) if builder.errors.is_empty() => {
            Ok(finish(builder, kind, root, variables, defaults(definitions)))
        }
        (Ok(_) | Err(_), Ok(_) | Err(_)) => Err(builder.errors),
    }
}

/// The operation that a request means.
fn operation<'d>(
    document: &'d ExecutableDocument,
    name: Option<&str>,
) -> Result<&'d Positioned<OperationDefinition>, Error> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(operation),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.values().next().ok_or(Error::NoChoice)
        }
        (DocumentOperations::Multiple(_), None) => Err(Error::NoChoice),
        (DocumentOperations::Single(_), Some(name)) => Err(Error::NoOperation(name.to_owned())),
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get(name).ok_or_else(|| Error::NoOperation(name.to_owned()))
        }
    }
}

/// The defaults that conditions may fall back to.
fn defaults(definitions: &[Positioned<VariableDefinition>]) -> Vec<(Name, bool)> {
    let default =
        |definition: &Positioned<VariableDefinition>| match definition.node.default_value.as_ref()?.node {
            ConstValue::Boolean(default) => Some((definition.node.name.node.as_str().into(), default)),
            _ => None,
        };
    definitions.iter().filter_map(default).collect()
}

fn finish(
    mut builder: Builder<'_>,
    kind: RootKind,
    root: usize,
    variables: Vec<Declaration>,
    defaults: Vec<(Name, bool)>,
) -> Plan {
    builder.settle();
    let stages = builder.stages();
    let member = |fetch: &Fetch| (fetch.member, service(builder.graph, fetch.member));
    let mut services: Vec<(usize, Name)> = builder.fetches.iter().map(member).collect();
    services.sort();
    services.dedup();
    Plan {
        kind,
        variables,
        root,
        selections: builder.selections,
        tables: builder.tables.into_all(),
        names: builder.names,
        conditions: builder.conditions,
        fetches: builder.fetches,
        stages,
        coordinates: builder.coordinates.into_iter().collect(),
        defaults,
        services,
    }
}

fn service(graph: &Supergraph, member: usize) -> Name {
    graph.members.get(member).map_or_else(|| "?".into(), |member| member.service.clone())
}

impl Plan {
    /// Which conditions hold, given the variables as they were coerced. A variable without a value has
    /// its default; the name of one that has neither is the error.
    pub fn holds(&self, value: impl Fn(&str) -> Option<bool>) -> Result<Holds, Name> {
        let default = |name: &str| {
            self.defaults.iter().find(|(declared, _)| **declared == *name).map(|(_, default)| *default)
        };
        self.conditions.evaluate(|name| value(name).or_else(|| default(name)))
    }

    /// The fields it uses, as type and name: for counting.
    pub fn coordinates(&self) -> impl Iterator<Item = (&str, &str)> {
        self.coordinates.iter().map(|(of, field)| (&**of, &**field))
    }

    /// The RPCs it calls, each once, with the member of the supergraph that is called: for counting.
    pub fn rpcs(&self) -> Vec<(usize, String)> {
        let mut all: Vec<(usize, String)> =
            self.fetches.iter().map(|fetch| (fetch.member, fetch.rpc.path())).collect();
        all.sort();
        all.dedup();
        all
    }

    fn service(&self, fetch: &Fetch) -> &str {
        let at = self.services.binary_search_by_key(&fetch.member, |(member, _)| *member);
        at.map_or("?", |at| &self.services[at].1)
    }
}
