//! Callers as their headers make them.

mod bearer;
mod cost;
mod reading;
mod refreshing;
