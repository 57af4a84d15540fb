//! Where is the checkout, and how are its cargo, git and built gateway called?
//!
//! Everything is found from this program's own place, so that the commands work from any folder and
//! with any target directory.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The checkout this program was built from.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    root: PathBuf,
    cargo: OsString,
}

impl Workspace {
    /// The workspace of this very program, with the cargo that started it.
    pub(crate) fn find() -> Result<Workspace> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().context("xtask lies in the workspace's root")?.to_owned();
        Ok(Workspace { root, cargo: std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()) })
    }

    /// A folder or file of the checkout.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    /// cargo with these arguments, in the root.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut cargo = Command::new(&self.cargo);
        cargo.current_dir(&self.root).args(args);
        // `cargo run` told this program about its own package. Build scripts that watch these variables
        // (ring's does) would run again, and all that depends on them, whenever `cargo xtask` and plain
        // cargo take turns.
        for (name, _) in std::env::vars_os().filter(|(name, _)| describes_a_package(name)) {
            cargo.env_remove(name);
        }
        cargo
    }

    /// The gateway of the debug profile. It need not be built yet.
    pub(crate) fn gateway(&self) -> Result<PathBuf> {
        // This program is TARGET/PROFILE/xtask, wherever the target directory is.
        let own = std::env::current_exe().context("where this program is")?;
        let target = own.ancestors().nth(2).context("this program lies in a target directory")?;
        Ok(target.join("debug").join(format!("turnout{}", std::env::consts::EXE_SUFFIX)))
    }

    /// Committed files with this name, relative to the root.
    pub(crate) fn committed(&self, name: &str) -> Result<Vec<PathBuf>> {
        let listing = Command::new("git")
            .current_dir(&self.root)
            .args(["ls-files", "-z", "--", name, &format!("**/{name}")])
            .output()
            .context("git ls-files")?;
        ensure!(listing.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listing.stderr));
        let names = String::from_utf8(listing.stdout).context("a committed name that is not UTF-8")?;
        Ok(names.split_terminator('\0').map(PathBuf::from).collect())
    }
}

fn describes_a_package(variable: &OsStr) -> bool {
    let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    variable.to_str().is_some_and(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_inside_is_not_told_of_this_package() {
        // cargo sets CARGO_PKG_NAME for tests as it does for `cargo run`.
        assert!(std::env::vars_os().any(|(name, _)| name == "CARGO_PKG_NAME"));
        let cargo = Workspace::find().unwrap().cargo(&["--version"]);
        assert!(cargo.get_envs().any(|(name, value)| name == "CARGO_PKG_NAME" && value.is_none()));
        assert!(!cargo.get_envs().any(|(name, _)| name == "CARGO_TERM_COLOR"));
    }
}
