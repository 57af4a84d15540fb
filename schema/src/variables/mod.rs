//! What a caller gives to the variables of an operation, checked by the specification.
//!
//! An operation's declarations are compiled once with its plan; the values of a request are read from the
//! JSON text that came, and stay there: what is kept is where each lies. They are written into requests by
//! `wire::encode`, whose walk is also the check in here, so both have the same rules and the same words.
//! Absent and null stay two things. Variables that nobody declared are not looked at.

use async_graphql_parser::types::{BaseType, Type as DeclaredType, VariableDefinition};
use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::ConstValue;

use crate::graph::{Argument, Count, Doc, Form, Kind, Read, Scalar, Type, TypeRef, Types, WellKnown, Wire};
use crate::wire::buffer::Buffer;
use crate::wire::coerce::{Coercion, Subject};
use error::Errors;
use json::Document;
use source::{Given, Source};

pub mod error;

pub(crate) mod inspect;
pub(crate) mod json;
pub(crate) mod source;

pub use error::{Error, Segment};

/// A variable of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// Its name and type, as if it were an argument; its field has no number that means anything.
    argument: Argument,
    default: Option<ConstValue>,
    location: Pos,
}

impl Declaration {
    /// The variables that an operation declares, with their defaults checked.
    pub fn read(
        definitions: &[Positioned<VariableDefinition>],
        types: &Types,
    ) -> Result<Vec<Declaration>, Vec<Error>> {
        let mut errors = Errors::default();
        let declarations: Vec<Declaration> = definitions
            .iter()
            .filter_map(|definition| Declaration::one(definition, types, &mut errors))
            .collect();
        let nothing = Variables::default();
        for declaration in &declarations {
            if let Some(default) = &declaration.default {
                let subject = Subject::Default(&declaration.argument.name);
                let mut walk = Coercion::new(types, &nothing, &mut errors);
                declaration.check(&mut walk, subject, Source::Default(default));
            }
        }
        errors.or(declarations)
    }

    fn one(
        definition: &Positioned<VariableDefinition>,
        types: &Types,
        errors: &mut Errors,
    ) -> Option<Declaration> {
        let name: crate::graph::Name = definition.node.name.node.as_str().into();
        let ty = type_ref(&definition.node.var_type.node);
        let Some(kind) = kind(ty.core(), types) else {
            errors.push(Error {
                message: format!("Variable \"${name}\" cannot be non-input type \"{ty}\"."),
                path: vec![Segment::Name(name)],
                location: Some(definition.node.var_type.pos),
            });
            return None;
        };
        let count = if ty.is_list() { Count::Repeated } else { Count::Optional };
        let write = Read { name: name.clone(), number: 1, count, kind };
        Some(Declaration {
            argument: Argument { name, doc: Doc::default(), ty, write },
            default: definition.node.default_value.as_ref().map(|default| default.node.clone()),
            location: definition.pos,
        })
    }

    /// The bytes that the walk makes are of no use here: the field that they will be in is not known.
    fn check<'a>(&'a self, walk: &mut Coercion<'a, '_>, subject: Subject<'a>, source: Source<'a>) {
        walk.write((subject, Some(self.location)), &self.argument, source, &mut Buffer::default());
    }
}

/// The values of one request's variables.
#[derive(Clone, Debug, Default)]
pub struct Variables<'a> {
    document: Document<'a>,
    values: Vec<(&'a str, Value<'a>)>,
}

/// Where a variable's value is.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    /// At this place of the text.
    Given(usize),
    /// In the document.
    Default(&'a ConstValue),
}

