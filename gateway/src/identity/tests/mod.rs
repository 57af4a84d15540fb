//! Callers as their headers make them.

mod bearer;
mod reading;
mod refreshing;
