//! What can be asked of a graph, by name: the supergraph's types and those of introspection.
//!
//! An index for the rules, made once for a graph, with nothing of how fields are answered. The types of
//! introspection are read from a schema document of their own; its `__Root` has the two fields that every
//! `Query` gains.

use std::collections::{HashMap, HashSet};

use async_graphql_parser::types::{BaseType, InputValueDefinition, TypeKind, TypeSystemDefinition};

use crate::Supergraph;
use crate::graph::{self, Name, RootKind, Scalar, TypeRef};

/// Types by name.
#[derive(Debug)]
pub(super) struct Catalog {
    types: HashMap<Name, Type>,
}

/// What can be asked of a type.
#[derive(Debug)]
pub(super) enum Type {
    /// Its fields.
    Object(HashMap<Name, Field>),
    /// Its members.
    Union(HashSet<Name>),
    /// Its fields.
    Input(HashMap<Name, Argument>),
    /// Its values.
    Enum(HashSet<Name>),
    /// Nothing further.
    Leaf(Leaf),
}

/// What may be written for a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    /// A whole number of 32 bits.
    Int,
    /// Any number.
    Float,
    /// A string.
    String,
    /// A truth value.
    Boolean,
    /// A string or a whole number.
    Id,
    /// One of Turnout's own.
    Other(Scalar),
}

/// A field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) ty: TypeRef,
    pub(super) arguments: HashMap<Name, Argument>,
}

/// An argument, or a field of an input.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) ty: TypeRef,
    pub(super) has_default: bool,
}

impl Argument {
    /// Whether it must be given.
    pub(super) fn is_required(&self) -> bool {
        self.ty.is_non_null() && !self.has_default
    }
}

impl Type {
    /// Whether it has fields to select.
    pub(super) fn is_composite(&self) -> bool {
        matches!(self, Type::Object(_) | Type::Union(_))
    }

    /// Whether it may be sent.
    pub(super) fn is_input(&self) -> bool {
        matches!(self, Type::Input(_) | Type::Enum(_) | Type::Leaf(_))
    }
}

impl Catalog {
    /// The index of a graph.
    pub(super) fn new(supergraph: &Supergraph) -> Result<Catalog, String> {
        let mut types = HashMap::new();
        let leaves = [
            ("Int", Leaf::Int),
            ("Float", Leaf::Float),
            ("String", Leaf::String),
            ("Boolean", Leaf::Boolean),
            ("ID", Leaf::Id),
        ];
        types.extend(leaves.map(|(name, leaf)| (Name::from(name), Type::Leaf(leaf))));
        types.extend(supergraph.types.iter().map(|(name, ty)| (Name::clone(name), own(ty))));
        let mut introspection = introspection()?;
        let gained = introspection.remove("__Root");
        if let (Some(Type::Object(query)), Some(Type::Object(gained))) =
            (types.get_mut(RootKind::Query.as_str()), gained)
        {
            query.extend(gained);
        }
        types.extend(introspection);
        Ok(Catalog { types })
    }

    /// A type with its name.
    pub(super) fn get(&self, name: &str) -> Option<(&Name, &Type)> {
        self.types.get_key_value(name)
    }

    /// The field of a type; none when the type has no such field.
    pub(super) fn field(&self, parent: &str, name: &str) -> Option<&Field> {
        match self.types.get(parent)? {
            Type::Object(fields) => fields.get(name),
            Type::Union(_) | Type::Input(_) | Type::Enum(_) | Type::Leaf(_) => None,
        }
    }

    /// Whether something can be of both types.
    pub(super) fn overlap(&self, one: &Name, other: &Name) -> bool {
        let members = |name: &Name| match self.types.get(name) {
            Some(Type::Union(members)) => Some(members),
            Some(Type::Object(_) | Type::Input(_) | Type::Enum(_) | Type::Leaf(_)) | None => None,
        };
        match (members(one), members(other)) {
            (None, None) => one == other,
            (Some(members), None) => members.contains(other),
            (None, Some(members)) => members.contains(one),
            (Some(members), Some(others)) => !members.is_disjoint(others),
        }
    }
}

fn own(ty: &graph::Type) -> Type {
    let argument = |argument: &graph::Argument| {
        (Name::clone(&argument.name), Argument { ty: argument.ty.clone(), has_default: false })
    };
    match ty {
        graph::Type::Object(object) => Type::Object(
            object
                .fields
                .iter()
                .map(|field| {
                    let arguments = field.arguments.iter().map(argument).collect();
                    (Name::clone(&field.name), Field { ty: field.ty.clone(), arguments })
                })
                .collect(),
        ),
        graph::Type::Input(input) => Type::Input(input.fields.iter().map(argument).collect()),
        graph::Type::Enum(definition) => {
            Type::Enum(definition.values.iter().map(|value| Name::clone(&value.name)).collect())
        }
        graph::Type::Union(union) => Type::Union(union.members.iter().cloned().collect()),
        graph::Type::Scalar(scalar) => Type::Leaf(Leaf::Other(*scalar)),
    }
}

/// The types of introspection, and `__Root`.
fn introspection() -> Result<HashMap<Name, Type>, String> {
    let document = async_graphql_parser::parse_schema(include_str!("introspection.graphql"))
        .map_err(|error| format!("the schema of introspection: {error}"))?;
    let types = document.definitions.into_iter().filter_map(|definition| match definition {
        TypeSystemDefinition::Type(ty) => {
            Some((Name::from(ty.node.name.node.as_str()), read(&ty.node.kind)?))
        }
        TypeSystemDefinition::Schema(_) | TypeSystemDefinition::Directive(_) => None,
    });
    Ok(types.collect())
}

fn read(kind: &TypeKind) -> Option<Type> {
    let argument = |argument: &InputValueDefinition| {
        let has_default = argument.default_value.is_some();
        (Name::from(argument.name.node.as_str()), Argument { ty: type_ref(&argument.ty.node), has_default })
    };
    match kind {
        TypeKind::Object(object) => {
            let fields = object.fields.iter().map(|field| {
                let arguments = field.node.arguments.iter().map(|node| argument(&node.node)).collect();
                let ty = type_ref(&field.node.ty.node);
                (Name::from(field.node.name.node.as_str()), Field { ty, arguments })
            });
            Some(Type::Object(fields.collect()))
        }
        TypeKind::Enum(values) => Some(Type::Enum(
            values.values.iter().map(|value| value.node.value.node.as_str().into()).collect(),
        )),
        TypeKind::Scalar | TypeKind::Interface(_) | TypeKind::Union(_) | TypeKind::InputObject(_) => None,
    }
}

/// A parsed use of a type as one of ours.
pub(crate) fn type_ref(ty: &async_graphql_parser::types::Type) -> TypeRef {
    let base = match &ty.base {
        BaseType::Named(name) => TypeRef::named(name.as_str()),
        BaseType::List(item) => TypeRef::List(Box::new(type_ref(item))),
    };
    if ty.nullable { base } else { base.non_null() }
}
