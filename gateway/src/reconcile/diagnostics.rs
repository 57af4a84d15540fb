//! What people are told of versions that serve, that do not, and why: the texts, in one place.

use turnout_control::id::{ServiceName, Version};
use turnout_control::records::Key;
use turnout_control::routes::{Base, Unrouted};
use turnout_schema::diff::Coordinate;
use turnout_schema::gate::{self, Rule};
use turnout_schema::{Diagnostic, Severity};

/// The most rules that are told one by one.
const RULES_MAX: usize = 20;

pub(super) fn undescribed() -> Diagnostic {
    Diagnostic {
        severity: Severity::Info,
        code: "SCHEMA_MISSING",
        message: "It named no descriptors; they are looked for.".to_owned(),
        help: String::new(),
    }
}

pub(super) fn unreadable(why: &str) -> Diagnostic {
    error(
        "DESCRIPTORS_UNREADABLE",
        format!("Nobody gets it, because its descriptors cannot be read: {why}."),
        "Push its descriptors again, or release it anew.",
    )
}

pub(super) fn unfit(why: &str) -> Diagnostic {
    error(
        "VERSION_UNFIT",
        format!("It is not in the graph, because the graph could not serve with it: {why}."),
        "The rest of the graph serves without it.",
    )
}

pub(super) fn kept() -> Diagnostic {
    error(
        "GRAPH_KEPT",
        "What is registered now makes no graph, so the last one goes on serving.".to_owned(),
        "The other findings say what is left out, and why.",
    )
}

/// A newcomer that the gate keeps out.
pub(super) fn refused(stable: &Version) -> Diagnostic {
    error(
        "GATE_REFUSED",
        format!("Nobody gets it, because it cannot stand in for {stable}."),
        "Mend what the other findings name, or release it as a new major version.",
    )
}

/// A newcomer that could not be compared with what is stable.
pub(super) fn unjudged(stable: &Version, why: &str) -> Diagnostic {
    error(
        "GATE_UNDECIDED",
        format!("Nobody gets it, because it could not be compared with {stable}: {why}."),
        "It is tried again by itself; the gateway's log says more.",
    )
}

/// A candidate that is given to nobody in a view.
pub(super) fn not_tried(stable: &Version, why: &str) -> Diagnostic {
    error(
        "CANDIDATE_LEFT_OUT",
        format!("Nobody gets it in the place of {stable} here, whatever its weight: {why}."),
        "The other findings about it say more.",
    )
}

/// Operations of frontends that a newcomer would not answer as they are answered now.
pub(super) fn broken(report: &gate::Report) -> Vec<Diagnostic> {
    let told = |shape: &gate::BrokenShape| {
        let by: Vec<String> = shape.by.iter().map(Coordinate::to_string).collect();
        error(
            "OPERATION_BREAKS",
            format!("{} uses {}.", shape.shape, by.join(", ")),
            "Keep that until no frontend with the operation is published any more.",
        )
    };
    report.broken_shapes.iter().take(RULES_MAX).map(told).collect()
}

/// About a pin that nothing satisfies.
pub(super) fn broken_pin(service: &ServiceName, why: &Unrouted, optional: bool) -> Diagnostic {
    let message = format!("It gets nothing of {service}: {why}.");
    if optional {
        let help = "The pin is optional, so those fields are null.".to_owned();
        return Diagnostic { severity: Severity::Info, code: "PIN_UNSATISFIED", message, help };
    }
    error(
        "BROKEN_PINS",
        message,
        "Run a version that satisfies the pin, or publish a frontend with another one.",
    )
}

/// About a record that decides nothing, because it says nothing that can be read.
pub(super) fn record_unreadable(key: &Key, why: &str) -> Diagnostic {
    error(
        "RECORD_UNREADABLE",
        format!("The record {key} decides nothing: {why}."),
        "Write it anew; until then the gateway goes on as if it were not there, and does not write it.",
    )
}

