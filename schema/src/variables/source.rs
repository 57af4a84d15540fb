//! A value that somebody sent, wherever it stands: in the JSON of the variables, in the document, or as the
//! default of a variable. Whoever reads values reads them through this, so the rules exist once.

use std::borrow::Cow;

use async_graphql_value::indexmap::map;
use async_graphql_value::{ConstValue, Name, Number as LiteralNumber, Value as Literal};

use super::json::{self, Shape};

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// In the variables.
    Json(json::Value<'a>),
    /// In the document.
    Literal(&'a Literal),
    /// In the document, as a default.
    Default(&'a ConstValue),
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Given<'a> {
    Null,
    Boolean(bool),
    Number(Number),
    Text(Cow<'a, str>),
    /// The bare name of an enum value; JSON has none.
    Name(&'a str),
    List(Items<'a>),
    Object(Entries<'a>),
}

/// A number as exact as it was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    fn parse(text: &str) -> Number {
        // A minus in front of zero is lost in an integer, and a float can tell.
        match text.parse::<i128>() {
            Ok(integer) if integer != 0 || !text.starts_with('-') => Number::Integer(integer),
            _ => Number::Float(text.parse().unwrap_or(f64::NAN)),
        }
    }

    fn of_literal(number: &LiteralNumber) -> Number {
        let integer = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        integer.map_or_else(|| Number::Float(number.as_f64().unwrap_or(f64::NAN)), Number::Integer)
    }

    pub(crate) fn float(self) -> f64 {
        match self {
            Number::Integer(integer) => integer as f64,
            Number::Float(float) => float,
        }
    }

    /// As an integer, when it is one: JSON knows no difference between 1 and 1.0.
    pub(crate) fn integer(self) -> Option<i128> {
        /// 2^53: from here on a float names more than one integer.
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        match self {
            Number::Integer(integer) => Some(integer),
            Number::Float(float) => {
                (float.fract() == 0.0 && float.abs() < EXACT_MAX).then_some(float as i128)
            }
        }
    }
}

impl<'a> Source<'a> {
    /// The variable that stands here, when it is nothing but one.
    pub(crate) fn variable(self) -> Option<&'a str> {
        match self {
            Source::Literal(Literal::Variable(name)) => Some(name.as_str()),
            Source::Json(_) | Source::Literal(_) | Source::Default(_) => None,
        }
    }

    pub(crate) fn is_json(self) -> bool {
        matches!(self, Source::Json(_))
    }

    /// What it is. A variable that nobody replaced is null.
    pub(crate) fn given(self) -> Given<'a> {
        match self {
            Source::Json(value) => match value.shape() {
                Shape::Null => Given::Null,
                Shape::True => Given::Boolean(true),
                Shape::False => Given::Boolean(false),
                Shape::Number => Given::Number(Number::parse(value.raw())),
                Shape::Plain | Shape::Escaped => Given::Text(value.text()),
                Shape::List => Given::List(Items::Json(value.children())),
                Shape::Object => Given::Object(Entries::Json(value.children())),
            },
            Source::Literal(literal) => match literal {
                // Bytes are what a multipart request puts into variables; no document contains any.
                Literal::Variable(_) | Literal::Null | Literal::Binary(_) => Given::Null,
                Literal::Boolean(boolean) => Given::Boolean(*boolean),
                Literal::Number(number) => Given::Number(Number::of_literal(number)),
                Literal::String(text) => Given::Text(Cow::Borrowed(text)),
                Literal::Enum(name) => Given::Name(name),
                Literal::List(items) => Given::List(Items::Literal(items.iter())),
                Literal::Object(entries) => Given::Object(Entries::Literal(entries.iter())),
            },
            Source::Default(default) => match default {
                ConstValue::Null | ConstValue::Binary(_) => Given::Null,
                ConstValue::Boolean(boolean) => Given::Boolean(*boolean),
                ConstValue::Number(number) => Given::Number(Number::of_literal(number)),
                ConstValue::String(text) => Given::Text(Cow::Borrowed(text)),
                ConstValue::Enum(name) => Given::Name(name),
                ConstValue::List(items) => Given::List(Items::Default(items.iter())),
                ConstValue::Object(entries) => Given::Object(Entries::Default(entries.iter())),
            },
        }
    }
}

/// The values of a list.
#[derive(Clone, Debug)]
pub(crate) enum Items<'a> {
    Json(json::Children<'a>),
    Literal(std::slice::Iter<'a, Literal>),
    Default(std::slice::Iter<'a, ConstValue>),
}

impl<'a> Iterator for Items<'a> {
    type Item = Source<'a>;

    fn next(&mut self) -> Option<Source<'a>> {
        match self {
            Items::Json(items) => items.next().map(Source::Json),
            Items::Literal(items) => items.next().map(Source::Literal),
            Items::Default(items) => items.next().map(Source::Default),
        }
    }
}

/// The keys and values of an object.
#[derive(Clone, Debug)]
pub(crate) enum Entries<'a> {
    Json(json::Children<'a>),
    Literal(map::Iter<'a, Name, Literal>),
    Default(map::Iter<'a, Name, ConstValue>),
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Cow<'a, str>, Source<'a>);

    fn next(&mut self) -> Option<(Cow<'a, str>, Source<'a>)> {
        match self {
            Entries::Json(children) => Some((children.next()?.text(), Source::Json(children.next()?))),
            Entries::Literal(entries) => {
                entries.next().map(|(key, value)| (Cow::Borrowed(key.as_str()), Source::Literal(value)))
            }
            Entries::Default(entries) => {
                entries.next().map(|(key, value)| (Cow::Borrowed(key.as_str()), Source::Default(value)))
            }
        }
    }
}
