//! What operators learn of the graph: what serves, and what was found while it was made.
//!
//! A finding is logged when it first appears and not again while it stays.

use turnout_control::id::{ServiceName, Version};
use turnout_schema::{Diagnostic, Digest, Severity};

/// How the graph stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The revision of the registry that was last looked at; `None` before the first look.
    pub revision: Option<u64>,
    /// The number of the last generation; 0 before the first.
    pub generation: u64,
    /// The graph that serves; `None` when nothing does.
    pub digest: Option<Digest>,
    /// Who is in it, by service.
    pub members: Vec<(ServiceName, Version)>,
    /// What was found about what is registered now, the worst first.
    pub findings: Vec<Finding>,
    /// How often the gateway composed since it started.
    pub compositions: u64,
}

/// Something that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The version it is about; `None` when it is about the graph.
    pub about: Option<(ServiceName, Version)>,
    /// What was found.
    pub diagnostic: Diagnostic,
}

impl Finding {
    /// About a version.
    pub(super) fn of(service: &ServiceName, version: &Version, diagnostic: Diagnostic) -> Finding {
        Finding { about: Some((service.clone(), version.clone())), diagnostic }
    }

    /// About the graph.
    pub(super) fn of_graph(diagnostic: Diagnostic) -> Finding {
        Finding { about: None, diagnostic }
    }

    fn log(&self) {
        let Diagnostic { severity, code, .. } = self.diagnostic;
        let about = self.about.as_ref().map(|(service, version)| format!("{service} {version}"));
        let (about, text) = (about.as_deref().unwrap_or("graph"), &self.diagnostic);
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
