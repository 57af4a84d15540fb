//! The registry API as Rust code: messages, client and server of `turnout.registry.v1`.
//!
//! `turnout/graphql/v1/options.proto` has no Rust code: options are read from descriptors by the
//! schema crate, which must keep what it does not know. Its text is here for build scripts of
//! services that want to import it.

/// `turnout.registry.v1`, generated from `proto/turnout/registry/v1/registry.proto`.
pub mod registry {
    #[expect(
        missing_docs,
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]
    #[path = "."]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/turnout.registry.v1.rs"));
    }
}

/// The encoded FileDescriptorSet of the registry API, for gRPC reflection.
pub const REGISTRY_DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/registry.binpb"));

/// The encoded FileDescriptorSet of what services import and may not have at hand: protobuf's own files,
/// Google's annotations, and Turnout's options.
pub const WELL_KNOWN_DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/well_known.binpb"));

/// The text of `turnout/graphql/v1/options.proto`.
pub const OPTIONS_PROTO: &str = include_str!("../turnout/graphql/v1/options.proto");
