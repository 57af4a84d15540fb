//! Kitex with registry-etcd: `kitex/registry-etcd/<service>/<host:port>`, and JSON with `network`,
//! `address`, `weight` and `tags`.
//!
//! The value never says whether the service speaks protobuf or Thrift: policy does. Its own weight
//! unless told otherwise is 10, also for a weight of 0 or less. There is no version, no reflection and
//! no health service.

use super::json::{self, Names, Object};
use super::problem::Problem;
use super::{Facts, at_address, key};
use crate::registration::{self, Raw};

/// The weight of an instance that was given none.
const WEIGHT_DEFAULT: i64 = 10;

/// How many of ours one of theirs is: an instance that was given none weighs the same on both scales.
const SCALE: i64 = registration::WEIGHT_DEFAULT as i64 / WEIGHT_DEFAULT;

pub(super) fn read(path: &str, value: &[u8]) -> Result<Facts, Problem> {
    let (service, named) = key::two(path)?;
    let value = json::parse(value)?;
    let root = Object::root(&value, Names::AnyCase)?;
    if !matches!(root.text("network")?, "" | "tcp" | "tcp4" | "tcp6") {
        return Err(root.problem("network", "must be \"tcp\""));
    }
    let address = match root.text("address")? {
        "" => named,
        address => address,
    };
    let weight = root.integer("weight")?.filter(|weight| *weight > 0).unwrap_or(WEIGHT_DEFAULT);
    let weight = weight.saturating_mul(SCALE);
    let meta = root.map("tags")?;
    Ok(Facts::Theirs(Raw { weight: Some(weight), meta, ..at_address(service, address) }))
}
