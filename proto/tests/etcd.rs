//! `proto/etcd/etcd.binpb` is what protoc would say of etcd-client's own files.
//!
//! The build of etcd-client reads it through the stand-in `proto/etcd/protoc`. After an update of
//! the crate, `TURNOUT_BLESS=1 cargo test -p turnout-proto` writes it anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message;

const FILES: [&str; 5] = [
    "etcd/api/authpb/auth.proto",
    "etcd/api/etcdserverpb/rpc.proto",
    "etcd/api/mvccpb/kv.proto",
    "etcd/server/etcdserver/api/v3election/v3electionpb/v3election.proto",
    "etcd/server/etcdserver/api/v3lock/v3lockpb/v3lock.proto",
];

#[test]
fn the_committed_descriptors_are_those_of_the_crate_in_use() {
    let mut compiler = protox::Compiler::new([etcd_client().join("proto")]).unwrap();
    compiler.include_imports(true).include_source_info(false).open_files(FILES).unwrap();
    let fresh = compiler.file_descriptor_set().encode_to_vec();

    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("etcd/etcd.binpb");
    if std::env::var_os("TURNOUT_BLESS").is_some() {
        std::fs::write(&committed, &fresh).unwrap();
    }
    assert!(
        std::fs::read(&committed).unwrap() == fresh,
        "etcd.binpb is not what etcd-client carries: TURNOUT_BLESS=1 cargo test -p turnout-proto"
    );
}

/// The folder of the etcd-client that Cargo.lock names.
fn etcd_client() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let package = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"] == "etcd-client")
        .expect("the workspace uses etcd-client");
    Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_path_buf()
}
