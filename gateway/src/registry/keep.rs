//! The last known table on disk: what a gateway starts with while the registries that it follows are away.
//!
//! One file holds what every source said last, with the versions and their digests. It is written whole beside
//! the old one and takes its place in one step, at most once a second and at the end. A digest over the text
//! tells a damaged file, which is put aside: starting without it is slower, and starting with half of it would
//! be wrong. What is read from it is only what was known; the sources still have to be heard.
//!
//! Descriptors are not in here, and what was decided is in a file of its own (`records`). A gateway whose
//! registry is in its own file and that follows no other needs none of this.

pub mod records;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use turnout_control::id::{SourceName, Timestamp};
use turnout_control::registration::Terms;
use turnout_control::registry::{Presence, Registered, Service, Snapshot, VersionRecord};
use turnout_schema::{Diagnostic, Digest, Severity};

use super::native::{Native, Written};
use super::{Hub, Known};
use crate::telemetry::chain;

/// What the file is called in the data directory.
const NAME: &str = "table.json";
/// How the file is written; another one is not guessed at.
const FORMAT: u32 = 1;
/// The shortest time between two writings.
const PAUSE: Duration = Duration::from_secs(1);
/// How soon a writing that failed is tried again when nothing changes.
const RETRY: Duration = Duration::from_secs(5);

/// Why a kept table cannot be used.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot read it")]
    Read(#[source] io::Error),
    #[error("it is no table")]
    Shape(#[source] serde_json::Error),
    #[error("it has format {0}, and this build reads {FORMAT}")]
    Format(u32),
    #[error("its text is not what was written")]
    Digest,
    #[error("its entry {0}: {1}")]
    Entry(String, String),
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Whole {
    format: u32,
    /// Of `table`, as it is written.
    digest: String,
    table: Box<RawValue>,
}

#[derive(Debug, Serialize)]
struct WrittenTable<'a> {
    revision: u64,
    versions: Vec<Version>,
    entries: Vec<WrittenEntry<'a>>,
}

#[derive(Debug, Serialize)]
struct WrittenEntry<'a> {
    #[serde(flatten)]
    told: Told,
    instance: Written<'a>,
}

#[derive(Debug, Deserialize)]
struct ReadTable {
    revision: u64,
    versions: Vec<Version>,
    entries: Vec<ReadEntry>,
}

#[derive(Debug, Deserialize)]
struct ReadEntry {
    #[serde(flatten)]
    told: Told,
    instance: Native,
}

