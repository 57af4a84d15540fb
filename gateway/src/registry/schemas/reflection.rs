//! Asks an instance to describe itself.
//!
//! What is asked, and what the answers mean, is `turnout_schema::reflect`'s; here questions are carried, over
//! a connection of their own that is made like every connection to a service: only to networks that are
//! allowed, with the same TLS. Each question is one call with its own end, so that it is the end of a stream
//! that tells, and not its beginning. A server that knows none of the services that describe may say so in
//! many ways; it is asked for the next one after any of them. All of it ends after twenty seconds.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::uri::PathAndQuery;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tonic::Code;
use turnout_control::registry::Endpoint;
use turnout_schema::graph::Safety;
use turnout_schema::reflect::{Ask, Assembled, Assembly, Bundle, Error as Unfit, Reply, Step, Voice};
use turnout_schema::subgraph::descriptors::BYTES_MAX;

use super::schedule::Class;
use crate::upstream::connection::{Connection, Settings, Target};
use crate::upstream::{Failure, Origin, Outgoing, code_name, exchange};

/// The longest that one question may take.
const CALL: Duration = Duration::from_secs(5);

/// The longest that all questions to one instance may take.
const FETCH: Duration = Duration::from_secs(20);

/// How long the end of a stream is waited for when its answer is there.
const END: Duration = Duration::from_millis(250);

/// How much is kept of what a stranger wrote.
const TEXT_CHARS_MAX: usize = 200;

/// What asking takes.
#[derive(Clone, Debug)]
pub struct Asker {
    connection: Settings,
    tls: Arc<rustls::ClientConfig>,
    bundle: Arc<Bundle>,
    /// Where connections are driven.
    tasks: TaskTracker,
}

/// What an instance said of itself.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) assembled: Assembled,
    pub(super) voice: Voice,
}

/// Why an instance was not described. All but the first are by the instance.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{0} is no address that can be called")]
    Address(String),
    #[error("{0}")]
    Unreached(String),
    #[error("{}", .0.join("; "))]
    Absent(Vec<String>),
    #[error("{}: {}", .0.as_str(), .1)]
    Unfit(Voice, Unfit),
}

impl Error {
    /// When it is worth asking again.
    pub(super) fn class(&self) -> Class {
        match self {
            Error::Unreached(_) => Class::Unreached,
            Error::Address(_) | Error::Absent(_) => Class::Absent,
            Error::Unfit(..) => Class::Unusable,
        }
    }
}

/// How a conversation failed.
enum Mute {
    /// This service is not there, or cannot be used.
    Deaf(String),
    /// Nobody answers.
    Unreached(String),
    /// What it said cannot be used.
    Unfit(Unfit),
}

impl Asker {
    /// One that connects as services are connected to.
    pub fn new(connection: Settings, tls: Arc<rustls::ClientConfig>, tasks: TaskTracker) -> Asker {
        let bundle = Arc::new(Bundle::read(turnout_proto::WELL_KNOWN_DESCRIPTORS));
        // A set comes as one message, and is larger than answers of services are.
        let connection = Settings { message_bytes_max: BYTES_MAX + (64 << 10), ..connection };
        Asker { connection, tls, bundle, tasks }
    }

    /// Asks for the descriptors of these services, or of all that the instance lists when there are none.
    pub(super) async fn ask(&self, endpoint: &Endpoint, wanted: &[String]) -> Result<Described, Error> {
        let late = |_| Err(Error::Unreached(format!("no end after {} s", FETCH.as_secs())));
        timeout(FETCH, self.fetch(endpoint, wanted)).await.unwrap_or_else(late)
    }

    async fn fetch(&self, endpoint: &Endpoint, wanted: &[String]) -> Result<Described, Error> {
        let target = Target::of(endpoint, &self.tls).ok_or_else(|| Error::Address(endpoint.url()))?;
        let mut connection = self.open(&target).await?;
        let (mut deaf, mut unreached) = (Vec::new(), None);
        for voice in Voice::ALL {
            // Some servers hang up on who calls what they do not know.
            if !connection.is_usable() {
                connection = self.open(&target).await?;
            }
            let said = |text: String| format!("{}: {text}", voice.as_str());
            match self.converse(&connection, &target, voice, wanted).await {
                Ok(assembled) => return Ok(Described { assembled, voice }),
                Err(Mute::Deaf(text)) => deaf.push(said(text)),
                Err(Mute::Unreached(text)) => unreached = Some(said(text)),
                Err(Mute::Unfit(unfit)) => return Err(Error::Unfit(voice, unfit)),
            }
        }
        match unreached {
            Some(text) if deaf.is_empty() => Err(Error::Unreached(text)),
            Some(_) | None => Err(Error::Absent(deaf)),
        }
    }

    async fn open(&self, target: &Target) -> Result<Connection, Error> {
        let opened = Connection::open(target, &self.connection, &self.tasks).await;
        opened.map_err(|failure| Error::Unreached(text(&failure)))
    }

