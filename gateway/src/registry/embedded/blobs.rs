//! Stored descriptors in the SQLite file.
//!
//! Each copy has a number that no other ever had, so that a removal which was decided about one copy does not
//! take one that was stored anew meanwhile. Storing what is there gives it a new number for the same reason:
//! whoever stores is about to register.

use rusqlite::{OptionalExtension, params};
use turnout_control::garbage::{ROOM, Room};
use turnout_control::id::Timestamp;
use turnout_schema::{Descriptors, Digest};

use super::sqlite::{Error, Sqlite, integer, parse, row_error, timestamp, unsigned};
use crate::registry::{self, Blob};

impl Sqlite {
    /// Stores descriptors; false when they were there.
    pub(super) fn put_schema(
        &mut self,
        descriptors: &Descriptors,
        bytes: &[u8],
        at: Timestamp,
    ) -> Result<bool, registry::Error> {
        let digest = descriptors.digest();
        let transaction = self.connection.transaction().map_err(broken)?;
        let copy = "UPDATE revision SET copies = copies + 1 RETURNING copies";
        let copy: i64 = transaction.query_row(copy, [], |row| row.get(0)).map_err(broken)?;
        let touched = transaction
            .execute("UPDATE schemas SET copy = ?2 WHERE digest = ?1", params![digest.to_string(), copy])
            .map_err(broken)?;
        if touched == 0 {
            let held = transaction
                .query_row("SELECT count(*), coalesce(sum(length(bytes)), 0) FROM schemas", [], |row| {
                    Ok(Room { sets: unsigned(row.get(0)?), bytes: unsigned(row.get(1)?) })
                })
                .map_err(broken)?;
            ROOM.admit(held, digest, u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
            let services = serde_json::to_string(&descriptors.services()).unwrap_or_default();
            let insert = "INSERT INTO schemas (digest, services, bytes, stored_at, copy)
                          VALUES (?1, ?2, ?3, ?4, ?5)";
            let row = params![digest.to_string(), services, bytes, integer(at.0), copy];
            transaction.execute(insert, row).map_err(broken)?;
        }
        transaction.commit().map_err(broken)?;
        Ok(touched == 0)
    }

    /// The services of stored descriptors.
    pub(super) fn schema_services(&self, digest: Digest) -> Result<Option<Vec<String>>, Error> {
        let key = digest.to_string();
        let services: Option<String> = self
            .connection
            .query_row("SELECT services FROM schemas WHERE digest = ?1", [&key], |row| row.get(0))
            .optional()?;
        services.map(|text| serde_json::from_str(&text).map_err(|error| row_error(&key, error))).transpose()
    }

    /// Stored descriptors.
    pub(super) fn schema(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        let found = self
            .connection
            .query_row("SELECT bytes FROM schemas WHERE digest = ?1", [digest.to_string()], |row| row.get(0))
            .optional()?;
        Ok(found)
    }

    /// All stored descriptors, by digest.
    pub(super) fn schemas(&self) -> Result<Vec<Blob>, Error> {
        let mut statement = self
            .connection
            .prepare("SELECT digest, length(bytes), stored_at, copy FROM schemas ORDER BY digest")?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let digest: String = row.get(0)?;
            found.push(Blob {
                digest: parse("schemas", &digest)?,
                bytes: unsigned(row.get(1)?),
                stored_at: timestamp(row.get(2)?),
                copy: unsigned(row.get(3)?),
            });
        }
        Ok(found)
    }

    /// Removes this copy of descriptors; false when it is not there.
    pub(super) fn remove_schema(&self, digest: Digest, copy: u64) -> Result<bool, Error> {
        let removed = self.connection.execute(
            "DELETE FROM schemas WHERE digest = ?1 AND copy = ?2",
            params![digest.to_string(), integer(copy)],
        )?;
        Ok(removed == 1)
    }
}

fn broken(error: rusqlite::Error) -> registry::Error {
    super::broken(error.into())
}
