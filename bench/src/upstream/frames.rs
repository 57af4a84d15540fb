//! Answers as gRPC frames, ready to be sent: single objects, batches by key, lists by length.
//!
//! Concatenated protobuf messages merge, and repeated fields append: a response with many items is the
//! responses with one item each, one after the other. A frame is made once, when it is first asked for,
//! but for batches, whose keys are any.

use std::collections::HashMap;
use std::sync::OnceLock;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use tonic::Code;

/// A gRPC message is preceded by one byte of flags and four of length.
pub(super) const FRAME_HEAD: usize = 5;

/// Whole answers by id.
pub(super) struct Single {
    frames: HashMap<i64, Bytes>,
}

impl Single {
    pub(super) fn new(answers: impl Iterator<Item = (i64, impl Message)>) -> Self {
        Self { frames: answers.map(|(id, answer)| (id, frame(&answer.encode_to_vec()))).collect() }
    }

    pub(super) fn get(&self, id: i64) -> Result<Bytes, Code> {
        self.frames.get(&id).cloned().ok_or(Code::NotFound)
    }
}

/// Answers with one item each, by id.
pub(super) struct Batch {
    entries: HashMap<i64, Vec<u8>>,
}

impl Batch {
    pub(super) fn new(answers: impl Iterator<Item = (i64, impl Message)>) -> Self {
        Self { entries: answers.map(|(id, answer)| (id, answer.encode_to_vec())).collect() }
    }

    /// The answer with the items of these ids; unknown ones are left out.
    pub(super) fn get(&self, ids: &[i64]) -> Bytes {
        let found: Vec<u8> = ids.iter().filter_map(|id| self.entries.get(id)).flatten().copied().collect();
        frame(&found)
    }
}

/// The answer with all items, and where each ends.
pub(super) struct List {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The framed answer by the number of its items.
    frames: Vec<OnceLock<Bytes>>,
}

impl List {
    /// From answers with one item each.
    pub(super) fn new(answers: impl Iterator<Item = impl Message>) -> Self {
        let mut bytes = Vec::new();
        let mut ends = vec![0];
        for answer in answers {
            bytes.extend(answer.encode_to_vec());
            ends.push(bytes.len());
        }
        let frames = ends.iter().map(|_| OnceLock::new()).collect();
        Self { bytes, ends, frames }
    }

    /// The answer with so many items, or with all where there are fewer.
    pub(super) fn first(&self, limit: i32) -> Bytes {
        let limit = usize::try_from(limit).unwrap_or(0).min(self.frames.len() - 1);
        self.frames[limit].get_or_init(|| frame(&self.bytes[..self.ends[limit]])).clone()
    }
}

/// Puts a message into a frame.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(FRAME_HEAD + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("the world is far below 4 GiB"));
    framed.put_slice(message);
    framed.freeze()
}
