//! What one field asks of its RPC, compiled once and written for every request.
//!
//! All that the document says outright is coerced when the plan is made: what is wrong with it is told then,
//! and its bytes are copied from then on. Only arguments with variables in them are coerced for each request.
//! Fields come in the order of their numbers. Keys of entities and read masks are not in here: whoever has
//! them appends their bytes, since protobuf takes the fields of a message in any order.

use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::{Name as LiteralName, Value as Literal};

use super::buffer::Buffer;
use super::coerce::{Coercion, Subject, excess};
use super::mask;
use crate::graph::{Argument, Extension, Mask, Name, OneOf, Root, Types};
use crate::variables::Variables;
use crate::variables::error::{Error, Errors, Segment};
use crate::variables::source::{Given, Source};

/// What a field takes.
#[derive(Clone, Copy, Debug)]
pub struct Takes<'g> {
    /// Its arguments.
    pub arguments: &'g [Argument],
    /// Sets of arguments of which at most one may be given.
    pub one_of: &'g [OneOf],
    /// The field mask that is derived from what was given.
    pub mask: Option<Mask>,
}

impl<'g> From<&'g Root> for Takes<'g> {
    fn from(root: &'g Root) -> Takes<'g> {
        Takes { arguments: &root.field.arguments, one_of: &root.one_of, mask: root.mask }
    }
}

impl<'g> From<&'g Extension> for Takes<'g> {
    fn from(extension: &'g Extension) -> Takes<'g> {
        Takes { arguments: &extension.field.arguments, one_of: &extension.one_of, mask: None }
    }
}

/// The request of one field, with what variables say left open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// In the order of their numbers.
    parts: Vec<Part>,
    one_of: Vec<OneOf>,
    /// The arguments that are given whatever the variables are.
    given: Vec<Name>,
}

/// A piece of a request.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// What is the same each time.
    Fixed(Vec<u8>),
    /// What depends on variables.
    Open(Asked),
    /// The update mask: its number, the number that is never in it, and what it is derived from.
    Mask(u32, Option<u32>, Asked),
}

/// An argument and what the document gives to it.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    argument: Argument,
    value: Literal,
    location: Pos,
}

impl Request {
    /// Compiles what a field of the document gives to what it takes. `given` are the field's arguments as
    /// the document has them; those that `takes` does not know are not looked at.
    pub fn new(
        takes: Takes<'_>,
        given: &[(Positioned<LiteralName>, Positioned<Literal>)],
        types: &Types,
    ) -> Result<Request, Vec<Error>> {
        let mut errors = Errors::default();
        let mut request = Request { one_of: takes.one_of.to_vec(), ..Request::default() };
        for part in parts(takes, given, &mut errors) {
            request.add(part, types, &mut errors);
        }
        request.check_one_of(&Variables::default(), &mut errors);
        errors.or(request)
    }

    /// Whether it is the same for all variables.
    pub fn is_fixed(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Fixed(_)))
    }

    /// The bytes of the request message.
    pub fn encode(&self, variables: &Variables<'_>, types: &Types) -> Result<Vec<u8>, Vec<Error>> {
        let mut errors = Errors::default();
        let mut out = Buffer::default();
        for part in &self.parts {
            part.write(variables, types, &mut errors, &mut out);
        }
        if !self.is_fixed() {
            self.check_one_of(variables, &mut errors);
        }
        errors.or(out.into_bytes())
    }

    /// Adds a piece: its bytes at once when variables have no part in it.
    fn add(&mut self, part: Part, types: &Types, errors: &mut Errors) {
        if part.asked().is_some_and(|asked| mentions_variables(&asked.value)) {
            return self.parts.push(part);
        }
        if let Part::Open(asked) = &part
            && asked.value != Literal::Null
        {
            self.given.push(asked.argument.name.clone());
        }
        let mut out = match self.parts.pop() {
            Some(Part::Fixed(bytes)) => Buffer::after(bytes),
            other => {
                self.parts.extend(other);
                Buffer::default()
            }
        };
        part.write(&Variables::default(), types, errors, &mut out);
        self.parts.push(Part::Fixed(out.into_bytes()));
    }

    fn check_one_of(&self, variables: &Variables<'_>, errors: &mut Errors) {
        let is_given = |member: &str| {
            self.given.iter().any(|given| **given == *member)
                || self.parts.iter().any(|part| match part {
                    Part::Open(asked) => *asked.argument.name == *member && !asked.is_null(variables),
                    Part::Fixed(_) | Part::Mask(..) => false,
                })
        };
        for message in excess(&self.one_of, &is_given) {
            errors.push(Error { message, path: Vec::new(), location: None });
        }
    }
}

