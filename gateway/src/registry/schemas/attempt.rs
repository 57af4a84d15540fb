//! What was tried for one version that named no descriptors, when it is tried again, and what is said of it.
//!
//! Pure but for the moment, which is handed in. A process that was not asked yet is a reason to ask sooner;
//! one that comes back is none.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use turnout_control::id::{InstanceId, Version};
use turnout_control::registry::{Endpoint, Registered, Service, Standing};
use turnout_schema::{Diagnostic, Severity};

use super::schedule::{Class, pause, pause_for_newcomer};

/// How many instances of a version are asked in a row.
const INSTANCES_MAX: usize = 3;

/// How long the registry may take to tell of what was stored, until it is looked for again.
const SETTLE: Duration = Duration::from_secs(10);

/// The longest text of a finding: strangers wrote parts of it.
const TEXT_CHARS_MAX: usize = 1_000;

/// A process that can be asked.
pub(super) type Process = (InstanceId, u64, String);

/// What was tried for a version.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    state: State,
    /// Failures in a row.
    failures: u32,
    /// Why it failed last; it goes on to be said while it is tried again.
    last: Option<(Class, String)>,
    /// Who was asked, or would have been.
    asked: BTreeSet<Process>,
}

#[derive(Debug, Default)]
enum State {
    /// It is its turn.
    #[default]
    Due,
    /// It is being looked into.
    Running,
    /// It could not be described.
    Waiting { class: Class, since: Instant, until: Instant },
}

impl Attempt {
    /// Takes note of who is there: a process that was not asked yet may describe itself.
    pub(super) fn notice(&mut self, processes: &[(Process, Endpoint)], now: Instant) {
        if let State::Waiting { class, since, until, .. } = &mut self.state
            && processes.iter().any(|(process, _)| !self.asked.contains(process))
        {
            *until = (*until).min(*since + pause_for_newcomer(*class)).max(now);
        }
    }

    /// Whether it is being looked into.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Running)
    }

    /// When it is tried again, if that is known.
    pub(super) fn until(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { until, .. } => Some(*until),
            State::Due | State::Running => None,
        }
    }

    /// Whether it is its turn.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        match &self.state {
            State::Due => true,
            State::Running => false,
            State::Waiting { until, .. } => *until <= now,
        }
    }

    /// Whom to ask: those who were not asked yet first.
    pub(super) fn choose(&mut self, mut processes: Vec<(Process, Endpoint)>) -> Vec<Endpoint> {
        processes.sort_by_key(|(process, _)| self.asked.contains(process));
        self.asked = processes.iter().map(|(process, _)| process.clone()).collect();
        self.state = State::Running;
        processes.into_iter().map(|(_, endpoint)| endpoint).take(INSTANCES_MAX).collect()
    }

    /// It could not be described.
    pub(super) fn fail(&mut self, class: Class, why: String, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        let until = now + pause(class, self.failures);
        self.state = State::Waiting { class, since: now, until };
        self.last = Some((class, why));
    }

    /// Descriptors are stored. The version is gone from here as soon as the registry says so.
    pub(super) fn settle(&mut self, now: Instant) {
        self.state = State::Waiting { class: Class::Unreached, since: now, until: now + SETTLE };
        self.last = None;
    }

    /// What is to be said of it.
    pub(super) fn finding(&self) -> Diagnostic {
        finding(&self.last.as_ref().map_or(Said::Asking, |(class, why)| Said::Failed(*class, why)))
    }
}

/// What there is to say.
pub(super) enum Said<'a> {
    /// It is looked into, or about to be.
    Asking,
    /// Another gateway does that.
    Elsewhere,
    /// Nobody does that.
    Off,
    /// It was done in vain.
    Failed(Class, &'a str),
}

