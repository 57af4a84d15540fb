//! Asking a gateway: one GraphQL question over HTTP to its admin listener.

use std::time::Duration;

use clap::Args;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::Failure;
use crate::telemetry::chain;

const TIMEOUT: Duration = Duration::from_secs(10);
/// For what makes a graph: it takes up to seconds, and others may be in front.
pub(crate) const SLOW: Duration = Duration::from_secs(60);
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Which gateway is asked, and by whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct AdminArgs {
    /// The gateway's admin listener.
    #[arg(long, env = "TURNOUT_ADMIN", default_value = "http://127.0.0.1:4001", value_name = "URL")]
    admin: String,
    /// A token of its tokens file.
    #[arg(long, env = "TURNOUT_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl AdminArgs {
    /// Where the gateway is asked.
    pub(crate) fn address(&self) -> &str {
        &self.admin
    }

    /// Asks, and returns `data`.
    pub(crate) async fn ask(&self, question: &str, variables: Value) -> Result<Value, Failure> {
        self.ask_within(question, variables, TIMEOUT).await
    }

    /// Asks something that takes its time.
    pub(crate) async fn ask_within(
        &self,
        question: &str,
        variables: Value,
        timeout: Duration,
    ) -> Result<Value, Failure> {
        let request = self.request(&json!({ "query": question, "variables": variables }))?;
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let unreachable = |reason: String| {
            Failure::Unreachable(format!(
                "no gateway answers at {}: {reason}. Start one with `turnout demo` or `turnout serve`, or name \
                 another with --admin URL.",
                self.admin
            ))
        };
        let asked = async {
            let answer = client.request(request).await.map_err(|error| chain(&error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
        };
        let (status, body) = tokio::time::timeout(timeout, asked)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", timeout.as_secs())))
            .map_err(unreachable)?;
        let answer: Value = serde_json::from_slice(&body).map_err(|_| {
            Failure::Unreachable(format!("{} is no Turnout: it answered {status}", self.admin))
        })?;
        if let Some(error) = answer.pointer("/error/message").and_then(Value::as_str) {
            let help = answer.pointer("/error/help").and_then(Value::as_str).unwrap_or_default();
            return Err(Failure::Usage(format!("{error}. {help}")));
        }
        if let Some(error) = answer.pointer("/errors/0/message").and_then(Value::as_str) {
            let code = answer.pointer("/errors/0/extensions/code").and_then(Value::as_str);
            return Err(match code {
                // The gateway answers, and what it needs does not.
                Some("UNAVAILABLE") => Failure::Unreachable(error.to_owned()),
                _ => Failure::Usage(error.to_owned()),
            });
        }
        Ok(answer.get("data").cloned().unwrap_or_default())
    }

    fn request(&self, body: &Value) -> Result<Request<Full<bytes::Bytes>>, Failure> {
        let wrong = |reason: String| Failure::Usage(format!("--admin {:?} {reason}", self.admin));
        let base = self.admin.trim_end_matches('/');
        let uri: Uri =
            format!("{base}/graphql").parse().map_err(|error| wrong(format!("is no URL: {error}")))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("must begin with http://".to_owned()));
        }
        let mut request = Request::post(uri).header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request
            .body(Full::from(body.to_string()))
            .map_err(|_| Failure::Usage("--token must be printable ASCII".to_owned()))
    }
}
