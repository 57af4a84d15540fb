//! One operation over HTTP: from the head and body of a request to an answer in one buffer.
//!
//! Everything happens in the future that the connection polls: when the caller goes away it is dropped,
//! and with it every call to a service. A panic is caught here and is the answer of that request alone.
//! Which paths lead here is decided in `public`; what an operation does, in `execute`. POST with JSON
//! is what is spoken; that content type also means that no page of another origin can send a request
//! without being allowed to.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::request::Parts;
use http::{HeaderName, Method, Request, StatusCode};
use hyper::body::Body;
use tokio::sync::watch;
use tokio::time::Instant;
use turnout_schema::graph::RootKind;
use turnout_schema::guard::Limits;

use super::answer::{self, Class, Refusal, Whole};
use super::body::{self, Bounds};
use super::facts::{self, Ids};
use super::frontend::{self, Notice, Seat};
use super::latest::Latest;
use super::negotiate::{self, Media};
use super::payload;
use crate::config::{Config, StatusProfile};
use crate::execute::fault::Fault;
use crate::execute::run::{Answer, Operation, Outcome, RequestId, run};
use crate::generation::{self, Generation, View};
use crate::identity::{Caller, Callers, Reader};
use crate::lineup::{Lineup, Told};
use crate::telemetry::Meters;
use crate::upstream::Worker;

/// For the whole body, however slowly it drips. Operations are small, and whoever needs longer is no
/// browser on a slow line but one that holds connections.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What an operator sets for operations. A running gateway takes up another one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who gets which status.
    pub status: StatusProfile,
    /// The largest body.
    pub body_bytes_max: usize,
    /// What a document may have.
    pub limits: Limits,
    /// The longest that an operation may take, from when its body was read.
    pub deadline: Duration,
    /// Which headers are passed on, each once.
    pub forward: Vec<HeaderName>,
    /// Whether callers are told which versions they got.
    pub expose_lineup: bool,
}

impl Settings {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Settings {
        let limits = &config.limits;
        let mut forward = Vec::with_capacity(config.headers.forward.len());
        for name in &config.headers.forward {
            if !forward.contains(name) {
                forward.push(name.clone());
            }
        }
        Settings {
            status: config.http.status,
            body_bytes_max: limits.body_bytes,
            limits: generation::limits(limits),
            deadline: limits.deadline,
            forward,
            expose_lineup: config.expose_lineup,
        }
    }
}

/// What answers operations on one worker.
#[derive(Debug)]
pub(crate) struct Graphql {
    settings: Latest<Arc<Settings>>,
    generation: Latest<Option<Arc<Generation>>>,
    callers: Reader,
    meters: Meters,
    ids: Ids,
    worker: Worker,
}

/// What is spoken with this caller.
#[derive(Clone, Copy, Debug)]
struct Manner {
    profile: StatusProfile,
    media: Media,
}

impl Graphql {
    pub(crate) fn new(
        (settings, generations): (watch::Receiver<Arc<Settings>>, watch::Receiver<Option<Arc<Generation>>>),
        callers: &Callers,
        meters: Meters,
        ids: Ids,
        worker: Worker,
    ) -> Graphql {
        Graphql {
            settings: Latest::of(settings),
            generation: Latest::of(generations),
            callers: callers.reader(),
            meters,
            ids,
            worker,
        }
    }

    /// Lets go of old settings and generations while no request comes. Ends with their senders.
    pub(crate) async fn follow(&self) {
        tokio::join!(self.settings.follow(), self.generation.follow());
    }

