//! Descriptors on the disk of a gateway whose store is elsewhere.
//!
//! A file for each set, named after its digest, so that a gateway that starts while its store is away knows
//! what the versions mean that it knew before. What is read is compared with its name, and thrown away when it
//! is something else. Files appear whole or not at all. When there are too many bytes, those go that were not
//! used for longest. A disk that fails costs the cache and nothing else.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnout_control::id::{InstanceId, LeaseId, ServiceName, Timestamp, Version};
use turnout_control::records::{Change, Key, Kind, Record, Records};
use turnout_control::registration::Registration;
use turnout_schema::Digest;

use crate::clock::Clock;
use crate::registry::store::{Blob, Error, Granted, Leadership, Store, Stored};

/// How many bytes are kept: some sixty of the largest sets, and thousands of usual ones.
pub const BYTES_MAX: u64 = 1 << 30;

/// The end of the name of a file that is being written.
const PARTIAL: &str = "partial";

/// A directory of descriptors.
#[derive(Debug)]
pub struct Cache {
    directory: PathBuf,
    bytes_max: u64,
    clock: Clock,
    /// Writers take turns.
    writing: Mutex<()>,
}

impl Cache {
    /// A cache in a directory, which is made when it is missing. Blocks.
    pub fn open(directory: &Path, bytes_max: u64, clock: Clock) -> io::Result<Cache> {
        fs::create_dir_all(directory)?;
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == PARTIAL) {
                let _ = fs::remove_file(path);
            }
        }
        Ok(Cache { directory: directory.to_owned(), bytes_max, clock, writing: Mutex::new(()) })
    }

    /// What is kept under a digest. Blocks.
    pub fn get(&self, digest: Digest) -> Option<Bytes> {
        let path = self.path(digest);
        let bytes = fs::read(&path).ok()?;
        if Digest::of(&bytes) != digest {
            tracing::warn!(file = %path.display(), "cached descriptors are broken, and thrown away");
            let _ = fs::remove_file(&path);
            return None;
        }
        // The time of a file is that of its last use. It only decides which files go first.
        let _ = File::options().write(true).open(&path).and_then(|file| file.set_modified(self.now()));
        Some(bytes.into())
    }

    /// Keeps a set. Blocks until it is on the disk.
    pub fn put(&self, digest: Digest, bytes: &[u8]) {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(digest);
        if path.exists() {
            return;
        }
        let written = write(&path, bytes, self.now()).and_then(|()| self.make_room(&path));
        if let Err(error) = written {
            tracing::warn!(file = %path.display(), %error, "descriptors cannot be cached");
        }
    }

    /// Removes what was not used for longest until the rest fits; what was just written stays.
    fn make_room(&self, newest: &Path) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let about = entry.metadata()?;
            files.push((about.modified()?, entry.path(), about.len()));
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, _, bytes)| bytes).sum();
        for (_, path, size) in files {
            if bytes <= self.bytes_max {
                break;
            }
            if path != newest {
                fs::remove_file(path)?;
                bytes -= size;
            }
        }
        Ok(())
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.directory.join(digest.hex())
    }

    fn now(&self) -> SystemTime {
        let Timestamp(since_ms) = self.clock.now();
        UNIX_EPOCH + Duration::from_millis(since_ms)
    }
}

