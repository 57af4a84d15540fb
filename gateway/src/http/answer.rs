//! What a caller gets: one buffer of JSON, its media type, and a status by the operator's profile.
//!
//! What went wrong before there was a GraphQL request keeps its HTTP status under every profile. What
//! GraphQL itself refuses or answers in part has the status that the profile gives it: `rails` says 200,
//! `draft` follows the letter of GraphQL over HTTP, and `compat` says 400 to those who asked for
//! `application/graphql-response+json` and 200 to others, whose clients lose the errors of any other
//! status.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};

use super::frontend::Notice;
use super::negotiate::Media;
use crate::config::StatusProfile;
use crate::execute::fault::Fault;
use crate::execute::run::{Answer, Outcome};

/// The whole answer: one chunk.
pub(crate) type Whole = Response<Full<Bytes>>;

/// What decides about the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// HTTP's own matter.
    Http(StatusCode),
    /// The body is JSON, and no request of GraphQL.
    Malformed,
    /// The document is no GraphQL.
    Unparsable,
    /// The operation may not or cannot be run as it is.
    Refused,
    /// Data without errors.
    Complete,
    /// Data beside errors; `null` is data.
    Partial,
}

impl Class {
    /// The status under a profile.
    pub(crate) fn status(self, profile: StatusProfile, media: Media) -> StatusCode {
        let refused = |by_the_letter| match (profile, media) {
            (StatusProfile::Rails, _) | (StatusProfile::Compat, Media::Json) => StatusCode::OK,
            (StatusProfile::Compat, Media::GraphQl) => StatusCode::BAD_REQUEST,
            (StatusProfile::Draft, _) => by_the_letter,
        };
        match self {
            Class::Http(status) => status,
            Class::Malformed => match profile {
                StatusProfile::Rails | StatusProfile::Compat => StatusCode::BAD_REQUEST,
                StatusProfile::Draft => StatusCode::UNPROCESSABLE_ENTITY,
            },
            Class::Unparsable => refused(StatusCode::BAD_REQUEST),
            Class::Refused => refused(StatusCode::UNPROCESSABLE_ENTITY),
            Class::Complete => StatusCode::OK,
            Class::Partial => match profile {
                StatusProfile::Rails | StatusProfile::Compat => StatusCode::OK,
                StatusProfile::Draft => StatusCode::from_u16(294).expect("three digits are a status"),
            },
        }
    }
}

/// A request that is not run, and why.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) class: Class,
    pub(crate) faults: Vec<Fault>,
    /// What the caller is told about its frontend.
    pub(crate) notice: Option<Notice>,
}

impl Refusal {
    /// One with a single reason.
    pub(crate) fn new(class: Class, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { class, faults: vec![Fault::new(code, message)], notice: None }
    }

    /// What the guard, the parser, the validator or the planner found.
    pub(crate) fn of_document(faults: Vec<Fault>) -> Refusal {
        let class = match faults.first().map_or("INTERNAL_SERVER_ERROR", |fault| fault.code.as_ref()) {
            "GRAPHQL_PARSE_FAILED" => Class::Unparsable,
            "INTERNAL_SERVER_ERROR" => return Refusal::internal(faults),
            "VERSION_UNAVAILABLE" => Class::Http(StatusCode::SERVICE_UNAVAILABLE),
            "UNAUTHENTICATED" => Class::Http(StatusCode::UNAUTHORIZED),
            "FORBIDDEN" | "FRONTEND_RETIRED" => Class::Http(StatusCode::FORBIDDEN),
            _ => Class::Refused,
        };
        Refusal { class, faults, notice: None }
    }

    /// A mistake of ours. An error has at least one reason, even when nobody gave one.
    pub(crate) fn internal(mut faults: Vec<Fault>) -> Refusal {
        if faults.is_empty() {
            faults.push(Fault::new("INTERNAL_SERVER_ERROR", "the gateway made a mistake; its log has more"));
        }
        Refusal { class: Class::Http(StatusCode::INTERNAL_SERVER_ERROR), faults, notice: None }
    }

