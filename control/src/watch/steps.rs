//! What to do next to know what is there: list, watch, ask, try, rest.
//!
//! A state machine by value: `next` names a step, the caller performs it and tells what came of it, once.
//! Times are the age of the process. The rules:
//! - A watch begins at the revision after what is known, and its first word must be that it stands, at no
//!   lower revision. A lower one means that the store was replaced: everything is listed again.
//! - What is known moves on only by what a watch says in order, or by a listing. Nothing else is believed.
//! - Silence is asked about; when no answer comes, the store is tried by a read, and the watch opened anew.
//! - Failures are repeated after a rest that grows, and is spread so that not all gateways come at once.
//! - Now and then everything is listed although all is well, because stores have lost events before.

use std::time::Duration;

use super::dice::Dice;
use super::mirror::Mirror;
use super::{Difference, Listing, Reply};

/// The longest first rest after a failure; it doubles with each that follows.
const REST_MIN: Duration = Duration::from_millis(200);
/// The longest rest in an outage that began lately: with the 2 s of a call, what heals is seen within 5 s.
const REST_EARLY_MAX: Duration = Duration::from_secs(2);
/// For how long an outage is young.
const EARLY: Duration = Duration::from_secs(5 * 60);
/// The longest rest of all.
const REST_MAX: Duration = Duration::from_secs(30);
/// After so long without a failure the next one is the first.
const WELL: Duration = Duration::from_secs(120);
/// The longest wait before everything is listed because a watch cannot go on from where it was.
const RELIST_SPREAD: Duration = Duration::from_secs(1);
/// How long the first word of a watch may take. Large stores begin watches late.
const GREETING: Duration = Duration::from_secs(5);
/// After so much silence the store is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(30);
/// How long the sign may take.
const SIGN: Duration = Duration::from_secs(15);
/// How often everything is listed, less or more a fifth.
const RECONCILE: Duration = Duration::from_secs(5 * 60);

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// List everything, while no watch is open. Then `listed` or `failed`.
    List,
    /// Open a watch from this revision on. Then `opened` or `failed`.
    Open(u64),
    /// Wait for the watch's next reply until then. Then `heard` or `failed`, or `next` when it is time.
    Hear(Duration),
    /// Ask the watch for a sign of life. Then `asked` or `failed`.
    Ask,
    /// Read something by all members' agreement. Then `tried` or `failed`.
    Try,
    /// List everything beside the watch, without hearing it meanwhile. Then `listed` or `not_listed`.
    Reconcile,
    /// Let the watch go, if there is one, and do nothing until then.
    Rest(Duration),
}

/// What is known of one prefix, and how it is being followed.
#[derive(Clone, Debug)]
pub struct Watch {
    dice: Dice,
    mirror: Mirror,
    state: State,
    listings: u64,
    reconcile_at: Duration,
    trouble: Trouble,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Resting {
        until: Duration,
        then: Then,
    },
    Opened {
        greeting_by: Duration,
    },
    Following {
        heard_at: Duration,
        asked_at: Option<Duration>,
    },
    /// No sign came.
    Doubting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    List,
    Open,
}

/// The failures of late.
#[derive(Clone, Debug, Default)]
struct Trouble {
    failures: u32,
    since: Duration,
    /// How many of them came after the last sign of life.
    in_a_row: u32,
    /// Since when there was none.
    well_at: Option<Duration>,
    why: Option<String>,
}

impl Watch {
    /// Nothing is known yet. `seed` is any number; it spreads the delays.
    pub fn new(seed: u64) -> Watch {
        Watch {
            dice: Dice::new(seed),
            mirror: Mirror::default(),
            state: State::Resting { until: Duration::ZERO, then: Then::List },
            listings: 0,
            reconcile_at: Duration::MAX,
            trouble: Trouble::default(),
        }
    }

    /// What to do now.
    pub fn next(&mut self, now: Duration) -> Step {
        match self.state {
            State::Resting { until, .. } if now < until => Step::Rest(until),
            State::Resting { then, .. } => match (then, self.mirror.known_to()) {
                (Then::Open, Some(known)) => Step::Open(known + 1),
                (Then::Open | Then::List, _) => Step::List,
            },
            State::Opened { greeting_by } if now < greeting_by => Step::Hear(greeting_by),
            State::Opened { .. } | State::Doubting => Step::Try,
            State::Following { heard_at, asked_at } => self.follow(heard_at, asked_at, now),
        }
    }

    fn follow(&mut self, heard_at: Duration, asked_at: Option<Duration>, now: Duration) -> Step {
        let due = match asked_at {
            None => heard_at + SILENCE,
            Some(at) => at + SIGN,
        };
        if now >= due {
            if asked_at.is_none() {
                return Step::Ask;
            }
            self.state = State::Doubting;
            return Step::Try;
        }
        if now >= self.reconcile_at { Step::Reconcile } else { Step::Hear(due.min(self.reconcile_at)) }
    }

