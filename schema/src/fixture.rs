//! What do tests compose? Protos in a string, and the sample services of this repository.
//!
//! Text is compiled with Turnout's options, Google's annotations and protobuf's own types at hand. Text
//! that does not begin with `syntax` or `edition` gets a header, so that a fixture shows only what it is
//! about. Nothing in here is part of the product.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use crate::subgraph::{self, Exposure, Reading};
use crate::{Descriptors, Subgraph};

/// The services of the sample world, by name and the first number of the version.
pub(crate) const SAMPLES: [(&str, &str); 9] = [
    ("catalog", "1.4"),
    ("catalog", "1.5"),
    ("echo", "1"),
    ("math", "1"),
    ("orders", "2"),
    ("reviews", "1"),
    ("todo", "1"),
    ("users", "1"),
    ("users", "2"),
];

/// The head that a fixture without one gets: its service is its package.
fn with_header(service: &str, text: &str) -> String {
    let text = text.trim_start();
    if text.starts_with("syntax") || text.starts_with("edition") {
        return text.to_owned();
    }
    let imports = [
        "google/api/annotations.proto",
        "google/api/field_behavior.proto",
        "google/api/resource.proto",
        "google/protobuf/any.proto",
        "google/protobuf/duration.proto",
        "google/protobuf/empty.proto",
        "google/protobuf/field_mask.proto",
        "google/protobuf/struct.proto",
        "google/protobuf/timestamp.proto",
        "google/protobuf/wrappers.proto",
        "google/type/date.proto",
        "google/type/money.proto",
        "turnout/graphql/v1/options.proto",
    ];
    let imports: Vec<String> = imports.iter().map(|path| format!("import \"{path}\";\n")).collect();
    format!("syntax = \"proto3\";\npackage {service}.v1;\n{}\n{text}", imports.concat())
}

/// Compiles files that are given as text; the first is the one that matters to error messages.
pub(crate) fn descriptors(files: &[(&str, &str)]) -> Descriptors {
    let texts = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    compile(Texts(texts), files.iter().map(|(path, _)| *path))
}

/// The descriptors of a service whose whole proto is this text.
pub(crate) fn service(service: &str, text: &str) -> Descriptors {
    descriptors(&[(&format!("{service}.proto"), &with_header(service, text))])
}

/// The descriptors of a sample service, such as `("catalog", "1.5")`.
pub(crate) fn sample(service: &str, version: &str) -> Descriptors {
    static COMPILED: LazyLock<Mutex<BTreeMap<String, Descriptors>>> = LazyLock::new(Mutex::default);
    let key = format!("{service}/{version}");
    if let Some(known) = COMPILED.lock().unwrap().get(&key) {
        return known.clone();
    }
    let root = proto_root().join("samples").join(&key);
    let files = protos_under(&root);
    let compiled = compile(IncludeFileResolver::new(root), files.iter().map(String::as_str));
    COMPILED.lock().unwrap().insert(key, compiled.clone());
    compiled
}

/// What a sample service offers.
pub(crate) fn sample_subgraph(service: &str, version: &str) -> Subgraph {
    subgraph::read(service, version, &sample(service, version), Exposure::Annotated).subgraph
}

/// What a service offers whose whole proto is this text; all of it is public.
pub(crate) fn subgraph(service: &str, text: &str) -> Subgraph {
    reading(service, text).subgraph
}

/// The same with what there is to say about it.
pub(crate) fn reading(service: &str, text: &str) -> Reading {
    subgraph::read(service, "1.0.0", &self::service(service, text), Exposure::All)
}

/// The descriptors of etcd, which nobody here wrote.
pub(crate) fn etcd() -> Descriptors {
    let bytes = std::fs::read(proto_root().join("etcd/etcd.binpb")).unwrap();
    Descriptors::read(&bytes).unwrap()
}

/// Protobuf's own files, Google's and Turnout's options, as one set.
pub(crate) fn well_known() -> Vec<u8> {
    let text = with_header("unused", "");
    let texts = BTreeMap::from([("unused.proto".to_owned(), text)]);
    encode(Texts(texts), ["unused.proto"].into_iter())
}

fn proto_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../proto")
}

/// The proto files below a directory, as they are imported, sorted.
fn protos_under(root: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = vec![root.to_owned()];
    while let Some(directory) = rest.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                rest.push(path);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn compile<'a>(own: impl FileResolver + 'static, files: impl Iterator<Item = &'a str>) -> Descriptors {
    Descriptors::read(&encode(own, files)).unwrap()
}

fn encode<'a>(own: impl FileResolver + 'static, files: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(own);
    resolver.add(IncludeFileResolver::new(proto_root()));
    resolver.add(IncludeFileResolver::new(proto_root().join("samples/third_party")));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    for file in files {
        if let Err(error) = compiler.open_file(file) {
            panic!("the fixture does not compile: {error:?}");
        }
    }
    compiler.encode_file_descriptor_set()
}

struct Texts(BTreeMap<String, String>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.get(name) {
            Some(text) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

#[test]
fn every_sample_and_etcd_compile() {
    for (service, version) in SAMPLES {
        assert!(!sample(service, version).services().is_empty(), "{service} {version}");
    }
    assert!(etcd().services().contains(&"etcdserverpb.KV".to_owned()));
}

#[test]
fn text_without_a_header_gets_one() {
    let found =
        service("shop", "service S { rpc Ping(google.protobuf.Empty) returns (google.protobuf.Empty); }");
    assert_eq!(found.services(), ["shop.v1.S"]);
}

#[test]
fn fixtures_and_samples_are_read() {
    assert_eq!(
        subgraph("shop", "service S { rpc Ping(google.protobuf.Empty) returns (google.protobuf.Empty); }")
            .roots
            .len(),
        1
    );
    assert_eq!(sample_subgraph("math", "1").roots.len(), 1);
}
