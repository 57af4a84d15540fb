//! The rules about one place of a document: is there such a field, may it have arguments, directives and a
//! selection here, can this fragment apply?
//!
//! One walk over every operation and fragment, each once. On its way it notes for each of them which fragments
//! it spreads and where it uses which variable; the rules about whole documents start from these notes. Where a
//! type is unknown its absence is told once, and nothing below it is judged by type.

use std::collections::{HashMap, HashSet};
use std::fmt;

use async_graphql_parser::types::{
    Directive, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType, Selection,
    SelectionSet, TypeCondition,
};
use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::Value;

use super::Error;
use super::catalog::{Argument, Catalog};
use super::values::{Found, Place, Use};
use crate::graph::{Name, RootKind, TypeRef};

/// An operation, by its name where it has one, or a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Definition<'a> {
    Operation(Option<&'a str>),
    Fragment(&'a str),
}

/// What a definition mentions.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    pub(super) spreads: Vec<(&'a str, Pos)>,
    pub(super) uses: Vec<Use<'a>>,
}

/// Notes by definition.
pub(super) type Scopes<'a> = HashMap<Definition<'a>, Scope<'a>>;

/// The walk.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) catalog: &'a Catalog,
    document: &'a ExecutableDocument,
    pub(super) errors: Vec<Error>,
    pub(super) scopes: Scopes<'a>,
    pub(super) scope: Scope<'a>,
}

/// The places of a document that take directives.
const PLACES: [&str; 3] = ["FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"];

