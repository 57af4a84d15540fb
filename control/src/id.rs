//! The names of things: a text becomes one of these at the edge and cannot be wrong afterwards.
//!
//! All are cheap to clone. Each says in its error what a legal one looks like.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

/// Why a text is not the name it should be; a sentence without its subject: "must not be empty".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub(crate) String);

fn error(message: impl Into<String>) -> Error {
    Error(message.into())
}

/// The longest service name and instance id.
const NAME_BYTES_MAX: usize = 128;

/// `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`: safe in a URL, an etcd key, a log line and a page.
fn check_name(text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(error("must not be empty"));
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(error(format!("has {} bytes, and {NAME_BYTES_MAX} are allowed", text.len())));
    }
    if let Some(odd) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "._-".contains(*c))) {
        return Err(error(format!("may only have letters, digits, \".\", \"_\" and \"-\", but has {odd:?}")));
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(error("must begin with a letter or a digit"));
    }
    Ok(())
}

/// A checked name of some kind of thing, which the type tells apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<Kind>(Arc<str>, PhantomData<Kind>);

/// A named unit of deployment: `catalog`. Not the name of a protobuf service; one service may offer
/// several of those.
pub type ServiceName = Name<OfService>;

/// One process of a service: `host-50051-1763700000`.
pub type InstanceId = Name<OfInstance>;

/// Where registrations are read: a name of the operator's, or [`SourceName::own`].
pub type SourceName = Name<OfSource>;

/// Marks a [`SourceName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfSource {}

/// A client, in all its versions: `web`.
pub type AppName = Name<OfApp>;

/// Marks an [`AppName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfApp {}

/// Marks a [`ServiceName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfService {}

/// Marks an [`InstanceId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfInstance {}

impl<Kind> Name<Kind> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SourceName {
    /// The gateway's own registry, wherever that is kept.
    pub fn own() -> SourceName {
        Name("turnout".into(), PhantomData)
    }
}

impl<Kind> FromStr for Name<Kind> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        check_name(text)?;
        Ok(Name(text.into(), PhantomData))
    }
}

impl<Kind> fmt::Display for Name<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<Kind> fmt::Debug for Name<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The semver tag of a service's version: `1.5.0`.
///
/// Build metadata is refused: `1.5.0+a` and `1.5.0+b` would be the same version to semver and two
/// different ones to everything that compares names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(semver::Version);

impl Version {
    /// The version as semver knows it.
    pub fn semver(&self) -> &semver::Version {
        &self.0
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Version, Error> {
        if text.is_empty() {
            return Err(error("must not be empty; a version looks like \"1.5.0\""));
        }
        if text.len() > 64 {
            return Err(error(format!("has {} bytes, and 64 are allowed", text.len())));
        }
        if let Some(bare) = text.strip_prefix(['v', 'V'])
            && semver::Version::parse(bare).is_ok()
        {
            return Err(error(format!("must not begin with {:?}: write {bare:?}", &text[..1])));
        }
        let version = semver::Version::parse(text)
            .map_err(|reason| error(format!("is no version by semver.org, such as \"1.5.0\": {reason}")))?;
        if !version.build.is_empty() {
            return Err(error("must not carry build metadata after \"+\"; put the build into meta"));
        }
        Ok(Version(version))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A shipped client: `web@2.4.1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrontendId {
    /// Which client.
    pub app: AppName,
    /// Which version of it.
    pub version: Version,
}

impl FromStr for FrontendId {
    type Err = Error;

    fn from_str(text: &str) -> Result<FrontendId, Error> {
        let (app, version) = text
            .split_once('@')
            .ok_or_else(|| error("must be an app and its version, such as \"web@2.4.1\""))?;
        Ok(FrontendId { app: app.parse()?, version: version.parse()? })
    }
}

impl fmt::Display for FrontendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.app, self.version)
    }
}

impl fmt::Debug for FrontendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What a process holds for its registration to live: 32 hexadecimal digits, drawn at random, because
/// whoever knows it may renew or end it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId([u8; 16]);

impl LeaseId {
    /// The lease of these random bytes.
    pub fn from_random(bytes: [u8; 16]) -> LeaseId {
        LeaseId(bytes)
    }

    /// Its bytes, for a store that keeps leases under names of its own.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl FromStr for LeaseId {
    type Err = Error;

    fn from_str(text: &str) -> Result<LeaseId, Error> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| error("must be 32 hexadecimal digits"))?;
        Ok(LeaseId(bytes))
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Logs are read by more people than may end a registration.
        write!(f, "{}…", hex::encode(&self.0[..3]))
    }
}

/// A moment by the wall clock, in milliseconds since 1970. For people and records; nothing is
/// scheduled by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_says_what_is_wrong_with_it() {
        for (text, why) in [
            ("", "must not be empty"),
            ("a/b", "may only have letters, digits, \".\", \"_\" and \"-\", but has '/'"),
            ("<img>", "may only have letters, digits, \".\", \"_\" and \"-\", but has '<'"),
            ("..", "must begin with a letter or a digit"),
            ("-x", "must begin with a letter or a digit"),
        ] {
            assert_eq!(text.parse::<ServiceName>().unwrap_err().to_string(), why, "{text:?}");
        }
        assert!("a".repeat(128).parse::<ServiceName>().is_ok());
        assert!("a".repeat(129).parse::<ServiceName>().is_err());
        assert!("user.rpc_2-x".parse::<InstanceId>().is_ok());
    }

    #[test]
    fn a_version_says_what_is_wrong_with_it() {
        for (text, why) in [
            ("", "must not be empty; a version looks like \"1.5.0\""),
            ("v1.5.0", "must not begin with \"v\": write \"1.5.0\""),
            (
                "1.5",
                "is no version by semver.org, such as \"1.5.0\": unexpected end of input while parsing minor version number",
            ),
            ("1.5.0+abc", "must not carry build metadata after \"+\"; put the build into meta"),
        ] {
            assert_eq!(text.parse::<Version>().unwrap_err().to_string(), why, "{text:?}");
        }
        assert!("1.5.0-rc.1".parse::<Version>().unwrap() < "1.5.0".parse::<Version>().unwrap());
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_written_as_it_was_read(text in "\\PC{0,40}") {
            if let Ok(name) = text.parse::<ServiceName>() {
                prop_assert_eq!(name.to_string(), text.clone());
            }
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.to_string(), text);
            }
        }
    }
}
