//! One operation over HTTP, and what came of it.

use std::time::Duration;

use anyhow::bail;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::CALL_MAX;
use super::operations::Play;

/// The largest answer that is read; a frontend's page is far below.
const ANSWER_MAX: usize = 8 * 1024 * 1024;

/// Sends operations to one gateway.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    url: Uri,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What came of one operation.
#[derive(Debug)]
pub(super) struct Done {
    pub took: Duration,
    pub outcome: Outcome,
    /// Service and version of everything that answered.
    pub lineup: Vec<(String, String)>,
}

/// How one operation ended.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// With data and no error.
    Answered,
    /// Otherwise: a short name of what went wrong, to count by.
    Failed(String),
}

impl Caller {
    pub(super) fn new(url: Uri) -> anyhow::Result<Self> {
        if url.scheme_str() != Some("http") || url.authority().is_none() {
            bail!("--url {url}: expected an address like http://127.0.0.1:4000/graphql");
        }
        Ok(Self { url, client: Client::builder(TokioExecutor::new()).build_http() })
    }

    /// Sends one operation and waits for its whole answer, within its deadline.
    pub(super) async fn call(&self, play: &Play) -> Done {
        let start = Instant::now();
        let answer = timeout(CALL_MAX, self.answer(play)).await;
        let took = start.elapsed();
        let (outcome, lineup) = match answer {
            Ok(Ok((head, body))) => (outcome(head.status(), &body), lineup(head.headers())),
            Ok(Err(_)) => (Outcome::Failed("no answer".to_owned()), Vec::new()),
            Err(_) => (Outcome::Failed("timeout".to_owned()), Vec::new()),
        };
        Done { took, outcome, lineup }
    }

    async fn answer(&self, play: &Play) -> anyhow::Result<(Response<()>, Bytes)> {
        let body = json!({ "query": play.text, "operationName": play.name, "variables": play.variables });
        let request = Request::post(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/graphql-response+json, application/json")
            .header("x-frontend-version", play.frontend)
            .header("x-turnout-unit", &play.unit)
            .body(Full::from(body.to_string()))?;
        let (head, body) = self.client.request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(|why| anyhow::anyhow!(why))?;
        Ok((Response::from_parts(head, ()), body.to_bytes()))
    }
}

/// An answer without data, with errors, or with another status than 200 has failed; errors are named
/// by the code of the first.
fn outcome(status: http::StatusCode, body: &[u8]) -> Outcome {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return Outcome::Failed(format!("HTTP {}, no JSON", status.as_u16()));
    };
    let first = answer.get("errors").and_then(|errors| errors.get(0));
    match first {
        Some(error) => {
            let code =
                error.pointer("/extensions/code").and_then(Value::as_str).unwrap_or("error without a code");
            Outcome::Failed(code.to_owned())
        }
        None if !status.is_success() => Outcome::Failed(format!("HTTP {}", status.as_u16())),
        None if answer.get("data").is_none_or(Value::is_null) => Outcome::Failed("no data".to_owned()),
        None => Outcome::Answered,
    }
}

/// Reads `turnout-lineup: orders=1.5.0;candidate, users=2.0.1;stable`. What does not read so is left out.
fn lineup(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = headers.get("turnout-lineup").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let member = |member: &str| {
        let (service, version) = member.split_once('=')?;
        let version = version.split(';').next().unwrap_or_default();
        Some((service.trim().to_owned(), version.trim().to_owned()))
    };
    text.split(',').filter_map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_from_failures() {
        let of = |status, body: &str| outcome(http::StatusCode::from_u16(status).unwrap(), body.as_bytes());
        let failed = |why: &str| Outcome::Failed(why.to_owned());
        assert_eq!(of(200, r#"{"data":{"a":1}}"#), Outcome::Answered);
        assert_eq!(of(200, r#"{"data":null}"#), failed("no data"));
        assert_eq!(
            of(200, r#"{"data":{"a":null},"errors":[{"extensions":{"code":"UNAVAILABLE"}}]}"#),
            failed("UNAVAILABLE")
        );
        assert_eq!(of(500, r#"{"errors":[{"message":"x"}]}"#), failed("error without a code"));
        assert_eq!(of(502, "<html>"), failed("HTTP 502, no JSON"));
        assert_eq!(of(503, r#"{"data":{}}"#), failed("HTTP 503"));
    }

    #[test]
    fn a_lineup_is_read() {
        let mut headers = HeaderMap::new();
        assert_eq!(lineup(&headers), []);
        headers.insert("turnout-lineup", "orders=1.5.0;candidate, users=2.0.1;stable, junk".parse().unwrap());
        let read = lineup(&headers);
        assert_eq!(read, [("orders".into(), "1.5.0".into()), ("users".into(), "2.0.1".into())]);
    }

    #[test]
    fn only_addresses_of_gateways_are_taken() {
        for url in ["/graphql", "https://host/graphql", "ftp://host"] {
            assert!(Caller::new(url.parse().unwrap()).is_err(), "{url}");
        }
    }
}
