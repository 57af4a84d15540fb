//! What does a value say once `${VAR}` is filled in?
//!
//! `${VAR}` takes the variable and is a mistake when it is not set; `${VAR:-text}` falls back to the
//! text when it is unset or empty; `$${` is a literal `${`. A `$` before anything else stands for
//! itself. Nothing nests, and what a variable holds is not expanded again. The environment comes in as
//! an argument.

use std::collections::BTreeMap;

use super::kind::Complaint;
use super::mistake::crop;

/// Fills `text` in from `env`.
pub(super) fn expand(text: &str, env: &BTreeMap<&str, &str>) -> Result<String, Complaint> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(literal) = rest[..at].strip_suffix('$') {
            out.push_str(literal);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let body = &rest[at + 2..];
        let end = body.find('}').ok_or_else(|| {
            Complaint::new("`${` has no closing `}`").hint("a literal `${` is written `$${`")
        })?;
        out.push_str(&lookup(&body[..end], env)?);
        rest = &body[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn lookup(body: &str, env: &BTreeMap<&str, &str>) -> Result<String, Complaint> {
    let (name, fallback) = match body.split_once(":-") {
        Some((name, fallback)) => (name, Some(fallback)),
        None => (body, None),
    };
    let starts_well = name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_');
    if !starts_well || !name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_') {
        return Err(Complaint::new(format!("`{}` is not the name of a variable", crop(name)))
            .hint("write `${VAR}` or `${VAR:-text}`"));
    }
    if fallback.is_some_and(|text| text.contains("${")) {
        return Err(Complaint::new(format!("the fallback of `{name}` holds another `${{`"))
            .hint("a fallback is plain text"));
    }
    match (env.get(name), fallback) {
        (None | Some(&""), Some(fallback)) => Ok(fallback.to_owned()),
        (Some(value), _) => Ok((*value).to_owned()),
        (None, None) => Err(Complaint::new(format!("the environment variable `{name}` is not set"))
            .hint(format!("set it, or give a fallback: `${{{name}:-text}}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_fallbacks_and_escapes() {
        let env = BTreeMap::from([("HOST", "db"), ("EMPTY", ""), ("ODD", "${HOST}")]);
        let cases = [
            ("plain", Ok("plain")),
            ("${HOST}", Ok("db")),
            ("a-${HOST}-${HOST}", Ok("a-db-db")),
            ("${NONE:-x:-y}", Ok("x:-y")),
            ("${EMPTY:-x}", Ok("x")),
            ("${EMPTY}", Ok("")),
            ("${NONE:-}", Ok("")),
            ("$${HOST}", Ok("${HOST}")),
            ("$$${HOST}", Ok("$${HOST}")),
            ("5$ and $HOST", Ok("5$ and $HOST")),
            ("${ODD}", Ok("${HOST}")),
            ("${NONE}", Err("the environment variable `NONE` is not set")),
            ("${", Err("`${` has no closing `}`")),
            ("${}", Err("`` is not the name of a variable")),
            ("${env.HOST}", Err("`env.HOST` is not the name of a variable")),
            ("${HOST-x}", Err("`HOST-x` is not the name of a variable")),
            ("${NONE:-${HOST}}", Err("the fallback of `NONE` holds another `${`")),
        ];
        for (text, expected) in cases {
            let found = expand(text, &env).map_err(|complaint| complaint.reason);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }
}
