//! `shop.orders.v1`: orders, and what happens to them.
//!
//! An order that a caller places moves on by itself, as a function of its age: see [`status_at`].
//! Orders of the world stand still until somebody cancels them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::stream::BoxStream;
use prost_types::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::page::Page;
use super::problem::{check_batch, invalid, not_found, not_now};
use super::{KEPT_MAX, limit, lock};
use crate::clock;
use crate::contract::shop::orders::v1::orders_service_server::OrdersService;
use crate::contract::shop::orders::v1::{
    BatchGetOrdersRequest, BatchGetOrdersResponse, CancelOrderRequest, CancelOrderResponse, GetOrderRequest,
    GetOrderResponse, ListOrdersByUsersRequest, ListOrdersByUsersResponse, ListOrdersRequest,
    ListOrdersResponse, Order, OrderItem, OrderStatus, PlaceOrderItem, PlaceOrderRequest, PlaceOrderResponse,
    WatchOrderRequest, WatchOrderResponse, order, place_order_request,
};
use crate::world::{Index, ORDERS, PRODUCTS, USERS, World, euros, product_id, product_number, user_number};

mod follow;

/// What shipping costs: all that orders 2.2 changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shipping {
    /// Always the same; before 2.2.
    Flat,
    /// Free from [`FREE_FROM_CENTS`] on; since 2.2.
    FreeForLargeOrders,
}

const SHIPPING_CENTS: u64 = 490;
const FREE_FROM_CENTS: u64 = 10_000;

/// The orders.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    world: World,
    shipping: Shipping,
    by_user: Index,
    changes: Mutex<Changes>,
    /// Changes whenever an order is cancelled, to wake those who follow one.
    nudge: watch::Sender<()>,
    stop: CancellationToken,
}

/// What callers did.
#[derive(Debug, Default)]
struct Changes {
    placed: BTreeMap<i64, Order>,
    cancelled: BTreeMap<i64, Timestamp>,
    last: i64,
}

impl Orders {
    pub(crate) fn new(world: World, shipping: Shipping, stop: CancellationToken) -> Self {
        let by_user = Index::new(USERS, ORDERS, |number| world.buyer(number));
        let changes = Mutex::new(Changes { last: i64::from(ORDERS), ..Changes::default() });
        let nudge = watch::Sender::new(());
        Self { shared: Arc::new(Shared { world, shipping, by_user, changes, nudge, stop }) }
    }

    fn order(&self, id: i64) -> Option<Order> {
        let changes = lock(&self.shared.changes);
        let mut order = match changes.placed.get(&id) {
            Some(placed) => Order { status: status_at(age_seconds(placed)).into(), ..placed.clone() },
            None => self.past(id)?,
        };
        if let Some(at) = changes.cancelled.get(&id) {
            order.set_status(OrderStatus::Cancelled);
            order.cancelled_at = Some(*at);
        }
        Some(order)
    }

    /// An order of the world.
    fn past(&self, id: i64) -> Option<Order> {
        let world = self.shared.world;
        let number = u32::try_from(id).ok().filter(|number| (1..=ORDERS).contains(number))?;
        let facts = world.order(number);
        let person = world.person(facts.user);
        let (coupon_code, note, labels) = world.extras(number);
        let lines: Vec<_> = facts.items.iter().map(|line| (line.product, line.quantity)).collect();
        let (items, total, shipping) = self.priced(&lines);
        let cancelled = facts.status == OrderStatus::Cancelled;
        let later = Timestamp { seconds: facts.placed_at.seconds + 3600, nanos: 0 };
        Some(Order {
            id,
            user_id: facts.user.to_string(),
            status: facts.status.into(),
            items,
            total: Some(euros(total)),
            shipping: Some(euros(shipping)),
            placed_at: Some(facts.placed_at),
            cancelled_at: cancelled.then_some(later),
            address: Some(person.address()),
            payment: Some(world.payment(number)),
            coupon_code,
            note,
            labels,
        })
    }

    /// Lines with their prices, the total and the shipping in cents.
    fn priced(&self, lines: &[(u32, u32)]) -> (Vec<OrderItem>, u64, u64) {
        let mut sum = 0;
        let items = lines.iter().map(|(product, quantity)| {
            let cents = self.shared.world.product(*product).price_cents;
            sum += cents * u64::from(*quantity);
            OrderItem {
                product_id: product_id(*product),
                quantity: *quantity,
                unit_price: Some(euros(cents)),
            }
        });
        let items = items.collect();
        let shipping = match self.shared.shipping {
            Shipping::FreeForLargeOrders if sum >= FREE_FROM_CENTS => 0,
            Shipping::FreeForLargeOrders | Shipping::Flat => SHIPPING_CENTS,
        };
        (items, sum + shipping, shipping)
    }

