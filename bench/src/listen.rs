//! How the stand's servers come up: bind, then say so on standard output.
//!
//! The line is the product's own, `ready public=ADDR`, so that the driver reads every contender the
//! same way.

use std::io::{self, Write};
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Binds and announces the address. Port 0 takes a free one.
pub async fn announce(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    let mut out = io::stdout().lock();
    writeln!(out, "ready public={}", listener.local_addr()?)?;
    out.flush()?;
    Ok(listener)
}
