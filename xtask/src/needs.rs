//! What must a machine have for every test to run, where is it, and how does it get there?
//!
//! `NEEDS` is the table. A need is met when all its tools are found, in PATH first and then in the usual
//! places of distributions that keep them out of PATH. All that is missing is told at once, with both
//! ways out: installing it, or leaving its tests out. Nothing is installed here without root or a sudo
//! that asks no password, and no package manager but apt-get is known.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

/// A need, by the name that `--without` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    Etcd,
    Postgres,
    Browser,
    Node,
    Go,
    Java,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Name::Etcd => "etcd",
            Name::Postgres => "postgres",
            Name::Browser => "browser",
            Name::Node => "node",
            Name::Go => "go",
            Name::Java => "java",
        })
    }
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Need {
    pub(crate) name: Name,
    /// Every tool must be found; each may have several spellings, the preferred one first.
    tools: &'static [&'static [&'static str]],
    /// Folders looked at after PATH, relative to the machine's root; one `*` stands for a version.
    places: &'static [&'static str],
    /// Debian's packages.
    packages: &'static [&'static str],
    used_by: &'static str,
}

pub(crate) static NEEDS: [Need; 6] = [
    Need {
        name: Name::Etcd,
        tools: &[&["etcd"]],
        places: &["usr/local/bin"],
        packages: &["etcd-server", "etcd-client"],
        used_by: "the tests of the registry in etcd",
    },
    Need {
        name: Name::Postgres,
        tools: &[&["postgres"], &["initdb"]],
        places: &["usr/lib/postgresql/*/bin", "usr/pgsql-*/bin"],
        packages: &["postgresql"],
        used_by: "the tests of the ledger in PostgreSQL",
    },
    Need {
        name: Name::Browser,
        tools: &[&["chromium", "chromium-browser", "google-chrome"]],
        places: &["usr/lib/chromium", "snap/bin"],
        packages: &["chromium"],
        used_by: "the tests of dashboard, playground and pages",
    },
    Need {
        name: Name::Node,
        tools: &[&["node", "nodejs"], &["npm"]],
        places: &["usr/local/bin"],
        packages: &["nodejs", "npm"],
        used_by: "the packages of pages, and graphql-js as a referee",
    },
    Need {
        name: Name::Go,
        tools: &[&["go"]],
        places: &["usr/local/go/bin", "usr/lib/go-*/bin"],
        packages: &["golang"],
        used_by: "the tests of services/go",
    },
    Need {
        name: Name::Java,
        tools: &[&["javac"], &["mvn"]],
        places: &["usr/lib/jvm/*/bin", "opt/maven/bin"],
        packages: &["default-jdk", "maven"],
        used_by: "the tests of services/java",
    },
];

/// A need that is met: its tools, in the table's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) name: Name,
    pub(crate) tools: Vec<PathBuf>,
}

/// Where programs are looked for.
#[derive(Debug)]
pub(crate) struct Machine {
    path: Vec<PathBuf>,
    root: PathBuf,
}

impl Machine {
    /// This machine, with the PATH this program was started with.
    pub(crate) fn here() -> Machine {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Machine { path: std::env::split_paths(&path).collect(), root: PathBuf::from("/") }
    }

    /// What of `wanted` is here, and what is not.
    pub(crate) fn survey<'a>(&self, wanted: &[&'a Need]) -> (Vec<Found>, Vec<&'a Need>) {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for need in wanted.iter().copied() {
            let tools: Option<Vec<PathBuf>> =
                need.tools.iter().map(|spellings| self.find(spellings, need.places)).collect();
            match tools {
                Some(tools) => found.push(Found { name: need.name, tools }),
                None => missing.push(need),
            }
        }
        (found, missing)
    }

    /// How packages can be installed here without asking anybody.
    pub(crate) fn installer(&self) -> Option<Installer> {
        self.find(&["apt-get"], &[])?;
        let user = Command::new("id").arg("-u").output().ok()?.stdout;
        if user.trim_ascii() == b"0" {
            return Some(Installer { prefix: &[] });
        }
        self.find(&["sudo"], &[])?;
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        sudo.status().ok()?.success().then_some(Installer { prefix: &["sudo", "-n"] })
    }

    fn find(&self, spellings: &[&str], places: &[&str]) -> Option<PathBuf> {
        let usual = places.iter().flat_map(|place| expanded(&self.root, place));
        let folders: Vec<PathBuf> = self.path.iter().cloned().chain(usual).collect();
        let candidates =
            spellings.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        candidates.into_iter().find(|file| executable(file))
    }
}

/// apt-get, as root or through sudo.
#[derive(Debug)]
pub(crate) struct Installer {
    prefix: &'static [&'static str],
}

impl Installer {
    /// The commands that install the packages of these needs.
    pub(crate) fn commands(&self, missing: &[&Need]) -> Vec<Command> {
        let update = ["apt-get", "update", "-qq"].map(OsStr::new).to_vec();
        let mut install =
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends"].map(OsStr::new).to_vec();
        install.extend(packages(missing).into_iter().map(OsStr::new));
        // apt-get must not ask, and sudo drops the environment: `env` sets it on its far side.
        let quiet = ["env", "DEBIAN_FRONTEND=noninteractive"].map(OsStr::new);
        [update, install]
            .into_iter()
            .map(|words| {
                let mut words = self.prefix.iter().map(OsStr::new).chain(quiet).chain(words);
                let mut command = Command::new(words.next().unwrap_or_default());
                command.args(words);
                command
            })
            .collect()
    }
}