impl<'a> Walk<'a> {
    pub(super) fn new(catalog: &'a Catalog, document: &'a ExecutableDocument) -> Walk<'a> {
        Walk { catalog, document, errors: Vec::new(), scopes: HashMap::new(), scope: Scope::default() }
    }

    pub(super) fn document(&mut self) {
        let document = self.document;
        for (name, operation) in document.operations.iter() {
            self.operation(operation);
            let scope = std::mem::take(&mut self.scope);
            self.scopes.insert(Definition::Operation(name.map(|name| name.as_str())), scope);
        }
        for (name, fragment) in &document.fragments {
            self.fragment(name, fragment);
            let scope = std::mem::take(&mut self.scope);
            self.scopes.insert(Definition::Fragment(name), scope);
        }
    }

    pub(super) fn error(&mut self, at: Pos, message: impl Into<String>) {
        self.errors.push(Error::invalid(message, [at]));
    }

    fn operation(&mut self, operation: &'a Positioned<OperationDefinition>) {
        let (kind, place) = match operation.node.ty {
            OperationType::Query => (RootKind::Query, "QUERY"),
            OperationType::Mutation => (RootKind::Mutation, "MUTATION"),
            OperationType::Subscription => (RootKind::Subscription, "SUBSCRIPTION"),
        };
        let root = self.catalog.get(kind.as_str()).map(|(name, _)| name);
        if root.is_none() {
            self.error(operation.pos, format!("The graph has no {}s.", operation.node.ty));
        }
        for variable in &operation.node.variable_definitions {
            self.directives(&variable.node.directives, "VARIABLE_DEFINITION");
            self.variable_type(variable);
        }
        self.directives(&operation.node.directives, place);
        self.selection_set(&operation.node.selection_set, root);
        if kind == RootKind::Subscription {
            self.single_root(operation);
        }
    }

    fn variable_type(&mut self, variable: &'a Positioned<async_graphql_parser::types::VariableDefinition>) {
        let definition = &variable.node;
        let ty = super::catalog::type_ref(&definition.var_type.node);
        match self.catalog.get(ty.core()) {
            None => self.error(definition.var_type.pos, format!("Unknown type \"{}\".", ty.core())),
            Some((_, found)) if !found.is_input() => self.error(
                definition.var_type.pos,
                format!("Variable \"${}\" cannot be non-input type \"{ty}\".", definition.name.node),
            ),
            Some(_) => {
                if let Some(default) = &definition.default_value {
                    let value = default.node.clone().into_value();
                    let mut found = Found::default();
                    found.check(
                        self.catalog,
                        &value,
                        Some(&ty),
                        Place { at: default.pos, has_default: false },
                    );
                    self.errors.append(&mut found.errors);
                }
            }
        }
    }

    fn fragment(&mut self, name: &str, fragment: &'a Positioned<FragmentDefinition>) {
        if name == "on" {
            self.error(fragment.pos, "A fragment cannot be named \"on\".");
        }
        let on = self.condition(&fragment.node.type_condition, Spread(Some(name)));
        self.directives(&fragment.node.directives, "FRAGMENT_DEFINITION");
        self.selection_set(&fragment.node.selection_set, on);
    }

    /// The type a fragment applies to, when it is known and has fields.
    fn condition(&mut self, condition: &Positioned<TypeCondition>, about: Spread<'_>) -> Option<&'a Name> {
        let on = &condition.node.on;
        match self.catalog.get(&on.node) {
            None => self.error(on.pos, format!("Unknown type \"{}\".", on.node)),
            Some((name, ty)) if ty.is_composite() => return Some(name),
            Some(_) => {
                self.error(
                    on.pos,
                    format!("{about} cannot condition on non composite type \"{}\".", on.node),
                );
            }
        }
        None
    }

    fn selection_set(&mut self, set: &'a Positioned<SelectionSet>, parent: Option<&'a Name>) {
        for selection in &set.node.items {
            match &selection.node {
                Selection::Field(field) => self.field(field, parent),
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.node.directives, "FRAGMENT_SPREAD");
                    let name = spread.node.fragment_name.node.as_str();
                    self.scope.spreads.push((name, spread.pos));
                    let Some(fragment) = self.document.fragments.get(name) else {
                        let at = spread.node.fragment_name.pos;
                        self.error(at, format!("Unknown fragment \"{name}\"."));
                        continue;
                    };
                    let on = self.catalog.get(&fragment.node.type_condition.node.on.node);
                    let on = on.filter(|(_, ty)| ty.is_composite()).map(|(name, _)| name);
                    self.possible(spread.pos, Spread(Some(name)), (parent, on));
                }
                Selection::InlineFragment(fragment) => {
                    self.directives(&fragment.node.directives, "INLINE_FRAGMENT");
                    let on = match &fragment.node.type_condition {
                        Some(condition) => self.condition(condition, Spread(None)),
                        None => parent,
                    };
                    self.possible(fragment.pos, Spread(None), (parent, on));
                    self.selection_set(&fragment.node.selection_set, on);
                }
            }
        }
    }

    fn possible(&mut self, at: Pos, about: Spread<'_>, (parent, on): (Option<&Name>, Option<&Name>)) {
        let (Some(parent), Some(on)) = (parent, on) else { return };
        if !self.catalog.overlap(parent, on) {
            let message = format!(
                "{about} cannot be spread here as objects of type \"{parent}\" can never be of type \"{on}\"."
            );
            self.error(at, message);
        }
    }

    fn field(&mut self, field: &'a Positioned<Field>, parent: Option<&'a Name>) {
        let node = &field.node;
        let name = node.name.node.as_str();
        self.directives(&node.directives, "FIELD");
        let known = parent.and_then(|parent| self.catalog.field(parent, name));
        let owner = Owner::Field(parent, name);
        if name == "__typename" && parent.is_some() {
            self.arguments(&node.arguments, Some(&HashMap::new()), owner);
            self.leaf(field, &"String!", false);
            return self.selection_set(&node.selection_set, None);
        }
        if let (None, Some(parent)) = (known, parent) {
            self.error(field.pos, format!("Cannot query field \"{name}\" on type \"{parent}\"."));
        }
        self.arguments(&node.arguments, known.map(|known| &known.arguments), owner);
        let Some(known) = known else { return self.selection_set(&node.selection_set, None) };
        self.required(&node.arguments, &known.arguments, (field.pos, owner));
        let ty = self.catalog.get(known.ty.core());
        let is_introspection = matches!(name, "__schema" | "__type");
        if is_introspection && self.nests_lists(&node.selection_set.node, 0, &mut HashSet::new()) {
            self.error(field.pos, "Maximum introspection depth exceeded.");
        }
        self.leaf(field, &known.ty, ty.is_some_and(|(_, ty)| ty.is_composite()));
        let inner = ty.filter(|(_, ty)| ty.is_composite()).map(|(name, _)| name);
        self.selection_set(&node.selection_set, inner);
    }

    fn leaf(&mut self, field: &Positioned<Field>, ty: &dyn fmt::Display, is_composite: bool) {
        let name = &field.node.name.node;
        let is_empty = field.node.selection_set.node.items.is_empty();
        if is_composite && is_empty {
            let message = format!("Field \"{name}\" of type \"{ty}\" must have a selection of subfields.");
            self.error(field.pos, message);
        } else if !is_composite && !is_empty {
            let message =
                format!("Field \"{name}\" must not have a selection since type \"{ty}\" has no subfields.");
            self.error(field.node.selection_set.pos, message);
        }
    }

    /// Whether the lists of introspection lie in each other three deep, which makes answers explode.
    fn nests_lists(&self, set: &'a SelectionSet, depth: usize, seen: &mut HashSet<(&'a str, usize)>) -> bool {
        set.items.iter().any(|selection| match &selection.node {
            Selection::Field(field) => {
                let name = field.node.name.node.as_str();
                let is_list = matches!(name, "fields" | "interfaces" | "possibleTypes" | "inputFields");
                let depth = depth + usize::from(is_list);
                depth >= 3 || self.nests_lists(&field.node.selection_set.node, depth, seen)
            }
            Selection::InlineFragment(fragment) => {
                self.nests_lists(&fragment.node.selection_set.node, depth, seen)
            }
            Selection::FragmentSpread(spread) => {
                let name = spread.node.fragment_name.node.as_str();
                let fragment = self.document.fragments.get(name).filter(|_| seen.insert((name, depth)));
                fragment.is_some_and(|it| self.nests_lists(&it.node.selection_set.node, depth, seen))
            }
        })
    }

    fn directives(&mut self, directives: &'a [Positioned<Directive>], place: &str) {
        let mut seen = HashSet::new();
        for directive in directives {
            let name = directive.node.name.node.as_str();
            let mut known = None;
            match name {
                "skip" | "include" if PLACES.contains(&place) => {
                    let ty = TypeRef::named("Boolean").non_null();
                    known = Some(HashMap::from([(Name::from("if"), Argument { ty, has_default: false })]));
                }
                "skip" | "include" | "deprecated" | "specifiedBy" => {
                    self.error(directive.pos, format!("Directive \"@{name}\" may not be used on {place}."));
                }
                _ => self.error(directive.pos, format!("Unknown directive \"@{name}\".")),
            }
            if !seen.insert(name) {
                let message = format!("The directive \"@{name}\" can only be used once at this location.");
                self.error(directive.pos, message);
            }
            let owner = Owner::Directive(name);
            self.arguments(&directive.node.arguments, known.as_ref(), owner);
            if let Some(known) = &known {
                self.required(&directive.node.arguments, known, (directive.pos, owner));
            }
        }
    }

    /// Judges what is given; by name and type only where it is known what may be.
    fn arguments(&mut self, given: &'a [Given], known: Option<&HashMap<Name, Argument>>, owner: Owner<'_>) {
        let mut seen = HashSet::new();
        for (name, value) in given {
            if !seen.insert(name.node.as_str()) {
                self.error(name.pos, format!("There can be only one argument named \"{}\".", name.node));
            }
            let argument = known.and_then(|known| known.get(name.node.as_str()));
            if argument.is_none() && known.is_some() {
                self.error(name.pos, format!("Unknown argument \"{}\" on {owner}.", name.node));
            }
            let mut found = Found::default();
            let has_default = argument.is_some_and(|argument| argument.has_default);
            let place = Place { at: value.pos, has_default };
            found.check(self.catalog, &value.node, argument.map(|argument| &argument.ty), place);
            self.errors.append(&mut found.errors);
            self.scope.uses.append(&mut found.uses);
        }
    }

    fn required(&mut self, given: &[Given], known: &HashMap<Name, Argument>, (at, owner): (Pos, Owner<'_>)) {
        let missing = known.iter().filter(|(name, argument)| {
            argument.is_required() && !given.iter().any(|(given, _)| given.node.as_str() == &***name)
        });
        let mut missing: Vec<_> = missing.collect();
        missing.sort_by_key(|(name, _)| *name);
        for (name, Argument { ty, .. }) in missing {
            let about = match owner {
                Owner::Field(_, field) => format!("Field \"{field}\""),
                Owner::Directive(directive) => format!("Directive \"@{directive}\""),
            };
            let message =
                format!("{about} argument \"{name}\" of type \"{ty}\" is required, but it was not provided.");
            self.error(at, message);
        }
    }

    /// A subscription is one stream, so it has one field at its root, and none of introspection.
    fn single_root(&mut self, operation: &'a Positioned<OperationDefinition>) {
        let (mut fields, mut spread) = (Vec::new(), HashSet::new());
        self.roots(&operation.node.selection_set.node, &mut fields, &mut spread);
        let keys: HashSet<&str> =
            fields.iter().map(|field| field.node.response_key().node.as_str()).collect();
        let second =
            fields.iter().find(|field| field.node.response_key().node != fields[0].node.response_key().node);
        if let (true, Some(second)) = (keys.len() > 1, second) {
            self.error(second.pos, "A subscription must select only one top level field.");
        }
        if let Some(field) = fields.iter().find(|field| field.node.name.node.starts_with("__")) {
            self.error(field.pos, "A subscription must not select an introspection top level field.");
        }
    }

    fn roots(
        &self,
        set: &'a SelectionSet,
        fields: &mut Vec<&'a Positioned<Field>>,
        spread: &mut HashSet<&'a str>,
    ) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => fields.push(field),
                Selection::InlineFragment(fragment) => {
                    self.roots(&fragment.node.selection_set.node, fields, spread);
                }
                Selection::FragmentSpread(node) => {
                    let name = node.node.fragment_name.node.as_str();
                    if let (true, Some(fragment)) = (spread.insert(name), self.document.fragments.get(name)) {
                        self.roots(&fragment.node.selection_set.node, fields, spread);
                    }
                }
            }
        }
    }
}

/// An argument as it is given.
type Given = (Positioned<async_graphql_value::Name>, Positioned<Value>);

/// What has arguments, as errors name it: `field "Query.users"`.
#[derive(Clone, Copy)]
enum Owner<'a> {
    Field(Option<&'a Name>, &'a str),
    Directive(&'a str),
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Field(Some(parent), field) => write!(f, "field \"{parent}.{field}\""),
            Owner::Field(None, field) => write!(f, "field \"{field}\""),
            Owner::Directive(name) => write!(f, "directive \"@{name}\""),
        }
    }
}

/// A fragment, with its name where it has one, as errors name it.
#[derive(Clone, Copy)]
struct Spread<'a>(Option<&'a str>);

impl fmt::Display for Spread<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "Fragment \"{name}\""),
            None => f.write_str("Fragment"),
        }
    }
}
