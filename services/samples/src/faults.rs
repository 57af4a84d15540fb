//! Failures and delays on purpose, around any gRPC service.
//!
//! The n-th call of a process fares the same in every run with the same seed. Delays befall every
//! call, failures only the methods that were named. Health checks and reflection stay outside: an
//! instance that fails half of its calls must still look healthy, or nobody could try a canary on it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Code, Status};
use tower::Service;

use crate::args::FaultArgs;
use crate::random::Dice;

/// What goes wrong in one process, shared by all its services.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    args: Arc<FaultArgs>,
    seed: u64,
    calls: Arc<AtomicU64>,
}

/// What befalls one call.
#[derive(Debug, PartialEq)]
pub(crate) struct Fate {
    /// How long it waits first.
    pub delay: Duration,
    /// The status it fails with.
    pub failure: Option<Code>,
}

impl Faults {
    pub(crate) fn new(args: FaultArgs, seed: u64) -> Self {
        Self { args: Arc::new(args), seed, calls: Arc::default() }
    }

    /// Puts these faults around a service.
    pub(crate) fn around<S>(&self, inner: S) -> Faulty<S> {
        Faulty { inner, faults: self.clone() }
    }

    /// Decides about the next call, of the method at this path: `/shop.catalog.v1.CatalogService/GetProduct`.
    pub(crate) fn next(&self, path: &str) -> Fate {
        let mut dice = Dice::new(self.seed, "fault", self.calls.fetch_add(1, Ordering::Relaxed));
        let method = path.rsplit('/').next().unwrap_or_default();
        let concerned = self.args.fail_method.is_empty() || self.args.fail_method.iter().any(|m| m == method);
        let failure = (concerned && dice.unit() < self.args.fail_rate).then_some(self.args.fail_code);
        let shift = self.args.latency_jitter.mul_f64(dice.unit() * 2.0);
        let delay = (self.args.latency + shift).saturating_sub(self.args.latency_jitter);
        Fate { delay, failure }
    }
}

/// A service with faults around it.
#[derive(Debug, Clone)]
pub(crate) struct Faulty<S> {
    inner: S,
    faults: Faults,
}

impl<S: NamedService> NamedService for Faulty<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Faulty<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, ctx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(ctx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let fate = self.faults.next(request.uri().path());
        // The service that was polled ready answers this call; its clone waits for the next one.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        Box::pin(async move {
            if !fate.delay.is_zero() {
                tokio::time::sleep(fate.delay).await;
            }
            match fate.failure {
                Some(code) => Ok(Status::new(code, "failed on purpose (--fail-rate)").into_http()),
                None => inner.call(request).await,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "/shop.catalog.v1.CatalogService/GetProduct";
    const LIST: &str = "/shop.catalog.v1.CatalogService/ListProducts";

    fn faults(args: FaultArgs) -> Faults {
        Faults::new(args, 42)
    }

    fn failures(faults: &Faults, path: &str) -> usize {
        (0..10_000).filter(|_| faults.next(path).failure.is_some()).count()
    }

    #[test]
    fn the_share_of_failures_is_as_told() {
        for (rate, expected) in [(0.0, 0..=0), (0.1, 900..=1100), (0.5, 4850..=5150), (1.0, 10_000..=10_000)]
        {
            let failed = failures(&faults(FaultArgs { fail_rate: rate, ..FaultArgs::default() }), GET);
            assert!(expected.contains(&failed), "{rate}: {failed}");
        }
    }

    #[test]
    fn only_named_methods_fail() {
        let args =
            FaultArgs { fail_rate: 1.0, fail_method: vec!["GetProduct".into()], ..FaultArgs::default() };
        let faults = faults(args);
        assert_eq!(failures(&faults, GET), 10_000);
        assert_eq!(failures(&faults, LIST), 0);
    }

    #[test]
    fn the_same_call_fares_the_same_in_every_run() {
        let args =
            FaultArgs { fail_rate: 0.5, latency_jitter: Duration::from_millis(5), ..FaultArgs::default() };
        let (one, two) = (faults(args.clone()), faults(args));
        for _ in 0..1000 {
            assert_eq!(one.next(GET), two.next(GET));
        }
    }

    #[test]
    fn delays_stay_within_the_jitter() {
        let ms = Duration::from_millis;
        let args = FaultArgs { latency: ms(20), latency_jitter: ms(5), ..FaultArgs::default() };
        let faults = faults(args);
        let delays: Vec<_> = (0..1000).map(|_| faults.next(GET).delay).collect();
        assert!(delays.iter().all(|delay| (ms(15)..=ms(25)).contains(delay)));
        assert!(delays.iter().any(|delay| *delay < ms(17)) && delays.iter().any(|delay| *delay > ms(23)));
    }
}
