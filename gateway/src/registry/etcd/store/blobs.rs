//! Stored descriptors: pieces of 512 KiB and a description that is written last.
//!
//! Where a description stands, all pieces do. Pieces are not changed by anybody who keeps to the layout; the
//! digest is of the whole and is computed again whenever they are read, because others may write here too.
//! Removing takes the description and the pieces in one transaction, and only the very copy that was named.

use std::collections::BTreeMap;

use bytes::Bytes;
use etcd_client::{Compare, CompareOp, DeleteOptions, GetOptions, Txn, TxnOp};
use turnout_control::garbage::{ROOM, Room};
use turnout_control::watch::Entry;
use turnout_schema::{Descriptors, Digest};

use super::value::Meta;
use super::{Etcd, away};
use crate::registry::etcd::{Outcome, Reading};
use crate::registry::store::{Blob, Error, Stored};

/// etcd refuses requests above 1.5 MiB.
const CHUNK_BYTES: usize = 512 << 10;
/// More pieces than the largest descriptors have: 16 MiB.
const CHUNKS_MAX: usize = 64;
/// How many keys one read asks for. etcd takes 128 operations a transaction.
const BATCH: usize = 100;
/// How many keys one page of names has.
const PAGE: i64 = 2000;

impl Etcd {
    /// What is stored under a digest; `None` when nothing is, or nothing that this build can read.
    pub(super) async fn meta(&self, digest: Digest) -> Result<Option<(Meta, Entry)>, Error> {
        let entry = self.look(vec![self.keys.meta(digest)]).await?.pop().flatten();
        Ok(entry.and_then(|entry| Some((Meta::read(&entry.value)?, entry))))
    }

    /// The same for many, without what is not there.
    pub(super) async fn metas(&self, digests: &[Digest]) -> Result<BTreeMap<Digest, (Meta, Entry)>, Error> {
        let mut found = BTreeMap::new();
        for digests in digests.chunks(BATCH) {
            let keys = digests.iter().map(|digest| self.keys.meta(*digest)).collect();
            for (digest, entry) in digests.iter().zip(self.look(keys).await?) {
                if let Some(entry) = entry
                    && let Some(meta) = Meta::read(&entry.value)
                {
                    found.insert(*digest, (meta, entry));
                }
            }
        }
        Ok(found)
    }

    /// Stores descriptors; see `Store::put_schema`.
    pub(super) async fn store_schema(&self, said: Digest, bytes: Bytes) -> Result<Stored, Error> {
        let found = Digest::of(&bytes);
        if found != said {
            return Err(Error::Digest { said, found });
        }
        let reading = bytes.clone();
        let read =
            tokio::task::spawn_blocking(move || Descriptors::read(&reading).map(|read| read.services()));
        let services = read.await.map_err(|_| Error::Stopping)??;
        let created = self.meta(said).await?.is_none() && self.upload(said, &bytes, &services).await?;
        self.view().looked_up(said, Some(services.clone()), self.hub.clock().age());
        self.flush();
        Ok(Stored { digest: said, services, created })
    }

