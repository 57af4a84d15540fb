//! Bearer tokens and the keys of issuers: what holds, and what does not although it looks like it.
//!
//! Keys of curves are made anew in each run. The RSA key was made for this file and its private part thrown
//! away; its public part has the zero byte before it that some issuers write.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use turnout_control::id::Timestamp;

use super::super::jwks::KeySet;
use super::super::jwt::{Refused, Terms, verify};

const RSA: &str = "AOTprWXX-LTAM_8b9CYKy2HnOGsyPTTGcPl5lN3IpJzgJYCIjCX8thm1WZxfHP-jt_BLkg48340H3tYgY_ZiH3whWZDyZWJE\
     mmay8rusPio1ia99CqHA-h0aTMN5ydpbinKEp8hRbaD84WtykNrUVaS97b7q71eGzwZ2YvWu98-\
     jykG_DPAcxlFqWW9rNKI2LaxJ6VmUtdlJLbQc2dggjFgmE7STYnX866D9SbxOQNWRjAu07rWp6bIUo1LgGpvS1zPKaAjbpAc\
     BH4nFP88rlu1-9RFQY1Br98FuE--pyfXJcv0T6aTv6-JzpnhUuh-A_EFueaOlwN1483DYIV5mwfk";
const BY_RSA: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InIxIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLnRlc3QvIiwiYXVk\
     IjpbInR1cm5vdXQiXSwic3ViIjoiNDIiLCJleHAiOjIwMDAsIm9yZyI6ImFjbWUiLCJncm91cHMiOiJiZXRhLCBzdGFmZiJ9\
     .1zH48K7-\
     kPii4fr3lOvKuaSTXlOhRM6ehbASgN9YsnbMqDmlmsoDDkDERBd0xTLWYPaQTBQ1v63hCwzs9rCmRnGpmHJstTscLnZS3E3_\
     QMGWpyo6kE4I58ECPedCtuY4bBqFAdHtbxTtoT6lOk4sfK9-AIAZWZd0tWWRZXRmueD_vsoBE-\
     qreCcQbXjW2Xf9ahLCFywrSwfHbEMGHQ2w4p6CH4JBEOqnD36qE2Fp_IXvGJ-az3N7J9w0CxPkQRc4ShcLcV5JqfiOhrK7Cx\
     lYPEUQCvLVakrJhVEO0sBr1m7pyqaN3IswtTMlTQrqjujZMPpvSw0VZWqeLKhY7dgR9g";

/// In seconds, long before the tokens end.
const NOW: u64 = 1000;

pub(super) fn terms() -> Terms {
    Terms {
        issuer: "https://login.test/".to_owned(),
        audience: Some("turnout".to_owned()),
        customer_claim: Some("org".to_owned()),
        segments_claim: Some("groups".to_owned()),
    }
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// An issuer with a key of each curve.
pub(super) struct Login {
    ed: Ed25519KeyPair,
    p256: EcdsaKeyPair,
}

impl Login {
    pub(super) fn new() -> Login {
        let random = SystemRandom::new();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Login {
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
            p256: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, p256.as_ref(), &random).unwrap(),
        }
    }

    /// What it publishes.
    pub(super) fn document(&self) -> Value {
        let point = self.p256.public_key().as_ref();
        json!({ "keys": [
            { "kty": "oct", "kid": "e1", "k": "c2VjcmV0" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "e1", "x": base64(self.ed.public_key()), "use": "sig" },
            { "kty": "EC", "crv": "P-256", "kid": "p1", "x": base64(&point[1..33]), "y": base64(&point[33..]),
              "alg": "ES256", "key_ops": ["verify"] },
            { "kty": "RSA", "kid": "r1", "n": RSA, "e": "AQAB" },
        ] })
    }

    fn keys(&self) -> KeySet {
        KeySet::read(self.document().to_string().as_bytes()).unwrap()
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        self.signed(&json!({ "alg": "EdDSA", "kid": "e1" }), claims)
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        format!("{signed}.{}", base64(self.ed.sign(signed.as_bytes())))
    }

    fn by_p256(&self, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "kid": "p1" });
        let signed = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let signature = self.p256.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", base64(signature))
    }
}

