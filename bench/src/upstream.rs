//! The services behind every contender: answers of `bench.v1`, `people.v1` and `places.v1` that were
//! encoded before they were asked for.
//!
//! It does as little as HTTP/2 allows: reads the request's bytes, picks a frame, adds the trailers.
//! It counts calls per method and tells the counts at `GET /stats`, by HTTP/1.1 on the same port, so
//! that the driver can divide them by requests. It checks nothing that a contender could get wrong
//! except the request itself: an unknown user is NOT_FOUND, a broken request INVALID_ARGUMENT.

mod frames;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use prost::Message;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tonic::Code;

pub(crate) use self::frames::frame;
use self::frames::{Batch, FRAME_HEAD, List, Single};
use crate::wire::bench::{
    BatchGetUsersRequest, BatchGetUsersResponse, GetTimetableRequest, GetUserRequest, ListArticlesRequest,
    ListArticlesResponse, ListPostsRequest, ListPostsResponse, ListReadingsRequest, ListReadingsResponse,
};
use crate::wire::people::{BatchGetPeopleRequest, BatchGetPeopleResponse};
use crate::wire::places::{BatchGetCompaniesRequest, BatchGetCompaniesResponse};
use crate::world;

type Reply = Response<WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>>;

/// How often each method was called since the start, by its name; without those never called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stats {
    /// Calls by the method's name, such as "GetUser".
    pub calls: BTreeMap<String, u64>,
}

impl Stats {
    /// Calls of all methods.
    pub fn total(&self) -> u64 {
        self.calls.values().sum()
    }
}

/// Serves until the listener fails. Connections end with the returned future.
pub async fn serve(listener: TcpListener) -> io::Result<Infallible> {
    let upstream = Arc::new(Upstream::new());
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        connections.spawn(connection(Arc::clone(&upstream), stream));
        while connections.try_join_next().is_some() {}
    }
}

/// One client. That it went away, however it did, is no news.
async fn connection(upstream: Arc<Upstream>, stream: TcpStream) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http2().max_concurrent_streams(10_000);
    let service = service_fn(move |request| {
        let upstream = Arc::clone(&upstream);
        async move { Ok::<_, Infallible>(upstream.answer(request).await) }
    });
    let _ended = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// What can be called, in the order of the counters.
const METHODS: [&str; 8] = [
    "/bench.v1.BenchService/GetUser",
    "/bench.v1.BenchService/BatchGetUsers",
    "/bench.v1.BenchService/ListPosts",
    "/bench.v1.BenchService/ListArticles",
    "/bench.v1.BenchService/ListReadings",
    "/bench.v1.BenchService/GetTimetable",
    "/people.v1.PeopleService/BatchGetPeople",
    "/places.v1.PlacesService/BatchGetCompanies",
];

struct Upstream {
    user: Single,
    users: Batch,
    posts: List,
    articles: List,
    readings: List,
    timetable: Single,
    people: Batch,
    companies: Batch,
    counts: [AtomicU64; METHODS.len()],
}

impl Upstream {
    fn new() -> Self {
        let users = world::users();
        let people = world::people();
        let companies = world::companies();
        Self {
            user: Single::new(users.iter().map(|user| (user.id, user.clone()))),
            users: Batch::new(
                users.iter().map(|user| (user.id, BatchGetUsersResponse { users: vec![user.clone()] })),
            ),
            posts: List::new(world::posts().into_iter().map(|post| ListPostsResponse { posts: vec![post] })),
            articles: List::new(
                world::articles().into_iter().map(|article| ListArticlesResponse { articles: vec![article] }),
            ),
            readings: List::new(
                world::readings().into_iter().map(|reading| ListReadingsResponse { readings: vec![reading] }),
            ),
            timetable: Single::new((1..).zip(1..=world::SEASONS).map(|(id, it)| (id, world::timetable(it)))),
            people: Batch::new(
                people.iter().map(|it| (it.id, BatchGetPeopleResponse { people: vec![it.clone()] })),
            ),
            companies: Batch::new(
                companies.iter().map(|it| (it.id, BatchGetCompaniesResponse { companies: vec![it.clone()] })),
            ),
            counts: Default::default(),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        if let Some(method) = METHODS.iter().position(|method| *method == path) {
            self.counts[method].fetch_add(1, Ordering::Relaxed);
            return grpc(self.call(path, body).await);
        }
        if path == "/stats" { self.stats() } else { grpc(Err(Code::Unimplemented)) }
    }

    async fn call(&self, path: &str, body: Incoming) -> Result<Bytes, Code> {
        let bytes = body.collect().await.map_err(|_| Code::Cancelled)?.to_bytes();
        let message = bytes.get(FRAME_HEAD..).ok_or(Code::InvalidArgument)?;
        // The names of methods are unique among the three services.
        match path.rsplit('/').next().unwrap_or_default() {
            "GetUser" => self.user.get(read::<GetUserRequest>(message)?.id),
            "BatchGetUsers" => Ok(self.users.get(&read::<BatchGetUsersRequest>(message)?.ids)),
            "ListPosts" => Ok(self.posts.first(read::<ListPostsRequest>(message)?.limit)),
            "ListArticles" => Ok(self.articles.first(read::<ListArticlesRequest>(message)?.limit)),
            "ListReadings" => Ok(self.readings.first(read::<ListReadingsRequest>(message)?.limit)),
            "GetTimetable" => self.timetable.get(read::<GetTimetableRequest>(message)?.id),
            "BatchGetPeople" => Ok(self.people.get(&read::<BatchGetPeopleRequest>(message)?.ids)),
            "BatchGetCompanies" => Ok(self.companies.get(&read::<BatchGetCompaniesRequest>(message)?.ids)),
            _ => Err(Code::Unimplemented),
        }
    }

    fn stats(&self) -> Reply {
        let counts = METHODS.iter().zip(&self.counts).map(|(method, count)| {
            let name = method.rsplit('/').next().unwrap_or(method);
            (name.to_owned(), count.load(Ordering::Relaxed))
        });
        let stats = Stats { calls: counts.filter(|(_, count)| *count > 0).collect() };
        let text = serde_json::to_vec(&stats).expect("names and numbers are always JSON");
        let mut reply = Response::new(Full::from(text).with_trailers(ready(None)));
        reply.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
        reply
    }
}

fn read<M: Message + Default>(message: &[u8]) -> Result<M, Code> {
    M::decode(message).map_err(|_| Code::InvalidArgument)
}

fn grpc(answer: Result<Bytes, Code>) -> Reply {
    let (body, code) = match answer {
        Ok(body) => (body, Code::Ok),
        Err(code) => (Bytes::new(), code),
    };
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from(code as i32));
    let mut reply = Response::new(Full::new(body).with_trailers(ready(Some(Ok(trailers)))));
    reply.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    reply
}
