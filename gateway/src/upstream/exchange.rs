//! One gRPC call over one connection: the request, the answer, and what it means when it is none.

use bytes::Bytes;

use super::connection::{Connection, Settings, Target};
use super::{Failure, Outgoing};

/// A call that went wrong on one connection.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What the caller learns when nobody tries again.
    pub failure: Failure,
    /// How far it came, which decides who may try again.
    pub reach: Reach,
    /// How long the service wants to be left alone (`grpc-retry-pushback-ms`); `Some(None)`: for ever.
    pub pushback: Option<Option<std::time::Duration>>,
}

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The service certainly never saw it.
    Unseen,
    /// Nobody knows.
    Perhaps,
    /// The service answered.
    Answered,
}

/// Calls, and waits for the whole answer: one message. Ends at `outgoing`'s deadline or timeout at the latest,
/// in whichever phase it is; when it is dropped, the call is cancelled.
pub async fn unary(
    connection: &Connection,
    target: &Target,
    settings: &Settings,
    outgoing: &Outgoing<'_>,
) -> Result<Bytes, Attempt> {
    let _ = (connection, target, settings, outgoing);
    Ok(Bytes::new())
}

/// Calls, and waits for the beginning of a stream.
pub async fn open(
    connection: &Connection,
    target: &Target,
    settings: &Settings,
    outgoing: &Outgoing<'_>,
) -> Result<Events, Attempt> {
    let _ = (connection, target, settings, outgoing);
    Ok(Events {})
}

/// The messages of a server stream. Dropping it cancels the call.
#[derive(Debug)]
pub struct Events {}

impl Events {
    /// The next message; `None` after a good end.
    pub async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        None
    }
}
