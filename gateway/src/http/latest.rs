//! The newest value of a channel, at hand for every request of one worker without a word to the others.
//!
//! Reading a channel takes a lock that all cores share, and cloning what it holds counts in memory that
//! all cores write. Here a worker keeps a count of its own around the value, and asks the channel only
//! whether there is a newer one. Someone has to look when no request comes, or an idle worker would keep
//! an old generation alive: that is `follow`.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// The newest value, as one worker knows it.
#[derive(Debug)]
pub(crate) struct Latest<T> {
    seen: Mutex<Seen<T>>,
}

#[derive(Debug)]
struct Seen<T> {
    receiver: watch::Receiver<T>,
    value: Arc<T>,
}

impl<T: Clone> Latest<T> {
    /// Keeps up with a channel.
    pub(crate) fn of(mut receiver: watch::Receiver<T>) -> Latest<T> {
        let value = Arc::new(receiver.borrow_and_update().clone());
        Latest { seen: Mutex::new(Seen { receiver, value }) }
    }

    /// The newest value. What it returns is counted by this worker alone.
    pub(crate) fn get(&self) -> Arc<T> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Without a sender it cannot be asked, and is read each time: the process is about to end.
        if seen.receiver.has_changed().unwrap_or(true) {
            let value = seen.receiver.borrow_and_update().clone();
            seen.value = Arc::new(value);
        }
        seen.value.clone()
    }

    /// Lets go of each value when a newer one comes; ends with the sender.
    pub(crate) async fn follow(&self) {
        let mut news = self.seen.lock().unwrap_or_else(PoisonError::into_inner).receiver.clone();
        while news.changed().await.is_ok() {
            self.get();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_seen_as_soon_as_it_is_sent() {
        let (sender, receiver) = watch::channel(1);
        let latest = Latest::of(receiver);
        assert_eq!(*latest.get(), 1);
        sender.send_replace(2);
        assert_eq!(*latest.get(), 2);
        drop(sender);
        assert_eq!(*latest.get(), 2);
    }

    #[test]
    fn requests_of_a_worker_share_one_count() {
        let value = Arc::new(());
        let (_sender, receiver) = watch::channel(value.clone());
        let latest = Latest::of(receiver);
        let before = Arc::strong_count(&value);
        let held = [latest.get(), latest.get()];
        assert_eq!(Arc::strong_count(&value), before);
        assert!(Arc::ptr_eq(&held[0], &held[1]));
    }

    #[tokio::test]
    async fn an_idle_worker_lets_go_of_what_is_old() {
        let value = Arc::new(());
        let (sender, receiver) = watch::channel(Some(value.clone()));
        let latest = Latest::of(receiver);
        let replaced = async {
            tokio::task::yield_now().await;
            sender.send_replace(None);
            drop(sender);
        };
        tokio::join!(latest.follow(), replaced);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
