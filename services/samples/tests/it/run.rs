//! Starting and stopping: what `samples` and the gateway's demo do with the library.

use std::time::Duration;

use clap::Parser;
use tokio_util::sync::CancellationToken;
use turnout_samples::{SampleArgs, run, run_all};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: SampleArgs,
}

fn args(line: &str) -> SampleArgs {
    Line::try_parse_from(line.split(' ')).unwrap().args
}

#[tokio::test]
async fn a_world_without_a_registry_starts_and_stops() {
    let stop = CancellationToken::new();
    stop.cancel();
    let all = run_all(args("samples math --registry none").shared, stop);
    tokio::time::timeout(Duration::from_secs(30), all).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_exist_is_refused_with_what_does() {
    let cases = [
        ("samples nobody --registry none", "there are catalog, orders"),
        ("samples orders --version 3.0.0 --registry none", "the samples have no orders 3.0.0"),
        ("samples orders --version two --registry none", "`two` is not a version"),
        ("samples orders --registry ftp://there", "--registry ftp://there"),
    ];
    for (line, told) in cases {
        let why = run(args(line), CancellationToken::new()).await.unwrap_err();
        assert!(why.to_string().contains(told), "{line}: {why:#}");
    }
}
