//! The gin and gRPC todo project and what was made from it: `/<service>/<address>` or
//! `/<service>/<version>/<address>`, and JSON with `name`, `addr`, `version` and `weight`.
//!
//! Variants write `address` for `addr`, empty pieces and a slash at the end of the key, or a bare address
//! under the name alone. So the address is the value's, or else the last piece of the key; so is the
//! version, which most leave empty. A weight of 0 is unset. These keys lie at the root of etcd: what
//! others wrote there names another service than its key, or has no address, and is refused.

use super::json::{self, Names, Object};
use super::problem::Problem;
use super::{Facts, at_address};
use crate::registration::Raw;

pub(super) fn read(path: &str, value: &[u8]) -> Result<Facts, Problem> {
    let pieces: Vec<&str> = path.split('/').filter(|piece| !piece.is_empty()).collect();
    let (service, version, last) = match *pieces.as_slice() {
        [service] => (service, "", ""),
        [service, last] => (service, "", last),
        [service, version, last] => (service, version, last),
        _ => return Err(Problem::Key("must be a service, maybe a version, and an address")),
    };
    if let ([_], Some(address)) = (pieces.as_slice(), bare(value)) {
        return Ok(Facts::Theirs(at_address(service, address)));
    }
    let value = json::parse(value)?;
    let root = Object::root(&value, Names::AnyCase)?;
    let name = root.text("name")?;
    if !name.is_empty() && name != service {
        return Err(Problem::differs("name", name));
    }
    let said = [root.text("addr")?, root.text("address")?];
    let address = said.into_iter().chain([last]).find(|address| !address.is_empty()).unwrap_or_default();
    if !is_address(address) {
        return Err(root.problem("addr", "must be a host and a port, here or at the end of the key"));
    }
    let version = Some(root.text("version")?).filter(|said| !said.is_empty()).unwrap_or(version);
    Ok(Facts::Theirs(Raw {
        version: version.to_owned(),
        weight: root.integer("weight")?.filter(|weight| *weight != 0),
        ..at_address(service, address)
    }))
}

/// The value as an address without JSON around it.
fn bare(value: &[u8]) -> Option<&str> {
    str::from_utf8(value).ok().filter(|text| !text.starts_with(['{', '[', '"']) && is_address(text))
}

/// Whether a text can only be meant as an address; whether it is a good one is judged later.
fn is_address(text: &str) -> bool {
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && digits(port))
}
