//! The naming of etcd's gRPC resolver: `<target>/<anything>`, and JSON with `Op`, `Addr` and `Metadata`.
//!
//! The first piece below the prefix is the service, and all after it only tells entries apart. Names of
//! fields begin with capitals. `Op` 1 takes the address away, though the key is still there. `Metadata`
//! may be any JSON; texts and numbers in an object are kept, and none of them means anything here.

use super::json::{self, Names, Object};
use super::problem::Problem;
use super::{Facts, Ignored, at_address};
use crate::registration::Raw;

pub(super) fn read(path: &str, value: &[u8]) -> Result<Facts, Problem> {
    let service = match path.split_once('/') {
        Some((service, entry)) if !service.is_empty() && !entry.is_empty() => service,
        Some(_) | None => {
            return Err(Problem::Key("must have two pieces below the prefix: a target and an id"));
        }
    };
    let value = json::parse(value)?;
    let root = Object::root(&value, Names::AnyCase)?;
    match root.integer("Op")? {
        None | Some(0) => {}
        Some(1) => return Ok(Facts::Ignored(Ignored::Removed)),
        Some(_) => return Err(root.problem("Op", "must be 0 or 1")),
    }
    let address = root.text("Addr")?;
    if address.is_empty() {
        return Err(root.problem("Addr", "must be a host and a port"));
    }
    let meta = root.find("Metadata").map(json::scalars).unwrap_or_default();
    Ok(Facts::Theirs(Raw { meta, ..at_address(service, address) }))
}
