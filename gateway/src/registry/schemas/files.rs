//! Descriptors in a file that the operator names.
//!
//! A file holds a FileDescriptorSet and counts for every version of its service. A directory holds one file
//! for each version, `1.5.0.binpb`, because a version is bound to its descriptors for ever. Reading blocks.
//! Whether the bytes are descriptors is for the store to say.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use turnout_control::id::Version;
use turnout_schema::subgraph::descriptors::BYTES_MAX;

/// Why there are no bytes.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{} cannot be read: {}", .0.display(), .1)]
    Unreadable(PathBuf, io::Error),
    #[error("{} is larger than 16 MiB", .0.display())]
    TooLarge(PathBuf),
}

/// The bytes for a version. Blocks.
pub(super) fn read(path: &Path, version: &Version) -> Result<Vec<u8>, Error> {
    let path = if path.is_dir() { path.join(format!("{version}.binpb")) } else { path.to_owned() };
    let unreadable = |error| Error::Unreadable(path.clone(), error);
    let file = File::open(&path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > BYTES_MAX {
        return Err(Error::TooLarge(path));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_a_file_for_each_version() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("1.5.0.binpb");
        std::fs::write(&file, b"five").unwrap();
        let (five, six) = ("1.5.0".parse().unwrap(), "1.6.0".parse().unwrap());
        assert_eq!(read(directory.path(), &five).unwrap(), b"five");
        assert_eq!(read(&file, &six).unwrap(), b"five");
        let error = read(directory.path(), &six).unwrap_err().to_string();
        assert!(error.contains("1.6.0.binpb cannot be read"), "{error}");
        std::fs::write(&file, vec![0; BYTES_MAX + 1]).unwrap();
        assert!(matches!(read(&file, &five), Err(Error::TooLarge(_))));
    }
}
