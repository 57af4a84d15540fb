//! What a sample service is told on its command line.
//!
//! These are parts to flatten into a command: the gateway's demo uses the same ones as `samples`.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use tonic::Code;

use crate::duration;

/// One sample service.
#[derive(Debug, Clone, Args)]
pub struct SampleArgs {
    /// The service: catalog, orders, users, reviews, todo-user, todo-task, echo or math.
    pub service: String,
    /// The version to be; the newest of the demo world when left out.
    #[arg(long)]
    pub version: Option<String>,
    /// Where to listen; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// What it shares with all others.
    #[command(flatten)]
    pub shared: SharedArgs,
}

/// What every sample service is told.
#[derive(Debug, Clone, Args)]
pub struct SharedArgs {
    /// The registry to join, or `none`.
    #[arg(long, value_name = "URL", env = "TURNOUT_REGISTRY_URL", default_value = "http://127.0.0.1:4001")]
    pub registry: String,
    /// The token that the registry asks for.
    #[arg(long, value_name = "TOKEN", env = "TURNOUT_REGISTRY_TOKEN", hide_env_values = true)]
    pub registry_token: Option<Token>,
    /// What the world is made from. Services of one world need the same seed.
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// End at once when standard input ends, without a goodbye: so a parent's death ends its children.
    #[arg(long)]
    pub exit_with_stdin: bool,
    /// What goes wrong on purpose.
    #[command(flatten)]
    pub faults: FaultArgs,
}

/// A token, which does not show itself.
#[derive(Clone)]
pub struct Token(pub String);

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(…)")
    }
}

/// Faults that a service makes on purpose, to show what a canary is for.
#[derive(Debug, Clone, Args)]
pub struct FaultArgs {
    /// The share of calls that fail, from 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub fail_rate: f64,
    /// A method that fails, such as GetProduct; repeatable; every method when left out.
    #[arg(long, value_name = "METHOD")]
    pub fail_method: Vec<String>,
    /// The gRPC status of failed calls.
    #[arg(long, default_value = "UNAVAILABLE", value_parser = code, value_name = "CODE")]
    pub fail_code: Code,
    /// How long every call waits before it is answered, such as 20ms.
    #[arg(long, default_value = "0ms", value_parser = duration::parse)]
    pub latency: Duration,
    /// By how much that wait varies, up and down.
    #[arg(long, default_value = "0ms", value_parser = duration::parse)]
    pub latency_jitter: Duration,
}

impl Default for FaultArgs {
    /// No faults.
    fn default() -> Self {
        Self {
            fail_rate: 0.0,
            fail_method: Vec::new(),
            fail_code: Code::Unavailable,
            latency: Duration::ZERO,
            latency_jitter: Duration::ZERO,
        }
    }
}

/// The names of the gRPC statuses that mean failure; OK is none of them.
const CODES: &[(&str, Code)] = &[
    ("CANCELLED", Code::Cancelled),
    ("UNKNOWN", Code::Unknown),
    ("INVALID_ARGUMENT", Code::InvalidArgument),
    ("DEADLINE_EXCEEDED", Code::DeadlineExceeded),
    ("NOT_FOUND", Code::NotFound),
    ("ALREADY_EXISTS", Code::AlreadyExists),
    ("PERMISSION_DENIED", Code::PermissionDenied),
    ("RESOURCE_EXHAUSTED", Code::ResourceExhausted),
    ("FAILED_PRECONDITION", Code::FailedPrecondition),
    ("ABORTED", Code::Aborted),
    ("OUT_OF_RANGE", Code::OutOfRange),
    ("UNIMPLEMENTED", Code::Unimplemented),
    ("INTERNAL", Code::Internal),
    ("UNAVAILABLE", Code::Unavailable),
    ("DATA_LOSS", Code::DataLoss),
    ("UNAUTHENTICATED", Code::Unauthenticated),
];

fn code(text: &str) -> Result<Code, String> {
    let found = CODES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, code)| *code).ok_or_else(|| {
        let names: Vec<_> = CODES.iter().map(|(name, _)| *name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: SampleArgs,
    }

    fn read(line: &str) -> Result<SampleArgs, clap::Error> {
        Line::try_parse_from(line.split(' ')).map(|line| line.args)
    }

    #[test]
    fn faults_are_read() {
        let args = read(
            "samples orders --version 2.2.0 --fail-rate 0.1 --fail-method GetOrder --fail-method ListOrders \
             --fail-code internal --latency 20ms --latency-jitter 5ms",
        )
        .unwrap();
        let faults = args.shared.faults;
        assert_eq!(args.version.as_deref(), Some("2.2.0"));
        assert_eq!(faults.fail_rate, 0.1);
        assert_eq!(faults.fail_method, ["GetOrder", "ListOrders"]);
        assert_eq!(faults.fail_code, Code::Internal);
        assert_eq!(faults.latency, Duration::from_millis(20));
        assert_eq!(faults.latency_jitter, Duration::from_millis(5));
    }

    #[test]
    fn mistakes_are_refused() {
        for line in ["--fail-rate 1.5", "--fail-rate x", "--fail-code OK", "--latency 20", "--listen nowhere"]
        {
            assert!(read(&format!("samples math {line}")).is_err(), "{line}");
        }
    }
}
