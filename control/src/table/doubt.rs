//! What becomes of an instance whose registration ended without a goodbye, while nobody knows whether it
//! lives.
//!
//! It is tried again and again. Two failures in a row end it; so does its time, unless it answers and nobody
//! who is registered serves its version: services that live and are not registered are normal after an outage
//! of their registry. Who is registered without a lease is tried as well, because nothing else would ever end
//! what a crash left behind; it is never ended here. Here is one instance by itself; who else serves is for
//! the caller to say.

use std::time::Duration;

use super::{Answered, Name};
use crate::registry::{Presence, Registered};

/// An instance stays in doubt for at least this long, and for three times its time to live if that is longer:
/// registries come back within that, and services register again.
const KEEP_MIN: Duration = Duration::from_secs(60);
const KEEP_TTLS: u32 = 3;

/// Failures in a row that end it. One may be an accident.
const FAILURES_MAX: u8 = 2;

/// Between two tries, give or take a tenth. Half a call's patience: who is gone is gone within two seconds.
const TRY_EVERY: Duration = Duration::from_secs(2);

/// The same where nothing is in a hurry: nobody waits for the end of an instance that serves on, or that has
/// no lease.
const TRY_SELDOM_EVERY: Duration = Duration::from_secs(10);

/// A try whose answer is not told within this time was lost. The shell gives up on one after a second.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Doubt about one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    stage: Stage,
    until: Duration,
    last: Last,
    next: Next,
}

/// Who is doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The registry: so many went at once that it takes calls as before.
    Held,
    /// The instance: it takes calls when nobody else is left.
    Missing,
    /// Nobody: its time has passed, and it serves because nobody who is registered does.
    Lingering,
    /// Nobody: it is registered, and nothing would tell if it went.
    Unleased,
}

/// What was found last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Untried,
    Answered,
    Failed(u8),
}

/// When it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    At(Duration),
    Trying(Duration),
}

/// What time makes of a doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing yet.
    Nothing,
    /// It is no longer held.
    Missing,
    /// Its time has passed, and it answers: it goes if others are registered.
    Spare,
    /// Its time has passed, and it does not answer.
    Over,
}

/// Whether an instance goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It does.
    Stays,
    /// It does not answer.
    Lost,
}

/// How long an instance stays in doubt.
fn keep(said: &Registered) -> Duration {
    KEEP_MIN.max(Duration::from_secs(said.ttl_s.into()) * KEEP_TTLS)
}

impl Doubt {
    /// A doubt that begins now, with a try at once.
    pub(super) fn new(stage: Stage, said: &Registered, now: Duration) -> Doubt {
        Doubt { stage, until: now + keep(said), last: Last::Untried, next: Next::At(now) }
    }

    /// What goes on beside a registration without a lease, with a try at once.
    pub(super) fn unleased() -> Doubt {
        let (until, next) = (Duration::MAX, Next::At(Duration::ZERO));
        Doubt { stage: Stage::Unleased, until, last: Last::Untried, next }
    }

    /// The registry is doubted now, and no longer the instance. What was found of it holds on.
    #[must_use]
    pub(super) fn held(self, said: &Registered, now: Duration) -> Doubt {
        match self.stage {
            Stage::Held => self,
            Stage::Missing | Stage::Lingering | Stage::Unleased => {
                Doubt { stage: Stage::Held, until: now + keep(said), ..self }
            }
        }
    }

    /// Its time has passed, and it is kept all the same.
    pub(super) fn linger(&mut self) {
        self.stage = Stage::Lingering;
    }

    /// Who is doubted.
    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// How others see it. One failure is enough to stop giving calls to one that is held.
    pub(super) fn presence(&self) -> Presence {
        match (self.stage, self.last) {
            (Stage::Held, Last::Untried | Last::Answered) => Presence::Held,
            (Stage::Held, Last::Failed(_)) | (Stage::Missing | Stage::Lingering, _) => Presence::Missing,
            (Stage::Unleased, Last::Failed(times)) if times >= FAILURES_MAX => Presence::Silent,
            (Stage::Unleased, Last::Untried | Last::Answered | Last::Failed(_)) => Presence::Here,
        }
    }

    /// What time makes of it. One that is no longer held is missing from now on, and has its time once more.
    pub(super) fn step(&mut self, said: &Registered, now: Duration) -> Due {
        match self.stage {
            Stage::Held | Stage::Missing if now < self.until => Due::Nothing,
            Stage::Held => {
                (self.stage, self.until) = (Stage::Missing, now + keep(said));
                Due::Missing
            }
            Stage::Missing if self.last == Last::Answered => Due::Spare,
            Stage::Missing => Due::Over,
            Stage::Lingering => Due::Spare,
            Stage::Unleased => Due::Nothing,
        }
    }

    /// Whether it waits for an answer.
    pub(super) fn is_trying(&self, now: Duration) -> bool {
        matches!(self.next, Next::Trying(since) if now.saturating_sub(since) < ANSWER_MAX)
    }

    /// Since when it should be tried, if it should be now.
    pub(super) fn due(&self, now: Duration) -> Option<Duration> {
        let at = match self.next {
            Next::At(at) => at,
            Next::Trying(since) => since + ANSWER_MAX,
        };
        (at <= now).then_some(at)
    }

    /// It is being tried.
    pub(super) fn attempt(&mut self, now: Duration) {
        self.next = Next::Trying(now);
    }

    /// Takes up an answer, if it waits for one. One that comes too late is of another time.
    pub(super) fn answered(&mut self, name: &Name, answer: Answered, now: Duration) -> Verdict {
        let Next::Trying(_) = self.next else { return Verdict::Stays };
        self.last = match (answer, self.last) {
            (Answered::Yes, _) => Last::Answered,
            (Answered::No, Last::Untried | Last::Answered) => Last::Failed(1),
            (Answered::No, Last::Failed(times)) => Last::Failed(times.saturating_add(1)),
        };
        let seldom = matches!(self.stage, Stage::Lingering | Stage::Unleased) && self.last != Last::Failed(1);
        let pause = if seldom { TRY_SELDOM_EVERY } else { TRY_EVERY };
        self.next = Next::At(now + spread(pause, name, now));
        match self.last {
            Last::Failed(times) if times >= FAILURES_MAX && self.stage != Stage::Unleased => Verdict::Lost,
            Last::Untried | Last::Answered | Last::Failed(_) => Verdict::Stays,
        }
    }
}

/// Nine to eleven tenths of a pause, another part for every name and time, so that many who went together are
/// not tried together for ever. By a hash (FNV-1a), because there is no chance in here.
fn spread(pause: Duration, (service, id): &Name, now: Duration) -> Duration {
    let bytes = service.as_str().bytes().chain(id.as_str().bytes()).chain(now.as_nanos().to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let part = u32::try_from((hash >> 32) % 201).expect("less than 201");
    pause * (900 + part) / 1000
}
