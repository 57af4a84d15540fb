//! What the embedded store does that others need not.

use super::*;
use crate::registry::contract;

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_keeps_the_contract() {
    let directories = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    contract::check(async || {
        let at = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let directory = directories.path().join(at.to_string());
        alone(&directory, Clock::start(), Duration::from_secs(60)).unwrap()
    })
    .await;
}
