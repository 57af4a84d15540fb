//! The measuring stand: what a request costs, next to the same answer written by hand.
//!
//! `upstream` serves the data of `world` over gRPC, so cheaply that the contender before it is the
//! bottleneck. `limit`, `dynamic` and `noop` are contenders: the handler a good engineer would write by
//! hand, the gateway one would make of existing libraries, and the floor. `contender` is the table of all that is measured, `question` what is
//! asked, `stand` starts, pins, verifies, loads and reports.
//!
//! Nothing here is part of the product.

pub mod contender;
pub mod dynamic;
pub mod limit;
pub mod listen;
pub mod noop;
pub mod question;
pub mod stand;
pub mod upstream;
pub mod world;

/// The stand's services, generated from `bench/proto`: messages and clients.
pub mod wire {
    /// `bench.v1`.
    #[expect(clippy::allow_attributes_without_reason, reason = "generated code")]
    pub mod bench {
        include!(concat!(env!("OUT_DIR"), "/bench.v1.rs"));
    }
    /// `people.v1`.
    #[expect(clippy::allow_attributes_without_reason, reason = "generated code")]
    pub mod people {
        include!(concat!(env!("OUT_DIR"), "/people.v1.rs"));
    }
    /// `places.v1`.
    #[expect(clippy::allow_attributes_without_reason, reason = "generated code")]
    pub mod places {
        include!(concat!(env!("OUT_DIR"), "/places.v1.rs"));
    }
}

/// A service of the upstream, as a gateway hears of it.
#[derive(Debug)]
pub struct Service {
    /// Its name in a registry.
    pub name: &'static str,
    /// Its encoded FileDescriptorSet, with imports, options and comments.
    pub descriptors: &'static [u8],
}

/// All services of the upstream: with these a gateway can serve every question.
pub const SERVICES: [Service; 3] = [
    Service { name: "bench", descriptors: include_bytes!(concat!(env!("OUT_DIR"), "/bench.binpb")) },
    Service { name: "people", descriptors: include_bytes!(concat!(env!("OUT_DIR"), "/people.binpb")) },
    Service { name: "places", descriptors: include_bytes!(concat!(env!("OUT_DIR"), "/places.binpb")) },
];
