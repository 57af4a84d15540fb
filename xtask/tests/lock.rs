//! Is every locked crate newer than the holes known in it?
//!
//! The advisory database is not asked here: it needs the network, and it lacks some of these. A row is
//! the range of versions that an advisory covers; no locked crate may lie in one. Rows for crates that
//! are not in the tree keep them from coming in with an old version. A new advisory is a new row.

use std::path::Path;

type Version = (u64, u64, u64);

/// Versions from `from` up to, not including, `fixed` of `name` have the hole `id`.
struct Hole {
    name: &'static str,
    from: Version,
    fixed: Version,
    id: &'static str,
}

const fn hole(name: &'static str, fixed: Version, id: &'static str) -> Hole {
    hole_since(name, (0, 0, 0), fixed, id)
}

const fn hole_since(name: &'static str, from: Version, fixed: Version, id: &'static str) -> Hole {
    Hole { name, from, fixed, id }
}

/// One row a crate, with the newest fix. What an old branch fixed by itself counts as open: we are past it.
const HOLES: [Hole; 23] = [
    // GraphQL
    hole("async-graphql", (7, 0, 10), "RUSTSEC-2022-0037, CVE-2024-47614: nested fragments, many directives"),
    hole("juniper", (0, 15, 10), "RUSTSEC-2022-0038: nested fragments overflow the stack"),
    // HTTP and gRPC
    hole("axum-core", (0, 3, 0), "RUSTSEC-2022-0055: no default limit of request bodies"),
    hole("h2", (0, 4, 16), "RUSTSEC-2023-0034, 2024-0003, 2024-0332, 2026-0258: floods of frames"),
    hole("hyper", (0, 14, 10), "RUSTSEC-2021-0079: request smuggling by chunk sizes"),
    hole("tonic", (0, 12, 3), "RUSTSEC-2024-0376: the accept loop ends on an error"),
    hole("tungstenite", (0, 20, 1), "RUSTSEC-2023-0065: long handshake headers"),
    // Protobuf
    hole("prost", (0, 6, 1), "RUSTSEC-2020-0002: nested messages overflow the stack"),
    hole("protobuf", (3, 7, 2), "RUSTSEC-2024-0437: nested unknown groups overflow the stack"),
    // TLS and tokens
    hole("jsonwebtoken", (10, 3, 0), "CVE-2026-25537: a string in exp or nbf skips the check"),
    hole("ring", (0, 17, 12), "RUSTSEC-2025-0009: panics with overflow checks"),
    hole("rustls", (0, 23, 45), "RUSTSEC-2024-0336, 2024-0399, 2026-0285: loop, panic, order of messages"),
    hole("rustls-webpki", (0, 103, 13), "RUSTSEC-2023-0053, 2026-0049, 2026-0098, 2026-0099, 2026-0104"),
    // Base
    hole("bytes", (1, 11, 1), "RUSTSEC-2026-0007: overflow in BytesMut::reserve"),
    hole("hashbrown", (0, 15, 1), "RUSTSEC-2024-0402: non-canonical borsh"),
    hole("libsqlite3-sys", (0, 25, 1), "RUSTSEC-2022-0090: array bounds in SQLite"),
    hole("rand", (0, 9, 3), "RUSTSEC-2026-0097: unsound with a custom logger"),
    hole_since("rand", (0, 10, 0), (0, 10, 1), "RUSTSEC-2026-0097: unsound with a custom logger"),
    hole("rusqlite", (0, 26, 2), "RUSTSEC-2021-0128: lifetimes of closures"),
    hole_since("slab", (0, 4, 10), (0, 4, 11), "RUSTSEC-2025-0047: out of bounds in get_disjoint_mut"),
    hole("time", (0, 3, 47), "RUSTSEC-2026-0009: RFC 2822 overflows the stack"),
    hole("tokio", (1, 44, 2), "RUSTSEC-2025-0023: broadcast clones without Sync"),
    hole("tracing-subscriber", (0, 3, 20), "RUSTSEC-2025-0055: escape sequences reach the terminal"),
];

/// Name and version of every locked package.
fn packages(lock: &str) -> Vec<(&str, Version)> {
    let blocks = lock.split("[[package]]").skip(1);
    blocks.map(|block| (value(block, "name"), parse(value(block, "version")))).collect()
}

/// The string that a package's block gives for `key`.
fn value<'a>(block: &'a str, key: &str) -> &'a str {
    let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    line.expect("a package has a name and a version").trim_matches('"')
}

/// Major, minor, patch; a pre-release counts as its release, build metadata as nothing.
fn parse(version: &str) -> Version {
    let release = version.split(['-', '+']).next().expect("split yields at least one part");
    let mut numbers = release.split('.').map(|number| number.parse().expect("a number in a locked version"));
    let mut next = || numbers.next().expect("three numbers in a locked version");
    (next(), next(), next())
}

/// All locked versions with a hole, one line each.
fn findings(lock: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (name, version) in packages(lock) {
        for hole in HOLES.iter().filter(|hole| hole.name == name) {
            if hole.from <= version && version < hole.fixed {
                let (fixed, id) = (hole.fixed, hole.id);
                found.push(format!("{name} {version:?} is open, {fixed:?} is the fix: {id}"));
            }
        }
    }
    found
}

#[test]
fn no_locked_crate_has_a_known_hole() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let lock = std::fs::read_to_string(file).expect("Cargo.lock is committed");
    assert!(packages(&lock).iter().any(|(name, _)| *name == "tokio"), "Cargo.lock was not understood");
    let found = findings(&lock);
    assert!(found.is_empty(), "{}\nrun `cargo update -p NAME`", found.join("\n"));
}

#[test]
fn a_version_below_the_fix_is_found_and_the_fix_is_not() {
    let lock = "version = 4\n\n[[package]]\nname = \"h2\"\nversion = \"0.4.15\"\n\n[[package]]\nname = \"bytes\"\n\
        version = \"1.11.1\"\n\n[[package]]\nname = \"jsonwebtoken\"\nversion = \"9.3.1\"\n";
    let found = findings(lock);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("h2 (0, 4, 15)") && found[0].contains("2026-0258"), "{found:?}");
    assert!(found[1].contains("CVE-2026-25537"), "{found:?}");
}

#[test]
fn a_hole_that_came_in_late_spares_older_versions() {
    let locked = |version: &str| format!("[[package]]\nname = \"slab\"\nversion = \"{version}\"\n");
    assert_eq!(findings(&locked("0.4.9")), Vec::<String>::new());
    assert_eq!(findings(&locked("0.4.10")).len(), 1);
    assert_eq!(findings(&locked("0.4.11")), Vec::<String>::new());
}

#[test]
fn pre_releases_and_build_metadata_are_understood() {
    assert_eq!(parse("0.104.0-alpha.7"), (0, 104, 0));
    assert_eq!(parse("0.11.1+wasi-snapshot-preview1"), (0, 11, 1));
}
