//! `turnout frontend create`: the directory of a new version, with a manifest to fill in.
//!
//! With `--from` it is the manifest of an older version with the new number, and its operations. Without, the
//! pins are what serves now, if a gateway can be asked. What is there is never written over.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;
use turnout_control::id::FrontendId;

use super::{id, place};
use crate::cli::Failure;
use crate::cli::admin::AdminArgs;
use crate::cli::answer::array;
use crate::cli::output;
use crate::frontends::folder::{self, APP_FILE, MANIFEST_FILE};

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The new version: `web@2.6.0`.
    name: String,
    /// A version of the same app whose manifest and operations it begins with.
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// The directory with frontend versions.
    #[arg(long, value_name = "DIR", default_value = "frontend-versions")]
    dir: PathBuf,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) async fn run(args: CreateArgs) -> Result<(), Failure> {
    let new = id(&args.name)?;
    let directory = place(&args.dir, &new);
    if directory.join(MANIFEST_FILE).exists() {
        return Err(Failure::Usage(format!(
            "{} is there already; edit it, or name another version",
            directory.join(MANIFEST_FILE).display()
        )));
    }
    let manifest = match &args.from {
        Some(from) => copied(&args.dir, &id(from)?, &new)?,
        None => template(&new, &serving(&args.admin).await),
    };
    write(&directory.join(MANIFEST_FILE), &manifest)?;
    if args.from.is_none() {
        fs::create_dir_all(directory.join("operations")).map_err(|error| failed(&directory, &error))?;
    }
    let app = args.dir.join(new.app.as_str()).join(APP_FILE);
    let mut page = format!("wrote {}\n", directory.join(MANIFEST_FILE).display());
    if !app.exists() {
        write(&app, &format!("app: {}\ndefault: {}\nrules: []\n", new.app, new.version))?;
        page.push_str(&format!("wrote {}\n", app.display()));
    }
    page.push_str(&format!(
        "Put its operations into {}, set its pins, and then:\n  turnout frontend publish {new} --dir {} --dry-run\n",
        directory.join("operations").display(),
        args.dir.display()
    ));
    output::print(&page);
    Ok(())
}

/// The versions that serve now, as pins; none, when no gateway can be asked.
async fn serving(admin: &AdminArgs) -> Vec<(String, String)> {
    let Ok(answer) = admin.ask("{ graph { members { service version } } }", Value::Null).await else {
        return Vec::new();
    };
    let pin = |member: &Value| {
        let version: semver::Version = member["version"].as_str()?.parse().ok()?;
        Some((member["service"].as_str()?.to_owned(), format!("^{}.{}", version.major, version.minor)))
    };
    array(&answer["graph"]["members"]).iter().filter_map(pin).collect()
}

fn template(new: &FrontendId, pins: &[(String, String)]) -> String {
    let pins = match pins {
        [] => "  {}                        # such as `catalog: ^1.4`; ranges as in Cargo\n".to_owned(),
        pins => pins.iter().map(|(service, range)| format!("  {service}: {range}\n")).collect(),
    };
    format!(
        "app: {}\nversion: {}\nstate: preview               # preview, active or deprecated\n\
         # The services it was built for. Remove those that it does not use.\npins:\n{pins}\
         # caps: {{ catalog: 0.2 }}      # the largest share of its callers that a candidate may have\n\
         # page: page                 # a directory with index.html\n\
         documents: operations        # a directory of .graphql files, or a manifest of persisted documents\n",
        new.app, new.version
    )
}

/// The manifest of an older version with another number; its operations are copied.
fn copied(root: &Path, from: &FrontendId, new: &FrontendId) -> Result<String, Failure> {
    if from.app != new.app {
        return Err(Failure::Usage(format!("{from} is a version of another app than {new}")));
    }
    let (old, directory) = (place(root, from), place(root, new));
    let real = root.canonicalize().map_err(|error| failed(root, &error))?;
    let version = folder::read_version(&real, &old, Some(from)).read.map_err(Failure::Usage)?;
    let path = old.join(MANIFEST_FILE);
    let text = fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
    for document in &version.documents {
        // What has the name of a file came from one.
        let source = old.join("operations").join(format!("{}.graphql", document.id));
        if source.is_file() {
            write(&directory.join("operations").join(format!("{}.graphql", document.id)), &document.text)?;
        }
    }
    let renumbered = |line: &str| match line.split_once("version:") {
        Some(("", rest)) => {
            format!("version:{}\n", rest.replacen(&from.version.to_string(), &new.version.to_string(), 1))
        }
        // Its page is not built yet.
        _ if line.starts_with("page:") => format!("# {line}\n"),
        _ => format!("{line}\n"),
    };
    Ok(text.lines().map(renumbered).collect())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let written = fs::create_dir_all(parent).and_then(|()| fs::write(path, text));
    written.map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::File;
    use crate::frontends::manifest;

    #[test]
    fn a_template_is_a_manifest() {
        let new: FrontendId = "web@2.6.0".parse().unwrap();
        for pins in [vec![], vec![("catalog".to_owned(), "^1.5".to_owned())]] {
            let file = File { path: "manifest.yaml".into(), text: template(&new, &pins) };
            let read = manifest::read(&file, Some(&new)).unwrap();
            assert_eq!(read.frontend.pins.len(), pins.len());
        }
    }

    #[test]
    fn a_copy_has_the_new_number_and_the_operations_of_the_old_one() {
        let root = tempfile::tempdir().unwrap();
        let (old, new): (FrontendId, FrontendId) =
            ("web@2.5.0".parse().unwrap(), "web@2.6.0".parse().unwrap());
        let text = "app: web\nversion: 2.5.0 # of today\nstate: active\npins: { catalog: ^1.5 }\ndocuments: operations\n";
        write(&place(root.path(), &old).join(MANIFEST_FILE), text).unwrap();
        write(&place(root.path(), &old).join("operations/Home.graphql"), "{ products { id } }").unwrap();
        let copy = copied(root.path(), &old, &new).unwrap();
        assert_eq!(copy, text.replace("2.5.0", "2.6.0"));
        assert!(place(root.path(), &new).join("operations/Home.graphql").is_file());
        let other = "shop@1.0.0".parse().unwrap();
        assert!(copied(root.path(), &old, &other).is_err());
    }
}
