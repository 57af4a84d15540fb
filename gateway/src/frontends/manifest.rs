//! What does `manifest.yaml` say of a frontend version?
//!
//! ```yaml
//! app: web
//! version: 2.5.0
//! state: active                 # preview, active or deprecated
//! pins:
//!   catalog: ^1.5               # ranges as in Cargo
//!   reviews: { range: ^1.2, optional: true }
//! caps: { catalog: 0.2 }        # the largest share of its callers that a candidate may have
//! page: page                    # a directory with index.html
//! documents: operations         # a directory of .graphql files, or a manifest of persisted documents
//! ```
//!
//! Paths are checked as texts here; whether something is there is a question for `folder`.

use std::collections::BTreeMap;

use turnout_control::frontend::{Frontend, Lifecycle, Pin};
use turnout_control::id::{AppName, FrontendId, ServiceName, Version};
use turnout_control::slot::Weight;

use super::sheet::{self, Fields, Sheet};
use crate::config::mistake::crop;
use crate::config::node::{Content, Node};
use crate::config::suggest::nearest;
use crate::config::{File, Mistakes};

/// The most services that one frontend can pin.
const PINS_MAX: usize = 500;

const KEYS: [&str; 7] = ["app", "version", "state", "pins", "caps", "page", "documents"];

/// What a manifest says.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What the version was built for.
    pub frontend: Frontend,
    /// Where its page is, relative to the manifest.
    pub page: Option<String>,
    /// Where its operations are, relative to the manifest.
    pub documents: Option<String>,
}

/// Reads a manifest, or tells every mistake in it. `expected` is whose it has to be.
pub fn read(file: &File, expected: Option<&FrontendId>) -> Result<Manifest, Mistakes> {
    sheet::read(file, |sheet, root| manifest(sheet, root, expected))
}

fn manifest(sheet: &mut Sheet, root: &Node, expected: Option<&FrontendId>) -> Option<Manifest> {
    let fields = sheet.fields(root, "a manifest", &KEYS)?;
    let id = id(sheet, &fields, expected);
    let states = [Lifecycle::Preview, Lifecycle::Active, Lifecycle::Deprecated].map(Lifecycle::as_str);
    let state = sheet.needed(&fields, "state", "active");
    let state = state.and_then(|node| sheet.word(node, "state", &states)).and_then(Lifecycle::of);
    let pins = sheet.needed(&fields, "pins", "{ catalog: ^1.4 }").and_then(|node| pins(sheet, node));
    let caps = match fields.get("caps") {
        Some(node) => caps(sheet, node, fields.get("pins")),
        None => Some(BTreeMap::new()),
    };
    let page = fields.get("page").map(|node| path(sheet, node, "page"));
    let documents = fields.get("documents").map(|node| path(sheet, node, "documents"));
    let frontend = Frontend { id: id?, state: state?, pins: pins?, caps: caps? };
    Some(Manifest { frontend, page: page.flatten(), documents: documents.flatten() })
}

fn id(sheet: &mut Sheet, fields: &Fields<'_>, expected: Option<&FrontendId>) -> Option<FrontendId> {
    let app = sheet.needed(fields, "app", "web");
    let version = sheet.needed(fields, "version", "2.4.1");
    let named: Option<AppName> = app.and_then(|node| sheet.parsed(node, "app"));
    let tagged: Option<Version> = version.and_then(|node| sheet.parsed(node, "version"));
    if let Some(expected) = expected {
        let place = |what: &str, found: &dyn std::fmt::Display| {
            format!("{what} is {found}, and this is the place of {expected}")
        };
        if let (Some(node), Some(named)) = (app, named.as_ref().filter(|named| **named != expected.app)) {
            let hint = Some("the directory of the app has its name".to_owned());
            sheet.tell(node.span, place("app", named), hint);
        }
        if let (Some(node), Some(tag)) = (version, tagged.as_ref().filter(|tag| **tag != expected.version)) {
            let hint = Some("the directory of a version has its name".to_owned());
            sheet.tell(node.span, place("version", tag), hint);
        }
    }
    Some(FrontendId { app: named?, version: tagged? })
}

