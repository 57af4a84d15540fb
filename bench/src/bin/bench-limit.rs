//! Runs the contender `limit` as a process of its own, on tokio's default runtime, as a user would.

use std::net::SocketAddr;

use clap::Parser;
use tonic::transport::Endpoint;
use turnout_bench::{limit, listen};

#[derive(Parser)]
#[command(about = "The contender `limit` of the measuring stand")]
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
    Ok(limit::serve(listener, options.upstream.connect_lazy()).await?)
}
