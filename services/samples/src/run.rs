//! Starts sample services: as their own team would, through `turnout-service`.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use semver::Version;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use turnout_service::{Registry, Service};

use crate::DEMO;
use crate::args::{FaultArgs, SampleArgs, SharedArgs, Token};
use crate::contract::demo::echo::v1::echo_service_server::EchoServiceServer;
use crate::contract::demo::echo::v1::legacy_service_server::LegacyServiceServer;
use crate::contract::demo::math::v1::math_service_server::MathServiceServer;
use crate::contract::shop::catalog::v1::catalog_service_server::CatalogServiceServer;
use crate::contract::shop::orders::v1::orders_service_server::OrdersServiceServer;
use crate::contract::shop::reviews::v1::reviews_service_server::ReviewsServiceServer;
use crate::contract::todo::v1::task_service_server::TaskServiceServer;
use crate::contract::todo::v1::user_service_server::UserServiceServer;
use crate::contract::{self, covers, descriptors, shop};
use crate::faults::Faults;
use crate::services::{
    Catalog, Echo, Edition, Legacy, Math, Orders, Reviews, Rounding, Shipping, Tasks, TodoUsers, UsersV1,
    UsersV2,
};
use crate::world::World;

/// Runs one sample service until the token is cancelled or the process is told to stop.
pub async fn run(args: SampleArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let orphaned = orphaned(&args.shared);
    tokio::select! {
        ended = serve(args, stop) => ended,
        () = orphaned.cancelled() => Ok(()),
    }
}

/// Runs every service of [`DEMO`] in this process, each on a free port of this machine.
pub async fn run_all(shared: SharedArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let orphaned = orphaned(&shared);
    let one = |(service, version): &(&str, &str)| {
        let args = SampleArgs {
            service: (*service).to_owned(),
            version: Some((*version).to_owned()),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            shared: shared.clone(),
        };
        serve(args, stop.clone())
    };
    // One that cannot start ends all: half a world would puzzle whoever started it.
    let all = futures_util::future::try_join_all(DEMO.iter().map(one));
    tokio::select! {
        ended = all => ended.map(|_| stop.cancel()),
        () = orphaned.cancelled() => Ok(()),
    }
}

async fn serve(args: SampleArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let version = match args.version {
        Some(version) => version,
        None => newest(&args.service)?,
    };
    // Streams end at the first sign of leaving; otherwise they would hold up the drain to its deadline.
    let streams = stop.child_token();
    let served = routes(&args.service, &version, args.shared.seed, &args.shared.faults, &streams)?;
    let bytes = descriptors(&args.service, &version).context("a service without descriptors")?;
    let url = &args.shared.registry;
    let mut registry = Registry::parse(url).with_context(|| format!("--registry {url}"))?;
    if let Some(Token(token)) = args.shared.registry_token {
        registry = registry.token(token);
    }
    let service =
        Service::new(&args.service, &version, bytes).listen(args.listen).registry(registry).stop_on(stop);
    let end_streams = async {
        told_to_stop().await?;
        streams.cancel();
        std::future::pending().await
    };
    tokio::select! {
        ended = service.serve(served) => ended.with_context(|| format!("{} {version} ended", args.service)),
        failed = end_streams => failed,
    }
}

/// Waits for SIGTERM or Ctrl-C. turnout-service hears them too, and does the rest.
async fn told_to_stop() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            pressed = tokio::signal::ctrl_c() => pressed.context("cannot listen for Ctrl-C"),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("cannot listen for Ctrl-C")
}

/// The gRPC services of one sample, with faults around them: what [`run`] serves and registers.
pub fn routes(
    service: &str,
    version: &str,
    seed: u64,
    faults: &FaultArgs,
    stop: &CancellationToken,
) -> anyhow::Result<Routes> {
    let parsed = Version::parse(version).with_context(|| format!("`{version}` is not a version"))?;
    let since = |range| covers(range, &parsed);
    let faults = Faults::new(faults.clone(), seed);
    let world = World::new(seed);
    let stop = stop.clone();
    if descriptors(service, version).is_none() {
        bail!("the samples have no {service} {version}; `samples list` shows what there is");
    }
    Ok(match service {
        "catalog" => {
            let edition = if since(">=1.5.0") { Edition::Five } else { Edition::Four };
            Routes::new(faults.around(CatalogServiceServer::new(Catalog::new(world, edition))))
        }
        "orders" => {
            let shipping = if since(">=2.2.0") { Shipping::FreeForLargeOrders } else { Shipping::Flat };
            Routes::new(faults.around(OrdersServiceServer::new(Orders::new(world, shipping, stop))))
        }
        "users" if parsed.major == 1 => {
            let server = shop::users::v1::users_service_server::UsersServiceServer::new(UsersV1::new(world));
            Routes::new(faults.around(server))
        }
        "users" => {
            let server = shop::users::v2::users_service_server::UsersServiceServer::new(UsersV2::new(world));
            Routes::new(faults.around(server))
        }
        "reviews" => {
            let rounding = if since(">=1.2.1") { Rounding::Hundredths } else { Rounding::Cut };
            Routes::new(faults.around(ReviewsServiceServer::new(Reviews::new(world, rounding))))
        }
        "todo-user" => Routes::new(faults.around(UserServiceServer::new(TodoUsers::new(world)))),
        "todo-task" => Routes::new(faults.around(TaskServiceServer::new(Tasks::new(world)))),
        "echo" => Routes::new(faults.around(EchoServiceServer::new(Echo::new(version.to_owned(), stop))))
            .add_service(faults.around(LegacyServiceServer::new(Legacy))),
        "math" => Routes::new(faults.around(MathServiceServer::new(Math))),
        _ => bail!("the samples have no service {service}"),
    })
}

/// The newest version of a service in the demo world.
fn newest(service: &str) -> anyhow::Result<String> {
    let versions = DEMO.iter().filter(|(name, _)| *name == service).map(|(_, version)| *version);
    let newest = versions.max_by_key(|version| Version::parse(version).ok());
    let known =
        || format!("no sample service is called {service}; there are {}", contract::services().join(", "));
    Ok(newest.with_context(known)?.to_owned())
}

/// Cancelled when standard input ends, where that was asked for: whoever started this process is dead.
/// Then it ends at once and says no goodbye, as if it had died too.
///
/// A thread of its own, because a read of standard input cannot be cancelled: as a task it would keep
/// the runtime from ending.
fn orphaned(shared: &SharedArgs) -> CancellationToken {
    let token = CancellationToken::new();
    if shared.exit_with_stdin {
        let orphaned = token.clone();
        std::thread::spawn(move || {
            // Whether input ended or broke, the parent is gone.
            let _ended = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            orphaned.cancel();
        });
    }
    token
}
