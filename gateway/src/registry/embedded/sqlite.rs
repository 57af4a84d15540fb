//! Registrations, descriptors and records in one SQLite file: what is written before an answer is given.
//!
//! Every change is one transaction, on disk before anyone hears of it. Heartbeats are not written:
//! after a restart every lease gets its full time. The file holds text that people can read with
//! `sqlite3`: instances in the native layout, versions with their digests, records as they are. Calls block,
//! and belong on a blocking thread.
//!
//! The hub counts more changes than are written here. So the file says whether it was closed, at which
//! revision; when it was not, the next process begins `REVISIONS_UNSAID` further on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, Row, Transaction, params};
use turnout_control::id::{InstanceId, ServiceName, SourceName, Timestamp, Version};
use turnout_control::registration::Terms;
use turnout_control::registry::{Presence, Registered, Service, Snapshot, VersionRecord};

use crate::registry::native::Native;

/// The layout of the file; a newer one is refused rather than guessed at.
const FORMAT: i64 = 2;

/// More changes than the hub may count beside the revision that was last written.
pub(super) const REVISIONS_UNSAID: u64 = 1_000_000;

pub(super) const FORMAT_1: &str = "
    CREATE TABLE schemas (
        digest TEXT PRIMARY KEY, services TEXT NOT NULL, bytes BLOB NOT NULL, stored_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE versions (
        service TEXT NOT NULL, version TEXT NOT NULL, digest TEXT, first_seen INTEGER NOT NULL,
        PRIMARY KEY (service, version)
    ) STRICT;
    CREATE TABLE instances (
        service TEXT NOT NULL, id TEXT NOT NULL, lease TEXT NOT NULL, ttl_s INTEGER NOT NULL,
        registered_at INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (service, id)
    ) STRICT;
    CREATE TABLE revision (value INTEGER NOT NULL) STRICT;
    INSERT INTO revision VALUES (0);
";

/// What format 2 has more. An empty copy of format 1 was closed at revision 0; any other was perhaps not.
const FORMAT_2: &str = "
    ALTER TABLE revision ADD COLUMN closed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE revision ADD COLUMN records INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE revision ADD COLUMN copies INTEGER NOT NULL DEFAULT 0;
    UPDATE revision SET closed = 1 WHERE value = 0;
    ALTER TABLE schemas ADD COLUMN copy INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE records (
        kind TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (kind, name)
    ) STRICT, WITHOUT ROWID;
";

/// What can go wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite failed.
    #[error("sqlite")]
    Sqlite(#[from] rusqlite::Error),
    /// The file was written by a later build.
    #[error("the file has format {0}, and this build reads {FORMAT}: use the newer turnout that wrote it")]
    Format(i64),
    /// A row is not what this build writes.
    #[error("row {0}: {1}")]
    Row(String, String),
}

/// A change of what the file holds.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// An instance, under its service and id, with its version.
    Put(Registered),
    /// An instance goes.
    Remove(ServiceName, InstanceId),
    /// A version, or its descriptors.
    Version(ServiceName, Version, VersionRecord),
}

/// The file, open.
pub(super) struct Sqlite {
    pub(super) connection: Connection,
}

impl Sqlite {
    pub(super) fn open(file: &Path) -> Result<Sqlite, Error> {
        let mut connection = Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: an acknowledged registration also outlives a power cut. Registrations are rare.
        connection.pragma_update(None, "synchronous", "FULL")?;
        let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let missing: &[&str] = match format {
            0 => &[FORMAT_1, FORMAT_2],
            1 => &[FORMAT_2],
            FORMAT => &[],
            newer => return Err(Error::Format(newer)),
        };
        let transaction = connection.transaction()?;
        missing.iter().try_for_each(|tables| transaction.execute_batch(tables))?;
        transaction.execute(
            "UPDATE revision SET value = value + CASE closed WHEN 1 THEN 0 ELSE ?1 END, closed = 0",
            [integer(REVISIONS_UNSAID)],
        )?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.commit()?;
        Ok(Sqlite { connection })
    }

    /// Writes the last revision, after which nothing is counted any more.
    pub(super) fn close(&self, revision: u64) -> Result<(), Error> {
        let said = [integer(revision)];
        self.connection.execute("UPDATE revision SET value = max(value, ?1), closed = 1", said)?;
        Ok(())
    }

    /// Writes how far was counted.
    pub(super) fn say(&self, revision: u64) -> Result<(), Error> {
        self.connection.execute("UPDATE revision SET value = max(value, ?1)", [integer(revision)])?;
        Ok(())
    }

