//! `demo.echo.v1.EchoService`: gives back what it gets, fails on demand, counts.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use prost::Message;
use prost_types::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt};

use super::lock;
use super::problem::invalid;
use crate::clock;
use crate::contract::demo::echo::v1::echo_service_server::EchoService;
use crate::contract::demo::echo::v1::{
    ChatRequest, ChatResponse, CollectRequest, CollectResponse, CountRequest, CountResponse, CountUpResponse,
    EchoLegacyRequest, EchoLegacyResponse, EchoRequest, EchoResponse, EchoScalarsRequest,
    EchoScalarsResponse, FailRequest, FailResponse, GetSampleRequest, GetSampleResponse, GetTreeRequest,
    GetTreeResponse, Node, RecallRequest, RecallResponse, RememberRequest, RememberResponse, Scalars,
    WaitRequest, WaitResponse,
};

mod sample;

/// The longest wait, and the longest time to keep a value.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How many values are kept.
const VALUES_MAX: usize = 1000;

/// The echo.
#[derive(Debug)]
pub(crate) struct Echo {
    version: String,
    stop: CancellationToken,
    kept: Mutex<BTreeMap<String, Kept>>,
    count: AtomicU64,
    failures: AtomicU64,
}

/// A value that somebody asked to keep.
#[derive(Debug)]
struct Kept {
    value: Value,
    until: Option<Instant>,
}

impl Echo {
    pub(crate) fn new(version: String, stop: CancellationToken) -> Self {
        Self { version, stop, kept: Mutex::default(), count: AtomicU64::new(0), failures: AtomicU64::new(0) }
    }
}

#[tonic::async_trait]
impl EchoService for Echo {
    type CountStream = BoxStream<'static, Result<CountResponse, Status>>;
    type ChatStream = BoxStream<'static, Result<ChatResponse, Status>>;

    async fn echo(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        let names: std::collections::BTreeSet<_> = request
            .metadata()
            .keys()
            .map(|key| match key {
                tonic::metadata::KeyRef::Ascii(key) => key.to_string(),
                tonic::metadata::KeyRef::Binary(key) => key.to_string(),
            })
            .collect();
        let mut everything = request.into_inner().everything;
        if let Some(everything) = &mut everything {
            everything.size_bytes = everything.encoded_len() as u32;
        }
        let metadata_names = names.into_iter().collect();
        Ok(Response::new(EchoResponse { everything, metadata_names, version: self.version.clone() }))
    }

    async fn echo_scalars(
        &self,
        request: Request<EchoScalarsRequest>,
    ) -> Result<Response<EchoScalarsResponse>, Status> {
        // The request has the fields of `Scalars` under the same numbers.
        let bytes = request.into_inner().encode_to_vec();
        let scalars = Scalars::decode(bytes.as_slice()).map_err(|why| Status::internal(why.to_string()))?;
        Ok(Response::new(EchoScalarsResponse { scalars: Some(scalars) }))
    }

    async fn get_sample(
        &self,
        request: Request<GetSampleRequest>,
    ) -> Result<Response<GetSampleResponse>, Status> {
        let everything = Some(sample::everything(request.get_ref().seed));
        Ok(Response::new(GetSampleResponse { everything }))
    }

    async fn get_tree(&self, request: Request<GetTreeRequest>) -> Result<Response<GetTreeResponse>, Status> {
        let GetTreeRequest { depth, width } = request.into_inner();
        let width = width.unwrap_or(2);
        if !(1..=12).contains(&depth) {
            return Err(invalid("depth", "must be 1 to 12"));
        }
        if !(1..=4).contains(&width) {
            return Err(invalid("width", "must be 1 to 4"));
        }
        // 4^12 nodes would be sixteen million.
        if width.pow(depth) > 100_000 {
            return Err(invalid("depth", "and width together make more than 100000 nodes"));
        }
        Ok(Response::new(GetTreeResponse { root: Some(tree("0", depth, width)) }))
    }

    async fn echo_legacy(
        &self,
        request: Request<EchoLegacyRequest>,
    ) -> Result<Response<EchoLegacyResponse>, Status> {
        Ok(Response::new(EchoLegacyResponse { record: request.into_inner().record }))
    }

    async fn ping(&self, _request: Request<()>) -> Result<Response<()>, Status> {
        Ok(Response::new(()))
    }

    async fn wait(&self, request: Request<WaitRequest>) -> Result<Response<WaitResponse>, Status> {
        let asked = request.into_inner().duration.ok_or_else(|| invalid("duration", "is missing"))?;
        let wait = length("duration", asked)?;
        let start = Instant::now();
        tokio::time::sleep(wait.min(WAIT_MAX)).await;
        let waited = prost_types::Duration::try_from(start.elapsed()).ok();
        Ok(Response::new(WaitResponse { waited }))
    }

