//! The last known records on disk: what is stable, who the frontends are, what is tried and with which weight.
//!
//! Registrations alone are not enough for a start without the store: a gateway that knows who runs and not
//! what was decided would take the highest version for stable and give a candidate to everybody. Kept are the
//! records that decide who gets which version; evidence, audit and garbage are not among them, because nobody
//! acts on them without the store. Written and read like the table: whole, in one step, with a digest.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnout_control::records::{Key, Kind, Record, Records};

use super::{Error, FORMAT, PAUSE, RETRY, Whole, put_aside, replace};
use crate::telemetry::chain;
use turnout_schema::Digest;

/// What the file is called in the data directory.
const NAME: &str = "records.json";

/// What decides who gets which version.
const KINDS: [Kind; 7] = [
    Kind::Locks,
    Kind::Service,
    Kind::Policy,
    Kind::Frontend,
    Kind::Assignment,
    Kind::Rollout,
    Kind::Tombstone,
];

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    revision: u64,
    /// By key: the revision, and the value as base64.
    records: BTreeMap<String, (u64, String)>,
}

/// What was kept in a data directory; nothing when nothing was. A file that cannot be used is put aside. Blocks.
pub fn load(directory: &Path) -> Records {
    let path = directory.join(NAME);
    let read = match fs::read(&path) {
        Ok(bytes) => parse(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Records::default(),
        Err(error) => Err(Error::Read(error)),
    };
    read.unwrap_or_else(|error| {
        put_aside(&path, &error);
        Records::default()
    })
}

/// Keeps records until it is told to stop, and has written the last.
pub async fn run(mut records: watch::Receiver<Arc<Records>>, directory: PathBuf, stop: CancellationToken) {
    let mut written: Option<BTreeMap<Key, Record>> = None;
    let mut failed = false;
    loop {
        let now = records.borrow_and_update().clone();
        let chosen = chosen(&now);
        // Before the store was heard there is nothing to keep, and what was kept must not be lost.
        if now.revision > 0 && written.as_ref() != Some(&chosen) {
            let (directory, kept) = (directory.clone(), chosen.clone());
            let work = move || write(&directory, now.revision, &kept);
            let outcome = tokio::task::spawn_blocking(work).await;
            let outcome = outcome.unwrap_or_else(|error| Err(io::Error::other(error)));
            if let Err(error) = &outcome
                && !failed
            {
                tracing::error!(error = %chain(error), "cannot keep the records on disk");
            }
            failed = outcome.is_err();
            written = (!failed).then_some(chosen);
        }
        if stop.is_cancelled() {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => continue,
            () = tokio::time::sleep(PAUSE) => {}
        }
        tokio::select! {
            () = stop.cancelled() => {}
            changed = records.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(RETRY), if failed => {}
        }
    }
}

fn chosen(records: &Records) -> BTreeMap<Key, Record> {
    let of = |kind| records.of(kind).map(|(key, record)| (key.clone(), record.clone()));
    KINDS.into_iter().flat_map(of).collect()
}

fn write(directory: &Path, revision: u64, records: &BTreeMap<Key, Record>) -> io::Result<()> {
    let row =
        |(key, record): (&Key, &Record)| (key.to_string(), (record.revision, STANDARD.encode(&record.value)));
    let kept = Kept { revision, records: records.iter().map(row).collect() };
    let table = serde_json::value::to_raw_value(&kept)?;
    let digest = Digest::of(table.get().as_bytes()).to_string();
    replace(directory, NAME, &serde_json::to_string(&Whole { format: FORMAT, digest, table })?)
}

fn parse(bytes: &[u8]) -> Result<Records, Error> {
    let kept: Kept = serde_json::from_str(super::text(bytes)?.get()).map_err(Error::Shape)?;
    let mut records = BTreeMap::new();
    for (key, (revision, value)) in kept.records {
        let wrong = |why: String| Error::Entry(key.clone(), why);
        let value = STANDARD.decode(&value).map_err(|error| wrong(error.to_string()))?;
        let parsed: Key =
            key.parse().map_err(|error: turnout_control::id::Error| wrong(error.to_string()))?;
        records.insert(parsed, Record { revision, value: value.into() });
    }
    Ok(Records::restore(kept.revision, records))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn records(revision: u64, stable: &str) -> Records {
        let record = |value: &str| Record { revision, value: value.as_bytes().into() };
        let rows = [("policy/*/math/1", stable), ("analysis/math/1.1.0", "evidence")];
        let rows = rows.map(|(key, value)| (key.parse().unwrap(), record(value)));
        Records::restore(revision, rows.into())
    }

    #[tokio::test(start_paused = true)]
    async fn what_decides_is_there_again_after_a_restart_and_evidence_is_not() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(load(directory.path()), Records::default());
        let (sender, receiver) = watch::channel(Arc::new(records(7, "1.0.0")));
        let stop = CancellationToken::new();
        let path = directory.path().to_owned();
        let keeping = run(receiver, path.clone(), stop.clone());
        let changing = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert_eq!(load(&path).revision, 7);
            sender.send_replace(Arc::new(records(9, "1.1.0")));
            // The last change is kept by the stop at the latest.
            tokio::task::yield_now().await;
            stop.cancel();
        };
        tokio::join!(keeping, changing);
        let kept = load(&path);
        assert_eq!(kept.revision, 9);
        let policy = kept.get(&"policy/*/math/1".parse().unwrap()).unwrap();
        assert_eq!((policy.revision, &*policy.value), (9, &b"1.1.0"[..]));
        assert_eq!(kept.get(&"analysis/math/1.1.0".parse().unwrap()), None);
    }

    #[test]
    fn a_damaged_file_is_put_aside() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), 7, &chosen(&records(7, "1.0.0"))).unwrap();
        let path = directory.path().join(NAME);
        let text = fs::read_to_string(&path).unwrap().replace("math", "moth");
        fs::write(&path, text).unwrap();
        assert_eq!(load(directory.path()), Records::default());
        assert!(directory.path().join("records.json.broken").exists() && !path.exists());
    }
}
