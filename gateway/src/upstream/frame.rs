//! Messages on the wire: five bytes, a flag and the length, and then the message.
//!
//! What is sent is never copied together: `Outbound` shows HTTP/2 the five bytes and the message behind
//! them. What arrives is copied only when a message was cut in pieces; one that lies in a single frame of
//! HTTP/2 is a slice of it. A length is believed after it was compared with the limit, and memory is taken
//! as bytes arrive, not as they are announced.

use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// The flag of compression, and the length in four bytes.
const HEAD_BYTES: usize = 5;

/// What is taken at once for a message that arrives in pieces: one frame of HTTP/2 at its largest. More
/// follows as it is needed.
const RESERVE_BYTES: usize = 64 * 1024;

/// A request message in its frame.
#[derive(Debug)]
pub(super) struct Outbound {
    head: [u8; HEAD_BYTES],
    /// How much of `head` is sent.
    sent: usize,
    message: Bytes,
}

impl Outbound {
    /// Frames a message, uncompressed; `None` when its length has no room in four bytes.
    pub(super) fn new(message: Bytes) -> Option<Outbound> {
        let [a, b, c, d] = u32::try_from(message.len()).ok()?.to_be_bytes();
        Some(Outbound { head: [0, a, b, c, d], sent: 0, message })
    }
}

impl Buf for Outbound {
    fn remaining(&self) -> usize {
        HEAD_BYTES - self.sent + self.message.len()
    }

    fn chunk(&self) -> &[u8] {
        if self.sent < HEAD_BYTES { &self.head[self.sent..] } else { &self.message }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = [&self.head[self.sent..], &self.message[..]];
        let mut filled = 0;
        for (slice, part) in slices.iter_mut().zip(parts.into_iter().filter(|part| !part.is_empty())) {
            *slice = IoSlice::new(part);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        let of_head = count.min(HEAD_BYTES - self.sent);
        self.sent += of_head;
        self.message.advance(count - of_head);
    }
}

/// Why what arrives is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// The flag is set, and nothing but identity was announced.
    #[error("a message came compressed, which was not asked for")]
    Compressed,
    /// The flag is neither 0 nor 1.
    #[error("a message began with {0}, which is no flag of gRPC")]
    Flag(u8),
    /// It is longer than what is taken. Nothing of it was kept.
    #[error("a message of {bytes} bytes came, and {bytes_max} are taken")]
    TooLong { bytes: usize, bytes_max: usize },
}

/// Cuts what arrives into messages.
pub(super) struct Frames {
    bytes_max: usize,
    /// What has arrived and belongs to no message yet.
    rest: Bytes,
    head: [u8; HEAD_BYTES],
    /// How much of `head` is there.
    head_bytes: usize,
    /// The beginning of the message whose `head` is complete, when it did not arrive in one piece.
    partial: BytesMut,
}

impl Frames {
    /// Takes messages of up to `bytes_max` bytes.
    pub(super) fn new(bytes_max: usize) -> Frames {
        Frames {
            bytes_max,
            rest: Bytes::new(),
            head: [0; HEAD_BYTES],
            head_bytes: 0,
            partial: BytesMut::new(),
        }
    }

