//! Where what is kept stands below the root of the cluster.
//!
//! ```text
//! instances/<service>/<id>        under a lease      versions/<service>/<version>   for ever
//! schemas/<hex>/c/0000 …          the bytes          schemas/<hex>/meta             last: there = complete
//! records/<kind>/<name>           watched records    records/changed                last of every change
//! audit/<name>                    not watched        leader                         under a lease
//! replicas/<name>                 under a lease of the gateway that says it
//! ```
//! Names are legal in keys by their types, so no key can reach into another's place.

use turnout_control::id::{InstanceId, ServiceName, Version};
use turnout_control::records::{Key, Kind};
use turnout_schema::Digest;

/// The longest name of a gateway; anybody may write there.
const NAME_BYTES_MAX: usize = 256;

/// The keys below one root.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// Begins with a slash and does not end with one.
    root: String,
}

impl Keys {
    pub(super) fn new(root: &str) -> Keys {
        Keys { root: root.to_owned() }
    }

    pub(super) fn instances(&self) -> String {
        format!("{}/instances/", self.root)
    }

    pub(super) fn instance(&self, service: &ServiceName, id: &InstanceId) -> String {
        format!("{}/instances/{service}/{id}", self.root)
    }

    pub(super) fn versions(&self) -> String {
        format!("{}/versions/", self.root)
    }

    pub(super) fn version(&self, service: &ServiceName, version: &Version) -> String {
        format!("{}/versions/{service}/{version}", self.root)
    }

    /// Whose binding stands there; `None` when nothing of ours does.
    pub(super) fn version_at(&self, key: &[u8]) -> Option<(ServiceName, Version)> {
        let below = str::from_utf8(key).ok()?.strip_prefix(&self.versions())?;
        let (service, version) = below.split_once('/')?;
        Some((service.parse().ok()?, version.parse().ok()?))
    }

    pub(super) fn schemas(&self) -> String {
        format!("{}/schemas/", self.root)
    }

    pub(super) fn meta(&self, digest: Digest) -> String {
        format!("{}/schemas/{}/meta", self.root, digest.hex())
    }

    /// Whose description stands there.
    pub(super) fn meta_at(&self, key: &[u8]) -> Option<Digest> {
        let hex = str::from_utf8(key).ok()?.strip_prefix(&self.schemas())?.strip_suffix("/meta")?;
        format!("sha256:{hex}").parse().ok()
    }

    pub(super) fn chunks(&self, digest: Digest) -> String {
        format!("{}/schemas/{}/c/", self.root, digest.hex())
    }

    pub(super) fn chunk(&self, digest: Digest, number: usize) -> String {
        format!("{}/schemas/{}/c/{number:04}", self.root, digest.hex())
    }

    pub(super) fn records(&self) -> String {
        format!("{}/records/", self.root)
    }

    /// All records of a kind.
    pub(super) fn records_of(&self, kind: Kind) -> String {
        if kind.is_watched() { format!("{}{}/", self.records(), kind.as_str()) } else { self.audit() }
    }

    pub(super) fn record(&self, key: &Key) -> String {
        format!("{}{}", self.records_of(key.kind), key.name())
    }

    /// Which record stands there; `None` when nothing of ours does.
    pub(super) fn record_at(&self, key: &[u8]) -> Option<Key> {
        let key = str::from_utf8(key).ok()?;
        match key.strip_prefix(&self.audit()) {
            Some(name) => Key::new(Kind::Audit, name).ok(),
            None => key.strip_prefix(&self.records())?.parse().ok().filter(|key: &Key| key.kind.is_watched()),
        }
    }

    /// Written last in every change of records: a watcher who has seen it has seen the whole change.
    pub(super) fn changed(&self) -> String {
        format!("{}/records/changed", self.root)
    }

    pub(super) fn leader(&self) -> String {
        format!("{}/leader", self.root)
    }

    pub(super) fn replicas(&self) -> String {
        format!("{}/replicas/", self.root)
    }

    pub(super) fn replica(&self, name: &str) -> String {
        format!("{}/replicas/{name}", self.root)
    }

    /// Which gateway's report stands there; `None` when nothing of ours does.
    pub(super) fn replica_at<'a>(&self, key: &'a [u8]) -> Option<&'a str> {
        let name = str::from_utf8(key).ok()?.strip_prefix(&self.replicas())?;
        (!name.is_empty() && name.len() <= NAME_BYTES_MAX).then_some(name)
    }

    fn audit(&self) -> String {
        format!("{}/audit/", self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_at_a_key_is_read_back_from_it() {
        let keys = Keys::new("/turnout/v1");
        let (service, version) = ("catalog".parse().unwrap(), "1.5.0-rc.1".parse().unwrap());
        let key = keys.version(&service, &version);
        assert_eq!(key, "/turnout/v1/versions/catalog/1.5.0-rc.1");
        assert_eq!(keys.version_at(key.as_bytes()), Some((service, version)));
        for text in ["policy/web@2.4.1/orders/2", "audit/00000000000000000017"] {
            let record: Key = text.parse().unwrap();
            assert_eq!(keys.record_at(keys.record(&record).as_bytes()), Some(record));
        }
        assert_eq!(keys.replica_at(keys.replica("gw-7f").as_bytes()), Some("gw-7f"));
        assert_eq!(keys.replica_at(b"/turnout/v1/replicas/"), None);
        let digest = Digest::of(b"x");
        assert_eq!(keys.meta_at(keys.meta(digest).as_bytes()), Some(digest));
        for odd in ["/turnout/v1/versions/catalog", "/turnout/v1/versions/a/b/c", "/turnout/v1/versions/a/vv"]
        {
            assert_eq!(keys.version_at(odd.as_bytes()), None, "{odd}");
        }
        for odd in ["/turnout/v1/records/changed", "/turnout/v1/records/audit/1", "/turnout/v1/records/x/y"] {
            assert_eq!(keys.record_at(odd.as_bytes()), None, "{odd}");
        }
    }
}
