//! Compiles `bench.v1` without protoc: a client for the contenders, and the descriptor set, with
//! imports and source information, that a gateway is given at registration.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let own = root.join("proto");
    let shared = root.join("../proto");
    println!("cargo::rerun-if-changed={}", own.join("bench/v1/bench.proto").display());
    println!("cargo::rerun-if-changed={}", shared.join("turnout/graphql/v1/options.proto").display());

    let mut compiler = protox::Compiler::new([own, shared])?;
    compiler.include_imports(true).include_source_info(true).open_file("bench/v1/bench.proto")?;
    // The typed descriptor set would drop Turnout's options; the encoded one keeps them.
    std::fs::write(out.join("bench.binpb"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure().build_server(false).compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
