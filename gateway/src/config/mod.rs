//! What did the user set, is it right, and what does the gateway run with?
//!
//! `read` takes the text of `turnout.yaml`, the environment and the flags, and returns a `Config`, or
//! every mistake at once, each with its place and what would be right. Flags win over the environment,
//! the environment over the file, the file over the defaults. Nothing here touches a file, the
//! environment or a clock: callers pass texts. The settings themselves are one table, in `settings.rs`.

mod build;
mod cross;
mod expand;
mod file;
mod kind;
mod mistake;
mod node;
mod overrides;
mod print;
mod settings;
mod sources;
mod suggest;
mod tokens;
mod typed;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use mistake::Mistakes;
pub use print::{Shown, schema, template};
pub use tokens::tokens;
pub use typed::{
    AdminConfig, AppName, AuthConfig, ClientCertificate, CohortUnit, Config, EtcdConfig, Expose,
    FrontendTrust, FrontendsConfig, HeadersConfig, HttpConfig, IdentityConfig, JwtConfig, LedgerConfig,
    LedgerKind, LimitsConfig, LogFormat, Login, OfApp, OnNewVersion, Origin, RegistryConfig, RegistryKind,
    RolloutsConfig, SchemaPolicy, Secret, ServiceConfig, SourceConfig, StatusProfile, TelemetryConfig,
    TlsConfig, UpstreamConfig,
};

use file::{Context, Gathered};
use mistake::Source;
use settings::SETTINGS;
use values::Values;

/// All that settings come from. With none of them, every setting has its default.
#[derive(Clone, Default)]
pub struct Sources {
    pub file: Option<File>,
    /// The whole environment: `${VAR}` may name any variable.
    pub env: Vec<(String, String)>,
    /// Path of a setting, such as `admin.listen`, and its text.
    pub flags: Vec<(&'static str, String)>,
}

// The environment and the file hold secrets.
impl std::fmt::Debug for Sources {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.file.as_ref().map(|file| &file.path);
        out.debug_struct("Sources").field("file", &path).finish_non_exhaustive()
    }
}

/// A file that was read.
#[derive(Clone)]
pub struct File {
    /// Its name in messages; relative paths in it start in its directory.
    pub path: PathBuf,
    pub text: String,
}

impl std::fmt::Debug for File {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("File").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A reading without mistakes.
#[derive(Clone)]
pub struct Loaded {
    pub config: Config,
    values: Values,
    source: Option<Source>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Loaded").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Loaded {
    /// Every setting with its value and where that came from, in the order of the table.
    pub fn settings(&self) -> Vec<Shown> {
        print::show(&self.values, self.source.as_ref())
    }
}

/// Reads the settings, or tells every mistake in them.
pub fn read(sources: &Sources) -> Result<Loaded, Mistakes> {
    let env: BTreeMap<&str, &str> =
        sources.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let base = sources.file.as_ref().and_then(|file| file.path.parent()).unwrap_or(Path::new(""));
    let mut gathered = Gathered::default();
    if let Some(file) = &sources.file {
        let tree = node::parse(&file.text);
        if let Some(root) = &tree.root {
            file::gather(root, &Context { env: &env, base }, &mut gathered);
        } else {
            let secrets = SETTINGS.iter().filter(|setting| setting.kind.is_secret());
            gathered.hidden.names.extend(secrets.map(settings::Setting::word));
            // What the file would have set is not known, so nothing is missing.
            if !tree.mistakes.is_empty() {
                SETTINGS.iter().for_each(|setting| gathered.values.set_broken(setting.path));
            }
        }
        gathered.mistakes.extend(tree.mistakes);
    }
    overrides::env(&sources.env, &mut gathered);
    overrides::flags(&sources.flags, &mut gathered);
    gathered.values.fill(|setting, text| {
        let value = setting.kind.parse(text).expect("a test parses every default");
        file::resolve(value, base)
    });
    gathered.mistakes.extend(cross::check(&gathered.values));
    let name = |file: &File| file.path.display().to_string();
    let source = sources.file.as_ref().map(|file| Source::new(name(file), &file.text));
    let Gathered { values, mistakes, hidden } = gathered;
    if mistakes.is_empty() {
        Ok(Loaded { config: build::build(&values), values, source })
    } else {
        Err(Mistakes::new(source, &hidden, mistakes))
    }
}

/// The settings that differ and that a running gateway cannot take up, in order of their names.
pub fn changed_needing_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let of = |config: &Config, path: &'static str| -> Vec<_> {
        let here = config.fixed.iter().filter(|(place, _)| place.path == path);
        here.map(|(place, value)| (place.name.clone(), value.clone())).collect()
    };
    let differs = |path: &&'static str| of(old, path) != of(new, path);
    SETTINGS.iter().map(|setting| setting.path).filter(differs).collect()
}

#[cfg(test)]
mod tests;