impl<'a> Variables<'a> {
    /// Reads the values that were sent: a JSON object, null, or nothing at all.
    pub fn read(
        text: &'a str,
        declarations: &'a [Declaration],
        types: &Types,
    ) -> Result<Variables<'a>, Vec<Error>> {
        let mut errors = Errors::default();
        let document = match text.trim_ascii() {
            "" => Document::default(),
            text => Document::read(text).unwrap_or_else(|malformed| {
                errors.push(Error {
                    message: format!("Variables are no JSON: {malformed}."),
                    path: Vec::new(),
                    location: None,
                });
                Document::default()
            }),
        };
        let mut variables = Variables { document, values: Vec::with_capacity(declarations.len()) };
        variables.find(declarations, &mut errors);
        let variables = errors.or(variables)?;
        let mut errors = Errors::default();
        for declaration in declarations {
            variables.check(declaration, types, &mut errors);
        }
        errors.or(variables)
    }

    /// Whether a variable is given and true: what `@skip` and `@include` ask.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|source| matches!(source.given(), Given::Boolean(true)))
    }

    /// A variable's truth value; `None` when it has none, as when it is null.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.get(name)?.given() {
            Given::Boolean(boolean) => Some(boolean),
            _ => None,
        }
    }

    /// What stands at this place, a variable replaced by its value; `None` when it has none.
    pub(crate) fn resolve<'s>(&'s self, source: Source<'s>) -> Option<Source<'s>> {
        source.variable().map_or(Some(source), |name| self.get(name))
    }

    fn get(&self, name: &str) -> Option<Source<'_>> {
        let (_, value) = self.values.iter().find(|(known, _)| *known == name)?;
        Some(match value {
            Value::Given(place) => Source::Json(self.document.at(*place)),
            Value::Default(default) => Source::Default(default),
        })
    }

    /// Finds the declared variables in the text.
    fn find(&mut self, declarations: &'a [Declaration], errors: &mut Errors) {
        let given = self.document.root().map_or(Given::Null, |root| Source::Json(root).given());
        let (entries, is_object) = match given {
            Given::Object(entries) => (Some(entries), true),
            Given::Null => (None, true),
            _ => (None, false),
        };
        if !is_object {
            let message = "Variables must be given as a JSON object.".to_owned();
            errors.push(Error { message, path: Vec::new(), location: None });
        }
        let mut places = vec![None; declarations.len()];
        for (key, value) in entries.into_iter().flatten() {
            let known = declarations.iter().position(|declaration| *declaration.argument.name == *key);
            let (Some(known), Source::Json(value)) = (known, value) else { continue };
            if places[known].replace(value.place()).is_some() {
                let message = format!("Variable \"${key}\" is given more than once.");
                let path = vec![Segment::Name(declarations[known].argument.name.clone())];
                errors.push(Error { message, path, location: None });
            }
        }
        for (declaration, place) in declarations.iter().zip(places) {
            let default = declaration.default.as_ref().map(Value::Default);
            if let Some(value) = place.map(Value::Given).or(default) {
                self.values.push((&declaration.argument.name, value));
            }
        }
    }

    fn check(&self, declaration: &'a Declaration, types: &Types, errors: &mut Errors) {
        let Argument { name, ty, .. } = &declaration.argument;
        let message = match self.values.iter().find(|(known, _)| **known == **name) {
            Some((_, Value::Default(_))) => return,
            Some((_, Value::Given(place))) => {
                let source = Source::Json(self.document.at(*place));
                if !(ty.is_non_null() && matches!(source.given(), Given::Null)) {
                    let mut walk = Coercion::new(types, self, errors);
                    return declaration.check(&mut walk, Subject::Variable(name), source);
                }
                format!("Variable \"${name}\" of non-null type \"{ty}\" must not be null.")
            }
            None if ty.is_non_null() => {
                format!("Variable \"${name}\" of required type \"{ty}\" was not provided.")
            }
            None => return,
        };
        let path = vec![Segment::Name(name.clone())];
        errors.push(Error { message, path, location: Some(declaration.location) });
    }
}

fn type_ref(declared: &DeclaredType) -> TypeRef {
    let ty = match &declared.base {
        BaseType::Named(name) => TypeRef::named(name.as_str()),
        BaseType::List(item) => TypeRef::List(Box::new(type_ref(item))),
    };
    if declared.nullable { ty } else { ty.non_null() }
}

