//! Compiles the sample contracts without protoc: descriptor sets of every version, Rust code of the
//! newest.
//!
//! Descriptor sets are written as protox encodes them. A round trip through prost's descriptor types
//! would drop the options, which are extensions there.

use std::path::{Path, PathBuf};

use prost::Message as _;
use protox::Compiler;

/// One contract version.
struct Contract {
    /// The name of its descriptor set.
    name: &'static str,
    /// Its proto root under `proto/samples`.
    root: &'static str,
    /// The files a service of this version offers.
    files: &'static [&'static str],
    /// Whether Rust code is made from it. Catalog 1.4 is served by the code of 1.5, a superset.
    code: bool,
}

const CONTRACTS: &[Contract] = &[
    Contract {
        name: "catalog-1.4",
        root: "catalog/1.4",
        files: &["shop/catalog/v1/catalog.proto"],
        code: false,
    },
    Contract {
        name: "catalog-1.5",
        root: "catalog/1.5",
        files: &["shop/catalog/v1/catalog.proto"],
        code: true,
    },
    Contract { name: "orders-2", root: "orders/2", files: &["shop/orders/v1/orders.proto"], code: true },
    Contract { name: "users-1", root: "users/1", files: &["shop/users/v1/users.proto"], code: true },
    Contract { name: "users-2", root: "users/2", files: &["shop/users/v2/users.proto"], code: true },
    Contract { name: "reviews-1", root: "reviews/1", files: &["shop/reviews/v1/reviews.proto"], code: true },
    Contract { name: "todo-user-1", root: "todo/1", files: &["todo/v1/user.proto"], code: true },
    Contract { name: "todo-task-1", root: "todo/1", files: &["todo/v1/task.proto"], code: true },
    Contract { name: "echo-1", root: "echo/1", files: &["demo/echo/v1/echo.proto", LEGACY], code: true },
    Contract { name: "math-1", root: "math/1", files: &["demo/math/v1/math.proto"], code: true },
];

const LEGACY: &str = "demo/echo/v1/legacy.proto";

/// Packages whose messages the code below needs no types for: options are read from descriptors.
const WITHOUT_CODE: &[&str] = &["google.api", "turnout.graphql.v1"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").ok_or("no manifest directory")?);
    let proto = manifest.join("../../proto");
    println!("cargo::rerun-if-changed={}", proto.join("samples").display());
    println!("cargo::rerun-if-changed={}", proto.join("turnout/graphql").display());

    let mut code = prost_types::FileDescriptorSet::default();
    for contract in CONTRACTS {
        let mut compiler = compiler(&proto, contract.root)?;
        compiler.open_files(contract.files)?;
        let bytes = compiler.encode_file_descriptor_set();
        std::fs::write(out.join(format!("{}.binpb", contract.name)), &bytes)?;
        if contract.code {
            add(&mut code, &bytes)?;
        }
    }
    tonic_prost_build::configure()
        .btree_map(".")
        .emit_rerun_if_changed(false)
        .include_file("contracts.rs")
        .compile_fds(code)?;
    frontends(&manifest.join("../../frontend-versions"), &out.join("frontends.rs"))?;
    Ok(())
}

/// Writes the list of all files of the sample frontends, with their bytes: the demo needs them wherever it is
/// started. The sources that pages are built from are not among them: they have no `app.yaml`.
fn frontends(root: &Path, list: &Path) -> std::io::Result<()> {
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    for app in std::fs::read_dir(root)? {
        let app = app?.path();
        if app.join("app.yaml").is_file() {
            collect(&app, &mut files)?;
        }
    }
    files.sort();
    let mut text = String::from("&[\n");
    for path in &files {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path.strip_prefix(root).unwrap_or(path);
        text.push_str(&format!("    ({name:?}, include_bytes!({:?})),\n", path.canonicalize()?));
    }
    text.push_str("]\n");
    std::fs::write(list, text)
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn compiler(proto: &Path, root: &str) -> Result<Compiler, protox::Error> {
    let samples = proto.join("samples");
    let mut compiler = Compiler::new([&samples.join(root), &samples.join("third_party"), proto])?;
    compiler.include_imports(true).include_source_info(true);
    Ok(compiler)
}

/// Adds the files of one descriptor set that need code and are not there yet.
fn add(code: &mut prost_types::FileDescriptorSet, bytes: &[u8]) -> Result<(), prost::DecodeError> {
    for file in prost_types::FileDescriptorSet::decode(bytes)?.file {
        let known = code.file.iter().any(|other| other.name() == file.name());
        if !known && !WITHOUT_CODE.contains(&file.package()) {
            code.file.push(file);
        }
    }
    Ok(())
}
