//! How TLS is spoken with services: whom we trust, and who we are.
//!
//! Files are read elsewhere; here their text becomes a configuration, and a mistake names its file. The
//! protocol is always HTTP/2, and the cryptography is the same on every machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// HTTP/2, as TLS calls it.
pub(super) const HTTP2: &[u8] = b"h2";

/// The text of a file, and its name for whoever has to mend it.
#[derive(Clone, Copy, Debug)]
pub struct Pem<'a> {
    pub path: &'a Path,
    pub text: &'a [u8],
}

/// Who we are: a certificate, with those that lead to its authority, and its key.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    pub certificate: Pem<'a>,
    pub key: Pem<'a>,
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is no PEM, or a part of it is broken.
    #[error("{0} cannot be read as PEM")]
    Unreadable(PathBuf, #[source] pem::Error),
    /// The file has nothing of what it is for.
    #[error("{0} holds no certificate")]
    NoCertificate(PathBuf),
    /// One of the authority's certificates is not one.
    #[error("{0} holds a certificate that cannot be trusted")]
    Authority(PathBuf, #[source] rustls::Error),
    /// The certificate and its key do not go together, or are of a kind that is not spoken.
    #[error("the certificate {certificate} and the key {key} cannot be used together")]
    Identity { certificate: PathBuf, key: PathBuf, source: rustls::Error },
    /// This machine trusts nobody.
    #[error("the system has no authorities: name one ({0})")]
    NoSystemAuthorities(String),
    /// The cryptography offers no version of TLS.
    #[error("tls cannot be spoken")]
    Versions(#[source] rustls::Error),
}

/// Trusts `authority`, or those that the system trusts when there is none; shows `identity` to who asks.
pub fn client(
    authority: Option<Pem<'_>>,
    identity: Option<Identity<'_>>,
) -> Result<Arc<ClientConfig>, Error> {
    let roots = match authority {
        Some(pem) => authorities(pem)?,
        None => system_authorities()?,
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::Versions)?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { certificate, key }) => {
            let chain = certificates(certificate)?;
            let secret = PrivateKeyDer::from_pem_slice(key.text)
                .map_err(|source| Error::Unreadable(key.path.to_owned(), source))?;
            builder.with_client_auth_cert(chain, secret).map_err(|source| Error::Identity {
                certificate: certificate.path.to_owned(),
                key: key.path.to_owned(),
                source,
            })?
        }
    };
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(Arc::new(config))
}

fn certificates(pem: Pem<'_>) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates = CertificateDer::pem_slice_iter(pem.text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| Error::Unreadable(pem.path.to_owned(), source))?;
    if certificates.is_empty() {
        return Err(Error::NoCertificate(pem.path.to_owned()));
    }
    Ok(certificates)
}

fn authorities(pem: Pem<'_>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|source| Error::Authority(pem.path.to_owned(), source))?;
    }
    Ok(roots)
}

/// Reads the system's files. Some certificates of a system may be unreadable: the others are enough.
fn system_authorities() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(ToString::to_string).unwrap_or_default();
        return Err(Error::NoSystemAuthorities(why));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CA: &[u8] = include_bytes!("../../tests/certs/ca.pem");
    const CLIENT: &[u8] = include_bytes!("../../tests/certs/client.pem");
    const CLIENT_KEY: &[u8] = include_bytes!("../../tests/certs/client.key");
    const SERVER_KEY: &[u8] = include_bytes!("../../tests/certs/server.key");

    fn pem<'a>(path: &'a str, text: &'a [u8]) -> Pem<'a> {
        Pem { path: Path::new(path), text }
    }

    fn mistake(authority: Pem<'_>, identity: Option<Identity<'_>>) -> String {
        client(Some(authority), identity).unwrap_err().to_string()
    }

    #[test]
    fn http2_is_all_that_is_spoken() {
        let config = client(Some(pem("ca.pem", CA)), None).unwrap();
        assert_eq!(config.alpn_protocols, [b"h2".to_vec()]);
        assert!(!config.client_auth_cert_resolver.has_certs());
    }

    #[test]
    fn an_identity_is_taken_with_its_key() {
        let identity =
            Identity { certificate: pem("client.pem", CLIENT), key: pem("client.key", CLIENT_KEY) };
        let config = client(Some(pem("ca.pem", CA)), Some(identity)).unwrap();
        assert!(config.client_auth_cert_resolver.has_certs());
    }

    #[test]
    fn a_mistake_names_its_file() {
        assert_eq!(mistake(pem("empty.pem", b""), None), "empty.pem holds no certificate");
        assert_eq!(mistake(pem("key.pem", CLIENT_KEY), None), "key.pem holds no certificate");
        let cut = &CA[..CA.len() / 2];
        assert_eq!(mistake(pem("cut.pem", cut), None), "cut.pem cannot be read as PEM");
        let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(
            mistake(pem("odd.pem", garbage), None),
            "odd.pem holds a certificate that cannot be trusted"
        );

        let with = |certificate, key| mistake(pem("ca.pem", CA), Some(Identity { certificate, key }));
        let certificate = pem("client.pem", CLIENT);
        assert_eq!(with(certificate, pem("none.key", b"")), "none.key cannot be read as PEM");
        assert_eq!(
            with(certificate, pem("other.key", SERVER_KEY)),
            "the certificate client.pem and the key other.key cannot be used together"
        );
    }
}
