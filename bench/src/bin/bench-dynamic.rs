//! Runs the contender `dynamic` as a process of its own, with the allocator that the product uses.

use std::net::SocketAddr;

use clap::Parser;
use mimalloc::MiMalloc;
use tonic::transport::Endpoint;
use turnout_bench::{dynamic, listen};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[derive(Parser)]
#[command(about = "The contender `dynamic` of the measuring stand")]
struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The upstream, such as http://127.0.0.1:5000
    #[arg(long)]
    upstream: Endpoint,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let listener = listen::announce(options.listen).await?;
    Ok(dynamic::serve(listener, options.upstream.connect_lazy()).await?)
}
