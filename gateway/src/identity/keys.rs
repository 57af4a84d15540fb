//! The keys that sign frontend tokens, and the file that has them.
//!
//! One key a line: its id, and 32 bytes or more in base64. The first signs, all of them verify, so that a key
//! is replaced without a token that fails: add the new one as the second line everywhere, then make it the
//! first, and remove the old one when the last of its tokens has passed. The file is read at the start. One
//! that is not there is made, readable by its owner alone, unless other gateways would have to know it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use ring::hmac;

/// By RFC 2104 a key of HMAC is at least as long as what it makes.
const KEY_BYTES_MIN: usize = 32;
/// Longer keys are hashed first and gain nothing.
const KEY_BYTES_MAX: usize = 512;
const ID_BYTES_MAX: usize = 32;
/// Each that a token may name is tried by its id alone, so this bounds a file and no work.
const KEYS_MAX: usize = 16;
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Standard alphabet, padded or not: as `openssl rand -base64 32` writes it and as people shorten it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or made.
    #[error("the key file {}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// A line of it is no key.
    #[error("line {line} of the key file {} {why}", .path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// A sentence without its subject.
        why: &'static str,
    },
    /// It has none.
    #[error("the key file {} has no key; `openssl rand -base64 32` makes one", .0.display())]
    Empty(PathBuf),
    /// It is not there, and one that is made here would be known to nobody else.
    #[error(
        "the key file {} is not there; with a registry in etcd all gateways need the same file", .0.display()
    )]
    Missing(PathBuf),
}

/// What becomes of a file that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It is made.
    Make,
    /// It is missed.
    Refuse,
}

/// Keys, at least one.
pub struct Keys {
    keys: Vec<Key>,
}

struct Key {
    id: String,
    key: hmac::Key,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Their ids stand in every token; the keys stand nowhere.
        out.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

impl Keys {
    /// Reads a file, or makes it. Blocks.
    pub fn open(path: &Path, absent: Absent) -> Result<Keys, Error> {
        let failed = |error| Error::File(path.to_owned(), error);
        match (fs::metadata(path), absent) {
            (Ok(file), _) => {
                if file.permissions().mode() & 0o077 != 0 {
                    let path = path.display().to_string();
                    tracing::warn!(path, "others than its owner may read the key file; `chmod 600` mends it");
                }
                if file.len() > FILE_BYTES_MAX {
                    return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, "is no list of keys")));
                }
            }
            (Err(error), Absent::Make) if error.kind() == io::ErrorKind::NotFound => {
                make(path).map_err(failed)?;
                let path = path.display().to_string();
                tracing::info!(path, "made a key for frontend tokens");
            }
            (Err(error), Absent::Refuse) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Missing(path.to_owned()));
            }
            (Err(error), Absent::Make | Absent::Refuse) => return Err(failed(error)),
        }
        Keys::read(&fs::read_to_string(path).map_err(failed)?, path)
    }

    /// The keys of a text; `path` is its name in errors.
    fn read(text: &str, path: &Path) -> Result<Keys, Error> {
        let mut keys: Vec<Key> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line_text = line.trim();
            if line_text.is_empty() || line_text.starts_with('#') {
                continue;
            }
            let wrong = |why| Error::Line { path: path.to_owned(), line: at + 1, why };
            let key = key(line_text).map_err(wrong)?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(wrong("names a key as another line does"));
            }
            if keys.len() == KEYS_MAX {
                return Err(wrong("is one too many: at most 16 keys are taken"));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(Error::Empty(path.to_owned())) } else { Ok(Keys { keys }) }
    }

    /// Keys that nobody else has and that end with the process.
    pub fn random() -> Keys {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; KEY_BYTES_MIN]>());
        Keys { keys: vec![Key { id: fresh_id(), key }] }
    }

    /// The one that signs, and its id.
    pub(super) fn first(&self) -> (&str, &hmac::Key) {
        let first = self.keys.first().expect("no keys are no `Keys`");
        (&first.id, &first.key)
    }

    /// The one of this id.
    pub(super) fn get(&self, id: &str) -> Option<&hmac::Key> {
        self.keys.iter().find(|key| key.id == id).map(|key| &key.key)
    }
}

