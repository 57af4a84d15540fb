//! The sample services, one file each. Every one is built from the world and a token that ends its
//! streams; callers' changes stay in its own memory.

mod catalog;
mod echo;
mod legacy;
mod math;
mod orders;
mod page;
mod problem;
mod reviews;
mod todo_task;
mod todo_user;
mod users_v1;
mod users_v2;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use catalog::{Catalog, Edition};
pub(crate) use echo::Echo;
pub(crate) use legacy::Legacy;
pub(crate) use math::Math;
pub(crate) use orders::{Orders, Shipping};
pub(crate) use reviews::{Reviews, Rounding};
pub(crate) use todo_task::Tasks;
pub(crate) use todo_user::TodoUsers;
pub(crate) use users_v1::UsersV1;
pub(crate) use users_v2::UsersV2;

/// How many things of one kind a service keeps for its callers; the oldest go first. A load test of
/// days must not fill the memory of a laptop.
const KEPT_MAX: usize = 20_000;

/// The lock, also when a thread died while it held it: the data are whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A limit that a caller may leave out.
fn limit(asked: i32, default: usize, max: usize) -> usize {
    match usize::try_from(asked) {
        Ok(0) | Err(_) => default,
        Ok(limit) => limit.min(max),
    }
}
