//! A token for an operator who wants to see a version of a service as a caller would.
//!
//! Descriptions here are what a person reads in a schema browser.

use std::collections::BTreeMap;
use std::time::Duration;

use async_graphql::{InputObject, Result, SimpleObject};
use turnout_control::audit::Act;
use turnout_control::id::{ServiceName, Timestamp, Version};
use turnout_control::records::Change;

use super::{Facts, fault};
use crate::clock::rfc3339;
use crate::identity::{OVERRIDE_MAX, OVERRIDE_SERVICES_MAX, Overrides, Tokens};

/// How long a token holds when nobody says.
const MINUTES: u32 = 15;

/// A version of a service.
#[derive(InputObject)]
pub(super) struct Wanted {
    service: String,
    version: String,
}

/// A token that lets its holder reach these versions where its policies have them.
#[derive(SimpleObject)]
pub(super) struct Override {
    /// The value of the header `x-turnout-override`. It is shown once and kept nowhere.
    token: String,
    expires: String,
    /// The place of the change in the audit chain.
    audit: String,
}

/// What is asked for, checked.
pub(super) struct Asked {
    versions: BTreeMap<ServiceName, Version>,
    holds: Duration,
}

impl Asked {
    pub(super) fn read(lineup: &[Wanted], minutes: Option<i32>) -> Result<Asked> {
        if lineup.is_empty() || lineup.len() > OVERRIDE_SERVICES_MAX {
            let found = format!("must name 1 to {OVERRIDE_SERVICES_MAX} services");
            return Err(fault::input("lineup", &found));
        }
        let mut versions = BTreeMap::new();
        for Wanted { service, version } in lineup {
            let name: ServiceName = service.parse().map_err(|error| fault::input("service", &error))?;
            let version = version.parse().map_err(|error| fault::input("version", &error))?;
            if versions.insert(name, version).is_some() {
                return Err(fault::input("lineup", &format!("names {service} twice")));
            }
        }
        let minutes = minutes.map_or(Ok(MINUTES), u32::try_from);
        let holds = minutes.ok().map(|minutes| Duration::from_secs(60 * u64::from(minutes)));
        match holds.filter(|holds| !holds.is_zero() && *holds <= OVERRIDE_MAX) {
            Some(holds) => Ok(Asked { versions, holds }),
            None => Err(fault::input("minutes", &"must be 1 to 60")),
        }
    }

    /// Writes down who wanted it, and only then signs.
    pub(super) async fn mint(
        self,
        facts: &Facts,
        tokens: &Tokens,
        (actor, reason): (String, String),
    ) -> Result<Override> {
        let holds_ms = u64::try_from(self.holds.as_millis()).unwrap_or(u64::MAX);
        let expires = Timestamp(facts.clock.now().0.saturating_add(holds_ms));
        let each = self.versions.iter().map(|(service, version)| format!("{service}={version}"));
        let subject = each.collect::<Vec<_>>().join(",");
        let act = Act {
            actor: actor.clone(),
            verb: "override.mint".to_owned(),
            subject,
            before: None,
            after: Some(format!("until {}", rfc3339(expires))),
            reason,
            inverse: "none: the token ends by itself; without its key in frontends.key_file it ends now"
                .to_owned(),
        };
        let written =
            facts.audit.change(Change::default(), act).await.map_err(|error| fault::store(&error))?;
        let token = tokens.mint_override(&Overrides { versions: self.versions, actor, expires });
        Ok(Override { token, expires: rfc3339(expires), audit: written.sequence.to_string() })
    }
}
