//! What an operator asks for: these versions of services, for whoever holds the token.
//!
//! It is signed by the gateway's own key after an audited command, holds for an hour at most, and reaches no
//! version that the caller's policies do not have anyway: that is checked where versions are chosen.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use turnout_control::id::{ServiceName, Timestamp, Version};

use super::token::{Purpose, Tokens};

/// The longest time that a token may hold.
pub const OVERRIDE_MAX: Duration = Duration::from_secs(3600);

/// The most services of one token.
pub const OVERRIDE_SERVICES_MAX: usize = 16;

/// Versions that an operator chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overrides {
    /// One of each service.
    pub versions: BTreeMap<ServiceName, Version>,
    /// Who asked for it.
    pub actor: String,
    /// When it ends, this moment not included.
    pub expires: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Body {
    lineup: BTreeMap<String, String>,
    actor: String,
    #[serde(rename = "exp")]
    expires_ms: u64,
}

impl Tokens {
    /// The token of an operator's choice.
    pub fn mint_override(&self, overrides: &Overrides) -> String {
        let text = |(service, version): (&ServiceName, &Version)| (service.to_string(), version.to_string());
        let body = Body {
            lineup: overrides.versions.iter().map(text).collect(),
            actor: overrides.actor.clone(),
            expires_ms: overrides.expires.0,
        };
        self.sign(Purpose::Override, &body)
    }

    /// What an operator chose; `None` for a text that no operator was given, and for one whose time has passed.
    pub fn verify_override(&self, text: &str, now: Timestamp) -> Option<Overrides> {
        let body: Body =
            self.read(Purpose::Override, text, |payload| serde_json::from_slice(payload).ok())?;
        let version =
            |(service, version): (String, String)| Some((service.parse().ok()?, version.parse().ok()?));
        let versions = body.lineup.into_iter().map(version).collect::<Option<_>>()?;
        let overrides = Overrides { versions, actor: body.actor, expires: Timestamp(body.expires_ms) };
        (now < overrides.expires).then_some(overrides)
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::Keys;
    use super::*;

    #[test]
    fn an_override_holds_for_its_time_and_is_no_frontend_token() {
        let tokens = Tokens::new(Keys::random());
        let overrides = Overrides {
            versions: [("catalog".parse().unwrap(), "1.5.0".parse().unwrap())].into(),
            actor: "ann".to_owned(),
            expires: Timestamp(1000),
        };
        let token = tokens.mint_override(&overrides);
        assert_eq!(tokens.verify_override(&token, Timestamp(999)), Some(overrides));
        assert_eq!(tokens.verify_override(&token, Timestamp(1000)), None);
        assert_eq!(tokens.verify_override("a.b.c", Timestamp(0)), None);
        assert_eq!(tokens.verify(&token, Timestamp(0)), super::super::Verdict::Forged);
    }
}
