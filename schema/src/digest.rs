//! The sha256 of some content, which is its name for ever.
//!
//! Written `sha256:` and 64 hexadecimal digits; read in either case of the digits.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The name of a blob by its content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(content: &[u8]) -> Digest {
        Digest(Sha256::digest(content).into())
    }

    /// The 64 digits alone.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first twelve digits: enough for a person to tell two apart.
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }
}

/// Why a text is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It does not begin with `sha256:`.
    Algorithm,
    /// It has not 64 digits, but so many characters.
    Length(usize),
    /// It has another character than 0-9 and a-f.
    Digit,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Algorithm => write!(f, "must begin with \"sha256:\""),
            Error::Length(found) => {
                write!(f, "must have 64 hexadecimal digits after \"sha256:\", but has {found}")
            }
            Error::Digit => write!(f, "may only have the digits 0-9 and a-f after \"sha256:\""),
        }
    }
}

impl std::error::Error for Error {}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Digest, Error> {
        let digits = text.strip_prefix("sha256:").ok_or(Error::Algorithm)?;
        if digits.len() != 64 {
            return Err(Error::Length(digits.chars().count()));
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Digest(bytes))
    }
}

fn nibble(digit: u8) -> Result<u8, Error> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).ok_or(Error::Digit)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_what_it_writes() {
        let digest = Digest::of(b"turnout");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.to_string().to_uppercase().replace("SHA256", "sha256").parse(), Ok(digest));
        assert_eq!(Digest::of(b"").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn what_is_no_digest_says_why() {
        let zeros = "0".repeat(64);
        assert_eq!(zeros.parse::<Digest>(), Err(Error::Algorithm));
        assert_eq!(format!("md5:{zeros}").parse::<Digest>(), Err(Error::Algorithm));
        assert_eq!("sha256:abc".parse::<Digest>(), Err(Error::Length(3)));
        assert_eq!(format!("sha256:{}g", &zeros[1..]).parse::<Digest>(), Err(Error::Digit));
        assert_eq!(format!("sha256:{}", "é".repeat(32)).parse::<Digest>(), Err(Error::Digit));
    }
}