/// What a source told of an entry, besides what stands in it.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    source: String,
    key: String,
    service: String,
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<String>,
    ttl: u16,
    registered_at: u64,
    presence: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<Finding>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Finding {
    severity: String,
    code: String,
    message: String,
    help: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Version {
    service: String,
    version: String,
    digest: Option<String>,
    first_seen: u64,
}

/// What was kept in a data directory of these sources, the one that goes first at the front, beside what the
/// gateway's own store knows itself. A file that cannot be used is put aside. Blocks.
pub fn load(directory: &Path, sources: &[SourceName], own: Known) -> Known {
    let path = directory.join(NAME);
    let read = match fs::read(&path) {
        Ok(bytes) => parse(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return own,
        Err(error) => Err(Error::Read(error)),
    };
    match read {
        Ok(kept) => merge(own, kept, sources),
        Err(error) => {
            put_aside(&path, &error);
            own
        }
    }
}

/// Moves a file that cannot be used out of the way, so that somebody can look at it.
fn put_aside(path: &Path, error: &Error) {
    let moved = fs::rename(path, path.with_extension("json.broken"));
    tracing::error!(
        error = %chain(error), file = %path.display(), aside = moved.is_ok(),
        "what was kept cannot be used: starting without it"
    );
}

/// What the own store knows itself goes before what was kept of it; sources that are not followed any more
/// are forgotten.
fn merge(own: Known, kept: Known, sources: &[SourceName]) -> Known {
    let mut services: BTreeMap<_, Service> =
        own.snapshot.services().map(|(name, service)| (name.clone(), service.clone())).collect();
    for (name, service) in kept.snapshot.services() {
        let versions = &mut services.entry(name.clone()).or_default().versions;
        for (version, record) in &service.versions {
            versions.entry(version.clone()).or_insert(*record);
        }
    }
    let mut entries = own.entries;
    for source in sources {
        entries.extend(kept.entries.iter().filter(|(of, _, _)| of == source).cloned());
    }
    for (_, _, registered) in &entries {
        let instances = &mut services.entry(registered.instance.service.clone()).or_default().instances;
        instances.entry(registered.instance.id.clone()).or_insert_with(|| registered.clone());
    }
    let revision = own.snapshot.revision.max(kept.snapshot.revision);
    Known { snapshot: Snapshot::restore(revision, services), entries }
}

/// Keeps what the hub knows of these sources, until it is told to stop and has written the end.
pub async fn run(hub: Arc<Hub>, sources: Vec<SourceName>, directory: PathBuf, stop: CancellationToken) {
    let mut changes = hub.changes();
    // What changed since the start was loaded is not seen as a change here.
    changes.mark_changed();
    let mut failed = false;
    loop {
        let retry = tokio::time::sleep(RETRY);
        let stopping = tokio::select! {
            () = stop.cancelled() => true,
            changed = changes.changed() => changed.is_err(),
            () = retry, if failed => false,
        };
        if stopping && !failed && !changes.has_changed().unwrap_or(false) {
            return;
        }
        changes.mark_unchanged();
        let (mut known, directory) = (hub.known(), directory.clone());
        known.entries.retain(|(source, _, _)| sources.contains(source));
        let written = tokio::task::spawn_blocking(move || write(&directory, &known)).await;
        let outcome = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Err(error) = &outcome
            && !failed
        {
            tracing::error!(error = %chain(error), "cannot keep the table on disk");
        }
        failed = outcome.is_err();
        if stopping {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Replaces the file in one step; after this it is there also when the power fails.
pub(super) fn write(directory: &Path, known: &Known) -> io::Result<()> {
    replace(directory, NAME, &serialize(known)?)
}

fn replace(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    let new = directory.join(format!("{name}.new"));
    fs::create_dir_all(directory)?;
    // Leases are in it, and whoever knows one may end it.
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    drop(file);
    fs::rename(&new, directory.join(name))?;
    File::open(directory)?.sync_all()
}

fn serialize(known: &Known) -> io::Result<String> {
    let entries = known.entries.iter().map(|(source, key, registered)| WrittenEntry {
        told: told(source, key, registered),
        instance: Native::of(&registered.instance),
    });
    let versions = known.snapshot.services().flat_map(|(service, of)| {
        of.versions.iter().map(|(version, record)| Version {
            service: service.to_string(),
            version: version.to_string(),
            digest: record.digest.map(|digest| digest.to_string()),
            first_seen: record.first_seen.0,
        })
    });
    let table = WrittenTable {
        revision: known.snapshot.revision,
        versions: versions.collect(),
        entries: entries.collect(),
    };
    let table = serde_json::value::to_raw_value(&table)?;
    let digest = Digest::of(table.get().as_bytes()).to_string();
    Ok(serde_json::to_string(&Whole { format: FORMAT, digest, table })?)
}

fn told(source: &SourceName, key: &str, registered: &Registered) -> Told {
    let finding = |found: &Diagnostic| Finding {
        severity: found.severity.as_str().to_owned(),
        code: found.code.to_owned(),
        message: found.message.clone(),
        help: found.help.clone(),
    };
    Told {
        source: source.to_string(),
        key: key.to_owned(),
        service: registered.instance.service.to_string(),
        id: registered.instance.id.to_string(),
        lease: registered.lease.map(|lease| lease.to_string()),
        ttl: registered.ttl_s,
        registered_at: registered.registered_at.0,
        presence: presence_text(registered.presence).to_owned(),
        refused: registered.refused.as_deref().map(finding),
    }
}

/// What a file has, when it is as it was written.
fn text(bytes: &[u8]) -> Result<Box<RawValue>, Error> {
    let whole: Whole = serde_json::from_slice(bytes).map_err(Error::Shape)?;
    if whole.format != FORMAT {
        return Err(Error::Format(whole.format));
    }
    if Digest::of(whole.table.get().as_bytes()).to_string() != whole.digest {
        return Err(Error::Digest);
    }
    Ok(whole.table)
}

fn parse(bytes: &[u8]) -> Result<Known, Error> {
    let table: ReadTable = serde_json::from_str(text(bytes)?.get()).map_err(Error::Shape)?;
    let mut services: BTreeMap<_, Service> = BTreeMap::new();
    for row in table.versions {
        let at = format!("{}/{}", row.service, row.version);
        let digest = row.digest.map(|text| name(&at, &text)).transpose()?;
        let record = VersionRecord { digest, first_seen: Timestamp(row.first_seen) };
        let versions = &mut services.entry(name(&at, &row.service)?).or_default().versions;
        versions.insert(name(&at, &row.version)?, record);
    }
    // What was accepted once is read under no terms: who may be called is decided when that is done.
    let everywhere = vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
    let terms = Terms { allow_cidrs: everywhere, ttl_s: 15 };
    let entries = table.entries.into_iter().map(|entry| registered(entry, &terms));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    Ok(Known { snapshot: Snapshot::restore(table.revision, services), entries })
}

fn registered(entry: ReadEntry, terms: &Terms) -> Result<(SourceName, String, Registered), Error> {
    let ReadEntry { told, instance } = entry;
    let key = told.key;
    let (service, id) = (name(&key, &told.service)?, name(&key, &told.id)?);
    let read = instance.read_as(&service, &id, None, terms).map_err(|mistakes| {
        let first = mistakes.first().map(|mistake| format!("{} {}", mistake.field, mistake.message));
        Error::Entry(key.clone(), first.unwrap_or_default())
    })?;
    let odd = || Error::Entry(key.clone(), format!("{:?} is no presence", told.presence));
    let presences = [Presence::Here, Presence::Silent, Presence::Missing, Presence::Held];
    let presence = presences.into_iter().find(|presence| presence_text(*presence) == told.presence);
    let source: SourceName = name(&key, &told.source)?;
    let registered = Registered {
        instance: Arc::new(read.instance),
        source: source.clone(),
        lease: told.lease.map(|lease| name(&key, &lease)).transpose()?,
        ttl_s: told.ttl,
        registered_at: Timestamp(told.registered_at),
        presence: presence.ok_or_else(odd)?,
        refused: told.refused.map(|finding| Arc::new(diagnostic(finding))),
    };
    Ok((source, key, registered))
}

fn presence_text(presence: Presence) -> &'static str {
    match presence {
        Presence::Here => "here",
        Presence::Silent => "silent",
        Presence::Missing => "missing",
        Presence::Held => "held",
    }
}

/// Codes are names in the program. One that this build does not know stays a refusal of another name.
fn diagnostic(finding: Finding) -> Diagnostic {
    let known = ["VERSION_BOUND", "SCHEMA_UNKNOWN", "SERVICE_MISSING", "STALE_INCARNATION", "ADDRESS_TAKEN"];
    let code = known.into_iter().find(|code| *code == finding.code);
    let severities = [Severity::Info, Severity::Warning, Severity::Error];
    let severity = severities.into_iter().find(|severity| severity.as_str() == finding.severity);
    Diagnostic {
        severity: severity.unwrap_or(Severity::Error),
        code: code.unwrap_or("REFUSED_BEFORE"),
        message: finding.message,
        help: finding.help,
    }
}

fn name<T: std::str::FromStr<Err: std::fmt::Display>>(key: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|error: T::Err| Error::Entry(key.to_owned(), error.to_string()))
}

#[cfg(test)]
mod tests;
