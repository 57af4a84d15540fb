//! Whether an instance that fails still gets calls.
//!
//! Closed, it gets its share. After failures in a row, or when half of many calls failed, the breaker asks
//! to open; whoever sees the whole pool may refuse, because somebody has to take the calls. Open, the
//! instance gets none for a while; then one call probes it: success closes, failure opens for twice as long.
//! A pool with many calls probes earlier, because there one call risks little. Pure: time, the count of the
//! pool's calls and chance are arguments; when a call is a failure is not known here.

use std::time::Duration;

/// Failures in a row after which it opens.
const IN_A_ROW: u32 = 7;
/// As many calls must have been seen before half of them may open it.
const CALLS_MIN: u32 = 20;
/// Calls older than this many seconds are forgotten.
const WINDOW_S: usize = 10;
/// The first time it is open.
const OPEN_MIN: Duration = Duration::from_secs(1);
/// The longest.
const OPEN_MAX: Duration = Duration::from_secs(60);
/// An open breaker is probed after this time at the latest where `BUSY_CALLS` were answered by others:
/// so a healed instance is back within seconds, and a broken one gets a quarter of a percent of the calls.
const BUSY_OPEN_MAX: Duration = Duration::from_secs(4);
/// See `BUSY_OPEN_MAX`.
const BUSY_CALLS: u64 = 400;

/// What a call says about the instance that had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// It does its work.
    Good,
    /// It does not.
    Bad,
    /// Nothing: the caller went away, or had no patience.
    Nothing,
}

/// What a breaker wants after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing changes.
    Stay,
    /// To open. It stays closed until somebody does it, and asks again after every failure.
    Open,
    /// It has closed.
    Closed,
}

/// When a breaker opens, and what it then needs to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Now.
    pub(super) now: Duration,
    /// The calls that the pool has had.
    pub(super) calls: u64,
    /// From 0 to 1: how much earlier than planned it is probed, up to half.
    pub(super) jitter: f64,
}

/// Whether calls pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// They do.
    Closed,
    /// They do not, for a time.
    Open,
    /// One is on its way, and decides.
    Probing,
}

#[derive(Clone, Debug)]
enum State {
    Closed(Tally),
    Open { since: Duration, until: Duration, calls: u64 },
    Probing,
}

/// The breaker of one instance.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    state: State,
    /// How often it opened without having been well in between.
    times: u32,
    /// Until when another trip counts as the same trouble.
    relapse_until: Duration,
}

impl Breaker {
    /// A closed one.
    pub(super) fn new() -> Breaker {
        Breaker { state: State::Closed(Tally::default()), times: 0, relapse_until: Duration::ZERO }
    }

    /// Where it stands.
    pub(super) fn circuit(&self) -> Circuit {
        match self.state {
            State::Closed(_) => Circuit::Closed,
            State::Open { .. } => Circuit::Open,
            State::Probing => Circuit::Probing,
        }
    }

    /// Takes note of a call that was no probe, begun at `begun`.
    pub(super) fn record(&mut self, mark: Mark, begun: Duration, now: Duration) -> Wish {
        match &mut self.state {
            State::Closed(tally) => match mark {
                Mark::Nothing => Wish::Stay,
                Mark::Good => {
                    tally.add_good(now);
                    Wish::Stay
                }
                Mark::Bad if tally.add_bad(now) => Wish::Open,
                Mark::Bad => Wish::Stay,
            },
            // Calls pass an open breaker when nobody else is left. One that began before tells old news.
            State::Open { since, .. } if mark == Mark::Good && begun >= *since => {
                self.close(now);
                Wish::Closed
            }
            State::Open { .. } | State::Probing => Wish::Stay,
        }
    }

    /// Opens: calls stop until it is probed.
    pub(super) fn open(&mut self, moment: Moment) {
        let times = if moment.now < self.relapse_until { self.times } else { 0 };
        let planned = OPEN_MIN.saturating_mul(1 << times.min(6)).min(OPEN_MAX);
        let length = planned.mul_f64(1.0 - moment.jitter.clamp(0.0, 1.0) / 2.0);
        self.times = times + 1;
        self.relapse_until = moment.now + OPEN_MAX;
        self.state = State::Open { since: moment.now, until: moment.now + length, calls: moment.calls };
    }

