//! Protos that nobody here wrote become graphs: with diagnostics, and never with a panic.
//!
//! Google's APIs come from an npm package, so they are only read where `cargo xtask test` found Node and
//! installed it; etcd's own API lies in this repository.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says why")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use protox::Compiler;
use protox::file::{ChainFileResolver, GoogleFileResolver, IncludeFileResolver};
use turnout_schema::compose::{self, Locks};
use turnout_schema::subgraph::{self, Exposure};
use turnout_schema::{Descriptors, Severity};

/// Reads and composes everything that a set offers, and tells how much that was.
fn graph(service: &str, bytes: &[u8]) -> String {
    let descriptors = Descriptors::read(bytes).unwrap();
    let reading = subgraph::read(service, "1.0.0", &descriptors, Exposure::All);
    let composition = compose::compose(std::slice::from_ref(&reading.subgraph), &Locks::default());
    let mut told: BTreeMap<(Severity, &str), usize> = BTreeMap::new();
    for found in reading.diagnostics.iter().chain(&composition.diagnostics) {
        assert!(!found.message.is_empty(), "{found:?}");
        *told.entry((found.severity, found.code)).or_default() += 1;
    }
    let mut text = String::new();
    match &composition.supergraph {
        None => text.push_str("no graph\n"),
        Some(supergraph) => {
            assert_eq!(compose::verify(supergraph), Vec::<String>::new(), "{service}");
            let (types, roots, entities) =
                (supergraph.types.len(), supergraph.roots.len(), supergraph.entities.len());
            writeln!(text, "{types} types, {roots} root fields, {entities} entities").unwrap();
        }
    }
    for ((severity, code), count) in told.into_iter().rev() {
        writeln!(text, "{count} {} {code}", severity.as_str()).unwrap();
    }
    text
}

fn check(service: &str, bytes: &[u8], expected: Expect) {
    expected.assert_eq(&graph(service, bytes));
}

/// Where Google's protos are; `None` where the tests of Node are left out.
fn google() -> Option<PathBuf> {
    if std::env::var_os("TURNOUT_TEST_NODE").is_none() {
        println!("skipped: TURNOUT_TEST_NODE is not set");
        return None;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protos/node_modules/google-proto-files");
    assert!(root.is_dir(), "run `npm ci` in schema/tests/protos");
    Some(root)
}

/// The descriptors of all files in a folder; `None` where they do not compile by themselves.
fn compiled(root: &Path, folder: &Path) -> Option<Vec<u8>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "proto"))
        .collect();
    files.sort();
    // Google's newest descriptor.proto uses what protox does not read yet; its own comes first.
    let mut resolver = ChainFileResolver::new();
    resolver.add(GoogleFileResolver::new());
    resolver.add(IncludeFileResolver::new(root.to_owned()));
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    let names = files.iter().map(|path| path.strip_prefix(root).unwrap());
    compiler.open_files(names).ok()?;
    Some(compiler.encode_file_descriptor_set())
}

#[test]
fn etcd() {
    let bytes = include_bytes!("../../proto/etcd/etcd.binpb");
    check(
        "etcd",
        bytes,
        expect![[r#"
        80 types, 47 root fields, 0 entities
        2 warning STREAM_OF_CALLERS
        1 warning QUERY_MISSING
    "#]],
    );
}

#[test]
fn the_library_of_googles_guidelines() {
    let Some(root) = google() else { return };
    let bytes = compiled(&root, &root.join("google/example/library/v1")).unwrap();
    check(
        "library",
        &bytes,
        expect![[r#"
            11 types, 11 root fields, 2 entities
        "#]],
    );
}

#[test]
fn pubsub() {
    let Some(root) = google() else { return };
    let bytes = compiled(&root, &root.join("google/pubsub/v1")).unwrap();
    check(
        "pubsub",
        &bytes,
        expect![[r#"
            126 types, 34 root fields, 4 entities
            1 warning STREAM_OF_CALLERS
            1 info TYPE_RENAMED
        "#]],
    );
}

#[test]
fn a_set_of_more_than_a_thousand_messages() {
    let Some(root) = google() else { return };
    let bytes = compiled(&root, &root.join("google/cloud/compute/v1")).unwrap();
    check(
        "compute",
        &bytes,
        expect![[r#"
            1772 types, 988 root fields, 0 entities
            16 warning LOOKS_LIKE_A_READ
            5 info TYPE_RENAMED
            808 info FIELD_RENAMED
        "#]],
    );
}

/// Every eighth of Google's APIs; all of them take a minute, and passed when this was written.
#[test]
fn many_strangers_and_no_panic() {
    let Some(root) = google() else { return };
    let mut folders = vec![root.join("google")];
    let mut leaves = Vec::new();
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        if entries.iter().any(|path| path.extension().is_some_and(|extension| extension == "proto")) {
            leaves.push(folder);
        }
        folders.extend(entries.into_iter().filter(|path| path.is_dir()));
    }
    let (mut graphs, mut others) = (0, 0);
    for folder in leaves.iter().step_by(8) {
        let Some(bytes) = compiled(&root, folder) else { continue };
        // Without a service, or with nothing but streams of callers, there is no graph.
        let read = Descriptors::read(&bytes).is_ok();
        if read && graph("stranger", &bytes).contains("types") {
            graphs += 1;
        } else {
            others += 1;
        }
    }
    assert!(graphs > 30, "{graphs} graphs, {others} without");
}
