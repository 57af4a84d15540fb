//! Compiles the stand's three services without protoc: clients for the contenders, and for each service
//! the descriptor set, with imports and source information, that a gateway is given at registration.

use std::path::PathBuf;

use prost_types::FileDescriptorSet;

const SERVICES: [&str; 3] = ["bench", "people", "places"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let own = root.join("proto");
    let shared = root.join("../proto");
    println!("cargo::rerun-if-changed={}", own.display());
    println!("cargo::rerun-if-changed={}", shared.join("turnout/graphql/v1/options.proto").display());

    let mut all = FileDescriptorSet::default();
    for service in SERVICES {
        let mut compiler = protox::Compiler::new([&own, &shared])?;
        compiler.include_imports(true).include_source_info(true);
        compiler.open_file(format!("{service}/v1/{service}.proto"))?;
        // The typed descriptor set would drop Turnout's options; the encoded one keeps them.
        std::fs::write(out.join(format!("{service}.binpb")), compiler.encode_file_descriptor_set())?;
        let named: Vec<String> = all.file.iter().map(|file| file.name().to_owned()).collect();
        let files = compiler.file_descriptor_set().file;
        all.file.extend(files.into_iter().filter(|file| !named.iter().any(|name| name == file.name())));
    }
    tonic_prost_build::configure().build_server(false).compile_fds(all)?;
    Ok(())
}
