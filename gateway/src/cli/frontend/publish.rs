//! `turnout frontend publish`: a version from its directory, or who gets which version of an app.
//!
//! Files are read here and sent as texts: the gateway may run elsewhere. Mistakes in them are told before
//! anything is sent.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use turnout_control::frontend::Document;
use turnout_control::id::{AppName, FrontendId};

use super::{id, place};
use crate::cli::Failure;
use crate::cli::admin::{AdminArgs, SLOW};
use crate::cli::answer::{array, text};
use crate::cli::output::{self, Format, Paint};
use crate::cli::service::finding::{self, About};
use crate::frontends::folder::{self, APP_FILE, MANIFEST_FILE};

const PUBLISH: &str = "mutation($frontend: String!, $manifest: String, $documents: [FrontendDocument!], \
    $state: FrontendState, $reason: String!, $dryRun: Boolean!, $expected: String) {
    publishFrontend(frontend: $frontend, manifest: $manifest, documents: $documents, state: $state, reason: $reason,
    dryRun: $dryRun, expectedRevision: $expected) {
    name accepted changed audit before after operations findings { severity code message help } } }";

const ASSIGN: &str = "mutation($app: String!, $assignment: String, $reason: String!, $dryRun: Boolean!, \
    $expected: String) {
    assignFrontends(app: $app, assignment: $assignment, reason: $reason, dryRun: $dryRun, \
    expectedRevision: $expected) { app changed audit default rules } }";

/// Another state than the manifest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    /// For those who are assigned to it or hold a token.
    Preview,
    /// For everybody.
    Active,
    /// For everybody, who is told that it will go.
    Deprecated,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Preview => "PREVIEW",
            State::Active => "ACTIVE",
            State::Deprecated => "DEPRECATED",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// A version, `web@2.5.0`, or an app, `web`: who gets which version of it.
    name: String,
    /// The directory of the version, a manifest of persisted documents (.json), or an app.yaml. Without it, the
    /// place below `--dir`; if that is not there, what the gateway has.
    path: Option<PathBuf>,
    /// The directory with frontend versions.
    #[arg(long, value_name = "DIR", default_value = "frontend-versions")]
    dir: PathBuf,
    /// Another state than the manifest says.
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Why; for those who read the audit log.
    #[arg(long, required_unless_present = "dry_run", default_value = "", hide_default_value = true)]
    reason: String,
    /// Tell what would be found, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// The revision that the record was last written at, 0 for none; otherwise nothing is changed.
    #[arg(long, value_name = "REVISION")]
    expect: Option<String>,
    #[command(flatten)]
    admin: AdminArgs,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) async fn run(args: PublishArgs) -> Result<(), Failure> {
    if !args.name.contains('@') {
        return assign(args).await;
    }
    let id = id(&args.name)?;
    let Texts { manifest, documents } = texts(&id, args.path.as_deref(), &args.dir)?;
    let documents = documents.map(|documents| {
        let one = |one: Document| json!({ "id": one.id, "text": one.text });
        documents.into_iter().map(one).collect::<Vec<Value>>()
    });
    let variables = json!({
        "frontend": id.to_string(),
        "manifest": manifest,
        "documents": documents,
        "state": args.state.map(State::word),
        "reason": args.reason,
        "dryRun": args.dry_run,
        "expected": args.expect,
    });
    let answer = args.admin.ask_within(PUBLISH, variables, SLOW).await?;
    let published = &answer["publishFrontend"];
    output::print(&match args.output {
        Format::Table => {
            told(published, args.dry_run.then_some("Dry run, nothing was changed.\n"), Paint::detect())
        }
        Format::Json | Format::Yaml => output::document(args.output, published),
    });
    if published["accepted"] == true {
        return Ok(());
    }
    Err(Failure::Finding(format!("{id} cannot be published as it is")))
}

/// What is sent; what is `None` stays what it is on the gateway.
struct Texts {
    manifest: Option<String>,
    documents: Option<Vec<Document>>,
}

fn texts(id: &FrontendId, path: Option<&Path>, root: &Path) -> Result<Texts, Failure> {
    let usual = place(root, id);
    let directory = match path {
        Some(path) if !path.is_dir() => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let base = real(parent.unwrap_or(Path::new(".")))?;
            let documents =
                folder::read_documents(&base, path).map_err(|wrong| Failure::Usage(wrong.join("\n")))?;
            let manifest = usual.join(MANIFEST_FILE);
            let manifest = if manifest.is_file() { Some(read(&manifest)?) } else { None };
            return Ok(Texts { manifest, documents: Some(documents) });
        }
        Some(path) => path,
        None if usual.join(MANIFEST_FILE).is_file() => usual.as_path(),
        None => return Ok(Texts { manifest: None, documents: None }),
    };
    let version = folder::read_version(&real(directory)?, directory, Some(id));
    let version = version.read.map_err(Failure::Usage)?;
    Ok(Texts { manifest: Some(read(&directory.join(MANIFEST_FILE))?), documents: Some(version.documents) })
}

