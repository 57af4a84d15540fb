//! How many calls an upstream can have at once before they only wait there.
//!
//! The limit follows demand up at once and without a question, as long as answers take about as long as
//! they do when there is little to do: a healthy service never meets it. When calls meet the limit and
//! answers have become slow, the service is crowded: the limit then moves, window by window, to where the
//! delay is one that would also be accepted in the gateway's own queue. Should far fewer calls not
//! make answers quicker, then they were not slow from crowding, and the belief about the service is corrected.
//! Pure: `gate` measures and applies. A window with few calls says nothing and is prolonged.

use std::time::Duration;

/// Fewer calls than this are never the limit.
const LIMIT_MIN: f64 = 4.0;
/// Where it begins, and where it returns to when little is asked.
pub(super) const LIMIT_START: usize = 20;
/// More calls than this never are on their way to one version of a service.
const LIMIT_MAX: f64 = 1000.0;
/// A delay that is accepted: as long as calls may wait in the gateway's queue. Seconds.
const DELAY_S: f64 = 0.1;
/// Also accepted: answers that take this many times as long as without load.
const SLOWER: f64 = 2.0;
/// A window cuts the limit to this share at most, because its effect shows only in the next.
const CUT_MAX: f64 = 0.7;
/// A crowd that still grows: answers take this many times as long as in the slowest window before.
const SLOWER_STILL: f64 = 1.1;
/// With less than this share of the calls at once, reached by three cuts or more ...
const FAR_FEWER: f64 = 0.4;
/// ... answers that take more than this share of the time were not slow from crowding.
const AS_SLOW: f64 = 0.8;
/// So many of a window's quickest calls say how long answers take: the last of them, because a few may be
/// quick by luck. What is slow by nature makes nothing beside it slow, and a crowd makes everything so.
const QUICKEST: usize = 3;
/// Calls that a window needs.
const CALLS_MIN: u32 = 10;
/// The shortest window.
const WINDOW_MIN: Duration = Duration::from_millis(100);
/// The longest: after this it counts with fewer calls too.
const WINDOW_MAX: Duration = Duration::from_secs(10);

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With an answer.
    Answered,
    /// Without one, after this time: nobody knows how long it would have taken.
    Late,
}

/// What was measured since the last step.
#[derive(Clone, Copy, Debug)]
struct Window {
    begun: Duration,
    calls: u32,
    late: u32,
    seconds: f64,
    /// Those that took least, in seconds, in their order.
    quick_s: [f64; QUICKEST],
    peak: usize,
    met: bool,
}

impl Window {
    fn new(begun: Duration) -> Window {
        let quick_s = [f64::INFINITY; QUICKEST];
        Window { begun, calls: 0, late: 0, seconds: 0.0, quick_s, peak: 0, met: false }
    }

    fn note(&mut self, took: Duration) {
        self.seconds += took.as_secs_f64();
        let mut took_s = took.as_secs_f64();
        for quick_s in &mut self.quick_s {
            if took_s < *quick_s {
                std::mem::swap(quick_s, &mut took_s);
            }
        }
    }

    /// How long answers take, for those that take least.
    fn took_s(&self) -> f64 {
        self.quick_s.into_iter().rfind(|took_s| took_s.is_finite()).unwrap_or_default()
    }

    /// Whether it tells how long answers take: hardly any was cut off.
    fn is_telling(&self) -> bool {
        self.late * 10 <= self.calls
    }
}

/// How many calls there may be at once.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    limit: f64,
    /// What an answer takes without crowding, in seconds, when that is known.
    base_s: Option<f64>,
    /// What answers took in the last window.
    last_s: f64,
    mood: Mood,
    window: Window,
}

#[derive(Clone, Copy, Debug)]
enum Mood {
    /// The limit follows demand.
    Calm,
    /// Demand meets the limit. The slowest window of this time, and the limit that it had.
    Crowded { limit: f64, slow_s: f64 },
}

impl Limit {
    /// A limit that knows nothing yet.
    pub(super) fn new(now: Duration) -> Limit {
        let window = Window::new(now);
        Limit { limit: LIMIT_START as f64, base_s: None, last_s: 0.0, mood: Mood::Calm, window }
    }

    /// The limit.
    pub(super) fn value(&self) -> usize {
        self.limit as usize
    }

    /// Takes note of a call that meets the limit. It may have risen afterwards.
    pub(super) fn meet(&mut self) {
        self.window.met = true;
        match self.mood {
            Mood::Calm => self.limit = (self.limit + (self.limit / 10.0).max(1.0)).min(LIMIT_MAX),
            Mood::Crowded { .. } => {}
        }
    }

    /// Takes note of a call that ended, with how many there were at once. The limit may be another one
    /// afterwards.
    pub(super) fn record(&mut self, (took, end): (Duration, End), at_once: usize, now: Duration) {
        self.window.calls += 1;
        self.window.late += u32::from(end == End::Late);
        self.window.note(took);
        self.window.peak = self.window.peak.max(at_once);
        let age = now.saturating_sub(self.window.begun);
        // The effect of a step shows when the calls that came before it are done.
        let settled = Duration::from_secs_f64(self.last_s).clamp(WINDOW_MIN, WINDOW_MAX);
        if age >= WINDOW_MAX || (age >= settled && self.window.calls >= CALLS_MIN) {
            self.step();
            self.window = Window::new(now);
        }
    }

