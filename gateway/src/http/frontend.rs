//! Which view a caller gets, and what it is told about the frontend it says it is.
//!
//! Who is what it says gets its own view. Who is not (unknown, retired, forged, expired) gets what it is
//! assigned, when its operation fits that, and is told with every answer to load its page again; an operation
//! that does not fit is refused, because what it would mean elsewhere is anybody's guess. Each way is counted
//! under its own name. Before anything is published there is one view, and nothing to be told.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use turnout_control::frontend::{Claim, Frontends, How, Lifecycle, Sees};
use turnout_control::id::FrontendId;
use turnout_control::routes::Unrouted;

use super::answer::{Class, Refusal};
use crate::execute::fault::Fault;
use crate::generation::{Generation, View};
use crate::identity::{Caller, Refused};
use crate::lineup::frontend_name;
use crate::telemetry::Named;

/// What the answer says about the caller's frontend, when there is anything to say.
const STATUS: HeaderName = HeaderName::from_static("turnout-frontend-status");

/// What a caller sees.
#[derive(Debug)]
pub(crate) struct Seat<'g> {
    /// Its view.
    pub(crate) view: &'g View,
    /// What it is told.
    pub(crate) notice: Option<Notice>,
}

/// What a caller is told about its frontend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    status: Status,
    /// What it would get if it loaded its page now.
    target: Option<FrontendId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// It is not what it says it is: its page should be loaded again.
    UpdateRequired,
    /// It will go.
    Deprecated,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Status::UpdateRequired => "update_required",
            Status::Deprecated => "deprecated",
        }
    }
}

/// How a caller is counted, whether it gets a view or not.
pub(crate) fn named<'c>(frontends: &'c Frontends, caller: &'c Caller, sees: Sees<'c>) -> Named<'c> {
    match (&caller.claim, sees) {
        (Claim::Bare(id) | Claim::Signed(id) | Claim::Expired(id), _) => match frontends.published.get(id) {
            Some(_) => Named::Published(id),
            None => Named::Other,
        },
        (Claim::Forged | Claim::Malformed, _) => Named::Other,
        (Claim::None, Sees::Published(frontend)) => Named::Published(&frontend.id),
        (Claim::None, Sees::BuiltIn) => Named::BuiltIn,
        (Claim::None, Sees::Nothing) => Named::Other,
    }
}

