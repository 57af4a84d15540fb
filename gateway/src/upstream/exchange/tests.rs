//! Calls against a service that does anything. Time stands still and jumps when all wait, so that a deadline
//! is met to the millisecond or a test fails.

mod answers;
mod ends;
mod hangs;
mod requests;
mod streams;