    fn step(&mut self) {
        let took_s = self.window.took_s();
        self.last_s = self.window.seconds / f64::from(self.window.calls.max(1));
        let base_s = self.base_s.map_or(took_s, |base_s| base_s.min(took_s));
        if self.window.is_telling() {
            self.base_s = Some(base_s);
        }
        let accepted_s = (base_s * SLOWER).max(base_s + DELAY_S);
        match self.mood {
            Mood::Calm if self.window.met && took_s > accepted_s => {
                self.mood = Mood::Crowded { limit: self.limit, slow_s: took_s };
                self.cut(accepted_s / took_s);
            }
            Mood::Calm if self.window.met => {}
            Mood::Calm => self.relax(base_s, took_s),
            Mood::Crowded { .. } if !self.window.met => self.mood = Mood::Calm,
            Mood::Crowded { limit, slow_s } => {
                if took_s <= accepted_s {
                    let growth = if took_s * 4.0 < accepted_s * 3.0 { self.limit / 4.0 } else { 0.0 };
                    self.limit = (self.limit + growth + self.limit.sqrt()).min(LIMIT_MAX);
                } else if took_s > slow_s * SLOWER_STILL {
                    self.mood = Mood::Crowded { limit: self.limit, slow_s: took_s };
                    self.cut(accepted_s / took_s);
                } else if self.window.is_telling()
                    && self.limit < limit * FAR_FEWER
                    && took_s > slow_s * AS_SLOW
                {
                    // Far fewer calls, and answers as slow: they take so long by nature.
                    self.base_s = Some(took_s);
                    self.limit = limit;
                    self.mood = Mood::Calm;
                } else {
                    self.cut(accepted_s / took_s);
                }
            }
        }
    }

    fn cut(&mut self, share: f64) {
        self.limit = (self.limit * share.clamp(CUT_MAX, 1.0)).max(LIMIT_MIN);
    }

    /// Nobody met the limit: what answers take now is what they take, and the limit comes down to where a
    /// sudden crowd meets it soon.
    fn relax(&mut self, base_s: f64, took_s: f64) {
        if self.window.is_telling() {
            self.base_s = Some(base_s + (took_s - base_s) * 0.05);
        }
        let enough = (self.window.peak as f64 * 2.0).clamp(LIMIT_START as f64, LIMIT_MAX);
        if self.limit > enough {
            self.limit = (self.limit * 0.9).max(enough);
        } else {
            self.limit = self.limit.max(LIMIT_START as f64);
        }
    }
}

#[cfg(test)]
impl Limit {
    /// A calm one at some value.
    pub(super) fn at(value: usize) -> Limit {
        Limit { limit: value as f64, ..Limit::new(Duration::ZERO) }
    }

    /// Makes it crowded.
    pub(super) fn crowd(&mut self) {
        self.mood = Mood::Crowded { limit: self.limit, slow_s: 1.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of 20 calls that take `took_ms`, each of which meets the limit or not.
    fn windows(limit: &mut Limit, now: &mut Duration, took_ms: impl Fn(&Limit) -> u64, meets: bool) {
        for _ in 0..20 {
            for _ in 0..20 {
                if meets {
                    limit.meet();
                }
                *now += Duration::from_millis(100);
                let at_once = limit.value();
                limit.record((Duration::from_millis(took_ms(limit)), End::Answered), at_once, *now);
            }
        }
    }

    #[test]
    fn it_begins_at_twenty_and_follows_demand_up_to_a_thousand() {
        let mut limit = Limit::new(Duration::ZERO);
        assert_eq!(limit.value(), 20);
        limit.meet();
        assert_eq!(limit.value(), 22);
        for _ in 0..100 {
            limit.meet();
        }
        assert_eq!(limit.value(), 1000);
    }

    #[test]
    fn where_answers_take_as_long_as_there_are_calls_the_delay_settles_at_what_is_accepted() {
        // A service that does 1000 calls a second, each in 5 ms when it is alone.
        let (mut limit, mut now) = (Limit::new(Duration::ZERO), Duration::ZERO);
        windows(&mut limit, &mut now, |_| 5, false);
        windows(&mut limit, &mut now, |limit| (limit.value() as u64).max(5), true);
        assert!((80..=130).contains(&limit.value()), "{limit:?}");
    }

    #[test]
    fn answers_that_are_slow_by_nature_are_not_taken_for_a_crowd_for_long() {
        let (mut limit, mut now) = (Limit::new(Duration::ZERO), Duration::ZERO);
        windows(&mut limit, &mut now, |_| 5, false);
        windows(&mut limit, &mut now, |_| 400, true);
        assert!(limit.value() > 900, "{limit:?}");
    }

    #[test]
    fn it_never_falls_below_four() {
        let (mut limit, mut now) = (Limit::new(Duration::ZERO), Duration::ZERO);
        windows(&mut limit, &mut now, |_| 5, false);
        // Slower and slower, whatever is done.
        for took in [1_000, 4_000, 16_000] {
            windows(&mut limit, &mut now, |limit| took + 1000 / limit.value() as u64, true);
            assert!(limit.value() >= 4);
        }
    }

    #[test]
    fn it_comes_down_when_little_is_asked() {
        let (mut limit, mut now) = (Limit::new(Duration::ZERO), Duration::ZERO);
        for _ in 0..100 {
            limit.meet();
        }
        for _ in 0..1000 {
            now += Duration::from_millis(50);
            limit.record((Duration::from_millis(5), End::Answered), 3, now);
        }
        assert_eq!(limit.value(), 20);
    }
}