/// What a decision that was taken for want of somebody says about what is stable.
pub(super) fn seated(base: &Base) -> Option<Diagnostic> {
    let (version, absent) = (&base.stable, base.instead_of.as_ref()?);
    if absent < version {
        return Some(error(
            "GATE_OVERRIDDEN",
            format!(
                "It became stable without being tried, because nobody has run {absent} for a minute; \
                 operations made for {absent} may fail."
            ),
            "Mend what fails in the next version; running the old version again does not bring it back.",
        ));
    }
    Some(Diagnostic {
        severity: Severity::Warning,
        code: "STANDS_IN",
        message: format!(
            "It serves because nobody runs {absent}; what only that one has is not in the graph."
        ),
        help: format!("Start an instance of {absent}: it serves again as soon as it runs."),
    })
}

/// About what serves while nobody runs it.
pub(super) fn absent() -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        code: "NO_INSTANCE",
        message: "No instance of it runs, so its fields fail.".to_owned(),
        help: "Start an instance; the graph waits for it.".to_owned(),
    }
}

/// About what is stable of a major that nobody runs.
pub(super) fn stray(serving: &Version) -> Diagnostic {
    Diagnostic {
        severity: Severity::Info,
        code: "MAJOR_NOT_RUN",
        message: format!("Nobody runs this major version, so callers who pin nothing get {serving}."),
        help: String::new(),
    }
}

/// About the record that all gateways share.
pub(super) fn not_shared(why: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        code: "LOCKS_NOT_SHARED",
        message: format!("Who has which name in the graph cannot be kept for all gateways: {why}."),
        help: "This gateway goes on with what it knows; after a restart, or on another one, a name that two \
               services want may be the other's."
            .to_owned(),
    }
}

/// About a version whose tag has other descriptors already.
pub(super) fn bound(code: &'static str, message: String, help: &str) -> Diagnostic {
    error(code, message, help)
}

/// What the gate says: of a version that it refuses what refuses it, otherwise what is good to know.
pub(super) fn rules(report: &gate::Report) -> Vec<Diagnostic> {
    let blocks = |finding: &&gate::Finding| finding.severity == gate::Severity::Block || report.drop_in;
    let told = report.findings.iter().filter(blocks);
    let mut told: Vec<Diagnostic> = told.take(RULES_MAX).map(rule).collect();
    let more = report.findings.len() - told.len();
    if more > 0 {
        told.push(Diagnostic {
            severity: Severity::Info,
            code: "GATE_MORE",
            message: format!("The gate says {more} more things; `turnout service check` lists all."),
            help: String::new(),
        });
    }
    told
}

/// All that the gate says, the worst first.
pub(super) fn all_rules(report: &gate::Report) -> Vec<Diagnostic> {
    report.findings.iter().map(rule).collect()
}

fn rule(finding: &gate::Finding) -> Diagnostic {
    let places: Vec<String> = finding.graph.iter().map(Coordinate::to_string).collect();
    let places = places.join(", ");
    let about = match (&finding.proto, places.is_empty()) {
        (Some(proto), true) => proto.clone(),
        (Some(proto), false) => format!("{proto} ({places})"),
        (None, _) => places,
    };
    let sides = match (finding.old.as_str(), finding.new.as_str()) {
        ("", "") => "differs".to_owned(),
        (old, "") => format!("was {old}, and is gone"),
        ("", new) => format!("is new: {new}"),
        (old, new) => format!("was {old}, and is {new}"),
    };
    Diagnostic {
        severity: match finding.severity {
            gate::Severity::Block => Severity::Error,
            gate::Severity::Warn => Severity::Warning,
        },
        code: Rule::id(finding.rule),
        message: format!("{about} {sides}."),
        help: finding.rule.mend().to_owned(),
    }
}

fn error(code: &'static str, message: String, help: &str) -> Diagnostic {
    Diagnostic { severity: Severity::Error, code, message, help: help.to_owned() }
}