    /// The ids of all orders, newest first.
    fn ids(&self) -> Vec<i64> {
        let placed: Vec<_> = lock(&self.shared.changes).placed.keys().copied().collect();
        placed.into_iter().rev().chain((1..=i64::from(ORDERS)).rev()).collect()
    }

    /// The ids of one user's orders, newest first.
    fn ids_of(&self, user: u32) -> Vec<i64> {
        let user_id = user.to_string();
        let changes = lock(&self.shared.changes);
        let placed =
            changes.placed.iter().rev().filter(|(_, order)| order.user_id == user_id).map(|(id, _)| *id);
        placed.chain(self.shared.by_user.of(user).iter().rev().map(|id| i64::from(*id))).collect()
    }

    fn accepts(&self, request: &ListOrdersRequest, id: i64) -> bool {
        if request.statuses.is_empty() && request.placed_after.is_none() {
            return true;
        }
        let Some(order) = self.order(id) else { return false };
        let since = |at: &Timestamp| order.placed_at.is_some_and(|placed| placed.seconds >= at.seconds);
        (request.statuses.is_empty() || request.statuses.contains(&order.status))
            && request.placed_after.as_ref().is_none_or(since)
    }
}

#[tonic::async_trait]
impl OrdersService for Orders {
    type WatchOrderStream = BoxStream<'static, Result<WatchOrderResponse, Status>>;

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        let id = request.get_ref().id;
        let order = Some(self.order(id).ok_or_else(|| not_found("Order", id))?);
        Ok(Response::new(GetOrderResponse { order }))
    }

    async fn batch_get_orders(
        &self,
        request: Request<BatchGetOrdersRequest>,
    ) -> Result<Response<BatchGetOrdersResponse>, Status> {
        let ids = request.into_inner().ids;
        check_batch("ids", &ids, 50)?;
        // Backwards, so that nobody comes to rely on positions.
        let orders = ids.iter().rev().filter_map(|id| self.order(*id)).collect();
        Ok(Response::new(BatchGetOrdersResponse { orders }))
    }

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        let request = request.into_inner();
        let filter = format!("{:?} {:?}", request.statuses, request.placed_after);
        let page = Page::read(request.page_size, &request.page_token, &filter)?;
        // One more than the page tells whether there is a next one; the rest of a year need not be made.
        let accepted = self.ids().into_iter().filter(|id| self.accepts(&request, *id));
        let ids: Vec<_> = accepted.take(page.end().saturating_add(1)).collect();
        Ok(Response::new(ListOrdersResponse {
            orders: ids[page.range(ids.len())].iter().filter_map(|id| self.order(*id)).collect(),
            next_page_token: page.next(ids.len()),
        }))
    }

    async fn list_orders_by_users(
        &self,
        request: Request<ListOrdersByUsersRequest>,
    ) -> Result<Response<ListOrdersByUsersResponse>, Status> {
        let request = request.into_inner();
        check_batch("user_ids", &request.user_ids, 100)?;
        let limit = limit(request.limit, 5, 50);
        let wanted = |order: &Order| request.status == 0 || order.status == request.status;
        let users = request.user_ids.iter().filter_map(|id| user_number(id));
        let orders_of =
            |user| self.ids_of(user).into_iter().filter_map(|id| self.order(id)).filter(wanted).take(limit);
        Ok(Response::new(ListOrdersByUsersResponse { orders: users.flat_map(orders_of).collect() }))
    }

    async fn place_order(
        &self,
        request: Request<PlaceOrderRequest>,
    ) -> Result<Response<PlaceOrderResponse>, Status> {
        let request = request.into_inner();
        let user = user_number(&request.user_id).filter(|user| *user <= USERS);
        let user = user.ok_or_else(|| invalid("user_id", "names no user"))?;
        let lines = lines(&request.items)?;
        let (items, total, shipping) = self.priced(&lines);
        let mut changes = lock(&self.shared.changes);
        changes.last += 1;
        let id = changes.last;
        let order = Order {
            id,
            user_id: request.user_id,
            status: OrderStatus::Placed.into(),
            items,
            total: Some(euros(total)),
            shipping: Some(euros(shipping)),
            placed_at: Some(clock::now()),
            cancelled_at: None,
            address: Some(self.shared.world.person(user).address()),
            payment: Some(match request.payment {
                Some(place_order_request::Payment::Card(card)) => order::Payment::Card(card),
                Some(place_order_request::Payment::Transfer(transfer)) => order::Payment::Transfer(transfer),
                None => order::Payment::InvoiceNumber(format!("R-2026-{id:06}")),
            }),
            coupon_code: request.coupon_code,
            note: request.note,
            labels: BTreeMap::new(),
        };
        changes.placed.insert(id, order.clone());
        if changes.placed.len() > KEPT_MAX {
            changes.placed.pop_first();
        }
        let before =
            changes.placed.values().rev().skip(1).take_while(|other| age_seconds(other) < PACKED_AFTER);
        let queue_position = before.count() as u32;
        Ok(Response::new(PlaceOrderResponse { order: Some(order), queue_position }))
    }

    async fn cancel_order(
        &self,
        request: Request<CancelOrderRequest>,
    ) -> Result<Response<CancelOrderResponse>, Status> {
        let id = request.get_ref().id;
        let order = self.order(id).ok_or_else(|| not_found("Order", id))?;
        match order.status() {
            OrderStatus::Cancelled => return Ok(Response::new(CancelOrderResponse { order: Some(order) })),
            OrderStatus::Shipped | OrderStatus::Delivered => {
                return Err(not_now(&format!("order {id}"), "has left the warehouse"));
            }
            OrderStatus::Placed | OrderStatus::Paid | OrderStatus::Unspecified => {}
        }
        lock(&self.shared.changes).cancelled.insert(id, clock::now());
        self.shared.nudge.send_replace(());
        Ok(Response::new(CancelOrderResponse { order: self.order(id) }))
    }

    async fn watch_order(
        &self,
        request: Request<WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        let id = request.get_ref().id;
        self.order(id).ok_or_else(|| not_found("Order", id))?;
        Ok(Response::new(follow::stream(self.clone(), id)))
    }
}

