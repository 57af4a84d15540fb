//! Fields of a JSON value, by name and kind, with the place of what is wrong.
//!
//! `null` is the same as a field that is left out, as it is to Go. Nesting is bounded by the parser and
//! size by whoever calls.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::problem::{Problem, crop};

/// Which spellings of a field's name are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Only its own.
    Exact,
    /// Its own first, then any other case: what Go's decoder takes, for which these values are written.
    AnyCase,
}

/// An object, and where in the value it is.
#[derive(Clone, Debug)]
pub(super) struct Object<'a> {
    fields: &'a Map<String, Value>,
    names: Names,
    place: String,
}

/// The JSON in these bytes.
pub(super) fn parse(value: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(value).map_err(|error| Problem::Json(crop(&error.to_string(), 200)))
}

impl<'a> Object<'a> {
    /// The value as an object.
    pub(super) fn root(value: &'a Value, names: Names) -> Result<Object<'a>, Problem> {
        let fields = value.as_object().ok_or(Problem::Value("must be a JSON object"))?;
        Ok(Object { fields, names, place: String::new() })
    }

    /// The object in a field, if there is one.
    pub(super) fn object(&self, name: &str) -> Result<Option<Object<'a>>, Problem> {
        let Some(value) = self.find(name) else { return Ok(None) };
        let fields = value.as_object().ok_or_else(|| self.problem(name, "must be an object"))?;
        Ok(Some(Object { fields, names: self.names, place: format!("{}{name}.", self.place) }))
    }

    /// The objects in the list in a field; none when it is left out.
    pub(super) fn objects(&self, name: &str) -> Result<Vec<Object<'a>>, Problem> {
        let object = |(at, value): (usize, &'a Value)| {
            let place = format!("{}{name}[{at}]", self.place);
            let fields = value.as_object().ok_or_else(|| Problem::field(&place, "must be an object"))?;
            Ok(Object { fields, names: self.names, place: format!("{place}.") })
        };
        self.list(name)?.iter().enumerate().map(object).collect()
    }

    /// The texts in the list in a field; none when it is left out.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&'a str>, Problem> {
        let text =
            |value: &'a Value| value.as_str().ok_or_else(|| self.problem(name, "must have only texts"));
        self.list(name)?.iter().map(text).collect()
    }

    /// The text in a field; empty when it is left out.
    pub(super) fn text(&self, name: &str) -> Result<&'a str, Problem> {
        let Some(value) = self.find(name) else { return Ok("") };
        value.as_str().ok_or_else(|| self.problem(name, "must be a text"))
    }

    /// The whole number in a field.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Problem> {
        let read = |value: &Value| value.as_i64().ok_or_else(|| self.problem(name, "must be a whole number"));
        self.find(name).map(read).transpose()
    }

    /// The whole number from 0 on in a field.
    pub(super) fn natural(&self, name: &str) -> Result<Option<u64>, Problem> {
        let message = "must be a whole number from 0 on";
        self.find(name).map(|value| value.as_u64().ok_or_else(|| self.problem(name, message))).transpose()
    }

    /// The texts by key in a field; none when it is left out.
    pub(super) fn map(&self, name: &str) -> Result<BTreeMap<String, String>, Problem> {
        let Some(object) = self.object(name)? else { return Ok(BTreeMap::new()) };
        let text = |(key, value): (&String, &Value)| {
            let text = value.as_str().ok_or_else(|| object.problem(key, "must be a text"))?;
            Ok((key.clone(), text.to_owned()))
        };
        object.fields.iter().map(text).collect()
    }

    /// The first names that are none of these, and only so much of them as can be shown.
    pub(super) fn names_besides(&self, known: &[&str]) -> Vec<String> {
        let unknown = self.fields.keys().filter(|name| !known.contains(&name.as_str()));
        unknown.take(4).map(|name| crop(name, 64)).collect()
    }

    /// The value of a field.
    pub(super) fn find(&self, name: &str) -> Option<&'a Value> {
        let exact = self.fields.get(name);
        let other =
            || self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let found = match self.names {
            Names::Exact => exact,
            Names::AnyCase => exact.or_else(other),
        };
        found.filter(|value| !value.is_null())
    }

    /// What is wrong with a field.
    pub(super) fn problem(&self, name: &str, message: &str) -> Problem {
        Problem::field(format!("{}{}", self.place, crop(name, 64)), message)
    }

    fn list(&self, name: &str) -> Result<&'a [Value], Problem> {
        let Some(value) = self.find(name) else { return Ok(&[]) };
        let list = value.as_array().ok_or_else(|| self.problem(name, "must be a list"))?;
        Ok(list)
    }
}

/// A text or a number as text; empty when it is null. `None` for all else.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What an object of anything has of texts and numbers.
pub(super) fn scalars(value: &Value) -> BTreeMap<String, String> {
    let fields = value.as_object().into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.clone(), scalar(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_name_in_its_own_case_comes_before_others() {
        let value = json!({"ADDR": "b", "addr": "a", "Op": 1, "weight": null});
        let any = Object::root(&value, Names::AnyCase).unwrap();
        assert_eq!(any.text("addr").unwrap(), "a");
        assert_eq!(any.text("Addr").unwrap(), "b");
        assert_eq!(any.integer("op").unwrap(), Some(1));
        assert_eq!(any.integer("weight").unwrap(), None);
        let exact = Object::root(&value, Names::Exact).unwrap();
        assert_eq!(exact.integer("op").unwrap(), None);
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        let value = json!({"nodes": [{"meta": {"a": 1}}], "n": 1.5});
        let root = Object::root(&value, Names::Exact).unwrap();
        let node = &root.objects("nodes").unwrap()[0];
        assert_eq!(node.map("meta").unwrap_err().to_string(), "the field nodes[0].meta.a must be a text");
        assert!(root.integer("n").is_err() && root.natural("n").is_err());
        assert!(root.texts("n").is_err() && root.objects("n").is_err() && root.object("n").is_err());
        assert!(Object::root(&json!([]), Names::Exact).is_err());
    }
}
