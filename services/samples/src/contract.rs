//! The sample contracts: generated code, and the descriptor set that each version registers.
//!
//! There is code for the newest version of each package only. Catalog 1.4 is served by the code of
//! 1.5, of which it is a part; its descriptors are its own.

use semver::{Version, VersionReq};

pub use generated::{demo, google, shop, todo};

#[expect(
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    reason = "generated code"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
}

/// A range of versions of one service that share a contract.
struct Offer {
    service: &'static str,
    range: &'static str,
    descriptors: &'static [u8],
}

macro_rules! descriptor_set {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".binpb"))
    };
}

const OFFERS: &[Offer] = &[
    Offer { service: "catalog", range: ">=1.0.0, <1.5.0", descriptors: descriptor_set!("catalog-1.4") },
    Offer { service: "catalog", range: ">=1.5.0, <2.0.0", descriptors: descriptor_set!("catalog-1.5") },
    Offer { service: "orders", range: "2", descriptors: descriptor_set!("orders-2") },
    Offer { service: "users", range: "1", descriptors: descriptor_set!("users-1") },
    Offer { service: "users", range: "2", descriptors: descriptor_set!("users-2") },
    Offer { service: "reviews", range: "1", descriptors: descriptor_set!("reviews-1") },
    Offer { service: "todo-user", range: "1", descriptors: descriptor_set!("todo-user-1") },
    Offer { service: "todo-task", range: "1", descriptors: descriptor_set!("todo-task-1") },
    Offer { service: "echo", range: "1", descriptors: descriptor_set!("echo-1") },
    Offer { service: "math", range: "1", descriptors: descriptor_set!("math-1") },
];

/// The encoded FileDescriptorSet, with imports and source info, of a service's version; none when
/// the samples have no such service or no such version. Any version of a known contract will do, so
/// that a demonstration can invent `orders 2.3.0`.
pub fn descriptors(service: &str, version: &str) -> Option<&'static [u8]> {
    let version = Version::parse(version).ok()?;
    OFFERS
        .iter()
        .find(|offer| offer.service == service && covers(offer.range, &version))
        .map(|offer| offer.descriptors)
}

/// The names of the sample services, each once.
pub(crate) fn services() -> Vec<&'static str> {
    let mut names: Vec<_> = OFFERS.iter().map(|offer| offer.service).collect();
    names.dedup();
    names
}

/// Whether a range holds a version; `1.5.0-rc.1` stands where `1.5.0` stands, because it has the same
/// contract.
pub(crate) fn covers(range: &str, version: &Version) -> bool {
    let release = Version::new(version.major, version.minor, version.patch);
    VersionReq::parse(range).is_ok_and(|range| range.matches(&release))
}