    async fn fail(&self, request: Request<FailRequest>) -> Result<Response<FailResponse>, Status> {
        let request = request.into_inner();
        if !(1..=16).contains(&request.code) {
            return Err(invalid("code", "must be 1 to 16"));
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        let mut details = ErrorDetails::new();
        details.set_error_info(
            "ASKED_FOR",
            "echo.demo.example",
            [("failures".to_owned(), failures.to_string())],
        );
        for field in &request.fields {
            details.add_bad_request_violation(field, "is complained about, as asked");
        }
        if let Some(delay) = request.retry_delay {
            details.set_retry_info(Some(length("retry_delay", delay)?));
        }
        Err(Status::with_error_details(Code::from(request.code as i32), request.message, details))
    }

    async fn remember(
        &self,
        request: Request<RememberRequest>,
    ) -> Result<Response<RememberResponse>, Status> {
        let request = request.into_inner();
        if !(1..=64).contains(&request.key.chars().count()) {
            return Err(invalid("key", "must have 1 to 64 characters"));
        }
        let keep_for = request.keep_for.map(|asked| length("keep_for", asked)).transpose()?;
        let now = Instant::now();
        let mut kept = lock(&self.kept);
        kept.retain(|_, kept| kept.until.is_none_or(|until| until > now));
        if kept.len() >= VALUES_MAX && !kept.contains_key(&request.key) {
            return Err(Status::resource_exhausted(format!("{VALUES_MAX} values are kept already")));
        }
        let until = keep_for.map(|time| now + time);
        let previous = kept.insert(request.key, Kept { value: request.value.unwrap_or_default(), until });
        let previous = previous.map(|kept| kept.value);
        Ok(Response::new(RememberResponse { previous, size: kept.len() as u32 }))
    }

    async fn count_up(&self, _request: Request<()>) -> Result<Response<CountUpResponse>, Status> {
        Ok(Response::new(CountUpResponse { count: self.count.fetch_add(1, Ordering::Relaxed) + 1 }))
    }

    async fn recall(&self, request: Request<RecallRequest>) -> Result<Response<RecallResponse>, Status> {
        let now = Instant::now();
        let kept = lock(&self.kept);
        let live = kept.get(&request.get_ref().key).filter(|kept| kept.until.is_none_or(|until| until > now));
        Ok(Response::new(RecallResponse { value: live.map(|kept| kept.value.clone()) }))
    }

    async fn reset(&self, _request: Request<()>) -> Result<Response<()>, Status> {
        lock(&self.kept).clear();
        Ok(Response::new(()))
    }

    async fn count(&self, request: Request<CountRequest>) -> Result<Response<Self::CountStream>, Status> {
        let CountRequest { from, to, interval } = request.into_inner();
        let interval = match interval {
            Some(asked) => length("interval", asked)?.clamp(Duration::from_millis(1), WAIT_MAX),
            None => Duration::from_secs(1),
        };
        // Ends where the numbers end when no last one is given.
        let numbers = stream::iter(from..=to.unwrap_or(i32::MAX));
        let counted = numbers.enumerate().then(move |(place, number)| async move {
            if place > 0 {
                tokio::time::sleep(interval).await;
            }
            Ok(CountResponse { number, counted_at: Some(clock::now()) })
        });
        let stopped = self.stop.clone().cancelled_owned();
        Ok(Response::new(counted.take_until(stopped).boxed()))
    }

    async fn collect(
        &self,
        request: Request<Streaming<CollectRequest>>,
    ) -> Result<Response<CollectResponse>, Status> {
        let numbers = request.into_inner();
        let add = |sum: CollectResponse, next: CollectRequest| async move {
            let total = sum
                .sum
                .checked_add(next.number)
                .ok_or_else(|| Status::out_of_range("the sum is too large"))?;
            Ok(CollectResponse { sum: total, count: sum.count + 1 })
        };
        Ok(Response::new(numbers.try_fold(CollectResponse::default(), add).await?))
    }

    async fn chat(
        &self,
        request: Request<Streaming<ChatRequest>>,
    ) -> Result<Response<Self::ChatStream>, Status> {
        let stopped = self.stop.clone().cancelled_owned();
        let answers = request.into_inner().map_ok(|message| ChatResponse { text: message.text });
        Ok(Response::new(answers.take_until(stopped).boxed()))
    }
}

/// A length of time from a request; negative ones are refused.
fn length(field: &str, asked: prost_types::Duration) -> Result<Duration, Status> {
    Duration::try_from(asked).map_err(|_| invalid(field, "must not be negative"))
}

fn tree(label: &str, depth: u32, width: u32) -> Node {
    let below = |at| tree(&format!("{label}.{at}"), depth - 1, width);
    let children = if depth > 1 { (0..width).map(below).collect() } else { Vec::new() };
    Node { label: label.to_owned(), children, twin: None }
}