    /// Everything was listed.
    pub fn listed(&mut self, listing: Listing, now: Duration) -> Vec<Difference> {
        self.listings += 1;
        let known = self.mirror.known_to();
        let set_back = known.is_some_and(|known| listing.revision < known);
        self.reconcile_at = now + RECONCILE * 4 / 5 + self.dice.up_to(RECONCILE * 2 / 5);
        let differences = self.mirror.list(listing);
        match self.state {
            // A watch of a store that was replaced meanwhile would never speak again.
            State::Following { .. } if !set_back => {}
            State::Following { .. } | State::Resting { .. } | State::Opened { .. } | State::Doubting => {
                self.state = State::Resting { until: now, then: Then::Open };
            }
        }
        differences
    }

    /// The listing beside the watch did not succeed; the watch is not to blame.
    pub fn not_listed(&mut self, now: Duration) {
        self.reconcile_at = now + SILENCE + self.dice.up_to(SILENCE);
    }

    /// A watch was opened; its first word is awaited.
    pub fn opened(&mut self, now: Duration) {
        self.state = State::Opened { greeting_by: now + GREETING };
    }

    /// The watch said something.
    pub fn heard(&mut self, reply: Reply, now: Duration) -> Vec<Difference> {
        match (reply, self.state) {
            (Reply::Compacted, _) => self.list_soon(now),
            (Reply::Ended(why), _) => self.failed(why, now),
            (Reply::Created(revision), State::Opened { .. }) => {
                if self.mirror.known_to().is_some_and(|known| revision < known) {
                    self.list_soon(now);
                } else {
                    self.well(now);
                }
            }
            (_, State::Opened { .. }) => self.failed("a watch began without a greeting".to_owned(), now),
            (Reply::Created(_) | Reply::Alive, _) => self.well(now),
            (Reply::Progress(revision), _) => {
                self.mirror.reached(revision);
                self.well(now);
            }
            (Reply::Events(events), _) => {
                self.well(now);
                return events.into_iter().filter_map(|event| self.mirror.event(event)).collect();
            }
        }
        Vec::new()
    }

    /// The watch was asked for a sign of life.
    pub fn asked(&mut self, now: Duration) {
        if let State::Following { asked_at, .. } = &mut self.state {
            *asked_at = Some(now);
        }
    }

    /// The store answered a read, so it is the watch that is dead.
    pub fn tried(&mut self, now: Duration) {
        match self.state {
            State::Opened { .. } => self.failed("a watch is not begun in time".to_owned(), now),
            State::Resting { .. } | State::Following { .. } | State::Doubting => {
                self.state = State::Resting { until: now, then: Then::Open };
            }
        }
    }

    /// A step failed, or the watch broke.
    pub fn failed(&mut self, why: String, now: Duration) {
        let trouble = &mut self.trouble;
        if trouble.well_at.is_some_and(|at| now.saturating_sub(at) >= WELL) || trouble.failures == 0 {
            *trouble = Trouble { since: now, ..Trouble::default() };
        }
        trouble.well_at = None;
        trouble.in_a_row += 1;
        trouble.why = Some(why);
        let most = if now.saturating_sub(trouble.since) < EARLY { REST_EARLY_MAX } else { REST_MAX };
        let rest = (REST_MIN * 2_u32.pow(trouble.failures.min(10))).min(most);
        trouble.failures = trouble.failures.saturating_add(1);
        let then = if self.mirror.known_to().is_some() { Then::Open } else { Then::List };
        self.state = State::Resting { until: now + self.dice.up_to(rest), then };
    }

    /// The revision up to which everything is known; 0 before the first listing.
    pub fn revision(&self) -> u64 {
        self.mirror.known_to().unwrap_or(0)
    }

    /// How many entries there are.
    pub fn entries(&self) -> usize {
        self.mirror.len()
    }

    /// How often everything was listed; 0 means that nothing is known yet.
    pub fn listings(&self) -> u64 {
        self.listings
    }

    /// When the watch last gave a sign of life; `None` while it cannot be heard.
    pub fn heard_at(&self) -> Option<Duration> {
        match self.state {
            State::Following { heard_at, .. } => Some(heard_at),
            State::Resting { .. } | State::Opened { .. } | State::Doubting => None,
        }
    }

    /// Why nothing can be heard, when trying again did not help either.
    pub fn trouble(&self) -> Option<&str> {
        let lasting = self.trouble.in_a_row > 1;
        self.trouble.why.as_deref().filter(|_| lasting)
    }

    fn well(&mut self, now: Duration) {
        self.state = State::Following { heard_at: now, asked_at: None };
        self.trouble.well_at.get_or_insert(now);
        self.trouble.in_a_row = 0;
    }

    fn list_soon(&mut self, now: Duration) {
        self.state = State::Resting { until: now + self.dice.up_to(RELIST_SPREAD), then: Then::List };
    }
}
