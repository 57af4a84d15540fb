//! The bytes of messages, whole and broken, and of the frames that gRPC puts around them.

use std::sync::LazyLock;

use bytes::Bytes;
use prost::Message;

/// What every RPC of every service answers: `faults.v1.Thing`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Thing {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(int32, tag = "2")]
    pub(crate) count: i32,
    #[prost(message, optional, tag = "3")]
    pub(crate) part: Option<Part>,
    #[prost(string, repeated, tag = "4")]
    pub(crate) tags: Vec<String>,
    /// 0 is UNSPECIFIED, 1 is FINE.
    #[prost(int32, tag = "5")]
    pub(crate) kind: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Part {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

/// The largest message that a gateway takes.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// A number that no field has.
const STRANGER: u8 = 15;

pub(crate) fn thing() -> Thing {
    Thing {
        name: "fine".to_owned(),
        count: 7,
        part: Some(Part { text: "deep".to_owned() }),
        tags: vec!["a".to_owned(), "b".to_owned()],
        kind: 1,
    }
}

/// A message in its frame.
pub(super) fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

pub(super) fn good() -> Bytes {
    frame(&thing().encode_to_vec())
}

/// A good message of more than 200 bytes.
pub(super) fn long() -> Bytes {
    frame(&Thing { name: "x".repeat(200), ..thing() }.encode_to_vec())
}

/// The first bytes of a frame that goes on.
pub(super) fn half() -> Bytes {
    good().slice(..good().len() / 2)
}

pub(super) fn twice() -> Bytes {
    [good(), good()].concat().into()
}

pub(super) fn length_4gib() -> Bytes {
    [&[0, 0xff, 0xff, 0xff, 0xff], &thing().encode_to_vec()[..]].concat().into()
}

/// Shared by all calls, because tests measure the memory of this process.
pub(super) fn huge() -> Bytes {
    static HUGE: LazyLock<Bytes> = LazyLock::new(|| {
        let name = "x".repeat(MESSAGE_BYTES_MAX);
        frame(&Thing { name, ..thing() }.encode_to_vec())
    });
    HUGE.clone()
}

pub(super) fn compressed() -> Bytes {
    let mut bytes = good().to_vec();
    bytes[0] = 1;
    bytes.into()
}

pub(super) fn truncated() -> Bytes {
    let message = thing().encode_to_vec();
    // Inside of the last text, so that its length leads past the end.
    frame(&message[..message.len() - 3])
}

pub(super) fn garbage() -> Bytes {
    // A tag of eleven bytes, which there is not.
    frame(&[0xff; 64])
}

pub(super) fn deep() -> Bytes {
    let mut message = thing().encode_to_vec();
    let start_of_group = STRANGER << 3 | 3;
    message.resize(message.len() + 100_000, start_of_group);
    frame(&message)
}

pub(super) fn invalid_utf8() -> Bytes {
    let name = [&[1 << 3 | 2, 4], &b"\xff\xfe\xc0\x80"[..]].concat();
    let rest = Thing { name: String::new(), ..thing() }.encode_to_vec();
    frame(&[name, rest].concat())
}

pub(super) fn wrong_types() -> Bytes {
    let name_as_number = [1 << 3, 5];
    let count_as_text = [2 << 3 | 2, 1, b'7'];
    let part_as_fixed32 = [3 << 3 | 5, 1, 2, 3, 4];
    let tags_as_fixed64 = [4 << 3 | 1, 1, 2, 3, 4, 5, 6, 7, 8];
    frame(&[&name_as_number[..], &count_as_text, &part_as_fixed32, &tags_as_fixed64].concat())
}

pub(super) fn unknown_enum() -> Bytes {
    frame(&Thing { kind: 4711, ..thing() }.encode_to_vec())
}
