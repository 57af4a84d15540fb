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
/// After so much silence the store is asked for a sign of life. With what follows, a member that is frozen
/// is left before 15 s have passed.
const SILENCE: Duration = Duration::from_secs(8);
/// How long the sign may take.
const SIGN: Duration = Duration::from_secs(4);
/// The silence doubles so often for a store that answers reads and gives no signs: some releases do not.
const VAIN_MAX: u32 = 2;
/// How often everything is listed, less or more a fifth.
const RECONCILE: Duration = Duration::from_secs(5 * 60);
/// After so long, or twice that, again when it did not succeed.
const RECONCILE_AGAIN: Duration = Duration::from_secs(30);

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
    /// How many signs in a row were asked for in vain while reads were answered.
    vain: u32,
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
            vain: 0,
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
            None => heard_at + SILENCE * 2_u32.pow(self.vain.min(VAIN_MAX)),
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
        self.reconcile_at = now + RECONCILE_AGAIN + self.dice.up_to(RECONCILE_AGAIN);
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
            (Reply::Created(_), _) => self.well(now),
            (Reply::Alive, _) => {
                self.vain = 0;
                self.well(now);
            }
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
                self.vain = self.vain.saturating_add(1);
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
        let then = match self.state {
            State::Resting { then: Then::List, .. } => Then::List,
            // Where watches are refused and listings are not, changes are still seen, only late.
            _ if now >= self.reconcile_at => Then::List,
            State::Resting { .. } | State::Opened { .. } | State::Following { .. } | State::Doubting => {
                Then::Open
            }
        };
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

#[cfg(test)]
mod tests {
    use super::super::tests::{entry, gone, listing, put};
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// One that follows since the start: listed at revision 9, with `a` in it.
    fn following() -> Watch {
        let mut watch = Watch::new(1);
        assert_eq!(watch.next(s(0)), Step::List);
        assert_eq!(watch.listed(listing(9, &[entry("a", 3)]), s(0)).len(), 1);
        assert_eq!(watch.next(s(0)), Step::Open(10));
        watch.opened(s(0));
        assert_eq!(watch.next(s(0)), Step::Hear(GREETING));
        assert_eq!(watch.heard(Reply::Created(9), s(0)), []);
        assert_eq!(watch.next(s(0)), Step::Hear(SILENCE));
        watch
    }

    /// The rest before the next attempt, and the attempt.
    fn rest(watch: &mut Watch, now: Duration) -> (Duration, Step) {
        match watch.next(now) {
            Step::Rest(until) => (until - now, watch.next(until)),
            step => (Duration::ZERO, step),
        }
    }

    #[test]
    fn a_watch_begins_after_the_listing_and_goes_on_after_what_it_told() {
        let mut watch = following();
        let told = watch.heard(Reply::Events(vec![put("b", 12), gone("a", 14)]), s(1));
        assert_eq!(told.len(), 2);
        watch.failed("reset".into(), s(2));
        assert_eq!(rest(&mut watch, s(2)).1, Step::Open(15));
        assert_eq!((watch.entries(), watch.revision(), watch.listings()), (1, 14, 1));
    }

    #[test]
    fn progress_moves_the_resume_point_and_a_sign_of_life_does_not() {
        let mut watch = following();
        watch.heard(Reply::Progress(20), s(1));
        watch.heard(Reply::Alive, s(2));
        watch.failed("reset".into(), s(3));
        assert_eq!(rest(&mut watch, s(3)).1, Step::Open(21));
    }

    #[test]
    fn an_idle_timeout_does_not_move_the_resume_point() {
        let mut watch = following();
        assert_eq!(watch.next(s(8)), Step::Ask);
        watch.asked(s(8));
        assert_eq!(watch.next(s(8)), Step::Hear(s(12)));
        assert_eq!(watch.next(s(12)), Step::Try);
        watch.tried(s(12));
        assert_eq!(
            watch.next(s(12)),
            Step::Open(10),
            "what was committed meanwhile is told by the next watch"
        );
        assert_eq!(watch.trouble(), None);
    }

    #[test]
    fn a_store_that_never_gives_signs_is_asked_less_often() {
        let mut watch = following();
        let (mut now, mut opened) = (s(0), Vec::new());
        while now < s(200) {
            match watch.next(now) {
                Step::Hear(until) => now = until,
                Step::Ask => watch.asked(now),
                Step::Try => watch.tried(now),
                Step::Open(10) => {
                    opened.push(now.as_secs());
                    watch.opened(now);
                    watch.heard(Reply::Created(9), now);
                }
                step => panic!("{step:?}"),
            }
        }
        assert_eq!(opened, [12, 32, 68, 104, 140, 176]);
        watch.heard(Reply::Alive, now);
        assert_eq!(watch.next(now), Step::Hear(now + SILENCE));
    }

    #[test]
    fn a_sign_of_life_ends_the_doubt() {
        let mut watch = following();
        assert_eq!(watch.next(s(8)), Step::Ask);
        watch.asked(s(8));
        watch.heard(Reply::Alive, s(9));
        assert_eq!(watch.next(s(16)), Step::Hear(s(17)));
        assert_eq!(watch.heard_at(), Some(s(9)));
    }

    #[test]
    fn a_store_that_does_not_answer_a_read_either_is_a_failure() {
        let mut watch = following();
        watch.next(s(8));
        watch.asked(s(8));
        assert_eq!(watch.next(s(12)), Step::Try);
        watch.failed("no answer".into(), s(14));
        assert_eq!(watch.trouble(), None, "once is no outage");
        watch.failed("no answer".into(), s(16));
        assert_eq!(watch.trouble(), Some("no answer"));
        assert_eq!(watch.heard_at(), None);
    }

