//! What is said of entries in other registries: their prefix, the version and the descriptors of a service,
//! and where in a value a field is.

use turnout_control::id::Version;
use turnout_control::layout::Field;
use turnout_schema::Digest;

use super::{Complaint, Value, crop, path, printable};
use crate::config::suggest::nearest;

/// Any beginning of keys that ends where a piece ends. Most frameworks write a slash before, some none.
pub(super) fn prefix(text: &str) -> Result<Value, Complaint> {
    let text = printable(text)?;
    if text == "/" {
        return Ok(Value::KeyPrefix(text));
    }
    let bare = text.trim_end_matches('/');
    if text.contains(char::is_whitespace) || bare.trim_start_matches('/').split('/').any(str::is_empty) {
        let complaint =
            Complaint::new(format!("`{}` is not a key prefix such as `/microservices`", crop(&text)));
        return Err(complaint);
    }
    if bare != text {
        return Err(Complaint::new(format!("`{}` must not end with `/`", crop(&text))).rather(bare));
    }
    Ok(Value::KeyPrefix(text))
}

pub(super) fn version(text: &str) -> Result<Value, Complaint> {
    match text.parse::<Version>() {
        Ok(version) => Ok(Value::Text(version.to_string())),
        Err(error) => Err(Complaint::new(format!("`{}` {error}", crop(text)))),
    }
}

/// A word, a digest, or else a path: one that looks like a word is written with `./`.
pub(super) fn schema(text: &str) -> Result<Value, Complaint> {
    if matches!(text, "reflection" | "off") {
        return Ok(Value::Text(text.to_owned()));
    }
    if text.starts_with("sha256:") {
        let digest: Result<Digest, _> = text.parse();
        let digest = digest.map_err(|error| Complaint::new(format!("`{}` {error}", crop(text))))?;
        return Ok(Value::Text(digest.to_string()));
    }
    if !text.contains(['/', '.'])
        && let Some(near) = nearest(text, &["reflection", "off"])
    {
        let complaint =
            Complaint::new(format!("`{}` is neither a word that is known nor a path", crop(text)));
        return Err(complaint.rather(near));
    }
    path(text)
}

pub(super) fn pointer(text: &str) -> Result<Value, Complaint> {
    let text = printable(text)?;
    let Some((name, pointer)) = text.split_once('=') else {
        return Err(Complaint::new(format!("`{}` is not a field with its place", crop(&text)))
            .hint("write it like `address=/addr`"));
    };
    let (name, pointer) = (name.trim(), pointer.trim());
    if name.parse::<Field>().is_err() {
        let known = Field::ALL.map(Field::as_str);
        let complaint = Complaint::new(format!("there is no field `{}`", crop(name)));
        return Err(match nearest(name, &known) {
            Some(near) => complaint.rather(near),
            None => complaint.hint(format!("fields are {}", known.join(", "))),
        });
    }
    if !pointer.starts_with('/') {
        return Err(Complaint::new(format!("the place `{}` must begin with `/`", crop(pointer)))
            .rather(&format!("{name}=/{pointer}")));
    }
    Ok(Value::Text(format!("{name}={pointer}")))
}
