//! One watch of etcd, as replies of ours.
//!
//! etcd tells some things that end a watch inside of it and then goes silent; here they are errors like
//! those that end the connection. What the login is no longer good for makes the next call log in again.

use std::sync::Arc;

use etcd_client::{
    Client, EventType, WatchOptions, WatchRequestSender, WatchResponse, WatchResponseStream, WatchStream,
};
use turnout_control::watch::{Event, Reply};

use super::cluster::{ANSWER_BYTES_MAX, By, Cluster, Twice};
use super::error::{Error, is_about_login};
use super::member::Demand;
use super::range::{after, counted, entry, first, revision};

/// What etcd numbers a reply that belongs to no watch in particular.
const NO_WATCH: i64 = -1;

/// One open watch.
#[derive(Debug)]
pub struct Feed {
    questions: WatchRequestSender,
    replies: WatchResponseStream,
    cluster: Arc<Cluster>,
    by: By,
}

impl Cluster {
    /// Opens a watch of all keys that begin with this, from a revision on.
    pub async fn watch(self: &Arc<Self>, prefix: &str, from: u64) -> Result<Feed, Error> {
        let options = WatchOptions::new()
            .with_range(after(prefix))
            .with_start_revision(revision(from))
            .with_progress_notify();
        let key = first(prefix);
        let work = |client: Client| {
            let mut watch = client.watch_client().max_decoding_message_size(ANSWER_BYTES_MAX);
            let (key, options) = (key.clone(), options.clone());
            async move { watch.watch(key, Some(options)).await }
        };
        let (stream, by) = self.call_by(Demand::Leader, Twice::Harmless, work).await?;
        Ok(Feed::new(stream, self.clone(), by))
    }
}

impl Feed {
    fn new(stream: WatchStream, cluster: Arc<Cluster>, by: By) -> Feed {
        let (questions, replies) = stream.split();
        Feed { questions, replies, cluster, by }
    }

    /// The next reply; `None` when the watch ended without a word. May be given up and called again.
    pub async fn reply(&mut self) -> Result<Option<Reply>, Error> {
        let member = self.cluster.url(self.by);
        let outcome = match self.replies.message().await.map_err(|why| Error::read(member, why)) {
            Ok(None) => return Ok(None),
            Ok(Some(response)) => read(&response),
            Err(error) => Err(error),
        };
        if let Err(error) = &outcome {
            self.cluster.feed_failed(self.by, error);
        }
        outcome.map(Some)
    }

    /// Asks for a sign of life; it comes as `Reply::Alive`.
    pub async fn question(&mut self) -> Result<(), Error> {
        let member = self.cluster.url(self.by);
        self.questions.request_progress().await.map_err(|why| Error::read(member, why))
    }
}

fn read(response: &WatchResponse) -> Result<Reply, Error> {
    let revision = response.header().map_or(0, |header| counted(header.revision()));
    if response.canceled() {
        let reason = response.cancel_reason();
        return match reason {
            _ if response.compact_revision() > 0 => Ok(Reply::Compacted),
            _ if is_about_login(reason) => Err(Error::Login(reason.to_owned())),
            _ if reason.contains("permission denied") => Err(Error::Denied(reason.to_owned())),
            _ => Ok(Reply::Ended(reason.to_owned())),
        };
    }
    if response.created() {
        return Ok(Reply::Created(revision));
    }
    let events: Vec<Event> = response.events().iter().filter_map(event).collect();
    if !events.is_empty() {
        return Ok(Reply::Events(events));
    }
    // The answer to a question goes another way through etcd than events do, and may overtake them there.
    Ok(if response.watch_id() == NO_WATCH { Reply::Alive } else { Reply::Progress(revision) })
}

fn event(event: &etcd_client::Event) -> Option<Event> {
    let pair = event.kv()?;
    Some(match event.event_type() {
        EventType::Put => Event::Put(entry(pair.clone())),
        EventType::Delete => Event::Delete { key: pair.key().to_vec(), at: counted(pair.mod_revision()) },
    })
}
