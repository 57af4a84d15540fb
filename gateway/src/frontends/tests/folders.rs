//! Directories as people leave them.

use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};

use crate::frontends::folder::{self, Folder};

const APP: &str = "app: web\ndefault: 2.4.1\n";

fn manifest(version: &str, rest: &str) -> String {
    format!("app: web\nversion: {version}\nstate: active\npins: {{ catalog: ^1 }}\n{rest}")
}

fn put(root: &Path, path: &str, text: &str) {
    let place = root.join(path);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, text).unwrap();
}

/// What is read, with the directory's own name left out.
fn told(root: &Path) -> String {
    let Folder { apps, versions, odd } = folder::read(root);
    let mut lines = Vec::new();
    for (app, reading) in apps {
        lines.push(format!("{app}: {:?}", reading.read.map(|app| app.default.to_string())));
    }
    for (id, reading) in versions {
        let told = reading.read.map(|version| {
            let documents: Vec<&str> =
                version.documents.iter().map(|document| document.id.as_str()).collect();
            (documents.join(" "), version.page)
        });
        lines.push(format!("{id}: {told:?}"));
    }
    lines.extend(odd.into_iter().map(|odd| format!("odd: {odd}")));
    let canonical = root.canonicalize().unwrap();
    lines.join("\n").replace(canonical.to_str().unwrap(), "ROOT").replace(root.to_str().unwrap(), "ROOT")
        + "\n"
}

fn check(root: &Path, expected: Expect) {
    expected.assert_eq(&told(root));
}

#[test]
fn a_directory_is_read_and_what_is_not_a_frontends_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    put(root, "README.md", "hello");
    put(root, "sources/web/package.json", "{}");
    put(root, "sources/2.0.0/manifest.yaml", "not: looked at");
    put(root, "web/app.yaml", APP);
    put(root, "web/notes/draft.txt", "later");
    put(root, "web/2.4.1/manifest.yaml", &manifest("2.4.1", "page: page\ndocuments: operations\n"));
    put(root, "web/2.4.1/page/index.html", "<html>");
    put(root, "web/2.4.1/operations/Home.graphql", "{ products { id } }");
    put(root, "web/2.4.1/operations/notes.txt", "no operation");
    put(root, "web/2.5.0/manifest.yaml", &manifest("2.5.0", "documents: persisted.json\n"));
    put(root, "web/2.5.0/persisted.json", r#"{"sha256:1":"{ products { id } }"}"#);
    check(
        root,
        expect![[r#"
        web: Ok("2.4.1")
        web@2.4.1: Ok(("Home", Some("ROOT/web/2.4.1/page")))
        web@2.5.0: Ok(("sha256:1", None))
    "#]],
    );
    assert!(folder::read(&root.join("nowhere")).apps.is_empty());
}

#[test]
fn what_is_wrong_in_a_directory_is_told_and_the_rest_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    put(root, "web/app.yaml", "app: web\n");
    put(root, "web/next/manifest.yaml", &manifest("3.0.0", ""));
    put(root, "web/2.4.0/manifest.yaml", &manifest("2.4.1", ""));
    put(root, "web/2.4.1/manifest.yaml", &manifest("2.4.1", "page: page\ndocuments: operations.json\n"));
    put(root, "web/2.4.1/operations.json", r#"{"operations":[{"id":"a"}]}"#);
    put(root, "web/2.5.0/manifest.yaml", &manifest("2.5.0", ""));
    put(root, "bad name/app.yaml", APP);
    check(
        root,
        expect![[r#"
        web: Err("error: an app needs `default`\n  --> ROOT/web/app.yaml:1:1\n   |\n1  | app: web\n   | ^ such as `default: 2.4.1`\n\nROOT/web/app.yaml: 1 mistake")
        web@2.4.0: Err("error: version is 2.4.1, and this is the place of web@2.4.0\n  --> ROOT/web/2.4.0/manifest.yaml:2:10\n   |\n2  | version: 2.4.1\n   |          ^^^^^ the directory of a version has its name\n\nROOT/web/2.4.0/manifest.yaml: 1 mistake")
        web@2.4.1: Err("ROOT/web/2.4.1/manifest.yaml: page: there is no ROOT/web/2.4.1/page/index.html\nROOT/web/2.4.1/operations.json: operations[0] has no \"body\"")
        web@2.5.0: Ok(("", None))
        odd: ROOT/bad name: the name of an app may only have letters, digits, ".", "_" and "-", but has ' '
        odd: ROOT/web/next: a version is no version by semver.org, such as "1.5.0": unexpected character 'n' while parsing major version number
    "#]],
    );
}

#[test]
fn a_link_that_leads_out_is_not_followed() {
    let (directory, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = directory.path();
    put(outside.path(), "secret.json", r#"{"a":"{ secret }"}"#);
    put(outside.path(), "page/index.html", "<html>");
    put(root, "web/app.yaml", APP);
    put(root, "web/2.4.1/manifest.yaml", &manifest("2.4.1", "page: page\ndocuments: operations.json\n"));
    std::os::unix::fs::symlink(outside.path().join("secret.json"), root.join("web/2.4.1/operations.json"))
        .unwrap();
    std::os::unix::fs::symlink(outside.path().join("page"), root.join("web/2.4.1/page")).unwrap();
    check(
        root,
        expect![[r#"
        web: Ok("2.4.1")
        web@2.4.1: Err("ROOT/web/2.4.1/manifest.yaml: page: there is no ROOT/web/2.4.1/page/index.html\nROOT/web/2.4.1/operations.json: is a link that leads out of the directory of frontends")
    "#]],
    );
}

#[test]
fn a_change_of_a_text_is_another_digest_and_shows_in_the_marks() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    put(root, "web/app.yaml", APP);
    put(root, "web/2.4.1/manifest.yaml", &manifest("2.4.1", "documents: operations\n"));
    put(root, "web/2.4.1/operations/Home.graphql", "{ products { id } }");
    let id = "web@2.4.1".parse().unwrap();
    let digest = || folder::read(root).versions[&id].digest;
    let (before, marks) = (digest(), folder::marks(root));
    assert_eq!((digest(), folder::marks(root)), (before, marks.clone()));
    put(root, "web/2.4.1/operations/Home.graphql", "{ products { id name } }");
    assert!(digest() != before && folder::marks(root) != marks);
}
