//! Runs the upstream as a process of its own, on one thread: it shares a core with the load.

use std::net::SocketAddr;

use clap::Parser;
use turnout_bench::{listen, upstream};

#[derive(Parser)]
#[command(about = "The gRPC service behind every contender, with answers encoded at the start")]
struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let listener = listen::announce(options.listen).await?;
    match upstream::serve(listener).await? {}
}
