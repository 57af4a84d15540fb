//! The service behind every contender: answers of `bench.v1` that were encoded at the start.
//!
//! It does as little as HTTP/2 allows: reads the request's bytes, picks a frame, adds the trailers.
//! It counts calls per method and tells the counts at `GET /stats`, by HTTP/1.1 on the same port, so
//! that the driver can divide them by requests. It checks nothing that a contender could get wrong
//! except the request itself: an unknown user is NOT_FOUND, a broken request INVALID_ARGUMENT.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
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

use crate::wire::v1::{BatchGetUsersRequest, BatchGetUsersResponse, GetUserRequest};
use crate::wire::v1::{ListPostsRequest, ListPostsResponse};
use crate::world;

/// A gRPC message is preceded by one byte of flags and four of length.
const FRAME_HEAD: usize = 5;

type Reply = Response<WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>>;

/// How often each method was called since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Calls of GetUser.
    pub get_user: u64,
    /// Calls of BatchGetUsers.
    pub batch_get_users: u64,
    /// Calls of ListPosts.
    pub list_posts: u64,
}

impl Stats {
    /// Calls of all methods.
    pub fn total(self) -> u64 {
        self.get_user + self.batch_get_users + self.list_posts
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

struct Upstream {
    /// The framed answer of GetUser, by id.
    users: HashMap<i64, Bytes>,
    /// A user as an entry of BatchGetUsersResponse, by id.
    entries: HashMap<i64, Vec<u8>>,
    /// The framed answer of ListPosts, by limit.
    posts: Vec<Bytes>,
    get_user: AtomicU64,
    batch_get_users: AtomicU64,
    list_posts: AtomicU64,
}

impl Upstream {
    fn new() -> Self {
        let users = world::users();
        let posts = world::posts();
        Self {
            users: users.iter().map(|user| (user.id, frame(&user.encode_to_vec()))).collect(),
            entries: users
                .iter()
                .map(|user| {
                    // Concatenated messages merge, and repeated fields append: entries can be joined.
                    let entry = BatchGetUsersResponse { users: vec![user.clone()] };
                    (user.id, entry.encode_to_vec())
                })
                .collect(),
            posts: (0..=posts.len())
                .map(|limit| frame(&ListPostsResponse { posts: posts[..limit].to_vec() }.encode_to_vec()))
                .collect(),
            get_user: AtomicU64::new(0),
            batch_get_users: AtomicU64::new(0),
            list_posts: AtomicU64::new(0),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let answer = match head.uri.path() {
            "/bench.v1.BenchService/GetUser" => {
                self.get_user.fetch_add(1, Ordering::Relaxed);
                message(body).await.and_then(|request| self.user(&request))
            }
            "/bench.v1.BenchService/BatchGetUsers" => {
                self.batch_get_users.fetch_add(1, Ordering::Relaxed);
                message(body).await.map(|request| self.batch(&request))
            }
            "/bench.v1.BenchService/ListPosts" => {
                self.list_posts.fetch_add(1, Ordering::Relaxed);
                message(body).await.map(|request| self.list(&request))
            }
            "/stats" => return self.stats(),
            _ => Err(Code::Unimplemented),
        };
        grpc(answer)
    }

    fn user(&self, request: &GetUserRequest) -> Result<Bytes, Code> {
        self.users.get(&request.id).cloned().ok_or(Code::NotFound)
    }

    fn batch(&self, request: &BatchGetUsersRequest) -> Bytes {
        let found: Vec<u8> =
            request.ids.iter().filter_map(|id| self.entries.get(id)).flatten().copied().collect();
        frame(&found)
    }

    fn list(&self, request: &ListPostsRequest) -> Bytes {
        let limit = usize::try_from(request.limit).unwrap_or(0).min(world::POSTS);
        self.posts[limit].clone()
    }

    fn stats(&self) -> Reply {
        let stats = Stats {
            get_user: self.get_user.load(Ordering::Relaxed),
            batch_get_users: self.batch_get_users.load(Ordering::Relaxed),
            list_posts: self.list_posts.load(Ordering::Relaxed),
        };
        let text = serde_json::to_vec(&stats).expect("three numbers are always JSON");
        let mut reply = Response::new(Full::from(text).with_trailers(ready(None)));
        reply.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
        reply
    }
}

/// Reads the one message of a unary request.
async fn message<M: Message + Default>(body: Incoming) -> Result<M, Code> {
    let bytes = body.collect().await.map_err(|_| Code::Cancelled)?.to_bytes();
    let message = bytes.get(FRAME_HEAD..).ok_or(Code::InvalidArgument)?;
    M::decode(message).map_err(|_| Code::InvalidArgument)
}

fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(FRAME_HEAD + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("the world is far below 4 GiB"));
    framed.put_slice(message);
    framed.freeze()
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
