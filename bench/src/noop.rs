//! The floor: one HTTP request in, one gRPC call out, bytes passed through unread.
//!
//! The body of the request is the protobuf message to send and the answer is the protobuf message
//! that came back. No contender on the same libraries can cost less, and the distance between this
//! and LIMIT is all that decoding and writing JSON costs.

use std::io;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use bytes::{Buf, BufMut, Bytes};
use http::StatusCode;
use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;

/// Serves `/q1` (GetUser), `/q2` (ListPosts), `/q5` (ListReadings) and `/q6` (GetTimetable) from the
/// upstream behind `channel` until the listener fails.
pub async fn serve(listener: TcpListener, channel: Channel) -> io::Result<()> {
    let router = Router::new()
        .route("/q1", post(get_user))
        .route("/q2", post(list_posts))
        .route("/q5", post(list_readings))
        .route("/q6", post(get_timetable))
        .with_state(Grpc::new(channel));
    let listener = listener.tap_io(|stream| {
        // Without it the kernel may wait for more to send; failing to set it only costs latency.
        let _kept = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}

async fn get_user(State(client): State<Grpc<Channel>>, message: Bytes) -> Response {
    pass(client, PathAndQuery::from_static("/bench.v1.BenchService/GetUser"), message).await
}

async fn list_posts(State(client): State<Grpc<Channel>>, message: Bytes) -> Response {
    pass(client, PathAndQuery::from_static("/bench.v1.BenchService/ListPosts"), message).await
}

async fn list_readings(State(client): State<Grpc<Channel>>, message: Bytes) -> Response {
    pass(client, PathAndQuery::from_static("/bench.v1.BenchService/ListReadings"), message).await
}

async fn get_timetable(State(client): State<Grpc<Channel>>, message: Bytes) -> Response {
    pass(client, PathAndQuery::from_static("/bench.v1.BenchService/GetTimetable"), message).await
}

async fn pass(mut client: Grpc<Channel>, method: PathAndQuery, message: Bytes) -> Response {
    match call(&mut client, method, message).await {
        Ok(answer) => answer.into_response(),
        Err(status) => (StatusCode::BAD_GATEWAY, status.to_string()).into_response(),
    }
}

async fn call(client: &mut Grpc<Channel>, method: PathAndQuery, message: Bytes) -> Result<Bytes, Status> {
    client.ready().await.map_err(|failed| Status::unavailable(failed.to_string()))?;
    let answer = client.unary(tonic::Request::new(message), method, BytesCodec).await?;
    Ok(answer.into_inner())
}

/// Messages as the bytes they are.
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
