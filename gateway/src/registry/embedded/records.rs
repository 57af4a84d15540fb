//! Records in the SQLite file.
//!
//! Each row has the revision at which it was last written. The revision of all of them stands beside the
//! registry's own and is written with every change, so it never goes back. Whether a change may happen was
//! decided before.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, params};
use turnout_control::records::{Change, Key, Kind, Record, Records};

use super::sqlite::{Error, Sqlite, integer, row_error, unsigned};

impl Sqlite {
    /// All records that are watched.
    pub(super) fn watched(&self) -> Result<Records, Error> {
        let revision = self.connection.query_row("SELECT records FROM revision", [], |row| row.get(0))?;
        let mut by_key = BTreeMap::new();
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_watched()) {
            by_key.append(&mut self.read(kind, "", usize::MAX)?);
        }
        Ok(Records::restore(unsigned(revision), by_key))
    }

    /// Records of a kind whose names come after this one, by name; at most `limit`.
    pub(super) fn read(&self, kind: Kind, after: &str, limit: usize) -> Result<BTreeMap<Key, Record>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT name, revision, value FROM records WHERE kind = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![kind.as_str(), after, limit])?;
        let mut found = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let key = Key::new(kind, &name).map_err(|error| row_error("records", error))?;
            found.insert(key, record(row)?);
        }
        Ok(found)
    }

    /// One record.
    pub(super) fn record(&self, key: &Key) -> Result<Option<Record>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT name, revision, value FROM records WHERE kind = ?1 AND name = ?2")?;
        Ok(statement.query_row(params![key.kind.as_str(), key.name()], record).optional()?)
    }

    /// Writes a change at a revision, all or nothing.
    pub(super) fn change(&mut self, change: &Change, revision: u64) -> Result<(), Error> {
        let transaction = self.connection.transaction()?;
        for (key, value) in &change.writes {
            let (kind, name) = (key.kind.as_str(), key.name());
            match value {
                Some(value) => transaction.execute(
                    "INSERT OR REPLACE INTO records (kind, name, revision, value) VALUES (?1, ?2, ?3, ?4)",
                    params![kind, name, integer(revision), &**value],
                )?,
                None => {
                    let delete = "DELETE FROM records WHERE kind = ?1 AND name = ?2";
                    transaction.execute(delete, params![kind, name])?
                }
            };
        }
        transaction.execute("UPDATE revision SET records = ?1", [integer(revision)])?;
        transaction.commit()?;
        Ok(())
    }
}

fn record(row: &Row<'_>) -> Result<Record, rusqlite::Error> {
    let value: Vec<u8> = row.get(2)?;
    Ok(Record { revision: unsigned(row.get(1)?), value: Arc::from(value) })
}