/// Writes a file under another name first, so that nobody sees a part of it.
fn write(path: &Path, bytes: &[u8], now: SystemTime) -> io::Result<()> {
    let partial = path.with_extension(PARTIAL);
    let mut file = File::create(&partial)?;
    file.write_all(bytes)?;
    file.set_modified(now)?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

/// A store whose descriptors are kept on this machine too: they are read here first, and never change.
#[derive(Debug)]
pub struct Cached {
    store: Arc<dyn Store>,
    cache: Arc<Cache>,
}

/// A store with a cache before it, in a directory; without one, when the directory cannot be used.
pub async fn cached(store: Arc<dyn Store>, directory: PathBuf, clock: Clock) -> Arc<dyn Store> {
    let opened = tokio::task::spawn_blocking(move || Cache::open(&directory, BYTES_MAX, clock)).await;
    match opened.map_err(io::Error::other).flatten() {
        Ok(cache) => Arc::new(Cached::new(store, cache)),
        Err(error) => {
            tracing::warn!(%error, "descriptors cannot be cached");
            store
        }
    }
}

impl Cached {
    /// A store with a cache before it.
    pub fn new(store: Arc<dyn Store>, cache: Cache) -> Cached {
        Cached { store, cache: Arc::new(cache) }
    }

    async fn keep(&self, digest: Digest, bytes: Bytes) {
        let cache = self.cache.clone();
        let _ = tokio::task::spawn_blocking(move || cache.put(digest, &bytes)).await;
    }
}

impl Store for Cached {
    fn register(&self, registration: Registration) -> BoxFuture<'_, Result<Granted, Error>> {
        self.store.register(registration)
    }

    fn renew(&self, lease: LeaseId) -> BoxFuture<'_, Result<Option<u16>, Error>> {
        self.store.renew(lease)
    }

    fn deregister(
        &self,
        service: ServiceName,
        id: InstanceId,
        lease: LeaseId,
    ) -> BoxFuture<'_, Result<u64, Error>> {
        self.store.deregister(service, id, lease)
    }

    fn bind(
        &self,
        service: ServiceName,
        version: Version,
        digest: Digest,
    ) -> BoxFuture<'_, Result<(), Error>> {
        self.store.bind(service, version, digest)
    }

    fn put_schema(&self, said: Digest, bytes: Bytes) -> BoxFuture<'_, Result<Stored, Error>> {
        Box::pin(async move {
            let stored = self.store.put_schema(said, bytes.clone()).await?;
            self.keep(stored.digest, bytes).await;
            Ok(stored)
        })
    }

    fn schema(&self, digest: Digest) -> BoxFuture<'_, Result<Option<Bytes>, Error>> {
        Box::pin(async move {
            let cache = self.cache.clone();
            let known = tokio::task::spawn_blocking(move || cache.get(digest)).await;
            if let Ok(Some(bytes)) = known {
                return Ok(Some(bytes));
            }
            let found = self.store.schema(digest).await?;
            // The cache must never hold what it would throw away: it is asked again at every look.
            if let Some(bytes) = found.as_ref().filter(|bytes| Digest::of(bytes) == digest) {
                self.keep(digest, bytes.clone()).await;
            }
            Ok(found)
        })
    }

    fn schema_services(&self, digest: Digest) -> BoxFuture<'_, Result<Option<Vec<String>>, Error>> {
        self.store.schema_services(digest)
    }

    fn schemas(&self) -> BoxFuture<'_, Result<Vec<Blob>, Error>> {
        self.store.schemas()
    }

    fn remove_schema(&self, blob: Blob) -> BoxFuture<'_, Result<bool, Error>> {
        self.store.remove_schema(blob)
    }

    fn records(&self) -> watch::Receiver<Arc<Records>> {
        self.store.records()
    }

    fn change(&self, change: Change) -> BoxFuture<'_, Result<u64, Error>> {
        self.store.change(change)
    }

    fn read(
        &self,
        kind: Kind,
        after: Option<Key>,
        limit: usize,
    ) -> BoxFuture<'_, Result<BTreeMap<Key, Record>, Error>> {
        self.store.read(kind, after, limit)
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.store.leadership()
    }

    fn report(&self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        self.store.report(bytes)
    }

    fn replicas(&self) -> watch::Receiver<Arc<BTreeMap<String, Bytes>>> {
        self.store.replicas()
    }

    fn run(self: Arc<Self>, stop: CancellationToken) -> BoxFuture<'static, ()> {
        self.store.clone().run(stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::embedded;

    fn set(number: u8, bytes: usize) -> (Digest, Vec<u8>) {
        let set = vec![number; bytes];
        (Digest::of(&set), set)
    }

    fn cache(directory: &Path, bytes_max: u64) -> Cache {
        Cache::open(directory, bytes_max, Clock::start()).unwrap()
    }

    /// Makes files look as if they were last used that long ago.
    fn age(directory: &Path, digest: Digest, seconds: u64) {
        let file = File::options().write(true).open(directory.join(digest.hex())).unwrap();
        let then = file.metadata().unwrap().modified().unwrap() - Duration::from_secs(seconds);
        file.set_modified(then).unwrap();
    }

    #[test]
    fn what_is_put_is_there_after_a_restart_and_in_no_other_form() {
        let directory = tempfile::tempdir().unwrap();
        let (digest, bytes) = set(1, 100);
        cache(directory.path(), 1000).put(digest, &bytes);
        std::fs::write(directory.path().join("cut.partial"), b"half").unwrap();
        let again = cache(directory.path(), 1000);
        assert_eq!(again.get(digest).unwrap(), bytes);
        assert_eq!(again.get(set(2, 100).0), None);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_what_its_name_says_is_thrown_away() {
        let directory = tempfile::tempdir().unwrap();
        let (digest, bytes) = set(1, 100);
        let cache = cache(directory.path(), 1000);
        cache.put(digest, &bytes);
        std::fs::write(directory.path().join(digest.hex()), &bytes[1..]).unwrap();
        assert_eq!(cache.get(digest), None);
        cache.put(digest, &bytes);
        assert_eq!(cache.get(digest).unwrap(), bytes);
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let directory = tempfile::tempdir().unwrap();
        let cache = cache(directory.path(), 250);
        let sets = [set(1, 100), set(2, 100), set(3, 100)];
        for (seconds, (digest, bytes)) in [30, 20].into_iter().zip(&sets) {
            cache.put(*digest, bytes);
            age(directory.path(), *digest, seconds);
        }
        assert!(cache.get(sets[0].0).is_some());
        cache.put(sets[2].0, &sets[2].1);
        let kept: Vec<bool> = sets.iter().map(|(digest, _)| cache.get(*digest).is_some()).collect();
        assert_eq!(kept, [true, false, true]);
        let (huge, bytes) = set(4, 300);
        cache.put(huge, &bytes);
        assert_eq!(cache.get(huge).unwrap(), bytes);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_set_that_was_fetched_once_is_there_when_the_store_has_it_no_more() {
        let (of_store, of_cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let open = |directory: &Path| {
            embedded::alone(directory, Clock::start(), Duration::from_secs(15)).unwrap().store
        };
        let bytes = Bytes::from_static(turnout_proto::REGISTRY_DESCRIPTORS);
        let digest = Digest::of(&bytes);
        let full = Cached::new(open(of_store.path()), cache(of_cache.path(), BYTES_MAX));
        assert_eq!(full.schema(digest).await.unwrap(), None);
        full.put_schema(digest, bytes.clone()).await.unwrap();
        drop(full);
        let empty = tempfile::tempdir().unwrap();
        let cold = Cached::new(open(empty.path()), cache(of_cache.path(), BYTES_MAX));
        assert_eq!(cold.schema(digest).await.unwrap(), Some(bytes.clone()));

        // And the other way round: what the store has comes into the cache by being read.
        let fresh = tempfile::tempdir().unwrap();
        let warm = Cached::new(open(of_store.path()), cache(fresh.path(), BYTES_MAX));
        assert_eq!(warm.schema(digest).await.unwrap(), Some(bytes.clone()));
        assert_eq!(cache(fresh.path(), BYTES_MAX).get(digest), Some(bytes));
    }
}