    #[test]
    fn a_compacted_watch_lists_again_within_a_second_and_tells_only_what_differs() {
        let mut watch = following();
        assert_eq!(watch.heard(Reply::Compacted, s(1)), []);
        let (waited, step) = rest(&mut watch, s(1));
        assert!(waited <= s(1));
        assert_eq!((step, watch.trouble()), (Step::List, None));
        let differs = watch.listed(listing(40, &[entry("a", 3), entry("b", 40)]), s(2));
        assert!(matches!(&differs[..], [Difference::Put(b)] if b.key == b"b"), "{differs:?}");
        assert_eq!(watch.next(s(2)), Step::Open(41));
    }

    #[test]
    fn a_watch_that_begins_at_a_lower_revision_lists_again() {
        let mut watch = following();
        watch.failed("reset".into(), s(1));
        watch.opened(s(2));
        watch.heard(Reply::Created(4), s(2));
        assert_eq!(rest(&mut watch, s(2)).1, Step::List);
        let differs = watch.listed(listing(4, &[entry("c", 4)]), s(3));
        assert!(matches!(&differs[..], [Difference::All(all)] if all.len() == 1), "{differs:?}");
        assert_eq!(watch.next(s(3)), Step::Open(5));
    }

    #[test]
    fn a_watch_is_not_believed_before_it_says_that_it_stands() {
        let mut watch = following();
        watch.failed("reset".into(), s(1));
        watch.opened(s(2));
        assert_eq!(watch.heard(Reply::Events(vec![put("b", 12)]), s(2)), []);
        assert_eq!(rest(&mut watch, s(2)).1, Step::Open(10));
        watch.opened(s(4));
        assert_eq!(watch.next(s(9)), Step::Try, "or says nothing at all");
        watch.tried(s(9));
        assert!(watch.trouble().is_some());
        assert_eq!(rest(&mut watch, s(9)).1, Step::Open(10));
    }

    #[test]
    fn everything_is_listed_every_five_minutes_less_or_more_a_fifth() {
        for seed in 0..50 {
            let mut watch = following();
            watch.dice = Dice::new(seed);
            watch.listed(listing(9, &[entry("a", 3)]), s(0));
            let mut now = s(0);
            let at = loop {
                watch.heard(Reply::Alive, now);
                match watch.next(now) {
                    Step::Hear(until) => now = until.min(now + s(5)),
                    Step::Reconcile => break now,
                    step => panic!("{step:?}"),
                }
            };
            assert!(at >= s(240) && at <= s(360), "{at:?}");
            let differs = watch.listed(listing(50, &[entry("b", 40)]), at);
            assert_eq!(differs.len(), 2, "what the watch lost is found");
            assert!(matches!(watch.next(at), Step::Hear(_)), "the watch goes on");
            assert_eq!(watch.heard(Reply::Events(vec![gone("b", 41), put("a", 3)]), at), []);
            watch.failed("reset".into(), at);
            assert_eq!(rest(&mut watch, at).1, Step::Open(51));
        }
    }

    #[test]
    fn a_reconciliation_that_fails_is_tried_again_and_leaves_the_watch_alone() {
        let mut watch = following();
        let at = s(360);
        watch.heard(Reply::Alive, at);
        assert_eq!(watch.next(at), Step::Reconcile);
        watch.not_listed(at);
        watch.heard(Reply::Alive, at + s(29));
        assert!(matches!(watch.next(at + s(29)), Step::Hear(_)));
        watch.heard(Reply::Alive, at + s(60));
        assert_eq!(watch.next(at + s(60)), Step::Reconcile);
    }

    #[test]
    fn a_store_set_back_under_an_open_watch_is_watched_anew() {
        let mut watch = following();
        watch.heard(Reply::Alive, s(360));
        assert_eq!(watch.next(s(360)), Step::Reconcile);
        watch.listed(listing(2, &[]), s(360));
        assert_eq!(watch.next(s(360)), Step::Open(3));
    }

    #[test]
    fn rests_grow_to_two_seconds_at_first_and_to_half_a_minute_later() {
        let mut watch = following();
        let (mut now, mut early, mut late) = (s(1), s(0), s(0));
        while now < s(1200) {
            watch.failed("refused".into(), now);
            let (waited, step) = rest(&mut watch, now);
            match step {
                Step::Open(10) => {}
                Step::List => assert!(now >= watch.reconcile_at),
                step => panic!("{step:?}"),
            }
            let longest = if now < s(300) { &mut early } else { &mut late };
            *longest = waited.max(*longest);
            now += waited.max(Duration::from_millis(1));
        }
        assert!(early > s(1) && early <= s(2), "{early:?}");
        assert!(late > s(15) && late <= s(30), "{late:?}");
    }

    #[test]
    fn two_minutes_of_health_make_the_next_failure_the_first() {
        let mut watch = following();
        for _ in 0..20 {
            watch.failed("refused".into(), s(1));
        }
        watch.opened(s(400));
        watch.heard(Reply::Created(9), s(400));
        watch.heard(Reply::Alive, s(420));
        watch.failed("reset".into(), s(521));
        assert_eq!(watch.trouble(), None);
        assert!(rest(&mut watch, s(521)).0 <= REST_MIN);
    }

    #[test]
    fn what_cannot_be_listed_at_the_start_is_listed_later() {
        let mut watch = Watch::new(1);
        assert_eq!(watch.next(s(0)), Step::List);
        watch.failed("refused".into(), s(0));
        assert_eq!(rest(&mut watch, s(0)).1, Step::List);
        assert_eq!((watch.revision(), watch.listings()), (0, 0));
    }
}
