//! go-zero: `<service>/<lease>`, and a bare `host:port`.
//!
//! The last piece of the key is a lease or a fixed id, in decimal. A lease changes whenever the process
//! registers anew, while the old key may still be there: the instance is named after its address, so
//! that both keys mean the same one. Nothing else is written: no version, no weight. Health is served
//! unless it was switched off.

use super::problem::Problem;
use super::{Facts, at_address, key};
use crate::registration::Raw;

pub(super) fn read(path: &str, value: &[u8]) -> Result<Facts, Problem> {
    let (service, lease) = key::two(path)?;
    if !lease.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::Key("must end with a lease or an id in decimal digits"));
    }
    let address = str::from_utf8(value).map_err(|_| Problem::Value("is not UTF-8"))?;
    if address.is_empty() {
        return Err(Problem::Value("must be a host and a port, and is empty"));
    }
    Ok(Facts::Theirs(Raw { health: "grpc".to_owned(), ..at_address(service, address) }))
}