fn pins(sheet: &mut Sheet, node: &Node) -> Option<BTreeMap<ServiceName, Pin>> {
    let entries = sheet.map(node, "pins")?;
    if entries.len() > PINS_MAX {
        sheet.tell(
            node.span,
            format!("pins has {} services, and {PINS_MAX} are allowed", entries.len()),
            None,
        );
    }
    let mut pins = BTreeMap::new();
    for entry in entries {
        let service = entry.key.parse::<ServiceName>();
        if let Err(why) = &service {
            sheet.tell(entry.key_span, format!("the name of a service {why}"), None);
        }
        let pin = pin(sheet, &entry.value);
        if let (Ok(service), Some(pin)) = (service, pin) {
            pins.insert(service, pin);
        }
    }
    Some(pins)
}

fn pin(sheet: &mut Sheet, node: &Node) -> Option<Pin> {
    if !matches!(node.content, Content::Map(_)) {
        return range(sheet, node).map(|range| Pin { range, optional: false });
    }
    let fields = sheet.fields(node, "a pin", &["range", "optional"])?;
    let range = sheet.needed(&fields, "range", "^1.4").and_then(|node| range(sheet, node));
    let optional = match fields.get("optional") {
        Some(node) => sheet.switch(node, "optional"),
        None => Some(false),
    };
    Some(Pin { range: range?, optional: optional? })
}

fn range(sheet: &mut Sheet, node: &Node) -> Option<semver::VersionReq> {
    let text = sheet.text(node, "a pin")?;
    match text.parse() {
        Ok(range) => Some(range),
        Err(why) => {
            let hint = if text.contains("||") {
                "a pin is one range; Cargo's ranges have no `||`"
            } else {
                "write a range as in Cargo: ^1.4, ~1.4.2, =1.4.0, \">=1.4, <1.7\""
            };
            sheet.tell(node.span, format!("`{}` is no range: {why}", crop(text)), Some(hint.to_owned()));
            None
        }
    }
}

/// `pinned`: the pins as they were written, right or wrong.
fn caps(sheet: &mut Sheet, node: &Node, pinned: Option<&Node>) -> Option<BTreeMap<ServiceName, Weight>> {
    let known: Vec<&str> = match pinned.map(|node| &node.content) {
        Some(Content::Map(entries)) => entries.iter().map(|entry| entry.key.as_str()).collect(),
        Some(Content::Empty | Content::Scalar(_) | Content::List(_) | Content::Unusable) | None => Vec::new(),
    };
    let mut caps = BTreeMap::new();
    for entry in sheet.map(node, "caps")? {
        if pinned.is_some() && !known.contains(&entry.key.as_str()) {
            let hint = match nearest(&entry.key, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a cap is for a service that is pinned".to_owned(),
            };
            sheet.tell(entry.key_span, format!("`{}` has a cap and no pin", crop(&entry.key)), Some(hint));
        }
        let Some(text) = sheet.text(&entry.value, "a cap") else { continue };
        let share = sheet.took(&entry.value, "a cap", sheet::share(text));
        if let (Ok(service), Some(share)) = (entry.key.parse(), share) {
            caps.insert(service, share);
        }
    }
    Some(caps)
}

/// A path below the manifest.
fn path(sheet: &mut Sheet, node: &Node, what: &str) -> Option<String> {
    let text = sheet.text(node, what)?;
    let text = text.strip_suffix('/').unwrap_or(text);
    let is_inside = !text.is_empty()
        && !text.contains(['\\', '\0'])
        && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if !is_inside {
        let hint = Some("write a path below the directory of the manifest, without `..`".to_owned());
        sheet.tell(node.span, format!("{what} cannot be `{}`", crop(text)), hint);
        return None;
    }
    Some(text.to_owned())
}
