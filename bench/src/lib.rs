//! The measuring stand: what a request costs, next to the same answer written by hand.
//!
//! `upstream` serves the data of `world` over gRPC, so cheaply that the contender before it is the
//! bottleneck. `limit` and `noop` are contenders: the handler a good engineer would write by hand,
//! and the floor below it. `contender` is the table of all that is measured, `question` what is
//! asked, `stand` starts, pins, verifies, loads and reports.
//!
//! Nothing here is part of the product.

pub mod contender;
pub mod limit;
pub mod listen;
pub mod noop;
pub mod question;
pub mod stand;
pub mod upstream;
pub mod world;

/// `bench.v1`, generated from `bench/proto/bench/v1/bench.proto`.
pub mod wire {
    /// Messages and client.
    #[expect(clippy::allow_attributes_without_reason, reason = "generated code")]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/bench.v1.rs"));
    }
}

/// The encoded FileDescriptorSet of `bench.v1`, with imports, options and comments: what a gateway
/// is given so that it can serve the three questions.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bench.binpb"));
