//! Reading entries of an etcd cluster: one, or all below a prefix as they were at one revision.
//!
//! A range comes in pages of the revision of the first one, from whichever members answer. When that revision
//! is compacted meanwhile it begins anew; when the values are so large that a page is more than what is read,
//! the pages get smaller.

use etcd_client::{Client, GetOptions, KeyValue};
use turnout_control::watch::{Entry, Listing};

use super::cluster::{ANSWER_BYTES_MAX, Cluster, Twice};
use super::error::Error;
use super::member::Demand;

/// How many entries a page of a listing has.
const PAGE: i64 = 500;
/// How often a listing begins anew because the revision of its pages was compacted.
const LISTINGS_MAX: usize = 3;

/// How a range is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As the members agree on it now.
    Agreed,
    /// As the member that is asked has it, also when it has lost the others. May be old.
    Local,
}

impl Cluster {
    /// One entry, and the revision of the store then.
    pub async fn get(&self, key: &str, reading: Reading) -> Result<(Option<Entry>, u64), Error> {
        let answer = self.page(key.as_bytes(), options(reading), demand(reading)).await?;
        Ok((answer.entries.into_iter().next(), answer.revision))
    }

    /// All entries whose keys begin with this, by key, as they were at one revision.
    pub async fn range(&self, prefix: &str, reading: Reading) -> Result<Listing, Error> {
        for _ in 1..LISTINGS_MAX {
            match self.pages(prefix, reading).await {
                Err(Error::Compacted) => {}
                outcome => return outcome,
            }
        }
        self.pages(prefix, reading).await
    }

    async fn pages(&self, prefix: &str, reading: Reading) -> Result<Listing, Error> {
        let end = after(prefix);
        let (mut from, mut limit) = (first(prefix), PAGE);
        let mut listing = Listing::default();
        loop {
            let mut options = options(reading).with_range(end.clone()).with_limit(limit);
            if listing.revision > 0 {
                options = options.with_revision(revision(listing.revision));
            }
            let page = match self.page(&from, options, demand(reading)).await {
                // Somebody keeps large values there: fewer of them go into one answer.
                Err(Error::TooLarge) if limit > 1 => {
                    limit /= 8;
                    limit = limit.max(1);
                    continue;
                }
                outcome => outcome?,
            };
            if listing.revision == 0 {
                listing.revision = page.revision;
            }
            if let Some(last) = page.entries.last() {
                from = [&last.key[..], &[0]].concat();
            }
            listing.entries.extend(page.entries);
            if !page.more {
                return Ok(listing);
            }
        }
    }

    async fn page(&self, key: &[u8], options: GetOptions, demand: Demand) -> Result<Page, Error> {
        let work = |client: Client| {
            let mut kv = client.kv_client().max_decoding_message_size(ANSWER_BYTES_MAX);
            let (key, options) = (key.to_vec(), options.clone());
            async move { kv.get(key, Some(options)).await }
        };
        let mut answer = self.call(demand, Twice::Harmless, work).await?;
        Ok(Page {
            revision: answer.header().map_or(0, |header| counted(header.revision())),
            more: answer.more(),
            entries: answer.take_kvs().into_iter().map(entry).collect(),
        })
    }
}

struct Page {
    revision: u64,
    more: bool,
    entries: Vec<Entry>,
}

/// An entry, from the crate's.
pub(super) fn entry(pair: KeyValue) -> Entry {
    let (lease, created_at, written_at) = (pair.lease(), pair.create_revision(), pair.mod_revision());
    let (key, value) = pair.into_key_value();
    Entry {
        key,
        value,
        lease: Some(lease).filter(|lease| *lease != 0),
        created_at: counted(created_at),
        written_at: counted(written_at),
    }
}

/// A revision, which etcd counts from 1 and writes with a sign.
pub(super) fn counted(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or(0)
}

pub(super) fn revision(counted: u64) -> i64 {
    i64::try_from(counted).unwrap_or(i64::MAX)
}

fn options(reading: Reading) -> GetOptions {
    match reading {
        Reading::Agreed => GetOptions::new(),
        Reading::Local => GetOptions::new().with_serializable(),
    }
}

fn demand(reading: Reading) -> Demand {
    match reading {
        Reading::Agreed => Demand::Leader,
        Reading::Local => Demand::Nothing,
    }
}

/// The first key that begins with a prefix. etcd has no empty key.
pub(super) fn first(prefix: &str) -> Vec<u8> {
    if prefix.is_empty() { vec![0] } else { prefix.as_bytes().to_vec() }
}

/// The first key after all that begin with a prefix; a zero byte means that there is none.
pub(super) fn after(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_first_key_that_does_not_begin_with_it() {
        assert_eq!(after("/a/"), b"/a0");
        assert_eq!(after("é"), "ê".as_bytes());
        assert_eq!((first(""), after("")), (vec![0], vec![0]), "everything");
    }
}
