//! What others are told of an operation's lineup: services that are called, callers who may know, and the log.
//!
//! Services learn the frontend, the unit, and of each service with a candidate which version the operation uses,
//! called already or not: one that calls others itself uses the same. Callers learn the versions of services
//! that were touched. The log has the reasons as well. Nothing here chooses anything that is called.

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};
use turnout_control::slot::Unit;

use super::{Chosen, Lineup, frontend_name};
use crate::execute::run::RequestId;
use crate::generation::Callee;
use crate::upstream::Worker;

const FRONTEND: HeaderName = HeaderName::from_static("x-frontend-version");
const UNIT: HeaderName = HeaderName::from_static("x-turnout-unit");
const LINEUP: HeaderName = HeaderName::from_static("x-turnout-lineup");
const ANSWERED_FRONTEND: HeaderName = HeaderName::from_static("turnout-frontend");
const ANSWERED_LINEUP: HeaderName = HeaderName::from_static("turnout-lineup");

/// What a caller is told in the headers of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// `web@2.4.1`.
    pub frontend: HeaderValue,
    /// `orders=1.5.0;candidate, users=2.0.1;stable`: the services that were touched.
    pub lineup: Option<HeaderValue>,
}

impl Told {
    /// Writes the headers of an answer.
    pub fn write(self, headers: &mut HeaderMap) {
        headers.insert(ANSWERED_FRONTEND, self.frontend);
        if let Some(lineup) = self.lineup {
            headers.insert(ANSWERED_LINEUP, lineup);
        }
    }
}

impl Lineup<'_> {
    /// What every call of the operation says beside what its caller may say. Whatever stands there under these
    /// names is gone.
    pub fn metadata(&self, headers: &mut HeaderMap) {
        headers.insert(FRONTEND, self.frontend());
        let unit = self.units.person.as_ref().or(self.units.customer.as_ref());
        put(headers, UNIT, unit.and_then(unit_value));
        put(headers, LINEUP, self.told.get_or_init(|| self.decide()).clone());
    }

    /// What the caller is told.
    pub fn told(&self) -> Told {
        let lineup = list(self.chosen());
        Told { frontend: self.frontend(), lineup: value(lineup) }
    }

    /// Counts why versions were chosen, and tells the log. Once for all that shares the lineup, at its end.
    pub fn finish(&self, worker: Worker, request_id: RequestId) {
        for chosen in self.chosen() {
            chosen.callee.meter.chosen(worker, chosen.reason);
        }
        if tracing::enabled!(target: "turnout::lineup", tracing::Level::DEBUG) {
            self.log(request_id);
        }
    }

    fn log(&self, request_id: RequestId) {
        let mut reasons = String::new();
        for chosen in self.chosen() {
            let separator = if reasons.is_empty() { "" } else { ", " };
            let slot = chosen.slot.map(|slot| format!("@{}", slot.number())).unwrap_or_default();
            let (service, reason) = (&chosen.callee.service, chosen.reason.as_str());
            let _ = write!(reasons, "{separator}{service}={reason}{slot}");
        }
        let units = self.units;
        tracing::debug!(
            target: "turnout::lineup",
            %request_id,
            frontend = frontend_name(self.view.frontend.as_ref()),
            unit = units.person.as_ref().map(Unit::to_string),
            customer = units.customer.as_ref().map(Unit::to_string),
            lineup = list(self.chosen()),
            reasons,
            "versions were chosen"
        );
    }

    /// Decides about all services with a candidate that gets anybody.
    fn decide(&self) -> Option<HeaderValue> {
        let routes = self.view.routes.iter().zip(&self.chosen);
        let tried = routes.filter(|(route, _)| route.candidate.is_some());
        value(list(tried.map(|(route, choosing)| self.of(route, self.decided(choosing, route)))))
    }

    fn frontend(&self) -> HeaderValue {
        let name = frontend_name(self.view.frontend.as_ref());
        HeaderValue::try_from(name).expect("names and versions are printable")
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(name, value)),
        None => drop(headers.remove(name)),
    }
}

/// `orders=1.5.0;candidate, users=2.0.1;stable`.
fn list<'a>(chosen: impl Iterator<Item = Chosen<'a>>) -> String {
    let mut text = String::new();
    for Chosen { callee: Callee { service, version, .. }, arm, .. } in chosen {
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{separator}{service}={version};{}", arm.as_str());
    }
    text
}

/// A list that has anything in it.
fn value(list: String) -> Option<HeaderValue> {
    (!list.is_empty()).then(|| HeaderValue::try_from(list).expect("names and versions are printable"))
}

/// A unit as metadata, which is printable ASCII: other bytes, and `%`, are written as `%C3`.
fn unit_value(unit: &Unit) -> Option<HeaderValue> {
    let (kind, id) = (unit.kind().as_str(), unit.id());
    let mut text = String::with_capacity(kind.len() + 1 + id.len());
    text.push_str(kind);
    text.push(':');
    for byte in id.bytes() {
        match byte {
            b'%' => text.push_str("%25"),
            b'!'..=b'~' => text.push(char::from(byte)),
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    HeaderValue::try_from(text).ok()
}