impl<'g> Seat<'g> {
    /// What a caller sees. `count` is told who it was taken for.
    pub(crate) fn take(
        generation: &'g Generation,
        caller: &Caller,
        count: impl FnOnce((Named<'_>, How)),
    ) -> Result<Seat<'g>, Refusal> {
        let (frontends, visitor) = (&*generation.frontends, caller.units.visitor());
        let identity = frontends.identify(&caller.claim, caller.trust, visitor, caller.at);
        count((named(frontends, caller, identity.sees), identity.how));
        let frontend = match identity.sees {
            Sees::BuiltIn => {
                let view = generation.view(None).ok_or_else(nothing_offered)?;
                // Before anything is published there is nothing that a caller could become.
                let told = identity.how.wants_update() && !frontends.published.is_empty();
                let notice = told.then_some(Notice { status: Status::UpdateRequired, target: None });
                return Ok(Seat { view, notice });
            }
            Sees::Nothing => {
                let message = "the frontend version that this caller is assigned is not served any more";
                let notice = Notice { status: Status::UpdateRequired, target: None };
                return Err(retired(message.to_owned(), notice));
            }
            Sees::Published(frontend) => frontend,
        };
        let status = match (identity.how.wants_update(), frontend.state) {
            (true, _) => Some(Status::UpdateRequired),
            (false, Lifecycle::Deprecated) => Some(Status::Deprecated),
            (false, Lifecycle::Preview | Lifecycle::Active | Lifecycle::Retired) => None,
        };
        let target = || match frontends.assigned(Some(&frontend.id.app), visitor, caller.at) {
            Sees::Published(target) => Some(target.id.clone()),
            Sees::BuiltIn | Sees::Nothing => None,
        };
        let notice = status.map(|status| Notice { status, target: target() });
        let view = generation.view(Some(&frontend.id)).ok_or_else(|| unserved(&frontend.id))?;
        Ok(Seat { view, notice })
    }

    /// Why the document cannot be asked here: what is wrong with it, and what that has to do with the view.
    pub(crate) fn refuse(self, mut faults: Vec<Fault>) -> Refusal {
        let unfit = |fault: &Fault| fault.code == "GRAPHQL_VALIDATION_FAILED";
        if !faults.iter().any(unfit) {
            return Refusal::of_document(faults);
        }
        match self.notice {
            Some(notice) if notice.status == Status::UpdateRequired => {
                let instead = frontend_name(self.view.frontend.as_ref());
                let message = format!(
                    "This frontend version is not served any more, or was not given to this caller, and the \
                     operation does not fit {instead}, which it would get instead. Load the page again."
                );
                retired(message, notice)
            }
            Some(_) | None => {
                let hints: Vec<Value> = missing(self.view).collect();
                if !hints.is_empty() {
                    for fault in faults.iter_mut().filter(|fault| unfit(fault)) {
                        fault.extensions.insert("unavailable".to_owned(), hints.clone().into());
                    }
                }
                Refusal::of_document(faults)
            }
        }
    }
}

/// What the frontend was built for and cannot have, so that its fields are missing.
fn missing(view: &View) -> impl Iterator<Item = Value> {
    view.unrouted.iter().filter_map(|(service, why)| match why {
        // It never had these.
        Unrouted::Unpinned => None,
        Unrouted::Unsatisfied(_) | Unrouted::Undecided => {
            Some(json!({ "service": service.as_str(), "why": why.to_string() }))
        }
        // Why it cannot be served is the operators' business.
        Unrouted::Unserved(version, _) => {
            let why = format!("its version {version} cannot be served");
            Some(json!({ "service": service.as_str(), "why": why }))
        }
    })
}

impl Notice {
    /// Says it in the answer's body, where clients look that know nothing of headers; what has to be said is
    /// said to whoever is not what it says it is.
    pub(crate) fn write(&self, body: &mut Vec<u8>) {
        if let (Some(extension), Some(b'}')) = (self.extension(), body.last()) {
            body.pop();
            body.extend_from_slice(b",\"extensions\":");
            body.extend_from_slice(extension.to_string().as_bytes());
            body.push(b'}');
        }
    }

    /// `extensions` of the answer.
    pub(crate) fn extension(&self) -> Option<Value> {
        match self.status {
            Status::UpdateRequired => Some(json!({ "frontend": self.told() })),
            Status::Deprecated => None,
        }
    }

    /// Says it in a header.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let target = self.target.as_ref().map_or_else(String::new, |target| format!("; target={target}"));
        let text = format!("{}{target}", self.status.as_str());
        // Names of frontends are visible ASCII.
        headers.extend(HeaderValue::from_str(&text).ok().map(|text| (STATUS, text)));
    }

    fn told(&self) -> Value {
        let target = self.target.as_ref().map(FrontendId::to_string);
        json!({ "status": self.status.as_str(), "target": target })
    }
}

/// Why a caller is not even asked what it wants.
pub(crate) fn refused(refused: Refused) -> Refusal {
    let code = match refused {
        Refused::Unauthenticated => "UNAUTHENTICATED",
        Refused::Override => "FORBIDDEN",
    };
    Refusal::of_document(vec![Fault::new(code, refused.to_string())])
}

fn retired(message: String, notice: Notice) -> Refusal {
    let mut fault = Fault::new("FRONTEND_RETIRED", message);
    if let Value::Object(told) = notice.told() {
        fault.extensions.extend(told);
    }
    Refusal { notice: Some(notice), ..Refusal::of_document(vec![fault]) }
}

fn unserved(frontend: &FrontendId) -> Refusal {
    let message = format!("nothing that {frontend} was built for is served now");
    Refusal::new(Class::Http(http::StatusCode::SERVICE_UNAVAILABLE), "VERSION_UNAVAILABLE", message)
}

pub(crate) fn nothing_offered() -> Refusal {
    let message = "there is no graph yet: no registered service offers anything; register one on the admin \
                   listener, and `turnout service list` shows what is registered";
    Refusal::new(Class::Http(http::StatusCode::SERVICE_UNAVAILABLE), "VERSION_UNAVAILABLE", message)
}

#[cfg(test)]
mod tests;