    /// Answers a request.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Whole
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let id = self.ids.next();
        let (head, body) = request.into_parts();
        let settings = self.settings.get();
        let accepted = negotiate::accepted(&head.headers);
        let manner = Manner { profile: settings.status, media: accepted.unwrap_or(Media::Json) };
        let told = OnceLock::new();
        let mut response = caught(id, manner, async {
            let admitted = admit(&head, accepted);
            let caller =
                admitted.and_then(|()| self.callers.caller(&head.headers).map_err(frontend::refused));
            match caller {
                Ok(caller) => self.perform((&head, body), &caller, (&settings, id), &told).await,
                Err(refusal) => {
                    body::discard(&head, body, BODY_TIMEOUT).await;
                    Err(refusal)
                }
            }
        })
        .await;
        if let Some(told) = told.into_inner() {
            Told::write(told, response.headers_mut());
        }
        response.headers_mut().insert(facts::REQUEST_ID, facts::answered_id(&head.headers, id));
        response
    }

    async fn perform<B>(
        &self,
        (head, body): (&Parts, B),
        caller: &Caller,
        (settings, id): (&Settings, RequestId),
        told: &OnceLock<Told>,
    ) -> Result<(Answer, Option<Notice>), Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let bounds = Bounds { bytes_max: settings.body_bytes_max, timeout: BODY_TIMEOUT };
        let bytes = body::read_within(&head.headers, body, bounds).await.map_err(unread)?;
        let begun = Instant::now();
        let payload = payload::read(&bytes).map_err(|error| no_payload(&error))?;
        let budget = facts::budget(&head.headers, settings.deadline).map_err(|error| {
            Refusal::new(Class::Http(StatusCode::BAD_REQUEST), "BAD_USER_INPUT", error.to_string())
        })?;
        let current = self.generation.get();
        let generation = current.as_deref().ok_or_else(frontend::nothing_offered)?;
        let operation_name = payload.operation_name.as_deref();
        let count = |kind, outcome| self.meters.operation(self.worker, kind, outcome, begun.elapsed());
        let seat = Seat::take(generation, caller, |who| self.meters.caller(self.worker, who, &caller.units))?;
        let view = seat.view;
        let prepared = match view.graph.prepare(payload.query, operation_name, &settings.limits) {
            Ok(prepared) => prepared,
            Err(faults) => {
                count(None, Outcome::Refused);
                return Err(seat.refuse(faults));
            }
        };
        match prepared.plan.kind {
            RootKind::Query | RootKind::Mutation => {}
            RootKind::Subscription => {
                count(Some(RootKind::Subscription), Outcome::Refused);
                return Err(streams());
            }
        }
        let mut metadata = facts::metadata(&head.headers, &settings.forward);
        let lineup = lineup(view, caller)?;
        lineup.metadata(&mut metadata);
        let operation = Operation {
            view,
            lineup: &lineup,
            prepared: &prepared,
            operation_name,
            variables: payload.variables,
            metadata: &metadata,
            deadline: begun + budget,
            worker: self.worker,
            request_id: id,
        };
        // On the heap, because the connection moves this future about before it polls it, and what an
        // operation needs would be most of it.
        let answer = Box::pin(run(&operation)).await;
        count(Some(prepared.plan.kind), answer.outcome);
        lineup.finish(self.worker, id);
        if settings.expose_lineup {
            // Nobody else does it for this request.
            let _ = told.set(lineup.told());
        }
        Ok((answer, seat.notice))
    }
}

/// Which versions the caller gets, where an operator has chosen some.
fn lineup<'a>(view: &'a View, caller: &'a Caller) -> Result<Lineup<'a>, Refusal> {
    let Some(overrides) = &caller.overrides else { return Ok(Lineup::new(view, &caller.units)) };
    Lineup::with_overrides(view, &caller.units, &overrides.versions).map_err(|outside| {
        let fault = Fault::new("FORBIDDEN", format!("the header x-turnout-override: {outside}"));
        Refusal::of_document(vec![fault])
    })
}

/// What is decided before the body is read.
fn admit(head: &Parts, accepted: Option<Media>) -> Result<(), Refusal> {
    let refuse = |status, message: &str| Err(Refusal::new(Class::Http(status), "BAD_USER_INPUT", message));
    if head.method != Method::POST {
        let message = "operations are sent with POST, and no other method is served by this build";
        return refuse(StatusCode::METHOD_NOT_ALLOWED, message);
    }
    if accepted.is_none() {
        let message = "the answer is application/graphql-response+json or application/json, and the accept \
                       header takes neither";
        return refuse(StatusCode::NOT_ACCEPTABLE, message);
    }
    match negotiate::sent_json(&head.headers) {
        Ok(()) => Ok(()),
        Err(error) => refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, &error.to_string()),
    }
}

