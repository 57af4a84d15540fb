//! Where registrations come in, are kept, and are read.
//!
//! `native` is how a registration is written down, over HTTP, in SQLite and in etcd alike. `embedded`
//! keeps them in one file beside the gateway. `serve` takes them over HTTP and gRPC. Who may register
//! what is decided in `turnout_control`; nothing here decides.

pub mod embedded;
mod history;
pub mod native;
pub mod serve;
mod sqlite;

pub use embedded::{Embedded, Error, Granted};
pub use history::Changes;