/// The same as a finding.
pub(super) fn finding(said: &Said<'_>) -> Diagnostic {
    let (severity, message, help) = match said {
        Said::Asking => {
            (Severity::Info, "It named no descriptors, and is being asked for them.".to_owned(), "")
        }
        Said::Elsewhere => {
            (Severity::Info, "It named no descriptors; the gateway that leads looks for them.".to_owned(), "")
        }
        Said::Off => (
            Severity::Error,
            "It named no descriptors, and the configuration says not to look for them.".to_owned(),
            "Register it with the digest of its descriptors.",
        ),
        Said::Failed(class, why) => {
            let why: String = why.chars().take(TEXT_CHARS_MAX).collect();
            let help = match class {
                Class::Unreached => {
                    "It is tried again within ten minutes, and sooner when a new instance comes."
                }
                Class::Unusable => "Mend what is named, or register it with the digest of its descriptors.",
                Class::Absent => {
                    "Turn on server reflection in the service, or register it with the digest of its \
                     descriptors."
                }
            };
            (Severity::Error, format!("It named no descriptors, and none were found: {why}."), help)
        }
    };
    Diagnostic { severity, code: "SCHEMA_MISSING", message, help: help.to_owned() }
}

/// Who runs a version and can be asked, those that are best first.
pub(super) fn processes(service: &Service, version: &Version) -> Vec<(Process, Endpoint)> {
    let rank = |registered: &&Registered| match registered.standing() {
        Standing::Up => Some(0),
        Standing::Held => Some(1),
        Standing::Suspect => Some(2),
        Standing::Draining | Standing::Refused => None,
    };
    let of_version = service.instances.values().filter(|one| one.instance.version == *version);
    let mut able: Vec<&Registered> = of_version.filter(|one| rank(one).is_some()).collect();
    able.sort_by_key(rank);
    let process = |one: &Registered| {
        let instance = &one.instance;
        let first = instance.endpoints.first()?.clone();
        Some(((instance.id.clone(), instance.incarnation, first.url()), first))
    };
    able.into_iter().filter_map(process).collect()
}

#[cfg(test)]
mod tests {
    use turnout_control::registry::Scheme;

    use super::*;

    fn process(id: &str, incarnation: u64) -> (Process, Endpoint) {
        let host = "127.0.0.1".to_owned();
        let endpoint = Endpoint { scheme: Scheme::Grpc, host, port: 1, zone: String::new() };
        ((id.parse().unwrap(), incarnation, endpoint.url()), endpoint)
    }

    /// After how many seconds a version is due again.
    fn due_after_s(attempt: &Attempt, now: Instant) -> u64 {
        attempt.until().unwrap().duration_since(now).as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_while_nobody_can_be_reached() {
        let (mut attempt, now) = (Attempt::default(), Instant::now());
        let pauses = [1, 2, 4, 8].map(|_| {
            attempt.choose(vec![process("a", 1)]);
            attempt.fail(Class::Unreached, "nobody".to_owned(), now);
            assert!(!attempt.is_due(now));
            due_after_s(&attempt, now)
        });
        assert_eq!(pauses, [1, 2, 4, 8]);
        assert!(attempt.is_due(now + Duration::from_secs(8)));
    }

    #[tokio::test(start_paused = true)]
    async fn another_process_is_asked_sooner_and_the_same_one_is_not() {
        let (mut attempt, now) = (Attempt::default(), Instant::now());
        let first = process("a", 1);
        attempt.choose(vec![first.clone()]);
        attempt.fail(Class::Absent, "no reflection".to_owned(), now);
        attempt.notice(std::slice::from_ref(&first), now);
        assert_eq!(due_after_s(&attempt, now), 600);
        let restarted = process("a", 2);
        attempt.notice(&[first.clone(), restarted.clone()], now);
        assert_eq!(due_after_s(&attempt, now), 30);
        // It is the one that was not asked whose turn it is.
        let later = now + Duration::from_secs(60);
        attempt.notice(&[first.clone(), restarted.clone()], later);
        assert!(attempt.is_due(later));
        let host = |port| Endpoint { port, ..first.1.clone() };
        let chosen = attempt.choose(vec![(first.0, host(1)), (restarted.0, host(2))]);
        assert_eq!(chosen.iter().map(|endpoint| endpoint.port).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn strangers_do_not_decide_how_long_a_finding_is() {
        let long = "x".repeat(100_000);
        assert!(finding(&Said::Failed(Class::Unusable, &long)).message.len() < 2_000);
    }
}
