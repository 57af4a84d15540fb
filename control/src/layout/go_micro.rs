//! go-micro: `/micro/registry/<service>/<node>`, and JSON of a service with one node.
//!
//! A node is taken only when its metadata say `"protocol": "grpc"`: the default server speaks another
//! protocol, and `"transport": "grpc"` carries that other protocol inside gRPC. Slashes of names are
//! dashes in the key. The version is `latest` unless it was set, and then policy must state one.

use super::json::{self, Names, Object};
use super::problem::{Problem, crop};
use super::{Facts, Ignored, at_address, instance_id, key};
use crate::registration::Raw;

pub(super) fn read(path: &str, value: &[u8]) -> Result<Facts, Problem> {
    let (service, node) = key::two(path)?;
    let value = json::parse(value)?;
    let root = Object::root(&value, Names::AnyCase)?;
    check("name", root.text("name")?, service)?;
    let nodes = root.objects("nodes")?;
    let [only] = nodes.as_slice() else {
        return Err(root.problem("nodes", "must have exactly one entry"));
    };
    check("nodes[0].id", only.text("id")?, node)?;
    let meta = only.map("metadata")?;
    match meta.get("protocol").map_or("", String::as_str) {
        "grpc" => {}
        "" => return Ok(Facts::Ignored(Ignored::NoGrpc("no protocol".to_owned()))),
        other => return Ok(Facts::Ignored(Ignored::NoGrpc(crop(other, 64)))),
    }
    let version = root.text("version")?.to_owned();
    let raw = at_address(service, only.text("address")?);
    Ok(Facts::Theirs(Raw { id: instance_id(node), version, meta, ..raw }))
}

/// Holds a name in the value against that in the key.
fn check(field: &str, said: &str, named: &str) -> Result<(), Problem> {
    if said.is_empty() || said.replace('/', "-") == named {
        return Ok(());
    }
    Err(Problem::differs(field, said))
}