/// The pieces of a request, in the order of their numbers.
fn parts(
    takes: Takes<'_>,
    given: &[(Positioned<LiteralName>, Positioned<Literal>)],
    errors: &mut Errors,
) -> Vec<Part> {
    let mut parts = Vec::new();
    for argument in takes.arguments {
        let Some((_, value)) = given.iter().find(|(name, _)| *name.node == *argument.name) else {
            if argument.ty.is_non_null() {
                let message = format!(
                    "Argument \"{}\" of required type \"{}\" was not provided.",
                    argument.name, argument.ty
                );
                errors.push(Error {
                    message,
                    path: vec![Segment::Name(argument.name.clone())],
                    location: None,
                });
            }
            continue;
        };
        let asked = Asked { argument: argument.clone(), value: value.node.clone(), location: value.pos };
        let number = argument.write.number;
        match takes.mask {
            Some(Mask::Update { mask, of, key }) if of == number => {
                parts.push((mask, Part::Mask(mask, key, asked.clone())));
            }
            Some(Mask::Update { .. } | Mask::Read { .. }) | None => {}
        }
        parts.push((number, Part::Open(asked)));
    }
    parts.sort_by_key(|(number, _)| *number);
    parts.into_iter().map(|(_, part)| part).collect()
}

impl Part {
    fn asked(&self) -> Option<&Asked> {
        match self {
            Part::Fixed(_) => None,
            Part::Open(asked) | Part::Mask(_, _, asked) => Some(asked),
        }
    }

    fn write(&self, variables: &Variables<'_>, types: &Types, errors: &mut Errors, out: &mut Buffer) {
        match self {
            Part::Fixed(bytes) => out.fields(bytes),
            Part::Open(asked) => asked.write(variables, types, errors, out),
            Part::Mask(number, key, asked) => {
                let source = variables.resolve(Source::Literal(&asked.value));
                if let Some(source) = source.filter(|source| !matches!(source.given(), Given::Null)) {
                    let resolve = |value| variables.resolve(value);
                    let paths = mask::derive(&asked.argument, *key, source, types, &resolve);
                    mask::field(*number, paths.iter().map(String::as_str), out);
                }
            }
        }
    }
}

impl Asked {
    fn write(&self, variables: &Variables<'_>, types: &Types, errors: &mut Errors, out: &mut Buffer) {
        let source = Source::Literal(&self.value);
        let Argument { name, ty, .. } = &self.argument;
        let message = match (variables.resolve(source), source.variable()) {
            (Some(resolved), _) if ty.is_non_null() && matches!(resolved.given(), Given::Null) => {
                format!("Argument \"{name}\" of non-null type \"{ty}\" must not be null.")
            }
            (Some(resolved), variable) => {
                let subject = variable.map_or(Subject::Argument(name), Subject::Variable);
                let mut walk = Coercion::new(types, variables, errors);
                return walk.write((subject, Some(self.location)), &self.argument, resolved, out);
            }
            (None, Some(variable)) if ty.is_non_null() => format!(
                "Argument \"{name}\" of required type \"{ty}\" was provided the variable \"${variable}\" which was \
                 not provided a runtime value."
            ),
            (None, _) => return,
        };
        let path = vec![Segment::Name(name.clone())];
        errors.push(Error { message, path, location: Some(self.location) });
    }

    fn is_null(&self, variables: &Variables<'_>) -> bool {
        let source = variables.resolve(Source::Literal(&self.value));
        source.is_none_or(|source| matches!(source.given(), Given::Null))
    }
}

/// Whether a value is not the same for all requests. No deeper than the document, which was measured.
fn mentions_variables(value: &Literal) -> bool {
    match value {
        Literal::Variable(_) => true,
        Literal::List(items) => items.iter().any(mentions_variables),
        Literal::Object(entries) => entries.values().any(mentions_variables),
        Literal::Null
        | Literal::Number(_)
        | Literal::String(_)
        | Literal::Boolean(_)
        | Literal::Binary(_)
        | Literal::Enum(_) => false,
    }
}
