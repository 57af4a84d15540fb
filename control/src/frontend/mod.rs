//! Frontends: what each was built for, which customer gets which, and who a caller is taken to be.
//!
//! A published frontend version pins the versions of services that it was built for. Rules assign versions of
//! an app to customers; the first that fits decides, and a default always does. `identify` turns what a caller
//! claims into a frontend: a claim may choose among active versions where claims are trusted, a token names
//! exactly one, and what is unknown, retired or forged never reaches a version that the caller could not have.
//!
//! Signatures are checked by the shell; what arrives here is whether one held.

mod record;

use std::collections::{BTreeMap, BTreeSet};

pub use record::{Document, Published, app_key, key, read, read_app, write, write_app};

use crate::id::{AppName, FrontendId, ServiceName, Timestamp, Version};
use crate::slot::{Slot, Unit, Weight};

/// A published version of a client.
#[derive(Clone, Debug, PartialEq)]
pub struct Frontend {
    /// Its name.
    pub id: FrontendId,
    /// Who may use it.
    pub state: Lifecycle,
    /// The services it was built for.
    pub pins: BTreeMap<ServiceName, Pin>,
    /// The largest share of its callers that a candidate may have, where it accepts less than all.
    pub caps: BTreeMap<ServiceName, Weight>,
}

/// Who may use a frontend version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// Those who are assigned to it or hold a token.
    Preview,
    /// Everybody.
    Active,
    /// Everybody, who is told that it will go.
    Deprecated,
    /// Nobody.
    Retired,
}

impl Lifecycle {
    /// All of them.
    pub const ALL: [Lifecycle; 4] =
        [Lifecycle::Preview, Lifecycle::Active, Lifecycle::Deprecated, Lifecycle::Retired];

    /// The word in a manifest and in a record.
    pub fn as_str(self) -> &'static str {
        match self {
            Lifecycle::Preview => "preview",
            Lifecycle::Active => "active",
            Lifecycle::Deprecated => "deprecated",
            Lifecycle::Retired => "retired",
        }
    }

    /// The one that has this word.
    pub fn of(word: &str) -> Option<Lifecycle> {
        Lifecycle::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// Who somebody is to those who decide by identity: a person, a customer, or somebody with a signed cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// The person, or the anonymous id of a cookie.
    pub person: Option<Unit>,
    /// The customer that the person belongs to.
    pub customer: Option<Unit>,
    /// The segments of that customer.
    pub segments: Vec<String>,
}

impl Units {
    /// What an app's rules look at.
    pub fn visitor(&self) -> Visitor<'_> {
        Visitor {
            customer: self.customer.as_ref().map(Unit::id),
            segments: &self.segments,
            unit: self.person.as_ref().or(self.customer.as_ref()),
        }
    }
}

/// Versions of a service that a frontend was built for.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// The range, as in Cargo.
    pub range: semver::VersionReq,
    /// Whether fields of the service are null when no version satisfies it, rather than an error.
    pub optional: bool,
}

/// A client, and who gets which version of it.
#[derive(Clone, Debug, PartialEq)]
pub struct App {
    /// Its name.
    pub name: AppName,
    /// The version for everybody whom no rule assigns another.
    pub default: Version,
    /// In their order: the first that fits decides.
    pub rules: Vec<Rule>,
}

/// Who gets a version.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The version.
    pub to: Version,
    /// Who.
    pub who: Who,
    /// From when on.
    pub from: Option<Timestamp>,
    /// Until when, this moment not included.
    pub until: Option<Timestamp>,
}

/// Whom a rule means.
#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    /// These customers.
    Customers(BTreeSet<String>),
    /// Customers of this segment.
    Segment(String),
    /// A share of all units, the same ones at each look.
    Share(Weight, String),
}

/// Somebody who asks for a page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Visitor<'a> {
    /// The customer that is logged in.
    pub customer: Option<&'a str>,
    /// The segments of that customer.
    pub segments: &'a [String],
    /// Who stays with one version.
    pub unit: Option<&'a Unit>,
}

impl App {
    /// The version that a visitor gets, and the place of the rule that says so; `None`: the default.
    pub fn assign(&self, visitor: Visitor<'_>, now: Timestamp) -> (&Version, Option<usize>) {
        let fits = |rule: &&Rule| rule.holds(now) && rule.who.means(visitor);
        match self.rules.iter().position(|rule| fits(&rule)) {
            Some(place) => (&self.rules[place].to, Some(place)),
            None => (&self.default, None),
        }
    }

