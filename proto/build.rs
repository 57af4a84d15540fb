//! Compiles the registry API without protoc, and keeps its descriptors for reflection and tests.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    for file in ["turnout/registry/v1/registry.proto", "turnout/graphql/v1/options.proto"] {
        println!("cargo::rerun-if-changed={}", root.join(file).display());
    }

    let registry = protox::compile(["turnout/registry/v1/registry.proto"], [&root])?;
    tonic_prost_build::configure().btree_map(".turnout.registry.v1").compile_fds(registry.clone())?;
    std::fs::write(out.join("registry.binpb"), prost::Message::encode_to_vec(&registry))?;
    Ok(())
}
