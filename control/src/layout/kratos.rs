//! Kratos: `/microservices/<service>/<id>`, and JSON with `id`, `name`, `version`, `metadata` and several
//! `endpoints`, each a URL.
//!
//! Only `grpc` and `grpcs` endpoints are taken; an instance that has but others is not ours. Older
//! versions write TLS as `grpc://…?isSecure=true`. The weight is a decimal text in the metadata, and one
//! that is no number counts as none, as it does to Kratos. Versions are what the build was given, often
//! `v1.2.0` or a commit, and then policy must state one. Health is served unless it was switched off.

use super::json::{self, Names, Object};
use super::problem::{Problem, crop};
use super::{Facts, Ignored, instance_id, key};
use crate::registration::Raw;

pub(super) fn read(path: &str, value: &[u8]) -> Result<Facts, Problem> {
    let (service, id) = key::two(path)?;
    let value = json::parse(value)?;
    let root = Object::root(&value, Names::AnyCase)?;
    for (field, named) in [("name", service), ("id", id)] {
        let said = root.text(field)?;
        if !said.is_empty() && said != named {
            return Err(Problem::differs(field, said));
        }
    }
    let offered = root.texts("endpoints")?;
    let endpoints: Vec<_> = offered.iter().filter_map(|url| Some((endpoint(url)?, String::new()))).collect();
    if endpoints.is_empty() && !offered.is_empty() {
        return Ok(Facts::Ignored(Ignored::NoGrpc(crop(&offered.join(" "), 200))));
    }
    let meta = root.map("metadata")?;
    Ok(Facts::Theirs(Raw {
        service: service.to_owned(),
        id: instance_id(id),
        version: root.text("version")?.to_owned(),
        endpoints,
        weight: meta.get("weight").and_then(|weight| weight.parse().ok()),
        meta,
        ..Raw::default()
    }))
}

/// The endpoint as we write it, if it speaks gRPC.
fn endpoint(url: &str) -> Option<String> {
    let (plain, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, address) = plain.split_once("://")?;
    let secure = query.split('&').filter_map(|pair| pair.strip_prefix("isSecure=")).any(is_true);
    match scheme {
        "grpcs" => Some(format!("grpcs://{address}")),
        "grpc" if secure => Some(format!("grpcs://{address}")),
        "grpc" => Some(format!("grpc://{address}")),
        _ => None,
    }
}

/// The texts that Go takes for true.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}
