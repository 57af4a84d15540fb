//! Who is calling: which frontend somebody is, and which unit stays with one version.
//!
//! What arrives is headers, what leaves is a `Claim` and `Units`, which `turnout_control::frontend` judges.
//! Signatures are checked here and nowhere else: `keys` has the gateway's own, `token` and `overrides` the
//! texts that they sign; `issuer` keeps those of who logs people in, `jwt` and `jwks` say whether one of its
//! tokens holds. `headers` finds what was sent, `reader` makes a caller of it, `cache` spares a page from
//! paying for each request. Nothing here chooses a version, and nothing here is waited for by a request.

mod cache;
mod fetch;
mod headers;
mod issuer;
mod jwks;
mod jwt;
mod keys;
mod overrides;
mod reader;
#[cfg(test)]
mod tests;
mod token;

pub use issuer::{JwtSettings, Refresher, Without};
pub use jwt::Terms;
pub use keys::{Absent, Error as KeysError, Keys};
pub use overrides::{OVERRIDE_MAX, OVERRIDE_SERVICES_MAX, Overrides};
pub use reader::{Caller, Callers, Guest, Reader, Refused};
pub use token::{COOKIE, LIFETIME, Pass, Scheme, Tokens, Verdict, anonymous, cookie};

use turnout_control::frontend::Trust;

use crate::config::{Config, FrontendTrust, JwtConfig, RegistryKind};

/// What an operator sets. A running gateway takes up another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What a bare name may choose.
    pub trust: Trust,
    /// Whether the headers of an edge count.
    pub edge: Edge,
    /// Who logs people in.
    pub jwt: Option<JwtSettings>,
}

/// Whether the headers count that say who the unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Anybody could have sent them.
    Ignored,
    /// An edge sets them, and removes what its callers sent.
    Believed,
}

impl Settings {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Settings {
        let jwt = |jwt: &JwtConfig| JwtSettings {
            terms: Terms {
                issuer: jwt.issuer.clone(),
                audience: jwt.audience.clone(),
                customer_claim: jwt.customer_claim.clone(),
                segments_claim: jwt.segments_claim.clone(),
            },
            jwks_url: jwt.jwks_url.clone(),
            without: if jwt.required { Without::Refused } else { Without::Nobody },
        };
        Settings {
            trust: match config.frontends.trust {
                FrontendTrust::Claims { .. } => Trust::Claims,
                FrontendTrust::Signed { .. } => Trust::Signed,
            },
            edge: if config.identity.trust_unit_header { Edge::Believed } else { Edge::Ignored },
            jwt: config.auth.jwt.as_ref().map(jwt),
        }
    }
}

/// The keys that a configuration names, or those of the data directory. Blocks.
pub fn keys(config: &Config) -> Result<Keys, KeysError> {
    let named = match &config.frontends.trust {
        FrontendTrust::Claims { key_file } => key_file.as_deref(),
        FrontendTrust::Signed { key_file } => Some(key_file.as_path()),
    };
    let shared = matches!(config.registry.kind, RegistryKind::Etcd(_));
    match (named, shared) {
        (Some(path), true) => Keys::open(path, Absent::Refuse),
        (Some(path), false) => Keys::open(path, Absent::Make),
        (None, shared) => {
            if shared {
                tracing::warn!(
                    "without `frontends.key_file` each gateway has a key of its own, and takes the tokens of \
                     others for forged"
                );
            }
            Keys::open(&config.data.join("frontend.key"), Absent::Make)
        }
    }
}