    /// Makes the caller's call the probe when it is time for one: then the caller owes `probed`.
    pub(super) fn try_probe(&mut self, now: Duration, calls: u64) -> bool {
        let State::Open { since, until, calls: before } = self.state else { return false };
        let busy = now >= since + BUSY_OPEN_MAX && calls.saturating_sub(before) >= BUSY_CALLS;
        if now < until && !busy {
            return false;
        }
        self.state = State::Probing;
        true
    }

    /// Takes note of how the probe went.
    pub(super) fn probed(&mut self, mark: Mark, moment: Moment) -> Wish {
        match mark {
            Mark::Good => {
                self.close(moment.now);
                Wish::Closed
            }
            Mark::Bad => {
                self.relapse_until = moment.now + OPEN_MAX;
                self.open(moment);
                Wish::Stay
            }
            // It was given up: the next call is the probe.
            Mark::Nothing => {
                let now = moment.now;
                self.state = State::Open { since: now, until: now, calls: moment.calls };
                Wish::Stay
            }
        }
    }

    fn close(&mut self, now: Duration) {
        // It has to be well for as long as it may have been out before its past is forgotten.
        self.relapse_until = now + WINDOW;
        self.state = State::Closed(Tally::default());
    }
}

/// For how long after closing another trip goes on where the last one stopped.
const WINDOW: Duration = Duration::from_secs(WINDOW_S as u64);

/// The calls of the last seconds.
#[derive(Clone, Debug, Default)]
struct Tally {
    in_a_row: u32,
    /// By second, in a ring: good and bad ones, and which second it is.
    seconds: [(u64, u32, u32); WINDOW_S],
}

impl Tally {
    fn second(&mut self, now: Duration) -> &mut (u64, u32, u32) {
        let number = now.as_secs();
        let second = &mut self.seconds[number as usize % WINDOW_S];
        if second.0 != number {
            *second = (number, 0, 0);
        }
        second
    }

    fn add_good(&mut self, now: Duration) {
        self.in_a_row = 0;
        self.second(now).1 += 1;
    }

    /// Whether it was one too many.
    fn add_bad(&mut self, now: Duration) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.second(now).2 += 1;
        let oldest = (now.as_secs() + 1).saturating_sub(WINDOW_S as u64);
        let (good, bad) = self
            .seconds
            .iter()
            .filter(|(number, _, _)| *number >= oldest)
            .fold((0, 0), |(good, bad), second| (good + second.1, bad + second.2));
        self.in_a_row >= IN_A_ROW || (good + bad >= CALLS_MIN && bad >= good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn moment(now: Duration) -> Moment {
        Moment { now, calls: 0, jitter: 0.0 }
    }

    /// Feeds marks at one a `gap`, and says after how many it wished to open.
    fn opens_after(marks: impl IntoIterator<Item = Mark>, gap: Duration) -> Option<usize> {
        let mut breaker = Breaker::new();
        let mut now = Duration::ZERO;
        for (at, mark) in marks.into_iter().enumerate() {
            if breaker.record(mark, now, now) == Wish::Open {
                return Some(at + 1);
            }
            now += gap;
        }
        None
    }

    #[test]
    fn it_opens_on_failures_in_a_row_or_on_half_of_many() {
        let alternating = |count| (0..count).map(|at| if at % 2 == 0 { Mark::Good } else { Mark::Bad });
        let rare = (0..1000).map(|at| if at % 5 == 0 { Mark::Bad } else { Mark::Good });
        let broken_off = (0..1000).map(|at| if at % 7 == 6 { Mark::Good } else { Mark::Bad });
        assert_eq!(opens_after([Mark::Bad; 20], ms(100)), Some(7));
        assert_eq!(opens_after([Mark::Bad; 20], ms(5000)), Some(7));
        assert_eq!(opens_after(alternating(100), ms(100)), Some(20));
        assert_eq!(opens_after(alternating(100), ms(1000)), None);
        assert_eq!(opens_after(rare, ms(10)), None);
        assert_eq!(opens_after(broken_off, ms(10)), Some(20));
        assert_eq!(opens_after([Mark::Nothing; 100], ms(10)), None);
        assert_eq!(opens_after([Mark::Nothing, Mark::Bad].into_iter().cycle().take(100), ms(1)), Some(14));
    }

    #[test]
    fn it_is_open_for_twice_as_long_after_each_failed_probe() {
        let mut breaker = Breaker::new();
        let mut now = Duration::ZERO;
        breaker.open(moment(now));
        for planned in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert!(!breaker.try_probe(now + Duration::from_secs(planned) - ms(1), 0));
            now += Duration::from_secs(planned);
            assert!(breaker.try_probe(now, 0), "after {planned} s");
            assert_eq!(breaker.probed(Mark::Bad, moment(now)), Wish::Stay);
        }
    }

