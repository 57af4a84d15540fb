//! A value that was sent, by the type that is wanted, into the bytes of the field that takes it.
//!
//! Coercion and encoding are one walk: a rule that held in one and not in the other would be a bug. What is
//! wrong becomes an error with its path, and the walk goes on beside it; the bytes are then of no use.
//! Fields are written in the order of their numbers, so equal values are equal bytes. Null is no bytes.
//! Nesting is bounded here, whatever was measured before.

use async_graphql_parser::Pos;

use super::buffer::{Brackets, Buffer, Primitive};
use super::scalar::primitive;
use super::well_known;
use crate::graph::{Argument, Count, Input, Kind, OneOf, Read, Type, TypeRef, Types, Wire};
use crate::variables::Variables;
use crate::variables::error::{ERRORS_MAX, Error, Errors, Segment};
use crate::variables::inspect::{inspect, quote};
use crate::variables::json::DEPTH_MAX;
use crate::variables::source::{Entries, Given, Source};

/// What an error message begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    /// A variable's value.
    Variable(&'a str),
    /// A variable's default.
    Default(&'a str),
    /// An argument, given in the document.
    Argument(&'a str),
}

/// One walk through one variable or argument.
#[derive(Debug)]
pub(crate) struct Coercion<'a, 'e> {
    types: &'a Types,
    variables: &'a Variables<'a>,
    subject: Subject<'a>,
    location: Option<Pos>,
    errors: &'e mut Errors,
    path: Vec<Step<'a>>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

/// How a value stands among others.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// With its tag.
    Alone,
    /// In a packed field, without one.
    Packed,
}

impl<'a, 'e> Coercion<'a, 'e> {
    pub(crate) fn new(types: &'a Types, variables: &'a Variables<'a>, errors: &'e mut Errors) -> Self {
        let subject = Subject::Argument("");
        Coercion { types, variables, subject, location: None, errors, path: Vec::new() }
    }

    /// Writes what a variable or an argument says.
    pub(crate) fn write(
        &mut self,
        (subject, location): (Subject<'a>, Option<Pos>),
        argument: &'a Argument,
        source: Source<'a>,
        out: &mut Buffer,
    ) {
        (self.subject, self.location) = (subject, location);
        self.path.clear();
        self.field((&argument.ty, &argument.write), Place::Alone, source, out);
    }

    fn field(
        &mut self,
        (ty, read): (&'a TypeRef, &'a Read),
        place: Place,
        source: Source<'a>,
        out: &mut Buffer,
    ) {
        // A variable that was not given is null inside a list; everywhere else the caller has looked.
        let source = self.variables.resolve(source).unwrap_or(source);
        match (ty, source.given()) {
            (TypeRef::NonNull(_), Given::Null) => {
                self.refuse(source, &format!("Expected non-nullable type \"{ty}\" not to be null."));
            }
            (TypeRef::NonNull(inner), _) => self.field((inner, read), place, source, out),
            (TypeRef::List(_) | TypeRef::Named(_), Given::Null) => {}
            (TypeRef::List(item), Given::List(items)) => {
                let mut items = items.enumerate().map(|(index, item)| (Some(index), item));
                self.list((item, read), &mut items, out);
            }
            // A single value is a list of one, and its path has no index.
            (TypeRef::List(item), _) => {
                self.list((item, read), &mut std::iter::once((None, source)), out);
            }
            (TypeRef::Named(_), _) => self.one(read, place, source, out),
        }
    }

    fn list(
        &mut self,
        item: (&'a TypeRef, &'a Read),
        items: &mut dyn Iterator<Item = (Option<usize>, Source<'a>)>,
        out: &mut Buffer,
    ) {
        let mut items = items.peekable();
        let packed = (is_packed(&item.1.kind) && items.peek().is_some()).then(|| out.open(item.1.number));
        let place = if packed.is_some() { Place::Packed } else { Place::Alone };
        for (index, source) in items {
            if self.errors.is_enough() {
                break;
            }
            self.path.extend(index.map(Step::Index));
            self.field(item, place, source, out);
            self.path.truncate(self.path.len() - usize::from(index.is_some()));
        }
        if let Some(packed) = packed {
            out.close(packed);
        }
    }

    /// A value that is neither null nor a list.
    fn one(&mut self, read: &'a Read, place: Place, source: Source<'a>, out: &mut Buffer) {
        let number = read.number;
        let written = match &read.kind {
            Kind::Scalar(wire, form) => {
                primitive(*wire, *form, source).map(|value| put(read, place, &value, out))
            }
            Kind::Enum(name) => self.enum_number(name, source).map(|value| put(read, place, &value, out)),
            Kind::Message(name) => {
                let nested = out.open(number);
                self.input(name, source, out);
                out.close(nested);
                Ok(())
            }
            Kind::Group(name) => {
                out.tag(number, Brackets::Open);
                self.input(name, source, out);
                out.tag(number, Brackets::Close);
                Ok(())
            }
            Kind::Wrapper(wire, form) => primitive(*wire, *form, source).map(|value| {
                let nested = out.open(number);
                if !value.is_zero() {
                    out.field(1, &value);
                }
                out.close(nested);
            }),
            Kind::WellKnown(known) => {
                well_known::write(*known, number, source, &|value| self.variables.resolve(value), out)
            }
        };
        if let Err(reason) = written {
            self.refuse(source, &reason);
        }
    }

    fn enum_number(&self, name: &str, source: Source<'a>) -> Result<Primitive<'static>, String> {
        let given = source.given();
        let text = match &given {
            Given::Name(name) => name,
            Given::Text(text) if source.is_json() => &**text,
            _ => {
                let wanted = if source.is_json() { "string" } else { "enum" };
                return Err(format!(
                    "Enum \"{name}\" cannot represent non-{wanted} value: {}.",
                    inspect(source)
                ));
            }
        };
        let values = match self.types.get(name) {
            Some(Type::Enum(definition)) => &definition.values[..],
            _ => &[],
        };
        match values.iter().find(|value| *value.name == *text) {
            // Negative numbers take ten bytes, as those of an int32 do.
            Some(value) => Ok(Primitive::Varint(i64::from(value.number) as u64)),
            None => Err(format!("Value {} does not exist in \"{name}\" enum.", quote(text))),
        }
    }

    fn input(&mut self, name: &'a str, source: Source<'a>, out: &mut Buffer) {
        let Some(Type::Input(input)) = self.types.get(name) else {
            return self.refuse(source, &format!("Type \"{name}\" cannot be sent."));
        };
        let Given::Object(entries) = source.given() else {
            return self.refuse(source, &format!("Expected type \"{name}\" to be an object."));
        };
        if self.path.len() >= DEPTH_MAX {
            return self.refuse(source, &format!("Values are nested deeper than {DEPTH_MAX} levels."));
        }
        let mut given = vec![None; input.fields.len()];
        let strangers = self.sort_out(input, name, entries, &mut given);
        for index in order(input, &given) {
            let field = &input.fields[index];
            self.path.push(Step::Name(&field.name));
            if let Some(value) = given[index] {
                self.field((&field.ty, &field.write), Place::Alone, value, out);
            }
            self.path.pop();
        }
        // Where not all was looked at, nothing is known to be missing.
        let looked_at_all = strangers.len() < ERRORS_MAX;
        let missing = if looked_at_all { missing(&input.fields, &given) } else { Vec::new() };
        let is_given = |member: &str| {
            let place = input.fields.iter().position(|field| *field.name == *member);
            place.and_then(|place| given[place]).is_some_and(|value| !matches!(value.given(), Given::Null))
        };
        for reason in missing.into_iter().chain(strangers).chain(excess(&input.one_of, &is_given)) {
            self.refuse(source, &reason);
        }
    }

    /// Puts what was given in the places of the fields, and tells what belongs nowhere.
    fn sort_out(
        &self,
        input: &Input,
        name: &str,
        entries: Entries<'a>,
        given: &mut [Option<Source<'a>>],
    ) -> Vec<String> {
        let mut strangers = Vec::new();
        for (key, value) in entries {
            // Whoever sends a key a million times is not searched for a million times.
            if strangers.len() == ERRORS_MAX {
                break;
            }
            match input.fields.iter().position(|field| *field.name == *key) {
                Some(place) if given[place].is_none() => given[place] = self.variables.resolve(value),
                Some(_) => strangers.push(format!("Field {} is given more than once.", quote(&key))),
                None => strangers.push(format!("Field {} is not defined by type \"{name}\".", quote(&key))),
            }
        }
        strangers
    }

    fn refuse(&mut self, source: Source<'_>, reason: &str) {
        if self.errors.is_enough() {
            return;
        }
        let (name, what) = match self.subject {
            Subject::Variable(name) => (name, format!("Variable \"${name}\" got invalid value")),
            Subject::Default(name) => (name, format!("Variable \"${name}\" has invalid default value")),
            Subject::Argument(name) => (name, format!("Argument \"{name}\" has invalid value")),
        };
        let mut at = String::new();
        let mut path = vec![Segment::Name(name.into())];
        for step in &self.path {
            match step {
                Step::Name(name) => {
                    at.extend([".", name]);
                    path.push(Segment::Name((*name).into()));
                }
                Step::Index(index) => {
                    at.push_str(&format!("[{index}]"));
                    path.push(Segment::Index(*index));
                }
            }
        }
        let at = if at.is_empty() { at } else { format!(" at \"{name}{at}\"") };
        let message = format!("{what} {}{at}; {reason}", inspect(source));
        self.errors.push(Error { message, path, location: self.location });
    }
}

/// Writes a scalar; a zero where the field cannot tell it from nothing is nothing.
fn put(read: &Read, place: Place, value: &Primitive<'_>, out: &mut Buffer) {
    match (place, read.count) {
        (Place::Packed, _) => out.item(value),
        (Place::Alone, Count::Implicit | Count::EmptyAsNull) if value.is_zero() => {}
        (Place::Alone, _) => out.field(read.number, value),
    }
}

/// Whether a list of these stands in one field.
fn is_packed(kind: &Kind) -> bool {
    match kind {
        Kind::Scalar(wire, _) => !matches!(wire, Wire::String | Wire::Bytes),
        Kind::Enum(_) => true,
        Kind::Message(_) | Kind::Group(_) | Kind::Wrapper(..) | Kind::WellKnown(_) => false,
    }
}

/// The places of what was given, in the order of the numbers.
fn order(input: &Input, given: &[Option<Source<'_>>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..given.len()).filter(|place| given[*place].is_some()).collect();
    order.sort_by_key(|place| input.fields[*place].write.number);
    order
}

/// What should have been given.
fn missing(fields: &[Argument], given: &[Option<Source<'_>>]) -> Vec<String> {
    let missing = fields.iter().zip(given).filter(|(field, given)| given.is_none() && field.ty.is_non_null());
    missing
        .map(|(field, _)| {
            format!("Field \"{}\" of required type \"{}\" was not provided.", field.name, field.ty)
        })
        .collect()
}

/// What was given beside something that excludes it.
pub(crate) fn excess(sets: &[OneOf], is_given: &dyn Fn(&str) -> bool) -> Vec<String> {
    let list = |names: &[&str]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let mut reasons = Vec::new();
    for set in sets {
        let members = || set.members.iter().map(|member| &**member);
        if members().filter(|member| is_given(member)).count() > 1 {
            let given: Vec<&str> = members().filter(|member| is_given(member)).collect();
            let members: Vec<&str> = members().collect();
            let (members, given) = (list(&members), list(&given));
            reasons.push(format!("At most one of {members} may be given, not {given} together."));
        }
    }
    reasons
}
