//! Questions and answers as they go over the wire: gRPC's server reflection, and the metadata service of
//! Kratos, which answers the same questions in another form.
//!
//! Both versions of reflection have the same messages. Answers are a stranger's: any bytes are read without
//! harm, and what is no answer is told as such.

use bytes::Bytes;
use prost::Message;

use super::file::Set;
use super::{Ask, Reply};

/// How much is kept of what a stranger wrote.
const TEXT_CHARS_MAX: usize = 200;

/// gRPC's own code for what is not there.
const NOT_FOUND: i32 = 5;

/// Whom to ask, the likeliest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// `grpc.reflection.v1`.
    V1,
    /// `grpc.reflection.v1alpha`: older servers have only this.
    V1Alpha,
    /// `kratos.api.Metadata`, in services made with Kratos v2.
    Kratos,
}

impl Voice {
    /// All of them, in the order to try.
    pub const ALL: [Voice; 3] = [Voice::V1, Voice::V1Alpha, Voice::Kratos];

    /// The protobuf service.
    pub fn as_str(self) -> &'static str {
        match self {
            Voice::V1 => "grpc.reflection.v1",
            Voice::V1Alpha => "grpc.reflection.v1alpha",
            Voice::Kratos => "kratos.api.Metadata",
        }
    }

    /// The RPC and the request message for a question; `None` when it cannot be asked.
    pub fn request(self, ask: &Ask) -> Option<(&'static str, Bytes)> {
        let path = match (self, ask) {
            (Voice::V1, _) => "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            (Voice::V1Alpha, _) => "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            (Voice::Kratos, Ask::Services) => "/kratos.api.Metadata/ListServices",
            (Voice::Kratos, Ask::Symbol(_)) => "/kratos.api.Metadata/GetServiceDesc",
            (Voice::Kratos, Ask::File(_)) => return None,
        };
        let message = match (self, ask) {
            (Voice::V1 | Voice::V1Alpha, ask) => Request::of(ask).encode_to_vec(),
            (Voice::Kratos, Ask::Services | Ask::File(_)) => Vec::new(),
            (Voice::Kratos, Ask::Symbol(name)) => Name { name: name.clone() }.encode_to_vec(),
        };
        Some((path, message.into()))
    }

    /// What a response message says to a question.
    pub fn reply(self, ask: &Ask, response: Bytes) -> Reply {
        let read = match (self, ask) {
            (Voice::V1 | Voice::V1Alpha, _) => Response::decode(response).map(Response::reply),
            (Voice::Kratos, Ask::Services) => {
                Names::decode(response).map(|names| Reply::Services(names.name))
            }
            (Voice::Kratos, Ask::Symbol(_) | Ask::File(_)) => {
                Described::decode(response).map(|of| Reply::Files(of.set.unwrap_or_default().file))
            }
        };
        read.unwrap_or_else(|error| Reply::Nothing(format!("an answer that cannot be read: {error}")))
    }
}

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, optional, tag = "3")]
    file: Option<String>,
    #[prost(string, optional, tag = "4")]
    symbol: Option<String>,
    #[prost(string, optional, tag = "7")]
    services: Option<String>,
}

impl Request {
    fn of(ask: &Ask) -> Request {
        let mut request = Request::default();
        match ask {
            Ask::Services => request.services = Some("*".to_owned()),
            Ask::Symbol(name) => request.symbol = Some(name.clone()),
            Ask::File(name) => request.file = Some(name.clone()),
        }
        request
    }
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, optional, tag = "4")]
    files: Option<Set>,
    #[prost(message, optional, tag = "6")]
    services: Option<Listed>,
    #[prost(message, optional, tag = "7")]
    error: Option<Refused>,
}

impl Response {
    fn reply(self) -> Reply {
        match (self.files, self.services, self.error) {
            (Some(files), _, _) => Reply::Files(files.file),
            (None, Some(listed), _) => {
                Reply::Services(listed.service.into_iter().map(|service| service.name).collect())
            }
            (None, None, Some(refused)) if refused.code == NOT_FOUND => {
                Reply::Nothing("not found".to_owned())
            }
            (None, None, Some(refused)) => {
                let text: String = refused.message.chars().take(TEXT_CHARS_MAX).collect();
                Reply::Nothing(format!("code {}, {text:?}", refused.code))
            }
            (None, None, None) => Reply::Nothing("an empty answer".to_owned()),
        }
    }
}

#[derive(Clone, PartialEq, Message)]
struct Listed {
    #[prost(message, repeated, tag = "1")]
    service: Vec<Name>,
}

#[derive(Clone, PartialEq, Message)]
struct Name {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Refused {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[derive(Clone, PartialEq, Message)]
struct Names {
    #[prost(string, repeated, tag = "1")]
    name: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Described {
    #[prost(message, optional, tag = "1")]
    set: Option<Set>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn a_question_for_services_is_not_lost_because_it_names_none() {
        let (path, message) = Voice::V1.request(&Ask::Services).unwrap();
        assert_eq!(path, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
        assert_eq!(&message[..], b"\x3a\x01*");
        let (path, message) = Voice::Kratos.request(&Ask::Symbol("shop.v1.Shop".into())).unwrap();
        assert_eq!(path, "/kratos.api.Metadata/GetServiceDesc");
        assert_eq!(&message[..], b"\x0a\x0cshop.v1.Shop");
        assert_eq!(Voice::Kratos.request(&Ask::File("a.proto".into())), None);
    }

    #[test]
    fn every_kind_of_answer_is_told_apart() {
        let said = |bytes: &'static [u8]| Voice::V1.reply(&Ask::Services, Bytes::from_static(bytes));
        assert_eq!(said(b"\x32\x05\x0a\x03\x0a\x01a"), Reply::Services(vec!["a".into()]));
        assert_eq!(said(b"\x22\x03\x0a\x01x"), Reply::Files(vec![Bytes::from_static(b"x")]));
        assert_eq!(said(b"\x3a\x02\x08\x05"), Reply::Nothing("not found".into()));
        assert_eq!(said(b"\x3a\x05\x08\x02\x12\x01!"), Reply::Nothing("code 2, \"!\"".into()));
        assert_eq!(said(b""), Reply::Nothing("an empty answer".into()));
        assert!(matches!(said(b"\xff"), Reply::Nothing(_)));
        let described =
            Voice::Kratos.reply(&Ask::Symbol("a".into()), Bytes::from_static(b"\x0a\x03\x0a\x01x"));
        assert_eq!(described, Reply::Files(vec![Bytes::from_static(b"x")]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            for voice in Voice::ALL {
                for ask in [Ask::Services, Ask::Symbol("a".into())] {
                    let _ = voice.reply(&ask, bytes.clone().into());
                }
            }
        }
    }
}