    /// Adds what arrived. To be called after `next` had nothing more.
    pub(super) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.rest.is_empty());
        self.rest = chunk;
    }

    /// The bytes that arrived and have not been looked at.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.rest.len()
    }

    /// Whether the last message is not all there.
    pub(super) fn is_cut(&self) -> bool {
        self.head_bytes > 0 || !self.rest.is_empty()
    }

    /// The next message that is complete; `None` when more must arrive first.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        if self.head_bytes < HEAD_BYTES {
            let count = self.rest.len().min(HEAD_BYTES - self.head_bytes);
            self.head[self.head_bytes..self.head_bytes + count].copy_from_slice(&self.rest[..count]);
            self.rest.advance(count);
            self.head_bytes += count;
            if self.head_bytes < HEAD_BYTES {
                return Ok(None);
            }
        }
        let bytes = self.length()?;
        if self.partial.is_empty() && self.rest.len() >= bytes {
            self.head_bytes = 0;
            return Ok(Some(self.rest.split_to(bytes)));
        }
        let count = self.rest.len().min(bytes - self.partial.len());
        if self.partial.capacity() == 0 {
            self.partial.reserve(bytes.min(RESERVE_BYTES));
        }
        self.partial.extend_from_slice(&self.rest[..count]);
        self.rest.advance(count);
        if self.partial.len() < bytes {
            return Ok(None);
        }
        self.head_bytes = 0;
        Ok(Some(std::mem::take(&mut self.partial).freeze()))
    }

    /// The length of the message that has begun, when it may be taken.
    fn length(&self) -> Result<usize, Broken> {
        let [flag, a, b, c, d] = self.head;
        match flag {
            0 => {}
            1 => return Err(Broken::Compressed),
            flag => return Err(Broken::Flag(flag)),
        }
        let bytes = u32::from_be_bytes([a, b, c, d]) as usize;
        if bytes > self.bytes_max {
            return Err(Broken::TooLong { bytes, bytes_max: self.bytes_max });
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
        let mut wire = Vec::new();
        for message in messages {
            let mut frame = Outbound::new(Bytes::copy_from_slice(message)).unwrap();
            wire.extend_from_slice(&frame.copy_to_bytes(frame.remaining()));
        }
        wire
    }

    fn cut(wire: &[u8], piece: usize, bytes_max: usize) -> Result<Vec<Vec<u8>>, Broken> {
        let mut frames = Frames::new(bytes_max);
        let mut messages = Vec::new();
        for chunk in wire.chunks(piece) {
            frames.push(Bytes::copy_from_slice(chunk));
            while let Some(message) = frames.next()? {
                messages.push(message.to_vec());
            }
        }
        assert!(!frames.is_cut());
        Ok(messages)
    }

    proptest! {
        #[test]
        fn messages_survive_being_cut_anywhere(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..5),
            piece in 1_usize..400,
        ) {
            prop_assert_eq!(cut(&framed(&messages), piece, 300), Ok(messages));
        }

        #[test]
        fn a_frame_is_the_same_however_it_is_read(message in proptest::collection::vec(any::<u8>(), 0..40), step in 1_usize..9) {
            let whole = framed(std::slice::from_ref(&message));
            let mut frame = Outbound::new(message.into()).unwrap();
            let mut read = Vec::new();
            while frame.has_remaining() {
                let mut slices = [IoSlice::new(&[]), IoSlice::new(&[])];
                let filled = frame.chunks_vectored(&mut slices);
                let shown: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
                prop_assert_eq!(&shown, &whole[read.len()..]);
                let count = step.min(frame.chunk().len());
                read.extend_from_slice(&frame.chunk()[..count]);
                frame.advance(count);
            }
            prop_assert_eq!(read, whole);
        }
    }

    #[test]
    fn a_message_in_one_piece_is_not_copied() {
        let chunk = Bytes::from(framed(&[b"first".to_vec(), b"second".to_vec()]));
        let mut frames = Frames::new(100);
        frames.push(chunk.clone());
        assert_eq!(frames.next().unwrap().unwrap().as_ptr(), chunk[5..].as_ptr());
        assert_eq!(frames.waiting_bytes(), 11);
        assert_eq!(frames.next().unwrap().unwrap().as_ptr(), chunk[15..].as_ptr());
        assert_eq!(frames.next(), Ok(None));
    }

    #[test]
    fn what_is_no_message_is_refused_by_its_head() {
        let head = |bytes: [u8; 5]| cut(&bytes, 5, 100);
        assert_eq!(head([1, 0, 0, 0, 1]), Err(Broken::Compressed));
        assert_eq!(head([60, 0, 0, 0, 1]), Err(Broken::Flag(60)));
        assert_eq!(head([0, 0, 0, 0, 101]), Err(Broken::TooLong { bytes: 101, bytes_max: 100 }));
        let all = Err(Broken::TooLong { bytes: u32::MAX as usize, bytes_max: 100 });
        assert_eq!(head([0, 255, 255, 255, 255]), all);
    }

    #[test]
    fn memory_is_taken_as_bytes_arrive() {
        let mut frames = Frames::new(usize::MAX);
        frames.push(Bytes::from_static(&[0, 255, 255, 255, 255, 7]));
        assert_eq!(frames.next(), Ok(None));
        assert!(frames.partial.capacity() <= 2 * RESERVE_BYTES);
        assert!(frames.is_cut());
    }
}