/// Runs a request to its answer, whatever happens in it.
async fn caught(
    id: RequestId,
    manner: Manner,
    request: impl Future<Output = Result<(Answer, Option<Notice>), Refusal>>,
) -> Whole {
    let Manner { profile, media } = manner;
    let named = || format!("{:016x}", id.0);
    // Nothing that outlives the request is left half changed: it reads shared state and writes none.
    match AssertUnwindSafe(request).catch_unwind().await {
        Ok(Ok(answer)) => answer::answered(answer, profile, media),
        Ok(Err(refusal)) => {
            if refusal.is_internal() {
                let request_id = named();
                tracing::error!(request_id, faults = ?refusal.faults, "an operation could not be prepared");
            }
            answer::refused(&refusal, profile, media)
        }
        Err(panic) => {
            let request_id = named();
            tracing::error!(request_id, panic = said(panic.as_ref()), "a request met a bug of the gateway");
            let message = format!("the gateway made a mistake; its log has more under {request_id}");
            let refusal = Refusal::internal(vec![Fault::new("INTERNAL_SERVER_ERROR", message)]);
            answer::refused(&refusal, profile, media)
        }
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

fn unread(error: body::Error) -> Refusal {
    let (status, code) = match error {
        body::Error::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_EXCEEDED"),
        body::Error::TooSlow => {
            let message = format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs());
            return Refusal::new(Class::Http(StatusCode::REQUEST_TIMEOUT), "DEADLINE_EXCEEDED", message);
        }
        body::Error::Broken => (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"),
        body::Error::Encoded => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "BAD_USER_INPUT"),
    };
    Refusal::new(Class::Http(status), code, error.to_string())
}

fn no_payload(error: &payload::Error) -> Refusal {
    let (class, code) = match error {
        payload::Error::NotUtf8 | payload::Error::NotJson(_) => {
            (Class::Http(StatusCode::BAD_REQUEST), "BAD_USER_INPUT")
        }
        payload::Error::NotObject
        | payload::Error::Batch
        | payload::Error::Doubled(_)
        | payload::Error::Member { .. }
        | payload::Error::NoQuery => (Class::Malformed, "BAD_USER_INPUT"),
        payload::Error::HashOnly => (Class::Malformed, "PERSISTED_QUERY_NOT_SUPPORTED"),
    };
    Refusal::new(class, code, error.to_string())
}

fn streams() -> Refusal {
    let message = "a subscription has many answers and a plain POST has one; WebSocket, server-sent events \
                   and multipart, which carry subscriptions, are not served by this build";
    Refusal::new(Class::Http(StatusCode::NOT_ACCEPTABLE), "BAD_USER_INPUT", message)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;
    use serde_json::Value;
    use turnout_control::frontend::Trust;

    use super::*;
    use crate::clock::Clock;
    use crate::identity::{self, Edge, Keys, Tokens};

    fn graphql() -> Graphql {
        let settings = Settings {
            status: StatusProfile::Compat,
            body_bytes_max: 100,
            limits: Limits::RECOMMENDED,
            deadline: Duration::from_secs(10),
            forward: Vec::new(),
            expose_lineup: false,
        };
        let (_, settings) = watch::channel(Arc::new(settings));
        let (_, generations) = watch::channel(None);
        let identity = identity::Settings { trust: Trust::Claims, edge: Edge::Ignored, jwt: None };
        let (_, identity) = watch::channel(Arc::new(identity));
        let tokens = Arc::new(Tokens::new(Keys::random()));
        let (callers, _) = Callers::new(tokens, identity, Clock::start());
        let ids = Ids::new(1, Worker(0));
        Graphql::new((settings, generations), &callers, Meters::new(), ids, Worker(0))
    }

    fn post(body: Body) -> Request<Body> {
        Request::post("/graphql").header("content-type", "application/json").body(body).unwrap()
    }

    #[test]
    fn settings_are_those_of_the_configuration() {
        let flags = vec![
            ("http.status", "draft".to_owned()),
            ("limits.body", "2KiB".to_owned()),
            ("limits.depth", "7".to_owned()),
            ("limits.deadline", "3s".to_owned()),
            ("headers.forward", "x-tenant, authorization, x-tenant".to_owned()),
        ];
        let sources = crate::config::Sources { flags, ..Default::default() };
        let settings = Settings::of(&crate::config::read(&sources).unwrap().config);
        assert_eq!((settings.status, settings.body_bytes_max), (StatusProfile::Draft, 2048));
        assert_eq!(settings.limits, Limits { depth: 7, ..Limits::RECOMMENDED });
        assert_eq!(settings.deadline, Duration::from_secs(3));
        assert_eq!(settings.forward, ["x-tenant", "authorization"]);
    }

    async fn told(response: Whole) -> (u16, Value) {
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_given_up() {
        let drips = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>("1"), ()))
        });
        let started = Instant::now();
        let (status, body) = told(graphql().answer(post(Body::from_stream(drips))).await).await;
        assert_eq!((status, started.elapsed()), (408, BODY_TIMEOUT));
        assert_eq!(body["errors"][0]["extensions"]["code"], "DEADLINE_EXCEEDED");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_body_is_not_waited_for_without_end() {
        let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let request = Request::put("/graphql").body(endless).unwrap();
        let started = Instant::now();
        assert_eq!(told(graphql().answer(request).await).await.0, 405);
        assert_eq!(started.elapsed(), BODY_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_to_be_told_to_continue_is_answered_at_once() {
        let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let request = Request::put("/graphql").header("expect", "100-continue").body(endless).unwrap();
        let started = Instant::now();
        assert_eq!(told(graphql().answer(request).await).await.0, 405);
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_panic_is_the_answer_of_its_request_alone() {
        let manner = Manner { profile: StatusProfile::Rails, media: Media::Json };
        let panics = caught(RequestId(255), manner, async { panic!("for {}", "a test") });
        let (status, body) = told(panics.await).await;
        assert_eq!(status, 500);
        let message = body["errors"][0]["message"].as_str().unwrap();
        assert!(message.ends_with("under 00000000000000ff") && !message.contains("for a test"), "{message}");
        let works = caught(RequestId(1), manner, async {
            Ok((Answer { body: b"{}".to_vec(), outcome: Outcome::Complete }, None))
        });
        assert_eq!(told(works.await).await, (200, Value::Object(serde_json::Map::new())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_goes_away_takes_its_work_along() {
        let work = Arc::new(());
        let held = work.clone();
        let manner = Manner { profile: StatusProfile::Compat, media: Media::Json };
        let request = caught(RequestId(1), manner, async move {
            let _held = held;
            std::future::pending().await
        });
        assert!(tokio::time::timeout(Duration::from_millis(1), request).await.is_err());
        assert_eq!(Arc::strong_count(&work), 1);
    }
}