    /// All versions that anybody may be assigned now or later.
    pub fn targets(&self) -> BTreeSet<&Version> {
        std::iter::once(&self.default).chain(self.rules.iter().map(|rule| &rule.to)).collect()
    }
}

impl Rule {
    fn holds(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

impl Who {
    fn means(&self, visitor: Visitor<'_>) -> bool {
        match self {
            Who::Customers(names) => visitor.customer.is_some_and(|customer| names.contains(customer)),
            Who::Segment(name) => visitor.segments.contains(name),
            Who::Share(share, salt) => visitor.unit.is_some_and(|unit| share.takes(Slot::of(salt, unit))),
        }
    }
}

/// What a caller says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing.
    None,
    /// A name in a header that anybody can send.
    Bare(FrontendId),
    /// A name in a token whose signature held and whose time has not passed.
    Signed(FrontendId),
    /// A token whose signature does not hold, or that cannot be read.
    Forged,
    /// A token whose time has passed.
    Expired(FrontendId),
    /// Something in a header that is no name of a frontend.
    Malformed,
}

/// What a bare name may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Any active version.
    Claims,
    /// The version that the caller is assigned anyway.
    Signed,
}

/// Who a caller is taken to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Identity<'a> {
    /// Whose graph and policies hold.
    pub sees: Sees<'a>,
    /// How that came.
    pub how: How,
}

/// Whose graph and policies hold for a caller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sees<'a> {
    /// Those of the built-in frontend: nothing is published, or no app is for callers who name none.
    BuiltIn,
    /// Those of this one.
    Published(&'a Frontend),
    /// Nobody's: what the caller is assigned is not published any more.
    Nothing,
}

/// How a caller came to be taken for a frontend. Each has a counter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// A token says so.
    Verified,
    /// It says so itself.
    Claimed,
    /// It said nothing, and got the default.
    Default,
    /// It names a version that is not published.
    Unknown,
    /// It names a version that is retired.
    Retired,
    /// It names a version that it may not choose by itself.
    NotAllowed,
    /// Its token is forged, or its header is no name.
    Forged,
    /// Its token's time has passed.
    Expired,
}

impl How {
    /// All of them, in their order.
    pub const ALL: [How; 8] = [
        How::Verified,
        How::Claimed,
        How::Default,
        How::Unknown,
        How::Retired,
        How::NotAllowed,
        How::Forged,
        How::Expired,
    ];

    /// The word in counters and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            How::Verified => "verified",
            How::Claimed => "claimed",
            How::Default => "default",
            How::Unknown => "unknown",
            How::Retired => "retired",
            How::NotAllowed => "not_allowed",
            How::Forged => "forged",
            How::Expired => "expired",
        }
    }

    /// Whether the caller is not what it says, so that its page should be loaded anew.
    pub fn wants_update(self) -> bool {
        match self {
            How::Verified | How::Claimed | How::Default => false,
            How::Unknown | How::Retired | How::NotAllowed | How::Forged | How::Expired => true,
        }
    }
}

/// All published frontends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frontends {
    /// By name.
    pub published: BTreeMap<FrontendId, Frontend>,
    /// The apps, by name.
    pub apps: BTreeMap<AppName, App>,
    /// The app of callers who name none.
    pub default: Option<AppName>,
}

