//! A gRPC service that answers what a scenario says, and remembers what it was asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::document::{Described, Reply, With};

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

/// A running service. It ends when it is dropped.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) descriptors: Vec<u8>,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

struct State {
    pool: DescriptorPool,
    replies: Vec<Reply>,
    calls: Mutex<Vec<String>>,
    metadata: Mutex<Vec<HeaderMap>>,
}

impl Service {
    pub(crate) async fn start(described: &Described, replies: &[Reply]) -> Service {
        let descriptors = compile(described);
        let pool = DescriptorPool::decode(&descriptors[..]).unwrap();
        let state = Arc::new(State {
            pool,
            replies: replies.to_vec(),
            calls: Mutex::default(),
            metadata: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, state.clone()));
        Service { address, descriptors, state, _tasks: tasks }
    }

    /// The calls since the last time they were forgotten, as path and request.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.state.calls.lock().unwrap().clone()
    }

    /// What came along with them.
    pub(crate) fn metadata(&self) -> Vec<HeaderMap> {
        self.state.metadata.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.state.metadata.lock().unwrap().clear();
        self.state.calls.lock().unwrap().clear();
    }
}

fn compile(described: &Described) -> Vec<u8> {
    struct Own(String, String);
    impl FileResolver for Own {
        fn open_file(&self, name: &str) -> Result<File, protox::Error> {
            match name == self.0 {
                true => File::from_source(name, &self.1),
                false => Err(protox::Error::file_not_found(name)),
            }
        }
    }
    let text = match described.proto.trim_start() {
        whole if whole.starts_with("syntax") || whole.starts_with("edition") => whole.to_owned(),
        rest => format!(
            "syntax = \"proto3\";\npackage {}.v1;\nimport \"turnout/graphql/v1/options.proto\";\n{rest}",
            described.name
        ),
    };
    let name = format!("{}.proto", described.name);
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    let mut resolver = ChainFileResolver::new();
    resolver.add(Own(name.clone(), text));
    resolver.add(IncludeFileResolver::new(protos.into()));
    resolver.add(IncludeFileResolver::new(format!("{protos}/samples/third_party").into()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file(&name).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    compiler.encode_file_descriptor_set()
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let state = state.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let state = state.clone();
                async move { Ok::<_, Infallible>(state.answer(request).await) }
            });
            let _ended = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        self.metadata.lock().unwrap().push(request.headers().clone());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let Some(method) = self.method(&path) else { return failed("UNIMPLEMENTED", &path, &[]) };
        let message = DynamicMessage::decode(method.input(), &body[5..]).unwrap();
        let asked = serde_json::to_value(&message).unwrap();
        self.calls.lock().unwrap().push(format!("{path} {asked}"));
        let fits = |reply: &&Reply| {
            reply.method == path && reply.when.as_ref().is_none_or(|when| contains(&asked, when))
        };
        match self.replies.iter().find(fits).map(|reply| &reply.with) {
            None => failed("UNIMPLEMENTED", &format!("the scenario has no reply for {path} {asked}"), &[]),
            Some(With::Status { code, message, details }) => failed(code, message, details),
            Some(With::Message(json)) => {
                let mut json = serde_json::Deserializer::from_str(json);
                let message = DynamicMessage::deserialize(method.output(), &mut json)
                    .unwrap_or_else(|error| panic!("reply of {path}: {error}"));
                let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
                let body = Full::new(frame(&message.encode_to_vec()))
                    .with_trailers(std::future::ready(Some(Ok(trailers))));
                Response::builder().header("content-type", "application/grpc").body(body.boxed()).unwrap()
            }
        }
    }

    fn method(&self, path: &str) -> Option<MethodDescriptor> {
        let (service, method) = path.split_once('/')?;
        self.pool.get_service_by_name(service)?.methods().find(|known| known.name() == method)
    }
}

/// Whether all that is said of a value is true of it.
fn contains(value: &Value, said: &Value) -> bool {
    match (value, said) {
        (Value::Object(value), Value::Object(said)) => {
            said.iter().all(|(key, said)| value.get(key).is_some_and(|value| contains(value, said)))
        }
        (value, said) => value == said,
    }
}

fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.freeze()
}

/// An answer of nothing but a status.
fn failed(code: &str, message: &str, details: &[Value]) -> Response<Body> {
    let number = CODES.iter().position(|known| *known == code).unwrap_or_else(|| panic!("no code {code}"));
    let mut response = Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", number)
        .header("grpc-message", HeaderValue::from_str(&percent(message)).unwrap());
    if !details.is_empty() {
        let details = details.iter().map(any).collect();
        let code = i32::try_from(number).unwrap();
        let status = tonic_types::pb::Status { code, message: message.to_owned(), details };
        response = response.header("grpc-status-details-bin", base64(&status.encode_to_vec()));
    }
    response.body(Full::default().boxed()).unwrap()
}

/// A detail, from the JSON form of `google.protobuf.Any`.
fn any(json: &Value) -> prost_types::Any {
    use tonic_types::pb::{BadRequest, DebugInfo, ErrorInfo, LocalizedMessage, RetryInfo, bad_request};
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    let url = text("@type");
    let value = match url.rsplit('.').next().unwrap() {
        "BadRequest" => {
            let violation = |found: &Value| bad_request::FieldViolation {
                field: found["field"].as_str().unwrap().to_owned(),
                description: found["description"].as_str().unwrap().to_owned(),
                ..Default::default()
            };
            let field_violations =
                json["fieldViolations"].as_array().unwrap().iter().map(violation).collect();
            BadRequest { field_violations }.encode_to_vec()
        }
        "RetryInfo" => {
            let seconds = json["retryDelay"].as_str().unwrap().trim_end_matches('s').parse().unwrap();
            RetryInfo { retry_delay: Some(prost_types::Duration { seconds, nanos: 0 }) }.encode_to_vec()
        }
        "ErrorInfo" => {
            let metadata = json["metadata"].as_object().into_iter().flatten();
            let metadata = metadata.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()));
            ErrorInfo { reason: text("reason"), domain: text("domain"), metadata: metadata.collect() }
                .encode_to_vec()
        }
        "LocalizedMessage" => {
            LocalizedMessage { locale: text("locale"), message: text("message") }.encode_to_vec()
        }
        "DebugInfo" => {
            DebugInfo { stack_entries: vec![text("stack")], detail: text("detail") }.encode_to_vec()
        }
        other => panic!("no detail {other}"),
    };
    prost_types::Any { type_url: url, value }
}

fn percent(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b' '..=b'~' if byte != b'%' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().chain([&0, &0]).take(3).fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        for place in 0..=chunk.len() {
            out.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    out
}

const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
