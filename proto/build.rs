//! Compiles the registry API without protoc, and keeps its descriptors for reflection and tests. Files that
//! services import and may not send are kept as descriptors too.

use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    for directory in ["turnout", "samples/third_party"] {
        println!("cargo::rerun-if-changed={}", root.join(directory).display());
    }

    let registry = protox::compile(["turnout/registry/v1/registry.proto"], [&root])?;
    tonic_prost_build::configure().btree_map(".turnout.registry.v1").compile_fds(registry.clone())?;
    std::fs::write(out.join("registry.binpb"), prost::Message::encode_to_vec(&registry))?;
    std::fs::write(out.join("well_known.binpb"), well_known(&root)?)?;
    Ok(())
}

/// What services import and need not have: Turnout's options, and what is Google's.
fn well_known(root: &Path) -> Result<Vec<u8>, protox::Error> {
    let google = root.join("samples/third_party");
    let mut compiler = protox::Compiler::new([root, google.as_path()])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files([
        "turnout/graphql/v1/options.proto",
        "google/api/annotations.proto",
        "google/api/field_behavior.proto",
        "google/api/resource.proto",
        "google/protobuf/any.proto",
        "google/protobuf/api.proto",
        "google/protobuf/duration.proto",
        "google/protobuf/empty.proto",
        "google/protobuf/field_mask.proto",
        "google/protobuf/source_context.proto",
        "google/protobuf/struct.proto",
        "google/protobuf/timestamp.proto",
        "google/protobuf/type.proto",
        "google/protobuf/wrappers.proto",
        "google/type/date.proto",
        "google/type/money.proto",
    ])?;
    Ok(compiler.encode_file_descriptor_set())
}
