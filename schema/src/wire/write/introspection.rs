//! What the graph says about itself, which async-graphql knows as a value.
//!
//! It is as deep as the document that asked for it.

use async_graphql_value::ConstValue;

use super::{Miss, Outcome, Why, text};
use crate::wire::base64;

/// Writes what stands behind a response key of an operation's root.
pub(super) fn write(all: Option<&ConstValue>, key: &str, out: &mut Vec<u8>) -> Outcome {
    let Some(ConstValue::Object(all)) = all else { return Err(Miss::Null(Why::Null)) };
    match all.get(key) {
        None | Some(ConstValue::Null) => Err(Miss::Null(Why::Null)),
        Some(value) => Ok(write_value(value, out)?),
    }
}

fn write_value(value: &ConstValue, out: &mut Vec<u8>) -> Result<(), Why> {
    match value {
        ConstValue::Null => out.extend_from_slice(b"null"),
        ConstValue::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        ConstValue::String(string) => text::string(string.as_bytes(), out)?,
        ConstValue::Boolean(true) => out.extend_from_slice(b"true"),
        ConstValue::Boolean(false) => out.extend_from_slice(b"false"),
        ConstValue::Binary(bytes) => {
            out.push(b'"');
            base64::encode(bytes, out);
            out.push(b'"');
        }
        ConstValue::Enum(name) => text::plain(name.as_str(), out),
        ConstValue::List(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_value(item, out)?;
            }
            out.push(b']');
        }
        ConstValue::Object(fields) => {
            out.push(b'{');
            for (at, (key, value)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                text::plain(key.as_str(), out);
                out.push(b':');
                write_value(value, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_json() {
        let all = serde_json::json!({
            "__schema": { "a": [1, -2.5, "x\"\n", true, false, null, {}, []], "b": { "c": "d" } },
            "nothing": null,
        });
        let value = ConstValue::from_json(all.clone()).unwrap();
        let mut out = Vec::new();
        assert_eq!(write(Some(&value), "__schema", &mut out), Ok(()));
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&out).unwrap(), all["__schema"]);
        for (all, key) in [(Some(&value), "nothing"), (Some(&value), "missing"), (None, "__schema")] {
            assert_eq!(write(all, key, &mut out), Err(Miss::Null(Why::Null)), "{key}");
        }
    }
}
