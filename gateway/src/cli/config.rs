//! `turnout config`: write, check, describe and show `turnout.yaml`.
//!
//! The only place of configuration that touches files. What is printed comes from `crate::config`. A
//! file with mistakes is a finding (exit 1); one that cannot be read or must not be overwritten is
//! wrong use (exit 2).

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::Failure;
use super::output::{self, Format};
use crate::config::{self, File, Loaded, Shown, Sources};

const DEFAULT_FILE: &str = "turnout.yaml";
const SCHEMA_FILE: &str = "turnout.schema.json";

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write a commented turnout.yaml, and beside it the schema that editors use.
    Init {
        /// The file to write.
        #[arg(default_value = DEFAULT_FILE)]
        file: PathBuf,
        /// Overwrite what is there.
        #[arg(long)]
        force: bool,
    },
    /// Check a file, with the environment that overrides it.
    Validate {
        /// The file to check.
        #[arg(default_value = DEFAULT_FILE)]
        file: PathBuf,
    },
    /// Print the JSON Schema of turnout.yaml.
    Schema,
    /// Show every setting with its value and where that came from; secrets are hidden.
    Show {
        /// The file to read; turnout.yaml if there is one.
        file: Option<PathBuf>,
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
}

/// Performs the command and tells how it ended.
pub(crate) fn run(command: ConfigCommand, env: Vec<(String, String)>) -> ExitCode {
    match answer(command, env) {
        Ok(text) => {
            output::print(&text);
            ExitCode::SUCCESS
        }
        // Mistakes carry their own "error:".
        Err(Failure::Finding(text)) => {
            output::complain(&text);
            ExitCode::from(1)
        }
        Err(failure) => output::exit(Err(failure)),
    }
}

fn answer(command: ConfigCommand, env: Vec<(String, String)>) -> Result<String, Failure> {
    match command {
        ConfigCommand::Init { file, force } => init(&file, force),
        ConfigCommand::Validate { file } => {
            let loaded = read(Some(&file), env)?;
            let set = loaded
                .settings()
                .iter()
                .filter(|row| !matches!(row.origin.as_str(), "default" | "not set"))
                .count();
            Ok(format!("{}: ok, {set} set and the rest by default\n", file.display()))
        }
        ConfigCommand::Schema => Ok(config::schema()),
        ConfigCommand::Show { file, output } => {
            let default = Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
            let loaded = read(file.or(default).as_deref(), env)?;
            Ok(show(&loaded.settings(), output))
        }
    }
}

fn init(file: &Path, force: bool) -> Result<String, Failure> {
    let schema = file.with_file_name(SCHEMA_FILE);
    // The schema first: a settings file without it would make every editor complain.
    write(&schema, &config::schema(), force)?;
    write(file, &config::template(), force)?;
    Ok(format!("wrote {} and {}\n", file.display(), schema.display()))
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    // The same schema that is there already is no loss to anyone.
    if std::fs::read(path).is_ok_and(|present| present == text.as_bytes()) {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.write(true).truncate(true).create(true).create_new(!force);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let shown = path.display();
        Failure::Usage(match error.kind() {
            std::io::ErrorKind::AlreadyExists => format!("{shown} exists already; --force overwrites it"),
            _ => format!("cannot write {shown}: {error}"),
        })
    })
}

fn read(path: Option<&Path>, env: Vec<(String, String)>) -> Result<Loaded, Failure> {
    let file = path.map(|path| {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let hint = match path.file_name() {
                Some(name) if name == OsStr::new(DEFAULT_FILE) => "; `turnout config init` writes one",
                _ => "",
            };
            Failure::Usage(format!("cannot read {}: {error}{hint}", path.display()))
        })?;
        Ok(File { path: path.to_owned(), text })
    });
    let sources = Sources { file: file.transpose()?, env, flags: Vec::new() };
    config::read(&sources).map_err(|mistakes| Failure::Finding(mistakes.to_string()))
}

fn show(rows: &[Shown], format: Format) -> String {
    if format == Format::Table {
        let cells = |row: &Shown| {
            vec![row.path.clone(), row.value.clone().unwrap_or_else(|| "-".to_owned()), row.origin.clone()]
        };
        return output::table(&["SETTING", "VALUE", "ORIGIN"], rows.iter().map(cells).collect());
    }
    let entry = |row: &Shown| json!({ "setting": row.path, "value": row.json, "origin": row.origin });
    output::document(format, &rows.iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn fails(command: ConfigCommand) -> String {
        match answer(command, Vec::new()) {
            Ok(text) => panic!("it worked: {text}"),
            Err(Failure::Finding(text)) => format!("1 {text}"),
            Err(Failure::Usage(text)) => format!("2 {text}"),
            Err(Failure::Unreachable(text)) => format!("3 {text}"),
        }
    }

    #[test]
    fn init_writes_a_file_that_validates_and_never_overwrites_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("turnout.yaml");
        let init = |force| ConfigCommand::Init { file: file.clone(), force };
        answer(init(false), Vec::new()).unwrap();
        assert!(dir.path().join(SCHEMA_FILE).exists());
        let said = answer(ConfigCommand::Validate { file: file.clone() }, Vec::new()).unwrap();
        assert!(said.ends_with("turnout.yaml: ok, 0 set and the rest by default\n"), "{said}");

        std::fs::write(&file, "expose: all\n").unwrap();
        assert!(fails(init(false)).starts_with("2 "));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "expose: all\n");
        answer(init(true), Vec::new()).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), config::template());
    }

    #[test]
    fn mistakes_are_a_finding_and_a_missing_file_is_wrong_use() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.yaml");
        assert!(fails(ConfigCommand::Validate { file: file.clone() }).starts_with("2 cannot read "));
        std::fs::write(&file, "expose: some\n").unwrap();
        assert!(
            fails(ConfigCommand::Validate { file })
                .starts_with("1 error: `expose`: takes `annotated` or `all`")
        );
    }

    #[test]
    fn show_tells_values_with_their_origin_and_hides_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.yaml");
        std::fs::write(&file, "ledger:\n  kind: postgres\n  url: postgres://u:hunter2@db/x\n").unwrap();
        let env = vec![("TURNOUT_LIMITS__DEPTH".to_owned(), "9".to_owned())];
        for output in [Format::Table, Format::Json, Format::Yaml] {
            let said = answer(ConfigCommand::Show { file: Some(file.clone()), output }, env.clone()).unwrap();
            assert!(!said.contains("hunter2"), "{said}");
            assert!(said.contains("env TURNOUT_LIMITS__DEPTH") && said.contains("a.yaml:3:8"), "{said}");
        }
        let said = answer(ConfigCommand::Show { file: Some(file), output: Format::Json }, env).unwrap();
        let rows: serde_json::Value = serde_json::from_str(&said).unwrap();
        let depth = rows.as_array().unwrap().iter().find(|row| row["setting"] == "limits.depth").unwrap();
        expect![[r#"{"origin":"env TURNOUT_LIMITS__DEPTH","setting":"limits.depth","value":9}"#]]
            .assert_eq(&depth.to_string());
    }
}