    #[test]
    fn jitter_probes_up_to_half_earlier() {
        for (jitter, after) in [(0.0, 1000), (0.5, 750), (1.0, 500)] {
            let mut breaker = Breaker::new();
            breaker.open(Moment { now: ms(0), calls: 0, jitter });
            assert!(!breaker.try_probe(ms(after - 1), 0));
            assert!(breaker.try_probe(ms(after), 0));
        }
    }

    #[test]
    fn one_call_at_a_time_probes_and_success_closes() {
        let mut breaker = Breaker::new();
        breaker.open(moment(ms(0)));
        assert!(breaker.try_probe(ms(1000), 0));
        assert!(!breaker.try_probe(ms(99_000), 0));
        assert_eq!(breaker.circuit(), Circuit::Probing);
        assert_eq!(breaker.probed(Mark::Good, moment(ms(1100))), Wish::Closed);
        assert_eq!(breaker.circuit(), Circuit::Closed);
    }

    #[test]
    fn a_probe_that_was_given_up_leaves_the_next_call_to_probe() {
        let mut breaker = Breaker::new();
        breaker.open(moment(ms(0)));
        assert!(breaker.try_probe(ms(1000), 0));
        breaker.probed(Mark::Nothing, moment(ms(1010)));
        assert!(breaker.try_probe(ms(1010), 0));
    }

    #[test]
    fn a_busy_pool_probes_early() {
        let mut breaker = Breaker::new();
        let mut now = ms(0);
        breaker.open(moment(now));
        for _ in 0..6 {
            now += Duration::from_secs(60);
            assert!(breaker.try_probe(now, 0));
            breaker.probed(Mark::Bad, moment(now));
        }
        assert!(!breaker.try_probe(now + ms(4000), 399));
        assert!(!breaker.try_probe(now + ms(3999), 400));
        assert!(breaker.try_probe(now + ms(4000), 400));
    }

    #[test]
    fn a_relapse_goes_on_where_it_stopped_and_an_old_story_is_forgotten() {
        let open_for = |well: u64| {
            let mut breaker = Breaker::new();
            breaker.open(moment(ms(0)));
            breaker.try_probe(ms(1000), 0);
            breaker.probed(Mark::Good, moment(ms(1000)));
            let again = ms(1000 + well);
            breaker.open(moment(again));
            (1..100_000).find(|after| breaker.clone().try_probe(again + ms(*after), 0))
        };
        assert_eq!(open_for(5_000), Some(2000));
        assert_eq!(open_for(15_000), Some(1000));
    }

    #[test]
    fn an_open_breaker_hears_only_of_calls_that_began_since() {
        let mut breaker = Breaker::new();
        breaker.open(moment(ms(100)));
        assert_eq!(breaker.record(Mark::Good, ms(50), ms(150)), Wish::Stay);
        assert_eq!(breaker.record(Mark::Bad, ms(120), ms(150)), Wish::Stay);
        assert_eq!(breaker.record(Mark::Good, ms(120), ms(150)), Wish::Closed);
    }
}
