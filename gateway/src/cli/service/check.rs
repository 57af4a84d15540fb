//! `turnout service check`: what would become of the graph if a version were registered, for people, for
//! programs and for pipelines.
//!
//! Exit 1 says that a finding is an error, or with `--strict` a warning.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use turnout_schema::Descriptors;
use turnout_schema::subgraph::descriptors;

use super::expose::{Expose, differences};
use super::finding::{self, About, Count, plural};
use super::{array, junit, text};
use crate::cli::Failure;
use crate::cli::admin::{AdminArgs, SLOW};
use crate::cli::output::{self, Format, Paint};

const CHECK: &str = "query($version: Check!) { check(version: $version) { serving serves compared
    findings { severity code message help service version }
    changes { class kind coordinate text }
    affected { frontend operation document breaks } } }";

/// The largest descriptors that are sent.
const DESCRIPTORS_BYTES_MAX: usize = 4 << 20;

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The descriptors: a FileDescriptorSet with imports and source info.
    file: PathBuf,
    /// The service.
    #[arg(long)]
    service: String,
    /// The version that they will be registered as.
    #[arg(long = "version", value_name = "SEMVER")]
    tag: String,
    /// What of it would be public; left out: what holds for the service now.
    #[arg(long, value_enum)]
    expose: Option<Expose>,
    /// Fail on warnings too.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    admin: AdminArgs,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Report,
}

/// What a report looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Report {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For both.
    Yaml,
    /// For pipelines that show tests.
    Junit,
}

/// Which findings fail a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bar {
    /// Errors.
    Errors,
    /// Warnings too.
    Warnings,
}

impl Bar {
    /// Whether any of these fails.
    pub(super) fn fails(self, count: Count) -> bool {
        count.errors > 0 || (self == Bar::Warnings && count.warnings > 0)
    }
}

/// What was checked, and the answer.
pub(super) struct Checked<'a> {
    pub(super) service: &'a str,
    pub(super) version: &'a str,
    pub(super) bar: Bar,
    pub(super) answer: &'a Value,
}

pub(super) async fn run(args: CheckArgs) -> Result<(), Failure> {
    let CheckArgs { file, service, tag, expose, strict, admin, output } = args;
    let descriptors = read(&file)?;
    output::progress(&format!("checking {service} {tag}"));
    let mut version =
        json!({ "service": service, "version": tag, "descriptors": STANDARD.encode(&descriptors) });
    if let Some(expose) = expose {
        version["expose"] = expose.word().into();
    }
    let answer = admin.ask_within(CHECK, json!({ "version": version }), SLOW).await?;
    let bar = if strict { Bar::Warnings } else { Bar::Errors };
    let checked = Checked { service: &service, version: &tag, bar, answer: &answer["check"] };
    output::print(&match output {
        Report::Table => page(&checked, Paint::detect()),
        Report::Json => output::document(Format::Json, checked.answer),
        Report::Yaml => output::document(Format::Yaml, checked.answer),
        Report::Junit => junit::report(&checked),
    });
    let count = Count::of(array(&checked.answer["findings"]));
    if bar.fails(count) {
        return Err(Failure::Finding(format!(
            "{service} {tag} does not pass: {}",
            count.text().unwrap_or_default()
        )));
    }
    Ok(())
}

/// The descriptors in a file, if they are any: a gateway that is far away need not be asked for that.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let shown = file.display();
    let bytes =
        std::fs::read(file).map_err(|error| Failure::Usage(format!("cannot read {shown}: {error}")))?;
    if bytes.len() > DESCRIPTORS_BYTES_MAX {
        return Err(Failure::Usage(format!(
            "{shown} has {} bytes, and {DESCRIPTORS_BYTES_MAX} are allowed; leave out what the service does not \
             import",
            bytes.len()
        )));
    }
    let unfit = |error: &descriptors::Error| {
        Failure::Usage(format!(
            "{shown} is no usable FileDescriptorSet: {error}.\nMake one with `buf build -o image.binpb`, or with \
             `protoc --include_imports --include_source_info -o image.binpb your/service.proto`."
        ))
    };
    Descriptors::read(&bytes).map_err(|error| unfit(&error))?;
    Ok(bytes)
}

fn page(checked: &Checked<'_>, paint: Paint) -> String {
    let Checked { service, version, answer, .. } = checked;
    let mut page = format!("{service} {version}: {}\n", fate(version, answer));
    let found = finding::block(&answer["findings"], About::Several, paint);
    if found.is_empty() {
        page.push_str("No findings.\n");
    } else {
        page.push_str(&format!("\n{found}"));
    }
    page.push_str(&format!("\n{}", differences(answer)));
    let affected = array(&answer["affected"]);
    if affected.is_empty() {
        page.push_str("\nNo operation that was sent lately would be answered otherwise.\n");
        return page;
    }
    let frontends: std::collections::BTreeSet<String> =
        affected.iter().map(|one| text(&one["frontend"])).collect();
    page.push_str(&format!(
        "\n{} of {} would not be answered as now:\n",
        plural(affected.len(), "operation"),
        plural(frontends.len(), "frontend")
    ));
    for one in affected {
        page.push_str(&format!("  {}\n", operation(one)));
        for breaks in array(&one["breaks"]) {
            page.push_str(&format!("      {}\n", text(breaks)));
        }
    }
    page
}

