//! Follows one order: what it is now, then every change, until it is delivered or cancelled.
//!
//! The order is looked at when somebody cancels any, and once a second, because the ones that move by
//! themselves do so by age. The stream ends when the caller goes away or the service stops.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::watch;
use tonic::Status;

use super::Orders;
use crate::clock;
use crate::contract::shop::orders::v1::{Order, OrderStatus, WatchOrderResponse};

/// Where a follower stands.
struct Follower {
    orders: Orders,
    id: i64,
    nudged: watch::Receiver<()>,
    sequence: u32,
    seen: Option<OrderStatus>,
}

pub(super) fn stream(orders: Orders, id: i64) -> BoxStream<'static, Result<WatchOrderResponse, Status>> {
    let nudged = orders.shared.nudge.subscribe();
    let follower = Follower { orders, id, nudged, sequence: 0, seen: None };
    stream::unfold(follower, |mut follower| async {
        let event = follower.next().await?;
        Some((event, follower))
    })
    .boxed()
}

impl Follower {
    /// The next event; none when there will be no more.
    async fn next(&mut self) -> Option<Result<WatchOrderResponse, Status>> {
        loop {
            if matches!(self.seen, Some(OrderStatus::Delivered | OrderStatus::Cancelled)) {
                return None;
            }
            self.nudged.mark_unchanged();
            let order = self.orders.order(self.id)?;
            if self.seen != Some(order.status()) {
                return Some(Ok(self.event(order)));
            }
            let stop = self.orders.shared.stop.clone();
            tokio::select! {
                () = stop.cancelled() => return Some(Err(Status::unavailable("this instance is stopping"))),
                _ = self.nudged.changed() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    fn event(&mut self, order: Order) -> WatchOrderResponse {
        self.sequence += 1;
        self.seen = Some(order.status());
        let message = match order.status() {
            OrderStatus::Unspecified => "Something happened to the order.",
            OrderStatus::Placed => "We have received the order.",
            OrderStatus::Paid => "The payment has arrived.",
            OrderStatus::Shipped => "The parcel is on its way.",
            OrderStatus::Delivered => "The parcel was delivered.",
            OrderStatus::Cancelled => "The order was cancelled.",
        };
        WatchOrderResponse {
            sequence: self.sequence,
            order: Some(order),
            message: message.to_owned(),
            happened_at: Some(clock::now()),
        }
    }
}
