//! The rules about variables: each defined once, used, and used only where its type fits.
//!
//! A fragment's uses count for every operation that reaches it.

use std::collections::HashSet;

use async_graphql_parser::types::{ExecutableDocument, OperationDefinition, VariableDefinition};
use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::ConstValue;

use super::Error;
use super::catalog::type_ref;
use super::fragments::reached;
use super::values::Use;
use super::walk::{Definition, Scopes};
use crate::graph::TypeRef;

/// Judges the variables of all operations.
pub(super) fn check(document: &ExecutableDocument, scopes: &Scopes<'_>, errors: &mut Vec<Error>) {
    for (name, operation) in document.operations.iter() {
        let name = name.map(|name| name.as_str());
        let definitions = reached(Definition::Operation(name), scopes);
        let uses = definitions.iter().filter_map(|definition| scopes.get(definition));
        let uses: Vec<&Use<'_>> = uses.flat_map(|scope| &scope.uses).collect();
        check_operation((name, operation), &uses, errors);
    }
}

fn check_operation(
    (name, operation): (Option<&str>, &Positioned<OperationDefinition>),
    uses: &[&Use<'_>],
    errors: &mut Vec<Error>,
) {
    let definitions = &operation.node.variable_definitions;
    let mut defined = HashSet::new();
    for definition in definitions {
        let variable = &definition.node.name;
        if !defined.insert(variable.node.as_str()) {
            let message = format!("There can be only one variable named \"${}\".", variable.node);
            errors.push(Error::invalid(message, [variable.pos]));
        }
        if !uses.iter().any(|used| used.variable == variable.node) {
            let message = format!("Variable \"${}\" is never used{}.", variable.node, within(name));
            errors.push(Error::invalid(message, [definition.pos]));
        }
    }
    for used in uses {
        match definitions.iter().find(|definition| definition.node.name.node == used.variable) {
            None => {
                let by = name.map_or(String::new(), |name| format!(" by operation \"{name}\""));
                let message = format!("Variable \"${}\" is not defined{by}.", used.variable);
                errors.push(Error::invalid(message, [used.at, operation.pos]));
            }
            Some(definition) => errors.extend(misplaced(definition, used)),
        }
    }
}

fn within(operation: Option<&str>) -> String {
    operation.map_or(String::new(), |name| format!(" in operation \"{name}\""))
}

/// Why a variable does not fit its place, if so.
fn misplaced(definition: &Positioned<VariableDefinition>, used: &Use<'_>) -> Option<Error> {
    let expected = used.expected.as_ref()?;
    let ty = type_ref(&definition.node.var_type.node);
    let default = definition.node.default_value.as_ref().map(|value| &value.node);
    let is_never_null = default.is_some_and(|value| *value != ConstValue::Null) || used.has_default;
    let fits = match expected {
        // Null can then only come from the caller's own hand, which is told when values are read.
        TypeRef::NonNull(inner) if !ty.is_non_null() => is_never_null && is_subtype(&ty, inner),
        _ => is_subtype(&ty, expected),
    };
    let places: [Pos; 2] = [definition.pos, used.at];
    (!fits).then(|| {
        let name = &definition.node.name.node;
        let message =
            format!("Variable \"${name}\" of type \"{ty}\" used in position expecting type \"{expected}\".");
        Error::invalid(message, places)
    })
}

/// Whether all values of `ty` are of type `of` too.
fn is_subtype(ty: &TypeRef, of: &TypeRef) -> bool {
    match (ty, of) {
        (TypeRef::NonNull(ty), TypeRef::NonNull(of)) => is_subtype(ty, of),
        (TypeRef::NonNull(ty), _) => is_subtype(ty, of),
        (TypeRef::List(ty), TypeRef::List(of)) => is_subtype(ty, of),
        (TypeRef::Named(ty), TypeRef::Named(of)) => ty == of,
        (TypeRef::List(_) | TypeRef::Named(_), _) => false,
    }
}