    /// All that was registered when the file was last written.
    pub(super) fn load(&self) -> Result<Snapshot, Error> {
        let revision: i64 = self.connection.query_row("SELECT value FROM revision", [], |row| row.get(0))?;
        let mut services: BTreeMap<ServiceName, Service> = BTreeMap::new();
        let mut statement =
            self.connection.prepare("SELECT service, version, digest, first_seen FROM versions")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (service, version): (String, String) = (row.get(0)?, row.get(1)?);
            let key = format!("versions/{service}/{version}");
            let digest: Option<String> = row.get(2)?;
            let digest = digest.map(|text| parse(&key, &text)).transpose()?;
            let record = VersionRecord { digest, first_seen: timestamp(row.get(3)?) };
            let versions = &mut services.entry(parse(&key, &service)?).or_default().versions;
            versions.insert(parse(&key, &version)?, record);
        }
        for registered in self.instances()? {
            let instance = &registered.instance;
            let service = services.entry(instance.service.clone()).or_default();
            service.instances.insert(instance.id.clone(), registered.clone());
        }
        Ok(Snapshot::restore(unsigned(revision), services))
    }

    fn instances(&self) -> Result<Vec<Registered>, Error> {
        // What was accepted once is read under no terms: tightening allow_cidrs must not lose it.
        let terms = Terms { allow_cidrs: vec![everywhere_v4(), everywhere_v6()], ttl_s: 15 };
        let mut statement = self
            .connection
            .prepare("SELECT service, id, lease, ttl_s, registered_at, body FROM instances")?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            match instance(row, &terms) {
                Ok(registered) => found.push(registered),
                // Its process registers again within a lease; the others must not wait for that.
                Err(error @ Error::Row(..)) => tracing::error!(%error, "a registration cannot be read"),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Writes the changes and the revision after them, all or nothing.
    pub(super) fn commit(&mut self, revision: u64, changes: &[Change]) -> Result<(), Error> {
        let transaction = self.connection.transaction()?;
        for change in changes {
            write(&transaction, change)?;
        }
        transaction.execute("UPDATE revision SET value = max(value, ?1)", [integer(revision)])?;
        transaction.commit()?;
        Ok(())
    }
}

fn instance(row: &Row<'_>, terms: &Terms) -> Result<Registered, Error> {
    let (service, id, lease): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let key = format!("instances/{service}/{id}");
    let ttl_s: i64 = row.get(3)?;
    let body: String = row.get(5)?;
    let native: Native = serde_json::from_str(&body).map_err(|error| row_error(&key, error))?;
    let read = native.read_as(&parse(&key, &service)?, &parse(&key, &id)?, Some(ttl_s), terms).map_err(
        |mistakes| {
            let first = mistakes.first().map(|mistake| format!("{} {}", mistake.field, mistake.message));
            row_error(&key, first.unwrap_or_default())
        },
    )?;
    Ok(Registered {
        instance: Arc::new(read.instance),
        source: SourceName::own(),
        lease: Some(parse(&key, &lease)?),
        ttl_s: read.ttl_s,
        registered_at: timestamp(row.get(4)?),
        presence: Presence::Here,
        refused: None,
    })
}

fn write(transaction: &Transaction<'_>, change: &Change) -> Result<(), Error> {
    match change {
        Change::Put(registered) => {
            let instance = &registered.instance;
            let digest = instance.schema.as_ref().map(|schema| schema.digest);
            let record = VersionRecord { digest, first_seen: registered.registered_at };
            write_version(transaction, &instance.service, &instance.version, record)?;
            let body = serde_json::to_string(&Native::of(instance)).unwrap_or_default();
            transaction.execute(
                "INSERT OR REPLACE INTO instances (service, id, lease, ttl_s, registered_at, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    instance.service.as_str(),
                    instance.id.as_str(),
                    registered.lease.map(|lease| lease.to_string()).unwrap_or_default(),
                    registered.ttl_s,
                    integer(registered.registered_at.0),
                    body
                ],
            )?;
        }
        Change::Remove(service, id) => {
            transaction.execute(
                "DELETE FROM instances WHERE service = ?1 AND id = ?2",
                params![service.as_str(), id.as_str()],
            )?;
        }
        Change::Version(service, version, record) => {
            write_version(transaction, service, version, *record)?;
        }
    }
    Ok(())
}

/// The first digest of a version stays.
fn write_version(
    transaction: &Transaction<'_>,
    service: &ServiceName,
    version: &Version,
    record: VersionRecord,
) -> Result<(), Error> {
    transaction.execute(
        "INSERT INTO versions (service, version, digest, first_seen) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET digest = coalesce(digest, excluded.digest)",
        params![
            service.as_str(),
            version.to_string(),
            record.digest.map(|digest| digest.to_string()),
            integer(record.first_seen.0)
        ],
    )?;
    Ok(())
}

pub(super) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(key: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|error| row_error(key, error))
}

pub(super) fn row_error(key: &str, reason: impl std::fmt::Display) -> Error {
    Error::Row(key.to_owned(), reason.to_string())
}

pub(super) fn timestamp(stored: i64) -> Timestamp {
    Timestamp(unsigned(stored))
}

/// What `integer` wrote.
pub(super) fn unsigned(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

/// SQLite's integers are signed; revisions and milliseconds stay far below.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn everywhere_v4() -> ipnet::IpNet {
    ipnet::IpNet::V4(ipnet::Ipv4Net::default())
}

fn everywhere_v6() -> ipnet::IpNet {
    ipnet::IpNet::V6(ipnet::Ipv6Net::default())
}