fn key(line: &str) -> Result<Key, &'static str> {
    let mut words = line.split_ascii_whitespace();
    let (Some(id), Some(secret), None) = (words.next(), words.next(), words.next()) else {
        return Err("must be the id of a key and the key in base64");
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if id.len() > ID_BYTES_MAX || !id.bytes().all(plain) {
        return Err("must begin with an id of at most 32 letters, digits, `-` and `_`");
    }
    // The alphabet for URLs differs in two letters.
    let secret = secret.replace('-', "+").replace('_', "/");
    let bytes = LENIENT.decode(secret).map_err(|_| "has a key that is no base64")?;
    if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&bytes.len()) {
        return Err("has a key that is not of 32 to 512 bytes; `openssl rand -base64 32` makes one");
    }
    Ok(Key { id: id.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) })
}

fn fresh_id() -> String {
    hex::encode(rand::random::<[u8; 4]>())
}

/// Makes a file with one key. Whoever else makes it at the same time, one of both files is there whole.
fn make(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", fresh_id()));
    let beside = PathBuf::from(beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let secret = BASE64_STANDARD.encode(rand::random::<[u8; KEY_BYTES_MIN]>());
    let text = format!(
        "# Signs frontend tokens: one key a line, the first signs. Whoever reads this can be anybody.\n{} {}\n",
        fresh_id(),
        secret
    );
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    // A link never takes the place of a file that somebody has made meanwhile.
    let linked = written.and_then(|()| match fs::hard_link(&beside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    fs::remove_file(&beside)?;
    linked
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn read(text: &str) -> Result<Keys, String> {
        Keys::read(text, Path::new("frontend.key")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_signs_and_all_verify() {
        let url = format!("{}-_", &SECRET[..SECRET.len() - 3]);
        let keys = read(&format!("# made\n\n b {SECRET}=\na\t{SECRET}\nc {url}A\n")).unwrap();
        assert_eq!(keys.first().0, "b");
        assert!(["a", "b", "c"].iter().all(|id| keys.get(id).is_some()) && keys.get("d").is_none());
        assert_eq!(format!("{keys:?}"), r#"["b", "a", "c"]"#);
    }

    #[test]
    fn a_line_that_is_no_key_is_named() {
        let line = |why: &str| format!("line 2 of the key file frontend.key {why}");
        for (text, expected) in [
            ("a".to_owned(), line("must be the id of a key and the key in base64")),
            (format!("a {SECRET} b"), line("must be the id of a key and the key in base64")),
            (format!("ä {SECRET}"), line("must begin with an id of at most 32 letters, digits, `-` and `_`")),
            ("a !!".to_owned(), line("has a key that is no base64")),
            (
                "a c2hvcnQ=".to_owned(),
                line("has a key that is not of 32 to 512 bytes; `openssl rand -base64 32` makes one"),
            ),
        ] {
            assert_eq!(read(&format!("\n{text}")).unwrap_err(), expected);
        }
        assert_eq!(
            read(&format!("a {SECRET}\na {SECRET}")).unwrap_err(),
            line("names a key as another line does")
        );
        assert!(read("# nothing\n").unwrap_err().contains("has no key"));
        let many: String = (0..17).map(|id| format!("{id} {SECRET}\n")).collect();
        assert!(read(&many).unwrap_err().contains("one too many"));
    }

    #[test]
    fn a_file_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("below/frontend.key");
        assert!(matches!(Keys::open(&path, Absent::Refuse), Err(Error::Missing(_))));
        let made = Keys::open(&path, Absent::Make).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        let again = Keys::open(&path, Absent::Refuse).unwrap();
        assert_eq!(made.first().0, again.first().0);
        make(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
