//! One unary call with messages that are known by their descriptors only.

use axum::http::uri::PathAndQuery;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::Error;

/// A method with all that a call of it needs. A clone copies no text.
#[derive(Clone)]
pub(super) struct Method {
    path: PathAndQuery,
    pub(super) input: MessageDescriptor,
    pub(super) output: MessageDescriptor,
}

impl Method {
    /// The method of this full name, such as `bench.v1.BenchService.GetUser`.
    pub(super) fn find(pool: &DescriptorPool, name: &str) -> Result<Self, Error> {
        let missing = || Error::Missing(name.to_owned());
        let (service, _) = name.rsplit_once('.').ok_or_else(missing)?;
        let service = pool.get_service_by_name(service).ok_or_else(missing)?;
        let method = service.methods().find(|method| method.full_name() == name).ok_or_else(missing)?;
        Self::of(&method).ok_or_else(missing)
    }

    fn of(method: &MethodDescriptor) -> Option<Self> {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        Some(Self { path: path.parse().ok()?, input: method.input(), output: method.output() })
    }

    pub(super) async fn call(
        &self,
        channel: Channel,
        request: DynamicMessage,
    ) -> Result<DynamicMessage, Status> {
        let mut client = Grpc::new(channel);
        client.ready().await.map_err(|failed| Status::unavailable(failed.to_string()))?;
        let codec = Reflected { output: self.output.clone() };
        let answer = client.unary(Request::new(request), self.path.clone(), codec).await?;
        Ok(answer.into_inner())
    }
}

struct Reflected {
    output: MessageDescriptor,
}

impl Codec for Reflected {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Writer;
    type Decoder = Self;

    fn encoder(&mut self) -> Writer {
        Writer
    }

    fn decoder(&mut self) -> Self {
        Self { output: self.output.clone() }
    }
}

struct Writer;

impl Encoder for Writer {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(buffer).map_err(|failed| Status::internal(failed.to_string()))
    }
}

impl Decoder for Reflected {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let message = DynamicMessage::decode(self.output.clone(), buffer);
        message.map(Some).map_err(|failed| Status::internal(failed.to_string()))
    }
}