    /// Writes pieces and description; false when somebody else was quicker.
    async fn upload(&self, digest: Digest, bytes: &Bytes, services: &[String]) -> Result<bool, Error> {
        let stored = self.list_schemas().await?;
        let held = Room {
            sets: u64::try_from(stored.len()).unwrap_or(u64::MAX),
            bytes: stored.iter().map(|blob| blob.bytes).fold(0, u64::saturating_add),
        };
        ROOM.admit(held, digest, u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
        let chunks = bytes.chunks(CHUNK_BYTES).count();
        for (number, chunk) in bytes.chunks(CHUNK_BYTES).enumerate() {
            self.put_twice(TxnOp::put(self.keys.chunk(digest, number), chunk, None)).await?;
        }
        let now = self.hub.clock().now();
        let meta = Meta::of(bytes.len(), chunks, services.to_vec(), now).written();
        let key = self.keys.meta(digest);
        // A removal meanwhile took the pieces with it.
        let there = (0..chunks)
            .map(|number| Compare::version(self.keys.chunk(digest, number), CompareOp::Greater, 0));
        let mut when = vec![Compare::version(key.clone(), CompareOp::Equal, 0)];
        when.extend(there);
        let txn = Txn::new().when(when).and_then([TxnOp::put(key, meta, None)]);
        if self.cluster.txn(txn).await.map_err(away)?.succeeded() {
            return Ok(true);
        }
        match self.meta(digest).await? {
            Some(_) => Ok(false),
            None => Err(Error::Unavailable(
                "etcd cannot be used",
                "the descriptors were removed meanwhile".into(),
            )),
        }
    }

    /// Writes what may be written twice.
    async fn put_twice(&self, put: TxnOp) -> Result<(), Error> {
        let txn = Txn::new().and_then([put]);
        match self.cluster.txn(txn.clone()).await {
            Err(error) if error.outcome() == Outcome::Unknown => self.cluster.txn(txn).await.map_err(away)?,
            outcome => outcome.map_err(away)?,
        };
        Ok(())
    }

    /// Stored descriptors; see `Store::schema`.
    pub(super) async fn load_schema(&self, digest: Digest) -> Result<Option<Bytes>, Error> {
        let Some((meta, _)) = self.meta(digest).await? else { return Ok(None) };
        if meta.chunks > CHUNKS_MAX {
            return Err(broken(digest));
        }
        let listing = self.cluster.range(&self.keys.chunks(digest), Reading::Agreed).await.map_err(away)?;
        let pieces: Vec<&[u8]> =
            listing.entries.iter().take(meta.chunks).map(|entry| &entry.value[..]).collect();
        let bytes = Bytes::from(pieces.concat());
        if Digest::of(&bytes) == digest {
            return Ok(Some(bytes));
        }
        // They may have been removed between the two reads.
        if self.meta(digest).await?.is_none() { Ok(None) } else { Err(broken(digest)) }
    }

    /// All stored descriptors; see `Store::schemas`.
    pub(super) async fn list_schemas(&self) -> Result<Vec<Blob>, Error> {
        let prefix = self.keys.schemas();
        // The byte after the slash: everything below the prefix, and nothing else.
        let end = format!("{}0", prefix.trim_end_matches('/')).into_bytes();
        let (mut from, mut digests) = (prefix.into_bytes(), Vec::new());
        loop {
            let options = GetOptions::new().with_keys_only().with_limit(PAGE);
            let page = self.slice(from, end.clone(), options).await?;
            let Some(last) = page.last() else { break };
            from = [&last.key[..], &[0]].concat();
            digests.extend(page.iter().filter_map(|entry| self.keys.meta_at(&entry.key)));
        }
        let blob = |(digest, (meta, entry)): (Digest, (Meta, Entry))| Blob {
            digest,
            bytes: meta.size,
            stored_at: meta.stored_at(),
            copy: entry.written_at,
        };
        Ok(self.metas(&digests).await?.into_iter().map(blob).collect())
    }

    /// Removes stored descriptors; see `Store::remove_schema`.
    pub(super) async fn drop_schema(&self, blob: Blob) -> Result<bool, Error> {
        let key = self.keys.meta(blob.digest);
        let Ok(copy) = i64::try_from(blob.copy) else { return Ok(false) };
        let same = Compare::mod_revision(key.clone(), CompareOp::Equal, copy);
        let pieces = TxnOp::delete(self.keys.chunks(blob.digest), Some(DeleteOptions::new().with_prefix()));
        let mut when = vec![same];
        when.extend(self.fence());
        let txn = Txn::new().when(when).and_then([TxnOp::delete(key, None), pieces]);
        let done = self.cluster.txn(txn).await.map_err(away)?.succeeded();
        if done {
            self.view().forget(blob.digest);
        }
        Ok(done)
    }
}

fn broken(digest: Digest) -> Error {
    let why = format!("the pieces of {digest} are not what their digest says");
    Error::Unavailable("stored descriptors cannot be read", why.into())
}