pub(super) fn claims() -> Value {
    json!({ "iss": "https://login.test/", "aud": "turnout", "sub": "42", "exp": 2000 })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn held(login: &Login, token: &str) -> Result<String, Refused> {
    let bearer = verify(token, &login.keys(), &terms(), Timestamp(NOW * 1000))?;
    let units = bearer.units;
    let text =
        |unit: Option<turnout_control::slot::Unit>| unit.map_or("-".to_owned(), |unit| unit.to_string());
    Ok(format!("{} {} {:?}", text(units.person), text(units.customer), units.segments))
}

#[test]
fn a_token_of_each_algorithm_holds() {
    let login = Login::new();
    let full = with("org", json!(7));
    assert_eq!(held(&login, &login.token(&full)).unwrap(), "user:42 customer:7 []");
    assert_eq!(held(&login, &login.by_p256(&claims())).unwrap(), "user:42 - []");
    assert_eq!(held(&login, BY_RSA).unwrap(), r#"user:42 customer:acme ["beta", "staff"]"#);
    let machine =
        json!({ "iss": "https://login.test/", "aud": "turnout", "exp": 2000, "groups": ["a", 1, "b"] });
    assert_eq!(held(&login, &login.token(&machine)).unwrap(), r#"- - ["a", "b"]"#);
    let nameless = login.signed(&json!({ "alg": "EdDSA" }), &claims());
    assert_eq!(held(&login, &nameless).unwrap(), "user:42 - []");
}

#[test]
fn what_a_token_says_is_checked_strictly() {
    let login = Login::new();
    for (name, value) in [
        ("iss", json!("https://login.test")),
        ("iss", Value::Null),
        ("aud", json!("turnout2")),
        ("aud", json!(["other"])),
        ("aud", json!({ "turnout": true })),
        ("exp", json!(NOW - 60)),
        ("exp", json!("2000")),
        ("exp", Value::Null),
        ("nbf", json!(NOW + 61)),
        ("nbf", json!("0")),
    ] {
        let token = login.token(&with(name, value.clone()));
        assert_eq!(held(&login, &token), Err(Refused::Invalid), "{name}: {value}");
    }
    for (name, value) in [
        ("exp", json!(NOW - 59)),
        ("exp", json!(1e300)),
        ("nbf", json!(NOW + 60)),
        ("aud", json!(["other", "turnout"])),
    ] {
        let token = login.token(&with(name, value.clone()));
        assert_eq!(held(&login, &token).as_deref(), Ok("user:42 - []"), "{name}: {value}");
    }
    for missing in ["iss", "aud", "exp"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(missing);
        assert_eq!(held(&login, &login.token(&claims)), Err(Refused::Invalid), "{missing}");
    }
}

#[test]
fn a_token_cannot_choose_how_it_is_verified() {
    let login = Login::new();
    let parts = |header: Value| format!("{}.{}", base64(header.to_string()), base64(claims().to_string()));
    let public = base64(login.ed.public_key());
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "none", "kid": "e1" }),
        json!({ "alg": "HS256", "kid": "e1" }),
        json!({ "alg": "RS256", "kid": "e1" }),
        json!({ "alg": "ES256", "kid": "e1" }),
        json!({ "alg": "EdDSA", "kid": "r1" }),
        json!({ "alg": "EdDSA", "kid": "e1", "crit": ["b64"], "b64": false }),
        json!({ "kid": "e1" }),
    ] {
        let token = login.signed(&header, &claims());
        assert_eq!(held(&login, &token), Err(Refused::Invalid), "{header}");
        assert_eq!(held(&login, &format!("{}.", parts(header.clone()))), Err(Refused::Invalid), "{header}");
        // Signed with what everybody knows.
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public.as_bytes());
        let signed = parts(header.clone());
        let mac = ring::hmac::sign(&key, signed.as_bytes());
        assert_eq!(held(&login, &format!("{signed}.{}", base64(mac))), Err(Refused::Invalid), "{header}");
    }
    let brought = json!({ "alg": "EdDSA", "kid": "mine", "jwk": { "kty": "OKP", "x": public } });
    assert_eq!(held(&login, &login.signed(&brought, &claims())), Err(Refused::UnknownKey));
    assert_eq!(held(&Login::new(), &login.token(&claims())), Err(Refused::Invalid));
    let none = verify(&login.token(&claims()), &KeySet::none(), &terms(), Timestamp(NOW * 1000));
    assert_eq!(none, Err(Refused::UnknownKey));
}

#[test]
fn a_key_set_without_a_key_that_is_spoken_is_none() {
    for document in [
        json!({ "keys": [] }),
        json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] }),
        json!({ "keys": [{ "kty": "RSA", "n": RSA, "e": "AQAB", "use": "enc" }] }),
        json!({ "keys": [{ "kty": "RSA", "n": RSA, "e": "AQAB", "alg": "RS512" }] }),
        json!({ "keys": [{ "kty": "RSA", "n": RSA, "e": "AQAB", "key_ops": ["encrypt"] }] }),
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }] }),
        json!({ "keys": ["x", 1, null] }),
    ] {
        assert!(KeySet::read(document.to_string().as_bytes()).is_err(), "{document}");
    }
    assert!(KeySet::read(b"<html>").is_err());
}

proptest! {
    #[test]
    fn no_change_to_a_token_holds(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9._-]") {
        let login = Login::new();
        for token in [login.token(&claims()), login.by_p256(&claims()), BY_RSA.to_owned()] {
            let at = at.index(token.len());
            let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
            prop_assert_eq!(held(&login, &changed).is_ok(), changed == token);
            prop_assert!(held(&login, &token[..at]).is_err());
        }
    }
}
