//! A supergraph written as SDL, for tests of what only looks at types.
//!
//! Nobody answers its fields: whatever a field says about bytes and RPCs in here means nothing.

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{
    ConstDirective, FieldDefinition, InputValueDefinition, TypeKind, TypeSystemDefinition,
};
use async_graphql_value::ConstValue;

use crate::graph::{
    Argument, Count, Doc, Enum, EnumValue, Field, Form, Input, Kind, Name, Object, Read, Resolve, Scalar,
    Type, Union, Wire,
};
use crate::validate::catalog::type_ref;
use crate::{Digest, Supergraph};

/// The graph that the corpus is about.
pub(crate) const WORLD: &str = include_str!("../../tests/referee/world.graphql");

/// Reads SDL with the operation types' usual names.
pub(crate) fn supergraph(sdl: &str) -> Supergraph {
    let document = async_graphql_parser::parse_schema(sdl).unwrap();
    let types = document.definitions.iter().map(|definition| match definition {
        TypeSystemDefinition::Type(ty) => {
            let description = ty.node.description.as_ref().map(|text| text.node.clone());
            let doc = Doc { description: description.unwrap_or_default(), deprecated: None };
            let name = Name::from(ty.node.name.node.as_str());
            (Name::clone(&name), read(doc, name, &ty.node.kind))
        }
        other => panic!("{other:?} is not read"),
    });
    Supergraph {
        digest: Digest::of(sdl.as_bytes()),
        types: types.collect(),
        members: Vec::new(),
        roots: Vec::new(),
        extensions: Vec::new(),
        entities: Default::default(),
    }
}

fn read(doc: Doc, name: Name, kind: &TypeKind) -> Type {
    match kind {
        TypeKind::Object(object) => {
            let fields = object.fields.iter().map(|node| field(&node.node)).collect();
            Type::Object(Object { doc, source: name, fields })
        }
        TypeKind::InputObject(input) => {
            let fields = input.fields.iter().map(|node| argument(&node.node)).collect();
            Type::Input(Input { doc, source: name, fields, one_of: Vec::new() })
        }
        TypeKind::Enum(known) => {
            let values = known.values.iter().zip(1..).map(|(value, number)| EnumValue {
                name: value.node.value.node.as_str().into(),
                doc: documented(value.node.description.as_ref(), &value.node.directives),
                number,
            });
            Type::Enum(Enum { doc, source: name, values: values.collect(), zero_is_null: true })
        }
        TypeKind::Union(union) => {
            let members = union.members.iter().map(|member| member.node.as_str().into()).collect();
            Type::Union(Union { doc, source: name, members })
        }
        TypeKind::Scalar => {
            Type::Scalar(Scalar::ALL.into_iter().find(|scalar| *scalar.name() == *name).unwrap())
        }
        TypeKind::Interface(_) => panic!("no graph has interfaces"),
    }
}

fn field(node: &FieldDefinition) -> Field {
    Field {
        name: node.name.node.as_str().into(),
        doc: documented(node.description.as_ref(), &node.directives),
        ty: type_ref(&node.ty.node),
        arguments: node.arguments.iter().map(|node| argument(&node.node)).collect(),
        resolve: Resolve::Ok,
    }
}

fn argument(node: &InputValueDefinition) -> Argument {
    Argument {
        name: node.name.node.as_str().into(),
        doc: documented(node.description.as_ref(), &node.directives),
        ty: type_ref(&node.ty.node),
        write: nowhere(),
    }
}

fn documented(description: Option<&Positioned<String>>, directives: &[Positioned<ConstDirective>]) -> Doc {
    let deprecated = directives.iter().find(|directive| directive.node.name.node == "deprecated");
    let reason = deprecated.map(|directive| match directive.node.get_argument("reason") {
        Some(reason) => match &reason.node {
            ConstValue::String(reason) => reason.clone(),
            other => panic!("{other} is no reason"),
        },
        None => "No longer supported".to_owned(),
    });
    Doc { description: description.map(|text| text.node.clone()).unwrap_or_default(), deprecated: reason }
}

fn nowhere() -> Read {
    Read { name: "".into(), number: 0, count: Count::Implicit, kind: Kind::Scalar(Wire::String, Form::Plain) }
}