async fn assign(args: PublishArgs) -> Result<(), Failure> {
    let PublishArgs { name, path, dir, state, reason, dry_run, expect, admin, output } = args;
    let wrong =
        |error| Failure::Usage(format!("{name:?} is neither a frontend version nor an app: it {error}"));
    let app: AppName = name.parse().map_err(wrong)?;
    if state.is_some() {
        return Err(Failure::Usage(format!("--state is for a version, such as {app}@2.5.0")));
    }
    let file = match path {
        Some(path) if path.is_dir() => Some(path.join(APP_FILE)),
        Some(path) => Some(path),
        None => Some(dir.join(app.as_str()).join(APP_FILE)).filter(|file| file.is_file()),
    };
    let assignment = match file {
        Some(file) => {
            let base =
                real(file.parent().filter(|base| !base.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
            folder::read_assignment(&base, &file, Some(&app)).read.map_err(Failure::Usage)?;
            Some(read(&file)?)
        }
        None => None,
    };
    let variables = json!({
        "app": app.to_string(), "assignment": assignment, "reason": reason, "dryRun": dry_run, "expected": expect,
    });
    let answer = admin.ask(ASSIGN, variables).await?;
    let assigned = &answer["assignFrontends"];
    output::print(&match output {
        Format::Table => led(assigned, dry_run.then_some("Dry run, nothing was changed.\n")),
        Format::Json | Format::Yaml => output::document(output, assigned),
    });
    Ok(())
}

fn real(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

fn told(published: &Value, dry: Option<&str>, paint: Paint) -> String {
    let name = text(&published["name"]);
    let mut page = dry.unwrap_or_default().to_owned();
    let after = text(&published["after"]).to_lowercase();
    let operations = &published["operations"];
    if published["accepted"] != true {
        page.push_str(&format!("{name} is not published as it is here.\n"));
    } else if published["changed"] != true {
        page.push_str(&format!("{name} is {after} with {operations} operations, as it was before.\n"));
    } else if dry.is_some() {
        page.push_str(&format!("{name} would be {after} with {operations} operations.\n"));
    } else {
        let before = published["before"].as_str().map_or("not published".to_owned(), str::to_lowercase);
        page.push_str(&format!(
            "{name} is {after} with {operations} operations. Before: {before}.\nThis is entry {} of the audit log. \
             Who gets it is decided by the rules of its app.\n",
            text(&published["audit"])
        ));
    }
    let found = finding::block(&published["findings"], About::One, paint);
    if !found.is_empty() {
        page.push_str(&format!("\n{found}"));
    }
    page
}

fn led(assigned: &Value, dry: Option<&str>) -> String {
    let app = text(&assigned["app"]);
    let mut page = dry.unwrap_or_default().to_owned();
    for (place, rule) in array(&assigned["rules"]).iter().enumerate() {
        page.push_str(&format!("  {}. {}\n", place + 1, text(rule)));
    }
    page.push_str(&format!("  everybody else: {}\n", text(&assigned["default"])));
    let said = match (assigned["changed"] == true, dry) {
        (false, _) => format!("{app}, as it was before:\n"),
        (true, Some(_)) => format!("{app} would be:\n"),
        (true, None) => {
            format!("{app}, from now on (entry {} of the audit log):\n", text(&assigned["audit"]))
        }
    };
    let at = dry.map_or(0, str::len);
    page.insert_str(at, &said);
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn published(accepted: bool) -> Value {
        json!({
            "name": "web@2.5.0", "accepted": accepted, "changed": accepted, "audit": "7", "before": null, "after": "ACTIVE",
            "operations": 12, "findings": if accepted { json!([]) } else { json!([{ "severity": "ERROR",
                "code": "PIN_UNSATISFIED", "message": "No version of catalog satisfies ^3.", "help": "Widen it." }]) },
        })
    }

    #[test]
    fn publishing_says_what_holds_or_why_it_does_not() {
        expect![[r#"
            web@2.5.0 is active with 12 operations. Before: not published.
            This is entry 7 of the audit log. Who gets it is decided by the rules of its app.
        "#]]
        .assert_eq(&told(&published(true), None, Paint::Plain));
        expect![[r#"
            Dry run, nothing was changed.
            web@2.5.0 would be active with 12 operations.
        "#]]
        .assert_eq(&told(&published(true), Some("Dry run, nothing was changed.\n"), Paint::Plain));
        expect![[r#"
            web@2.5.0 is not published as it is here.

            error[PIN_UNSATISFIED] No version of catalog satisfies ^3.
                help: Widen it.
        "#]]
        .assert_eq(&told(&published(false), None, Paint::Plain));
    }

    #[test]
    fn an_assignment_is_told_in_its_order() {
        let assigned = json!({ "app": "web", "changed": true, "audit": "9", "default": "2.4.1",
            "rules": ["2.5.0: customers acme", "2.5.0: 10 % (salt web/2.5)"] });
        expect![[r#"
            web, from now on (entry 9 of the audit log):
              1. 2.5.0: customers acme
              2. 2.5.0: 10 % (salt web/2.5)
              everybody else: 2.4.1
        "#]]
        .assert_eq(&led(&assigned, None));
    }
}