    async fn converse(
        &self,
        connection: &Connection,
        target: &Target,
        voice: Voice,
        wanted: &[String],
    ) -> Result<Assembled, Mute> {
        let mut assembly = Assembly::new(self.bundle.clone(), wanted.to_vec());
        let (mut answers, mut answered) = (0_u32, None);
        loop {
            let step;
            (assembly, step) = advance(assembly, voice, answered).await?;
            let ask = match step {
                Step::Ask(ask) => ask,
                Step::Done(assembled) => return Ok(assembled),
                Step::Failed(Unfit::NotListed(said)) => return Err(Mute::Deaf(said)),
                Step::Failed(unfit) => return Err(Mute::Unfit(unfit)),
            };
            let said = match voice.request(&ask) {
                None => Said::Known(Reply::Nothing("it cannot be asked for files".to_owned())),
                Some((path, message)) => match self.call(connection, target, path, message).await {
                    Ok(response) => Said::Unread(response),
                    Err(failure) if answers == 0 && !is_answer(&ask, &failure) => return Err(mute(&failure)),
                    Err(failure) => Said::Known(nothing(&ask, failure)?),
                },
            };
            answers += 1;
            answered = Some((ask, said));
        }
    }

    /// One question, one answer. An answer counts however its stream ends.
    async fn call(
        &self,
        connection: &Connection,
        target: &Target,
        path: &'static str,
        message: Bytes,
    ) -> Result<Bytes, Failure> {
        let deadline = Instant::now() + CALL;
        let path = PathAndQuery::from_static(path);
        let metadata = HeaderMap::new();
        let safety = Safety::ReadOnly;
        let outgoing =
            Outgoing { path: &path, message, metadata: &metadata, safety, deadline, timeout: None };
        let opened = exchange::open(connection, target, &self.connection, &outgoing).await;
        let mut events = opened.map_err(|attempt| attempt.failure)?;
        let answer = match timeout_at(deadline, events.next()).await {
            Ok(Some(answer)) => answer?,
            Ok(None) => return Err(failure(Code::Unimplemented, "it ended without an answer")),
            Err(_) => return Err(failure(Code::DeadlineExceeded, "no answer in 5 s")),
        };
        // A stream that is left early looks to its server like a caller who gave up.
        let _ = timeout(END, events.next()).await;
        Ok(answer)
    }
}

/// An answer.
enum Said {
    /// The message that came.
    Unread(Bytes),
    /// What it means.
    Known(Reply),
}

/// Takes up an answer, and finds what comes next. What a stranger sent may take long to read, so it is not read
/// where calls and heartbeats wait for it.
async fn advance(
    mut assembly: Assembly,
    voice: Voice,
    answered: Option<(Ask, Said)>,
) -> Result<(Assembly, Step), Mute> {
    let work = move || {
        if let Some((ask, said)) = answered {
            let reply = match said {
                Said::Unread(response) => voice.reply(&ask, response),
                Said::Known(reply) => reply,
            };
            assembly.take(&ask, reply);
        }
        let step = assembly.step();
        (assembly, step)
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Mute::Deaf(format!("what it said cannot be read: {error}")))
}

/// Whether it is the service that is asked who says that it does not know a symbol.
fn is_answer(ask: &Ask, failure: &Failure) -> bool {
    let of_service = failure.origin == Origin::Service && failure.code == Code::NotFound;
    of_service && matches!(ask, Ask::Symbol(_) | Ask::File(_))
}

/// What it means that the first question failed. Whoever answers at all, whatever it is, has no such service:
/// frameworks differ in how they say so, and some do with codes that gRPC does not have.
fn mute(failure: &Failure) -> Mute {
    match failure.origin {
        Origin::Service | Origin::Answer => Mute::Deaf(text(failure)),
        // Some answer an unknown service by resetting the stream or hanging up.
        Origin::Connection if failure.code != Code::DeadlineExceeded => Mute::Deaf(text(failure)),
        Origin::Connection | Origin::Nobody | Origin::Deadline | Origin::Overload => {
            Mute::Unreached(text(failure))
        }
    }
}

/// Some servers say by a status what others say by an answer: that they do not have it.
fn nothing(ask: &Ask, failure: Failure) -> Result<Reply, Mute> {
    match failure.origin {
        Origin::Service => Ok(Reply::Nothing(text(&failure))),
        Origin::Answer | Origin::Connection | Origin::Nobody | Origin::Deadline | Origin::Overload => Err(
            Mute::Unreached(format!("{ask:?}: {}", text(&failure)).chars().take(TEXT_CHARS_MAX).collect()),
        ),
    }
}

fn failure(code: Code, message: &str) -> Failure {
    Failure { code, message: message.to_owned(), details: Bytes::new(), origin: Origin::Answer }
}

/// What is told of a failure: a stranger may have written it.
fn text(failure: &Failure) -> String {
    let message: String = failure.message.chars().take(TEXT_CHARS_MAX).collect();
    match message.as_str() {
        "" => code_name(failure.code).to_owned(),
        message => format!("{} ({message})", code_name(failure.code)),
    }
}
