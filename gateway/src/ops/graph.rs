//! What operators see of the graph: which one serves, of what it is made, and what is wrong with the rest.
//!
//! Descriptions here are what a person reads in a schema browser.

use async_graphql::{Enum, SimpleObject};
use turnout_control::id::{ServiceName, Version};

use crate::reconcile::{Finding, Report};

/// The graph that is served.
#[derive(SimpleObject)]
pub(super) struct Graph {
    /// The sha256 of what it looks like and who answers; null while nothing is served.
    digest: Option<String>,
    /// Counts the graphs that this gateway served since it started; 0 before the first.
    generation: String,
    /// The version of each service that is in it, by service.
    members: Vec<Member>,
    /// What was found about all that is registered, the worst first.
    diagnostics: Vec<Diagnostic>,
}

/// A version of a service in the graph.
#[derive(SimpleObject)]
#[graphql(name = "GraphMember")]
struct Member {
    service: String,
    version: String,
}

/// One finding.
#[derive(SimpleObject)]
pub(super) struct Diagnostic {
    severity: Severity,
    /// A stable name for this kind of finding.
    code: &'static str,
    /// What was found.
    message: String,
    /// What would mend it; null when there is nothing to do.
    help: Option<String>,
    /// The service it is about; null when it is about the graph.
    service: Option<String>,
    /// The version it is about; null when it is about the graph.
    version: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum Severity {
    /// Good to know.
    Info,
    /// Works, but not as it could.
    Warning,
    /// Something is left out because of it.
    Error,
}

pub(super) fn view(report: &Report) -> Graph {
    let member = |(service, version): &(_, _)| member(service, version);
    Graph {
        digest: report.digest.map(|digest| digest.to_string()),
        generation: report.generation.to_string(),
        members: report.members.iter().map(member).collect(),
        diagnostics: report.findings.iter().map(finding).collect(),
    }
}

fn member(service: &impl ToString, version: &impl ToString) -> Member {
    Member { service: service.to_string(), version: version.to_string() }
}

pub(super) fn finding(finding: &Finding) -> Diagnostic {
    diagnostic(&finding.diagnostic, finding.about.clone())
}

/// A finding about a version, or about none.
pub(super) fn diagnostic(
    found: &turnout_schema::Diagnostic,
    about: Option<(ServiceName, Version)>,
) -> Diagnostic {
    let (service, version) = about.unzip();
    Diagnostic {
        severity: match found.severity {
            turnout_schema::Severity::Info => Severity::Info,
            turnout_schema::Severity::Warning => Severity::Warning,
            turnout_schema::Severity::Error => Severity::Error,
        },
        code: found.code,
        message: found.message.clone(),
        help: Some(found.help.clone()).filter(|help| !help.is_empty()),
        service: service.map(|service| service.to_string()),
        version: version.map(|version| version.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_graphql::{Value, value};
    use turnout_schema::Digest;

    use super::*;
    use crate::ops::world::World;

    const QUESTION: &str = "{ graph { digest generation members { service version } \
                            diagnostics { severity code message help service version } } }";

    async fn ask(report: Report) -> Value {
        let world = World::new().await;
        world.reports.send_replace(Arc::new(report));
        world.ask(QUESTION).await.data
    }

    #[tokio::test]
    async fn before_the_first_graph_there_is_none() {
        let expected = value!({ "graph": {
            "digest": null, "generation": "0", "members": [], "diagnostics": [],
        } });
        assert_eq!(ask(Report::default()).await, expected);
    }

    #[tokio::test]
    async fn a_graph_tells_its_members_and_what_was_left_out() {
        let (service, version) = ("catalog".parse().unwrap(), "1.5.0".parse().unwrap());
        let found = turnout_schema::Diagnostic {
            severity: turnout_schema::Severity::Error,
            code: "VERSION_UNFIT",
            message: "It does not fit.".to_owned(),
            help: String::new(),
        };
        let report = Report {
            generation: 3,
            digest: Some(Digest::of(b"graph")),
            members: vec![("catalog".parse().unwrap(), "1.4.0".parse().unwrap())],
            findings: vec![Finding { about: Some((service, version)), frontend: None, diagnostic: found }],
            ..Report::default()
        };
        let expected = value!({ "graph": {
            "digest": (Digest::of(b"graph").to_string()),
            "generation": "3",
            "members": [{ "service": "catalog", "version": "1.4.0" }],
            "diagnostics": [{
                "severity": (Value::Enum(async_graphql::Name::new("ERROR"))),
                "code": "VERSION_UNFIT",
                "message": "It does not fit.",
                "help": null,
                "service": "catalog",
                "version": "1.5.0",
            }],
        } });
        assert_eq!(ask(report).await, expected);
    }
}
