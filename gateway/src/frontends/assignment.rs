//! What does `app.yaml` say of who gets which version of an app?
//!
//! ```yaml
//! app: web
//! default: 2.4.1
//! rules:                                   # the first that fits decides
//!   - { to: 2.5.0, customers: [acme] }
//!   - { to: 2.5.0, segment: beta, until: 2026-12-31 }
//!   - { to: 2.5.0, percent: 10, salt: web/2.5 }
//! ```
//!
//! `from` and `until` are days or moments in UTC; a day begins at midnight.

use std::collections::BTreeSet;
use std::str::FromStr;

use turnout_control::frontend::{App, Rule, Who};
use turnout_control::id::{AppName, Timestamp};

use super::sheet::{self, Fields, Sheet};
use crate::config::mistake::crop;
use crate::config::node::Node;
use crate::config::{File, Mistakes};

/// The most rules of an app.
const RULES_MAX: usize = 200;
/// The most customers that one rule names.
const CUSTOMERS_MAX: usize = 5_000;
/// The longest customer, segment and salt.
const WORD_BYTES_MAX: usize = 256;

/// Reads who gets which version of an app, or tells every mistake in it. `expected` is whose file it has to be.
pub fn read(file: &File, expected: Option<&AppName>) -> Result<App, Mistakes> {
    sheet::read(file, |sheet, root| app(sheet, root, expected))
}

fn app(sheet: &mut Sheet, root: &Node, expected: Option<&AppName>) -> Option<App> {
    let fields = sheet.fields(root, "an app", &["app", "default", "rules"])?;
    let node = sheet.needed(&fields, "app", "web");
    let name = node.and_then(|node| sheet.parsed::<AppName>(node, "app"));
    if let (Some(node), Some(name), Some(expected)) = (node, &name, expected)
        && name != expected
    {
        let hint = Some("the directory of an app has its name".to_owned());
        sheet.tell(node.span, format!("app is {name}, and this is the place of {expected}"), hint);
    }
    let default = sheet.needed(&fields, "default", "2.4.1").and_then(|node| sheet.parsed(node, "default"));
    let mut rules = Vec::new();
    if let Some(node) = fields.get("rules") {
        let items = sheet.list(node, "rules");
        if items.len() > RULES_MAX {
            sheet.tell(
                node.span,
                format!("there are {} rules, and {RULES_MAX} are allowed", items.len()),
                None,
            );
        }
        rules.extend(items.iter().take(RULES_MAX).map(|item| rule(sheet, item)));
    }
    let rules: Option<Vec<Rule>> = rules.into_iter().collect();
    Some(App { name: name?, default: default?, rules: rules? })
}

fn rule(sheet: &mut Sheet, item: &Node) -> Option<Rule> {
    let known = ["to", "customers", "segment", "percent", "salt", "from", "until"];
    let fields = sheet.fields(item, "a rule", &known)?;
    let to = sheet.needed(&fields, "to", "2.5.0").and_then(|node| sheet.parsed(node, "to"));
    let who = who(sheet, &fields);
    let mut moment = |key: &str| match fields.get(key) {
        Some(node) => sheet.parsed::<Moment>(node, key).map(|moment| Some(moment.0)),
        None => Some(None),
    };
    let (from, until) = (moment("from"), moment("until"));
    if let (Some(Some(from)), Some(Some(until)), Some(node)) = (from, until, fields.get("until"))
        && until <= from
    {
        sheet.tell(node.span, "until is not after from, so that the rule never holds", None);
    }
    Some(Rule { to: to?, who: who?, from: from?, until: until? })
}

fn who(sheet: &mut Sheet, fields: &Fields<'_>) -> Option<Who> {
    let given = ["customers", "segment", "percent"].map(|key| fields.get(key));
    if given.iter().flatten().count() != 1 {
        let hint = Some("write exactly one of `customers`, `segment` and `percent`".to_owned());
        sheet.tell(fields.span(), "a rule says whom it means in one way", hint);
        return None;
    }
    if fields.get("percent").is_none()
        && let Some(node) = fields.get("salt")
    {
        sheet.tell(node.span, "a salt belongs to a percentage", None);
    }
    let [customers, segment, percent] = given;
    if let Some(node) = customers {
        let items = sheet.list(node, "customers");
        if items.is_empty() || items.len() > CUSTOMERS_MAX {
            sheet.tell(node.span, format!("a rule names 1 to {CUSTOMERS_MAX} customers"), None);
        }
        let items = items.iter().take(CUSTOMERS_MAX);
        let names: Vec<Option<&str>> = items.map(|item| word(sheet, item, "a customer")).collect();
        let names: Option<BTreeSet<String>> = names.into_iter().map(|name| name.map(str::to_owned)).collect();
        return names.map(Who::Customers);
    }
    if let Some(node) = segment {
        return word(sheet, node, "segment").map(|name| Who::Segment(name.to_owned()));
    }
    let node = percent?;
    let text = sheet.text(node, "percent")?;
    let text = text.strip_suffix('%').unwrap_or(text).trim_end();
    let share = sheet.took(node, "percent", sheet::percentage(text));
    let salt = sheet.needed(fields, "salt", "web/2.5").and_then(|node| word(sheet, node, "salt"));
    Some(Who::Share(share?, salt?.to_owned()))
}

fn word<'n>(sheet: &mut Sheet, node: &'n Node, what: &str) -> Option<&'n str> {
    let text = sheet.text(node, what)?;
    if text.is_empty() || text.len() > WORD_BYTES_MAX || text.chars().any(char::is_control) {
        sheet.tell(node.span, format!("{what} has 1 to {WORD_BYTES_MAX} bytes of printable text"), None);
        return None;
    }
    Some(text)
}

/// A day or a moment.
struct Moment(Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        let wrong = || {
            format!("must be a moment such as 2026-12-01 or 2026-12-01T08:00:00Z, and is `{}`", crop(text))
        };
        // Without a zone a moment would depend on where it is read.
        let is_day = text.len() == 10;
        let is_moment = text.len() >= 20 && text.is_ascii() && text.contains('T');
        let zone = text.ends_with('Z')
            || text.get(text.len().saturating_sub(6)..).is_some_and(|zone| zone.starts_with(['+', '-']));
        if !(is_day || (is_moment && zone)) {
            return Err(wrong());
        }
        let full = if is_day { format!("{text}T00:00:00Z") } else { text.to_owned() };
        let parsed: prost_types::Timestamp = full.parse().map_err(|_| wrong())?;
        let seconds = u64::try_from(parsed.seconds).map_err(|_| wrong())?;
        let millis = u64::try_from(parsed.nanos / 1_000_000).map_err(|_| wrong())?;
        Ok(Moment(Timestamp(seconds.saturating_mul(1000).saturating_add(millis))))
    }
}
