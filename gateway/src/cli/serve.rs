//! `turnout serve`: a gateway by its configuration.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::{Failure, output};
use crate::app::{App, Signals};
use crate::launch::{FileChoice, Launch};
use crate::telemetry::chain;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The configuration; without it `turnout.yaml` is read if it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    places: Places,
}

/// The settings that have flags.
#[derive(Debug, Args)]
pub(crate) struct Places {
    /// Where browsers and apps reach the gateway [default: 127.0.0.1:4000]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where services and operators reach it [default: 127.0.0.1:4001]
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<String>,
    /// Where it keeps its data [default: ./turnout-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Places {
    /// The flags that were given, by the path of their setting.
    pub(crate) fn flags(&self) -> Vec<(&'static str, String)> {
        let data = self.data.as_ref().map(|path| path.display().to_string());
        [("listen", self.listen.clone()), ("admin.listen", self.admin_listen.clone()), ("data", data)]
            .into_iter()
            .filter_map(|(path, value)| Some((path, value?)))
            .collect()
    }
}

/// Runs until it is told to stop.
pub(crate) async fn run(args: ServeArgs, env: Vec<(String, String)>) -> Result<(), Failure> {
    let file = match &args.config {
        Some(path) => FileChoice::Named(path.clone()),
        None => FileChoice::Default("turnout.yaml".into()),
    };
    let launch = Launch { file, env, flags: args.places.flags() };
    let mut signals = Signals::listen().map_err(usage)?;
    let app = start(launch).await?;
    output::print(&ready(app.public(), app.admin()));
    signals.next().await;
    app.stop(signals.next()).await;
    Ok(())
}

/// Reads the configuration and starts.
pub(crate) async fn start(launch: Launch) -> Result<App, Failure> {
    let read = launch.read().map_err(|error| Failure::Finding(chain(&error)))?;
    App::start(launch, read).await.map_err(usage)
}

/// What is printed once both listeners answer.
pub(crate) fn ready(public: SocketAddr, admin: SocketAddr) -> String {
    format!("ready public={public} admin={admin}\n")
}

fn usage(error: impl std::error::Error) -> Failure {
    Failure::Usage(chain(&error))
}
