//! `cargo xtask bench`: runs the measuring driver in a release build. The driver knows the rest.

use anyhow::Result;

use crate::steps;
use crate::workspace::Workspace;

/// Builds and runs the driver with `args`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut driver =
        Workspace::find()?.cargo(&["run", "--release", "--package", "turnout-bench", "--bin", "bench", "--"]);
    driver.args(args);
    steps::call(driver)
}
