//! The pages of the sample frontends in a real browser, served by a real demo.
//!
//! The tests themselves are written beside the pages (`frontend-versions/sources/test/browser`); this starts
//! what they need and lets them run. They run where `TURNOUT_TEST_NODE` and `TURNOUT_TEST_CHROMIUM` name the
//! programs and the packages are installed, as `cargo xtask test` sees to, and otherwise say why not.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::Turnout;

/// How long all pages may take together, before the run counts as stuck.
const LONGEST: Duration = Duration::from_secs(300);

#[test]
fn the_pages_of_the_demo_work_in_a_browser() {
    let Some((node, chromium)) = programs() else { return };
    let data = tempfile::tempdir().unwrap();
    let demo = Turnout::start("demo", data.path(), &["--no-traffic"]);
    let mut tests = Command::new(node)
        .current_dir(sources())
        .args(["node_modules/vitest/vitest.mjs", "run", "--config", "test/browser/vitest.config.ts"])
        .env("TURNOUT_URL", &demo.public)
        .env("TURNOUT_TEST_CHROMIUM", chromium)
        .spawn()
        .unwrap();
    let until = Instant::now() + LONGEST;
    let ended = loop {
        if let Some(status) = tests.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            tests.kill().unwrap();
            tests.wait().unwrap();
            panic!("the pages took longer than {LONGEST:?}");
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(ended.success(), "{ended}; what the pages showed is above");
}

/// Node and a browser; none where something is missing.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn programs() -> Option<(OsString, OsString)> {
    let named = |variable: &str| {
        let found = std::env::var_os(variable);
        if found.is_none() {
            println!("skipped: {variable} is not set");
        }
        found
    };
    let found = (named("TURNOUT_TEST_NODE")?, named("TURNOUT_TEST_CHROMIUM")?);
    let packages = sources().join("node_modules");
    assert!(packages.is_dir(), "there is no {}; `npm ci` makes it", packages.display());
    Some(found)
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../frontend-versions/sources")
}
