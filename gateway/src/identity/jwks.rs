//! The keys that an issuer publishes (RFC 7517), and whether one of them has signed something.
//!
//! A key verifies by one algorithm, which its kind decides and no token: RS256, ES256 or EdDSA with Ed25519.
//! Keys of other kinds, and those that are not for signatures, are passed over, as the RFC wants it.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// Issuers publish two or three. Without an id in the token each of them may be tried.
const KEYS_MAX: usize = 32;

/// The keys of an issuer.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// By its name in a token and in a key. `none` and those with a shared secret are no names here.
    pub(super) fn of(name: &str) -> Option<Algorithm> {
        match name {
            "RS256" => Some(Algorithm::Rs256),
            "ES256" => Some(Algorithm::Es256),
            "EdDSA" | "Ed25519" => Some(Algorithm::EdDsa),
            _ => None,
        }
    }
}

struct Key {
    id: Option<String>,
    material: Material,
}

enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} {:?}", self.id, self.algorithm())
    }
}

/// Whether a signature holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    Holds,
    Fails,
    /// No key has the id that the token names.
    UnknownKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// None: nothing verifies.
    pub(super) fn none() -> KeySet {
        KeySet { keys: Vec::new() }
    }

    /// The keys of a document that can be used here; the error says what is wrong with all of it.
    pub(super) fn read(document: &[u8]) -> Result<KeySet, &'static str> {
        let Document { keys } = serde_json::from_slice(document).map_err(|_| "it is no key set")?;
        let read = |key: serde_json::Value| Key::read(&serde_json::from_value(key).ok()?);
        let keys: Vec<Key> = keys.into_iter().filter_map(read).take(KEYS_MAX).collect();
        if keys.is_empty() { Err("it has no key for RS256, ES256 or EdDSA") } else { Ok(KeySet { keys }) }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.keys.len()
    }

    /// Whether the key of this id has signed a message; without an id, whether any has.
    pub(super) fn verify(
        &self,
        (algorithm, id): (Algorithm, Option<&str>),
        message: &[u8],
        signature: &[u8],
    ) -> Signature {
        let named = |key: &&Key| match (id, &key.id) {
            (Some(id), Some(known)) => id == known,
            (Some(_), None) => false,
            (None, _) => true,
        };
        let mut known = self.keys.iter().filter(named).peekable();
        if known.peek().is_none() {
            return Signature::UnknownKey;
        }
        let holds = known.any(|key| key.algorithm() == algorithm && key.verifies(message, signature));
        if holds { Signature::Holds } else { Signature::Fails }
    }
}

impl Key {
    fn read(written: &Written) -> Option<Key> {
        let for_signatures = written.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && written.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let bytes = |text: &Option<String>| BASE64_URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let material = match (written.kty.as_str(), written.crv.as_deref()) {
            ("RSA", _) => Material::Rsa { n: unpadded(bytes(&written.n)?), e: unpadded(bytes(&written.e)?) },
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(&written.x)?, bytes(&written.y)?);
                if (x.len(), y.len()) != (32, 32) {
                    return None;
                }
                // A point that is written out (SEC 1).
                Material::P256([vec![4], x, y].concat())
            }
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&written.x)?),
            _ => return None,
        };
        let key = Key { id: written.kid.clone(), material };
        let as_named = match &written.alg {
            None => true,
            Some(name) => Algorithm::of(name) == Some(key.algorithm()),
        };
        (for_signatures && as_named).then_some(key)
    }

    fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.material {
            Material::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Material::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point).verify(message, signature),
        };
        verified.is_ok()
    }
}

/// Some issuers write a number with a zero byte before it, which ring refuses.
fn unpadded(number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number[zeros..].to_vec()
}