/// `any@0.0.0 MyOrders (sha256:5b0c8a1f3d7e)`.
pub(super) fn operation(affected: &Value) -> String {
    let name = match &affected["operation"] {
        Value::Null => "an operation without a name".to_owned(),
        name => text(name),
    };
    format!(
        "{} {name} ({})",
        text(&affected["frontend"]),
        text(&affected["document"]).chars().take(19).collect::<String>()
    )
}

/// What would become of the version.
fn fate(version: &str, answer: &Value) -> String {
    let (serving, serves) = (answer["serving"].as_str(), answer["serves"].as_str());
    match (serving, serves) {
        (None, Some(serves)) if serves == version => {
            "it would be the first of its service to serve".to_owned()
        }
        (Some(serving), Some(serves)) if serves == version && serving == version => {
            "it serves already, and would go on".to_owned()
        }
        (Some(_), Some(serves)) if serves == version => {
            format!("it would be tried in the place of {}", text(&answer["serving"]))
        }
        (_, Some(_)) => format!("{} would serve, and not it", text(&answer["serves"])),
        (_, None) => "none of its service would serve".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn answer() -> Value {
        json!({
            "serving": "2.2.1", "serves": "2.2.1", "compared": true,
            "findings": [
                { "severity": "ERROR", "code": "FIELD_REMOVED", "message": "`Order.total` is gone.",
                  "help": "Keep it.", "service": "orders", "version": "2.3.0" },
                { "severity": "WARNING", "code": "LOOKUP_UNBATCHED", "message": "It is asked for one by one.",
                  "help": null, "service": null, "version": null },
            ],
            "changes": [
                { "class": "BREAKING", "kind": "FIELD_REMOVED", "coordinate": "Order.total", "text": "Order.total was removed: Money" },
                { "class": "SAFE", "kind": "FIELD_ADDED", "coordinate": "Order.sum", "text": "Order.sum was added: Money" },
            ],
            "affected": [
                { "frontend": "any@0.0.0", "operation": "MyOrders", "document": format!("sha256:{}", "ab".repeat(32)), "breaks": ["Order.total"] },
                { "frontend": "any@0.0.0", "operation": null, "document": format!("sha256:{}", "cd".repeat(32)), "breaks": [] },
            ],
        })
    }

    fn checked(answer: &Value) -> Checked<'_> {
        Checked { service: "orders", version: "2.3.0", bar: Bar::Errors, answer }
    }

    #[test]
    fn a_report_says_what_would_serve_what_was_found_and_who_is_affected() {
        expect![[r#"
            orders 2.3.0: 2.2.1 would serve, and not it

            error[FIELD_REMOVED] orders 2.3.0: `Order.total` is gone.
                help: Keep it.
            warning[LOOKUP_UNBATCHED] graph: It is asked for one by one.

            The graph would differ in 2 places:
              - breaking Order.total was removed: Money
              + Order.sum was added: Money

            2 operations of 1 frontend would not be answered as now:
              any@0.0.0 MyOrders (sha256:abababababab)
                  Order.total
              any@0.0.0 an operation without a name (sha256:cdcdcdcdcdcd)
        "#]]
        .assert_eq(&page(&checked(&answer()), Paint::Plain));
        let fine =
            json!({ "serving": null, "serves": "2.3.0", "findings": [], "changes": [], "affected": [] });
        expect![[r#"
            orders 2.3.0: it would be the first of its service to serve
            No findings.

            Nothing is served now, so there is no graph to compare with.

            No operation that was sent lately would be answered otherwise.
        "#]]
        .assert_eq(&page(&checked(&fine), Paint::Plain));
    }

    #[test]
    fn warnings_fail_only_a_strict_check() {
        let warned = Count::of(&array(&answer()["findings"])[1..]);
        assert!(!Bar::Errors.fails(warned) && Bar::Warnings.fails(warned));
        assert!(Bar::Errors.fails(Count::of(array(&answer()["findings"]))));
        assert!(!Bar::Warnings.fails(Count::default()));
    }

    #[test]
    fn what_is_no_descriptor_set_is_told_with_the_commands_that_make_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("image.binpb");
        let said = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            match read(&file) {
                Err(Failure::Usage(text)) => text,
                other => panic!("{other:?}"),
            }
        };
        for bytes in [&b"syntax = \"proto3\";"[..], b""] {
            let text = said(bytes);
            assert!(text.contains("buf build") && text.contains("--include_imports"), "{text}");
        }
        assert!(said(&vec![0; DESCRIPTORS_BYTES_MAX + 1]).contains("4194304 are allowed"));
        assert!(
            matches!(read(&directory.path().join("none")), Err(Failure::Usage(text)) if text.contains("cannot read"))
        );
    }
}
