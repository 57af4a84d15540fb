//! What a request gives to its plan: the values of its variables, and what they switch on and off.
//!
//! An operation whose variables are wrong is refused as a whole and calls nobody.

use std::cell::Cell;

use async_graphql::Variables as Given;
use async_graphql_value::ConstValue;
use turnout_schema::dynamic::Unanswered;
use turnout_schema::plan::Holds;
use turnout_schema::variables::{self, Variables};

use super::fault::Fault;
use super::run::Operation;

/// An operation that may run.
#[derive(Clone, Debug)]
pub(super) struct Admitted<'a> {
    /// The values of its variables.
    pub(super) variables: Variables<'a>,
    /// Which conditions of the plan hold.
    pub(super) holds: Holds,
}

impl<'a> Admitted<'a> {
    /// Reads the variables of an operation; or everything that is wrong with them.
    pub(super) fn read(operation: &Operation<'a>) -> Result<Admitted<'a>, Vec<Fault>> {
        let plan = &operation.prepared.plan;
        let types = &operation.view.graph.supergraph().types;
        let variables = Variables::read(operation.variables, &plan.variables, types)
            .map_err(|errors| errors.iter().map(Fault::from).collect::<Vec<_>>())?;
        // A variable with a default may still be given as null, and then the default does not count.
        let is_null = Cell::new(false);
        let value = |name: &str| {
            let value = variables.boolean(name);
            is_null.set(is_null.get() || value.is_none());
            value
        };
        match plan.holds(value) {
            Ok(holds) if !is_null.get() => Ok(Admitted { variables, holds }),
            Ok(_) | Err(_) => Err(vec![Fault::new(
                variables::error::CODE,
                "Argument \"if\" of non-null type \"Boolean!\" must not be null.",
            )]),
        }
    }
}

/// What the graph says about itself, when the operation asks that.
pub(super) fn introspect(operation: &Operation<'_>) -> Result<Option<ConstValue>, Unanswered> {
    let Some(document) = &operation.prepared.document else { return Ok(None) };
    let variables = match operation.variables.trim_ascii() {
        "" => Given::default(),
        text => Given::from_json(
            serde_json::from_str(text).map_err(|error| Unanswered::Failed(error.to_string()))?,
        ),
    };
    let introspection = operation.view.graph.introspection();
    introspection.answer(document, operation.operation_name, variables).map(Some)
}
