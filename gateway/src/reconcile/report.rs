//! What operators learn of the graph: what serves, and what was found while it was made.
//!
//! A finding is logged when it first appears and not again while it stays.

use std::collections::{BTreeMap, BTreeSet};

use turnout_control::id::{FrontendId, ServiceName, Version};
use turnout_schema::{Diagnostic, Digest, Severity};

/// How the graph stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The revision of the registry that was last looked at; `None` before the first look.
    pub revision: Option<u64>,
    /// The number of the last generation; 0 before the first.
    pub generation: u64,
    /// The graph of callers who pin nothing; `None` when they get none.
    pub digest: Option<Digest>,
    /// Who is in it, by service: what callers get who pin nothing.
    pub members: Vec<(ServiceName, Version)>,
    /// All versions that callers of any frontend get.
    pub called: BTreeSet<(ServiceName, Version)>,
    /// What was found about what is registered now, the worst first.
    pub findings: Vec<Finding>,
    /// How often the gateway composed since it started.
    pub compositions: u64,
    /// The revision of the records that was last looked at.
    pub records: u64,
    /// How every version stands whose descriptors are known.
    pub standings: BTreeMap<(ServiceName, Version), Standing>,
    /// Versions that run and are higher than what is stable of their major, in their order.
    pub newcomers: Vec<Newcomer>,
}

/// How a version stands among those of its service and major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Everybody gets it about whom nothing else is decided.
    Stable,
    /// It is being tried.
    Candidate,
    /// It runs, is higher than what is stable, and may be tried.
    Waits,
    /// It runs, is higher than what is stable, and the gate keeps it out, or it was rolled back.
    Refused,
    /// Nobody is given it, unless a frontend's pin demands it.
    Idle,
}

/// A version that runs and is higher than what is stable of its major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// The service.
    pub service: ServiceName,
    /// The major.
    pub major: u64,
    /// What is stable for everyone.
    pub stable: Version,
    /// The version.
    pub version: Version,
    /// Whether it can stand in for what is stable, wherever it would.
    pub verdict: Verdict,
}

/// Whether a version can stand in for what is stable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It can; this is good to know.
    Fits(Vec<Diagnostic>),
    /// It cannot, because of these.
    Refused(Vec<Diagnostic>),
    /// That could not be found out yet, for this reason.
    Unknown(String),
}

/// Something that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The version it is about; `None` when it is about the graph.
    pub about: Option<(ServiceName, Version)>,
    /// The frontend in whose view it was found; `None`: for everyone.
    pub frontend: Option<FrontendId>,
    /// What was found.
    pub diagnostic: Diagnostic,
}

impl Finding {
    /// About a version.
    pub(super) fn of(service: &ServiceName, version: &Version, diagnostic: Diagnostic) -> Finding {
        Finding { about: Some((service.clone(), version.clone())), frontend: None, diagnostic }
    }

    /// About the graph.
    pub(super) fn of_graph(diagnostic: Diagnostic) -> Finding {
        Finding { about: None, frontend: None, diagnostic }
    }

    /// The same, where only one frontend has it.
    pub(super) fn for_frontend(self, frontend: Option<&FrontendId>) -> Finding {
        Finding { frontend: frontend.cloned(), ..self }
    }

    fn log(&self) {
        let Diagnostic { severity, code, .. } = self.diagnostic;
        let about = self.about.as_ref().map(|(service, version)| format!("{service} {version}"));
        let frontend = self.frontend.as_ref().map(|frontend| format!(" for {frontend}"));
        let about = about.unwrap_or_else(|| "graph".to_owned()) + &frontend.unwrap_or_default();
        let text = &self.diagnostic;
        match severity {
            Severity::Error => tracing::error!(about, code, "{text}"),
            Severity::Warning => tracing::warn!(about, code, "{text}"),
            Severity::Info => tracing::debug!(about, code, "{text}"),
        }
    }
}

/// Logs what was not found before.
pub(super) fn log_new(before: &[Finding], now: &[Finding]) {
    now.iter().filter(|finding| !before.contains(finding)).for_each(Finding::log);
}