impl Frontends {
    /// Who a caller is taken to be.
    pub fn identify(
        &self,
        claim: &Claim,
        trust: Trust,
        visitor: Visitor<'_>,
        now: Timestamp,
    ) -> Identity<'_> {
        match claim {
            Claim::None => self.instead(None, How::Default, visitor, now),
            Claim::Forged | Claim::Malformed => self.instead(None, How::Forged, visitor, now),
            Claim::Expired(id) => self.instead(Some(&id.app), How::Expired, visitor, now),
            Claim::Signed(id) => self.named(id, How::Verified, visitor, now),
            Claim::Bare(id) => match trust {
                Trust::Claims => self.named(id, How::Claimed, visitor, now),
                Trust::Signed if self.is_assigned(id, visitor, now) => {
                    self.named(id, How::Claimed, visitor, now)
                }
                Trust::Signed => self.instead(Some(&id.app), How::NotAllowed, visitor, now),
            },
        }
    }

    fn named(&self, id: &FrontendId, how: How, visitor: Visitor<'_>, now: Timestamp) -> Identity<'_> {
        let Some(frontend) = self.published.get(id) else {
            return self.instead(Some(&id.app), How::Unknown, visitor, now);
        };
        match (frontend.state, how) {
            (Lifecycle::Retired, _) => self.instead(Some(&id.app), How::Retired, visitor, now),
            // A preview is for those who were given it: a token, or an assignment that names it.
            (Lifecycle::Preview, How::Claimed) if !self.is_assigned(id, visitor, now) => {
                self.instead(Some(&id.app), How::NotAllowed, visitor, now)
            }
            (Lifecycle::Preview | Lifecycle::Active | Lifecycle::Deprecated, how) => {
                Identity { sees: Sees::Published(frontend), how }
            }
        }
    }

    fn is_assigned(&self, id: &FrontendId, visitor: Visitor<'_>, now: Timestamp) -> bool {
        self.apps.get(&id.app).is_some_and(|app| *app.assign(visitor, now).0 == id.version)
    }

    /// What a caller is assigned, of the app it names or of the default one.
    fn instead(&self, app: Option<&AppName>, how: How, visitor: Visitor<'_>, now: Timestamp) -> Identity<'_> {
        Identity { sees: self.assigned(app, visitor, now), how }
    }

    /// What a visitor of an app is assigned; of the default one, when there is no such app.
    pub fn assigned(&self, app: Option<&AppName>, visitor: Visitor<'_>, now: Timestamp) -> Sees<'_> {
        let named = app.and_then(|app| self.apps.get(app));
        let Some(app) = named.or_else(|| self.apps.get(self.default.as_ref()?)) else {
            return Sees::BuiltIn;
        };
        let id = FrontendId { app: app.name.clone(), version: app.assign(visitor, now).0.clone() };
        match self.published.get(&id) {
            Some(frontend) if frontend.state != Lifecycle::Retired => Sees::Published(frontend),
            Some(_) => Sees::Nothing,
            None if self.published.is_empty() => Sees::BuiltIn,
            None => Sees::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::UnitKind;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn frontend(id: &str, state: Lifecycle) -> (FrontendId, Frontend) {
        let id: FrontendId = id.parse().unwrap();
        (id.clone(), Frontend { id, state, pins: BTreeMap::new(), caps: BTreeMap::new() })
    }

    fn rule(to: &str, who: Who) -> Rule {
        Rule { to: version(to), who, from: None, until: None }
    }

    fn world() -> Frontends {
        let web = App {
            name: "web".parse().unwrap(),
            default: version("2.4.1"),
            rules: vec![rule("2.5.0", Who::Customers(["acme".to_owned()].into()))],
        };
        let published = [
            frontend("web@2.3.0", Lifecycle::Retired),
            frontend("web@2.4.0", Lifecycle::Deprecated),
            frontend("web@2.4.1", Lifecycle::Active),
            frontend("web@2.5.0", Lifecycle::Preview),
            frontend("partner@1.9.0", Lifecycle::Active),
        ];
        Frontends {
            published: published.into(),
            apps: [(web.name.clone(), web)].into(),
            default: Some("web".parse().unwrap()),
        }
    }

    fn seen(claim: &Claim, trust: Trust, customer: Option<&str>) -> (String, How) {
        let world = world();
        let identity = world.identify(claim, trust, Visitor { customer, ..Visitor::default() }, Timestamp(1));
        let seen = match identity.sees {
            Sees::Published(found) => found.id.to_string(),
            Sees::BuiltIn | Sees::Nothing => String::new(),
        };
        (seen, identity.how)
    }

    #[test]
    fn a_caller_is_who_it_may_be() {
        let bare = |id: &str| Claim::Bare(id.parse().unwrap());
        let signed = |id: &str| Claim::Signed(id.parse().unwrap());
        for (claim, trust, customer, expected, how) in [
            (Claim::None, Trust::Claims, None, "web@2.4.1", How::Default),
            (Claim::None, Trust::Claims, Some("acme"), "web@2.5.0", How::Default),
            (bare("web@2.4.0"), Trust::Claims, None, "web@2.4.0", How::Claimed),
            (bare("partner@1.9.0"), Trust::Claims, None, "partner@1.9.0", How::Claimed),
            (bare("web@2.4.0"), Trust::Signed, None, "web@2.4.1", How::NotAllowed),
            (bare("web@2.4.1"), Trust::Signed, None, "web@2.4.1", How::Claimed),
            (bare("web@2.5.0"), Trust::Signed, Some("acme"), "web@2.5.0", How::Claimed),
            (bare("web@2.5.0"), Trust::Claims, None, "web@2.4.1", How::NotAllowed),
            (bare("web@2.5.0"), Trust::Claims, Some("acme"), "web@2.5.0", How::Claimed),
            (signed("web@2.5.0"), Trust::Signed, None, "web@2.5.0", How::Verified),
            (signed("web@2.3.0"), Trust::Signed, None, "web@2.4.1", How::Retired),
            (bare("web@9.9.9"), Trust::Claims, None, "web@2.4.1", How::Unknown),
            (bare("shop@1.0.0"), Trust::Claims, None, "web@2.4.1", How::Unknown),
            (Claim::Forged, Trust::Claims, None, "web@2.4.1", How::Forged),
            (Claim::Malformed, Trust::Claims, None, "web@2.4.1", How::Forged),
            (Claim::Expired("web@2.5.0".parse().unwrap()), Trust::Claims, None, "web@2.4.1", How::Expired),
        ] {
            assert_eq!(seen(&claim, trust, customer), (expected.to_owned(), how), "{claim:?} {customer:?}");
        }
    }

    #[test]
    fn nothing_published_is_the_built_in_frontend() {
        let nothing = Frontends::default();
        let claim = Claim::Bare("web@2.4.1".parse().unwrap());
        let identity = nothing.identify(&claim, Trust::Claims, Visitor::default(), Timestamp(1));
        assert_eq!((identity.sees, identity.how), (Sees::BuiltIn, How::Unknown));
        // An assignment that came before what it assigns.
        let early = Frontends { published: BTreeMap::new(), ..world() };
        assert_eq!(early.assigned(None, Visitor::default(), Timestamp(1)), Sees::BuiltIn);
    }

    #[test]
    fn who_is_assigned_what_is_not_there_sees_nothing_and_who_is_assigned_nothing_what_is_built_in() {
        let mut world = world();
        let none = Visitor::default();
        world.published.get_mut(&"web@2.4.1".parse().unwrap()).unwrap().state = Lifecycle::Retired;
        assert_eq!(world.assigned(None, none, Timestamp(1)), Sees::Nothing);
        world.published.remove(&"web@2.4.1".parse().unwrap());
        assert_eq!(world.identify(&Claim::Forged, Trust::Claims, none, Timestamp(1)).sees, Sees::Nothing);
        world.default = None;
        assert_eq!(world.assigned(None, none, Timestamp(1)), Sees::BuiltIn);
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let app = App {
            name: "web".parse().unwrap(),
            default: version("1.0.0"),
            rules: vec![
                Rule { until: Some(Timestamp(10)), ..rule("2.0.0", Who::Segment("beta".into())) },
                Rule {
                    from: Some(Timestamp(5)),
                    ..rule("3.0.0", Who::Customers(["acme".to_owned()].into()))
                },
                rule("4.0.0", Who::Share(Weight::ppm(500_000).unwrap(), "web/4".into())),
            ],
        };
        let beta = ["beta".to_owned()];
        let acme = Visitor { customer: Some("acme"), segments: &beta, unit: None };
        let to = |visitor: Visitor<'_>, now| app.assign(visitor, Timestamp(now)).0.to_string();
        assert_eq!(to(acme, 1), "2.0.0");
        assert_eq!(to(acme, 9), "2.0.0");
        assert_eq!(to(acme, 10), "3.0.0");
        assert_eq!(to(Visitor { segments: &[], ..acme }, 4), "1.0.0");
        let shares = (0..1_000).filter(|id: &u32| {
            let unit = Unit::new(UnitKind::User, &id.to_string()).unwrap();
            to(Visitor { unit: Some(&unit), ..Visitor::default() }, 1) == "4.0.0"
        });
        assert!((430..=570).contains(&shares.count()));
        assert_eq!(app.targets().len(), 4);
    }
}