/// What is missing and both ways out, for a person.
pub(crate) fn complaint(missing: &[&Need]) -> String {
    let mut text = String::from("not found on this machine:\n");
    for need in missing {
        let tools: Vec<&str> = need.tools.iter().filter_map(|spellings| spellings.first().copied()).collect();
        text.push_str(&format!(
            "  {:9} {:16} for {}\n",
            need.name.to_string(),
            tools.join(", "),
            need.used_by
        ));
    }
    let names: Vec<String> = missing.iter().map(|need| need.name.to_string()).collect();
    text.push_str(&format!("install them:              apt-get install {}\n", packages(missing).join(" ")));
    text.push_str(&format!("or leave their tests out:  cargo xtask test --without {}", names.join(",")));
    text
}

fn packages(missing: &[&Need]) -> Vec<&'static str> {
    missing.iter().flat_map(|need| need.packages.iter().copied()).collect()
}

/// The folders that `place` names, the highest version first.
fn expanded(root: &Path, place: &str) -> Vec<PathBuf> {
    let Some((before, after)) = place.split_once('*') else { return vec![root.join(place)] };
    let (folder, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
    let mut matching: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect();
    matching.sort_by_key(|name| std::cmp::Reverse(numbers(name)));
    let after = after.trim_start_matches('/');
    matching.iter().map(|name| root.join(folder).join(name).join(after)).collect()
}

/// The numbers in a name, so that version 15 sorts above version 9.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(unix)]
fn executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn executable(file: &Path) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    /// A root folder with these files, and a machine whose PATH is its `bin`.
    fn machine(files: &[(&str, u32)]) -> (TempDir, Machine) {
        let root = tempfile::tempdir().unwrap();
        for (name, mode) in files {
            let file = root.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(*mode)).unwrap();
        }
        let machine = Machine { path: vec![root.path().join("bin")], root: root.path().to_owned() };
        (root, machine)
    }

    fn need(name: Name) -> &'static Need {
        NEEDS.iter().find(|need| need.name == name).unwrap()
    }

    #[test]
    fn every_name_has_one_row_and_its_spelling_on_the_command_line() {
        for name in Name::value_variants() {
            assert_eq!(NEEDS.iter().filter(|need| need.name == *name).count(), 1, "{name}");
            assert_eq!(name.to_possible_value().unwrap().get_name(), name.to_string());
        }
    }

    #[test]
    fn a_tool_in_path_is_found() {
        let (root, machine) = machine(&[("bin/etcd", 0o755)]);
        let (found, missing) = machine.survey(&[need(Name::Etcd)]);
        assert_eq!(found, [Found { name: Name::Etcd, tools: vec![root.path().join("bin/etcd")] }]);
        assert!(missing.is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_executed_is_not_a_tool() {
        let (_root, machine) = machine(&[("bin/etcd", 0o644)]);
        assert_eq!(machine.survey(&[need(Name::Etcd)]).0, []);
    }

    #[test]
    fn a_need_is_met_by_all_its_tools_or_not_at_all() {
        let (_root, machine) = machine(&[("bin/javac", 0o755), ("bin/etcd", 0o755)]);
        let (found, missing) = machine.survey(&[need(Name::Java), need(Name::Etcd)]);
        assert_eq!(found.iter().map(|found| found.name).collect::<Vec<_>>(), [Name::Etcd]);
        assert_eq!(missing.iter().map(|need| need.name).collect::<Vec<_>>(), [Name::Java]);
    }

    #[test]
    fn the_newest_version_in_the_usual_places_wins() {
        let files = ["9.6", "15", "13"].map(|version| {
            ["postgres", "initdb"].map(|tool| format!("usr/lib/postgresql/{version}/bin/{tool}"))
        });
        let files: Vec<(&str, u32)> = files.iter().flatten().map(|file| (file.as_str(), 0o755)).collect();
        let (root, machine) = machine(&files);
        let (found, _) = machine.survey(&[need(Name::Postgres)]);
        assert_eq!(found[0].tools[0], root.path().join("usr/lib/postgresql/15/bin/postgres"));
    }

    #[test]
    fn path_goes_before_the_usual_places() {
        let (root, machine) = machine(&[("usr/local/go/bin/go", 0o755), ("bin/go", 0o755)]);
        assert_eq!(machine.survey(&[need(Name::Go)]).0[0].tools, [root.path().join("bin/go")]);
    }

    #[test]
    fn any_spelling_of_a_tool_will_do() {
        let (root, machine) = machine(&[("bin/google-chrome", 0o755)]);
        assert_eq!(
            machine.survey(&[need(Name::Browser)]).0[0].tools,
            [root.path().join("bin/google-chrome")]
        );
    }

    #[test]
    fn the_complaint_names_all_that_is_missing_and_both_ways_out() {
        let expected = "\
not found on this machine:
  etcd      etcd             for the tests of the registry in etcd
  java      javac, mvn       for the tests of services/java
install them:              apt-get install etcd-server etcd-client default-jdk maven
or leave their tests out:  cargo xtask test --without etcd,java";
        assert_eq!(complaint(&[need(Name::Etcd), need(Name::Java)]), expected);
    }

    #[test]
    fn sudo_stands_before_both_commands() {
        let commands = Installer { prefix: &["sudo", "-n"] }.commands(&[need(Name::Browser)]);
        let spelled: Vec<String> =
            commands.iter().map(|command| format!("{command:?}").replace('"', "")).collect();
        assert_eq!(
            spelled,
            [
                "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get update -qq",
                "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium",
            ]
        );
    }

    #[test]
    fn a_machine_without_apt_get_installs_nothing() {
        let (_root, machine) = machine(&[]);
        assert!(machine.installer().is_none());
    }
}