    /// Whether it is a mistake of ours.
    pub(crate) fn is_internal(&self) -> bool {
        self.class == Class::Http(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The answer to what was not run: errors without `data`.
pub(crate) fn refused(refusal: &Refusal, profile: StatusProfile, media: Media) -> Whole {
    let errors: Vec<Value> = refusal.faults.iter().map(Fault::to_json).collect();
    let mut body = json!({ "errors": errors }).to_string().into_bytes();
    if let Some(notice) = &refusal.notice {
        notice.write(&mut body);
    }
    let mut response = whole(refusal.class.status(profile, media), media, body);
    let headers = response.headers_mut();
    if let Some(notice) = &refusal.notice {
        notice.tell(headers);
    }
    // Each of these has to say what would be right (RFC 9110).
    match refusal.class {
        Class::Http(StatusCode::METHOD_NOT_ALLOWED) => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        Class::Http(StatusCode::UNAUTHORIZED) => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Class::Http(_)
        | Class::Malformed
        | Class::Unparsable
        | Class::Refused
        | Class::Complete
        | Class::Partial => {}
    }
    response
}

/// The answer to what was run.
pub(crate) fn answered(
    (mut answer, notice): (Answer, Option<Notice>),
    profile: StatusProfile,
    media: Media,
) -> Whole {
    let class = match answer.outcome {
        Outcome::Complete => Class::Complete,
        Outcome::Partial | Outcome::Nothing => Class::Partial,
        Outcome::Refused => Class::Refused,
    };
    let Some(notice) = notice else { return whole(class.status(profile, media), media, answer.body) };
    notice.write(&mut answer.body);
    let mut response = whole(class.status(profile, media), media, answer.body);
    notice.tell(response.headers_mut());
    response
}

fn whole(status: StatusCode, media: Media, body: Vec<u8>) -> Whole {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media.content_type());
    // Whoever opens an answer as a page sees text, whatever stands in it.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[test]
    fn each_profile_has_its_statuses() {
        // rails, compat with JSON, compat, draft with JSON, draft
        for (class, expected) in [
            (Class::Complete, [200, 200, 200, 200, 200]),
            (Class::Partial, [200, 200, 200, 294, 294]),
            (Class::Refused, [200, 200, 400, 422, 422]),
            (Class::Unparsable, [200, 200, 400, 400, 400]),
            (Class::Malformed, [400, 400, 400, 422, 422]),
            (Class::Http(StatusCode::NOT_ACCEPTABLE), [406, 406, 406, 406, 406]),
        ] {
            let of = |profile, media| class.status(profile, media).as_u16();
            let statuses = [
                of(StatusProfile::Rails, Media::GraphQl),
                of(StatusProfile::Compat, Media::Json),
                of(StatusProfile::Compat, Media::GraphQl),
                of(StatusProfile::Draft, Media::Json),
                of(StatusProfile::Draft, Media::GraphQl),
            ];
            assert_eq!(statuses, expected, "{class:?}");
        }
    }

    #[test]
    fn the_code_of_a_refusal_decides_about_its_class() {
        let class = |code| Refusal::of_document(vec![Fault::new(code, "x")]).class;
        assert_eq!(class("GRAPHQL_PARSE_FAILED"), Class::Unparsable);
        for code in
            ["GRAPHQL_VALIDATION_FAILED", "OPERATION_RESOLUTION_FAILURE", "LIMIT_EXCEEDED", "BAD_USER_INPUT"]
        {
            assert_eq!(class(code), Class::Refused, "{code}");
        }
        assert_eq!(class("INTERNAL_SERVER_ERROR"), Class::Http(StatusCode::INTERNAL_SERVER_ERROR));
        assert_eq!(class("VERSION_UNAVAILABLE"), Class::Http(StatusCode::SERVICE_UNAVAILABLE));
        let unexplained = Refusal::of_document(Vec::new());
        assert_eq!((unexplained.class, unexplained.faults.len()), (class("INTERNAL_SERVER_ERROR"), 1));
    }

    #[tokio::test]
    async fn a_refusal_has_errors_and_no_data() {
        let refusal = Refusal::new(Class::Refused, "BAD_USER_INPUT", "say \"please\"");
        let response = refused(&refusal, StatusProfile::Compat, Media::GraphQl);
        assert_eq!(response.headers()["content-type"], "application/graphql-response+json; charset=utf-8");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let expected = r#"{"errors":[{"extensions":{"code":"BAD_USER_INPUT"},"message":"say \"please\""}]}"#;
        assert_eq!(body, expected);
    }

    #[test]
    fn an_outcome_decides_about_the_status() {
        let status = |outcome, profile| {
            let answer = (Answer { body: Vec::new(), outcome }, None);
            answered(answer, profile, Media::GraphQl).status().as_u16()
        };
        assert_eq!(status(Outcome::Complete, StatusProfile::Draft), 200);
        assert_eq!(status(Outcome::Partial, StatusProfile::Draft), 294);
        assert_eq!(status(Outcome::Nothing, StatusProfile::Draft), 294);
        assert_eq!(status(Outcome::Nothing, StatusProfile::Compat), 200);
        assert_eq!(status(Outcome::Refused, StatusProfile::Compat), 400);
        assert_eq!(status(Outcome::Refused, StatusProfile::Rails), 200);
    }
}
