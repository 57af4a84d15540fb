//! Which stored descriptors are not needed any more, and how many there may be.
//!
//! Descriptors are needed by an instance that names them, by whatever serves or would serve, and by what
//! operators decided. What nobody has needed for a day may go. Since when that is so is a record, so that a
//! gateway that takes over goes on where the last one stopped. What cannot be read counts as a need: unknown
//! never means unused. Nothing is removed here.

use turnout_schema::Digest;

/// How much one store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// How many descriptor sets.
    pub sets: u64,
    /// How many bytes they have together.
    pub bytes: u64,
}

/// What every store has room for: a token that may register must not fill a disk. Ten thousand sets are a
/// new version every ten minutes for ten weeks in which nothing went.
pub const ROOM: Room = Room { sets: 10_000, bytes: 4 << 30 };

/// There is no room for more descriptors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{digest} has no room: {} descriptor sets with {} bytes are stored, and there is room for {} with {} bytes",
    .held.sets, .held.bytes, .room.sets, .room.bytes
)]
pub struct Full {
    /// What was to be stored.
    pub digest: Digest,
    /// What is stored.
    pub held: Room,
    /// What may be.
    pub room: Room,
}

impl Full {
    /// The way out.
    pub fn help(&self) -> String {
        "Descriptors that no instance, policy or best version refers to for 24 hours are removed by \
         themselves. Give a version its own descriptors once, not with every build."
            .to_owned()
    }
}

impl Room {
    /// Whether there is room for one more set of so many bytes beside what is held.
    pub fn admit(self, held: Room, digest: Digest, bytes: u64) -> Result<(), Full> {
        if held.sets < self.sets && held.bytes.saturating_add(bytes) <= self.bytes {
            return Ok(());
        }
        Err(Full { digest, held, room: self })
    }
}