/// The widest kind of a type: what one variable may be is what any field of its type may be.
fn kind(name: &crate::graph::Name, types: &Types) -> Option<Kind> {
    let plain = |wire| Some(Kind::Scalar(wire, Form::Plain));
    match (&**name, types.get(name)) {
        (_, Some(Type::Input(_))) => Some(Kind::Message(name.clone())),
        (_, Some(Type::Enum(_))) => Some(Kind::Enum(name.clone())),
        (_, Some(Type::Scalar(scalar))) => Some(match scalar {
            Scalar::UInt32 => Kind::Scalar(Wire::Uint32, Form::Plain),
            Scalar::Int64 => Kind::Scalar(Wire::Int64, Form::Plain),
            Scalar::UInt64 => Kind::Scalar(Wire::Uint64, Form::Plain),
            Scalar::Bytes => Kind::Scalar(Wire::Bytes, Form::Plain),
            Scalar::DateTime => Kind::WellKnown(WellKnown::Timestamp),
            Scalar::Duration => Kind::WellKnown(WellKnown::Duration),
            Scalar::Date => Kind::WellKnown(WellKnown::Date),
            Scalar::Json => Kind::WellKnown(WellKnown::Value),
            Scalar::FieldMask => Kind::WellKnown(WellKnown::FieldMask),
        }),
        (_, Some(Type::Object(_) | Type::Union(_))) => None,
        ("Int", None) => plain(Wire::Int32),
        ("Float", None) => plain(Wire::Double),
        ("Boolean", None) => plain(Wire::Bool),
        ("String", None) => plain(Wire::String),
        ("ID", None) => Some(Kind::Scalar(Wire::String, Form::Id)),
        (_, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql_parser::parse_query;

    fn declarations(document: &str) -> Vec<Declaration> {
        let document = parse_query(document).unwrap();
        let operation = document.operations.iter().next().unwrap().1;
        Declaration::read(&operation.node.variable_definitions, &Types::new()).unwrap()
    }

    #[test]
    fn a_condition_holds_when_its_variable_is_true() {
        let declarations = declarations("query($a: Boolean!, $b: Boolean = true, $c: Boolean) { x }");
        let types = Types::new();
        let variables = Variables::read("{\"a\": true}", &declarations, &types).unwrap();
        assert_eq!(["a", "b", "c", "d"].map(|name| variables.is_true(name)), [true, true, false, false]);
        let variables =
            Variables::read("{\"a\": false, \"b\": null, \"c\": true}", &declarations, &types).unwrap();
        assert_eq!(["a", "b", "c", "d"].map(|name| variables.is_true(name)), [false, false, true, false]);
    }

    #[test]
    fn null_is_no_truth_value_and_hides_a_default() {
        let declarations = declarations("query($a: Boolean!, $b: Boolean = true, $c: Boolean = true) { x }");
        let types = Types::new();
        let variables = Variables::read(r#"{"a": false, "b": null}"#, &declarations, &types).unwrap();
        let values = ["a", "b", "c", "d"].map(|name| variables.boolean(name));
        assert_eq!(values, [Some(false), None, Some(true), None]);
    }

    #[test]
    fn errors_know_where_they_belong() {
        let declarations = declarations("query($a: Int!,\n  $b: [Int!]) { x }");
        let errors = Variables::read("{\"b\": [1, 1.5]}", &declarations, &Types::new()).unwrap_err();
        let places: Vec<_> = errors.into_iter().map(|error| (error.path, error.location)).collect();
        let name = |name: &str| Segment::Name(name.into());
        assert_eq!(
            places,
            [
                (vec![name("a")], Some(Pos { line: 1, column: 7 })),
                (vec![name("b"), Segment::Index(1)], Some(Pos { line: 2, column: 3 })),
            ]
        );
    }

    #[test]
    fn a_variable_is_given_once() {
        let declarations = declarations("query($a: Int) { x }");
        let errors =
            Variables::read("{\"a\": 1, \"b\": 1, \"b\": 2, \"a\": 2}", &declarations, &Types::new())
                .unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].message, "Variable \"$a\" is given more than once.");
    }
}