/// The lines to place as (product, quantity).
fn lines(items: &[PlaceOrderItem]) -> Result<Vec<(u32, u32)>, Status> {
    if items.is_empty() {
        return Err(invalid("items", "must have at least one line"));
    }
    let line = |(at, item): (usize, &PlaceOrderItem)| {
        let product = product_number(&item.product_id).filter(|number| (1..=PRODUCTS).contains(number));
        let product =
            product.ok_or_else(|| invalid(&format!("items[{at}].product_id"), "names no product"))?;
        match item.quantity {
            1..=99 => Ok((product, item.quantity)),
            _ => Err(invalid(&format!("items[{at}].quantity"), "must be 1 to 99")),
        }
    };
    items.iter().enumerate().map(line).collect()
}

const PAID_AFTER: i64 = 3;
const PACKED_AFTER: i64 = 8;
const DELIVERED_AFTER: i64 = 20;

/// How far an order that a caller placed has come after so many seconds: a long day in a few moments,
/// so that somebody who follows it sees something.
fn status_at(age_seconds: i64) -> OrderStatus {
    match age_seconds {
        ..PAID_AFTER => OrderStatus::Placed,
        PAID_AFTER..PACKED_AFTER => OrderStatus::Paid,
        PACKED_AFTER..DELIVERED_AFTER => OrderStatus::Shipped,
        _ => OrderStatus::Delivered,
    }
}

fn age_seconds(order: &Order) -> i64 {
    clock::now().seconds - order.placed_at.as_ref().map_or(0, |at| at.seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_only_moves_forward() {
        let path: Vec<_> = (0..30).map(|age| status_at(age) as i32).collect();
        assert!(path.is_sorted());
        assert_eq!(status_at(0), OrderStatus::Placed);
        assert_eq!(status_at(29), OrderStatus::Delivered);
    }

    #[test]
    fn only_the_newer_version_ships_large_orders_for_nothing() {
        let world = World::new(42);
        let shipping = |behaviour, quantity| {
            Orders::new(world, behaviour, CancellationToken::new()).priced(&[(1, quantity)]).2
        };
        assert_eq!(shipping(Shipping::Flat, 99), SHIPPING_CENTS);
        assert_eq!(shipping(Shipping::FreeForLargeOrders, 99), 0);
    }
}
