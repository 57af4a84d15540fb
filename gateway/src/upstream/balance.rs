//! Which of two instances takes a call: the cheaper one of two that were drawn.
//!
//! The price of an instance is how long it takes to answer times how much it is doing, over its weight.
//! Latencies that nobody could tell apart count as equal: then the one with less to do takes the call, and
//! between two idle ones the weights decide. An instance that was never measured is compared by load alone,
//! so a new one gets its share, and not every call. Pure: time and chance are arguments.

use std::time::Duration;

/// How long a latency is remembered: after this time, a third of it is left.
const MEMORY: Duration = Duration::from_secs(10);

/// Latencies below this are noise of schedulers and networks. Seconds.
const NOISE_S: f64 = 0.001;

/// Latencies are told apart when one is this much longer.
const APART: f64 = 2.0;

/// Numbers that look random: enough to spread calls, and nothing else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// Dice for one call. Seeds that differ in one bit give numbers that have nothing in common.
    pub(super) fn new(seed: u64) -> Dice {
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // Xorshift never leaves zero.
        Dice((mixed ^ (mixed >> 31)) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`; 0 when that is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A number from 0 to 1, without 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Two different numbers below `bound`, which is at least 2.
    pub(super) fn pair(&mut self, bound: usize) -> (usize, usize) {
        let first = self.below(bound);
        let second = self.below(bound.saturating_sub(1));
        (first, if second >= first { second + 1 } else { second })
    }
}

/// How long an instance takes to answer, of late. It rises at once and sinks slowly.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Latency {
    /// Seconds; 0 when nothing was measured.
    pub(super) seconds: f64,
    /// When it was last measured.
    pub(super) at: Duration,
}

impl Latency {
    /// With one more measurement.
    pub(super) fn observe(self, measured: Duration, now: Duration) -> Latency {
        let measured = measured.as_secs_f64().max(1e-9);
        let at = now.max(self.at);
        if measured >= self.seconds {
            return Latency { seconds: measured, at };
        }
        let kept = faded(now.saturating_sub(self.at));
        Latency { seconds: self.seconds * kept + measured * (1.0 - kept), at }
    }

    /// What is left of it now: an instance that is slow and gets no calls is tried again some day.
    pub(super) fn now(self, now: Duration) -> f64 {
        self.seconds * faded(now.saturating_sub(self.at))
    }
}

/// How much of a memory is left after a time.
fn faded(age: Duration) -> f64 {
    if age < Duration::from_millis(1) {
        // The usual case on a busy pool, without the exponential.
        return 1.0 - age.as_secs_f64() / MEMORY.as_secs_f64();
    }
    (-age.as_secs_f64() / MEMORY.as_secs_f64()).exp()
}

/// An instance as it stands for a choice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Burden {
    /// Calls that it has now.
    pub(super) in_flight: u32,
    /// Its share.
    pub(super) weight: u32,
    /// How long it takes, in seconds; 0 when nothing was measured.
    pub(super) latency_s: f64,
}

/// One of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The first.
    First,
    /// The second.
    Second,
}

/// The better one. `draw` is from 0 to 1 and decides between equals.
pub(super) fn prefer(first: Burden, second: Burden, draw: f64) -> Side {
    let weights = (f64::from(first.weight.max(1)), f64::from(second.weight.max(1)));
    let slow = (first.latency_s.max(NOISE_S), second.latency_s.max(NOISE_S));
    let measured = first.latency_s > 0.0 && second.latency_s > 0.0;
    let apart = slow.0 > slow.1 * APART || slow.1 > slow.0 * APART;
    let prices = if measured && apart {
        let price = |burden: Burden, slow, weight| f64::from(burden.in_flight + 1) * slow / weight;
        (price(first, slow.0, weights.0), price(second, slow.1, weights.1))
    } else if first.weight == second.weight {
        (f64::from(first.in_flight), f64::from(second.in_flight))
    } else {
        return by_weight(first, second, weights, draw);
    };
    if prices.0 < prices.1 || (prices.0 == prices.1 && draw * (weights.0 + weights.1) < weights.0) {
        Side::First
    } else {
        Side::Second
    }
}

/// Between two idle ones, each gets its share of the calls; the more one has to do for its weight, the less
/// likely it is. Plain comparison would not do: of few calls at once, the lighter one would get too many.
fn by_weight(first: Burden, second: Burden, weights: (f64, f64), draw: f64) -> Side {
    let loads = (f64::from(first.in_flight) / weights.0, f64::from(second.in_flight) / weights.1);
    let sum = weights.0 + weights.1;
    let chance = if loads.0 <= loads.1 {
        1.0 - (weights.0 * (loads.0 - loads.1)).exp() * weights.1 / sum
    } else {
        (weights.1 * (loads.1 - loads.0)).exp() * weights.0 / sum
    };
    if draw < chance { Side::First } else { Side::Second }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burden(in_flight: u32, weight: u32, latency_ms: f64) -> Burden {
        Burden { in_flight, weight, latency_s: latency_ms / 1000.0 }
    }

    #[test]
    fn the_cheaper_of_two_takes_the_call() {
        let cases = [
            // Equal latencies: the one with less to do.
            (burden(3, 100, 5.0), burden(2, 100, 5.0), Side::Second),
            (burden(2, 100, 5.0), burden(3, 100, 5.0), Side::First),
            // Latencies within a factor of two are equal.
            (burden(2, 100, 9.0), burden(3, 100, 5.0), Side::First),
            // Below a millisecond all are.
            (burden(2, 100, 0.9), burden(3, 100, 0.1), Side::First),
            // Slower by much: it gets a call when the other has as much more to do.
            (burden(0, 100, 50.0), burden(8, 100, 5.0), Side::Second),
            (burden(0, 100, 50.0), burden(10, 100, 5.0), Side::First),
            // Slow, but with a weight that makes up for it.
            (burden(0, 1000, 50.0), burden(1, 100, 5.0), Side::First),
            // What was never measured is compared by load.
            (burden(1, 100, 0.0), burden(0, 100, 500.0), Side::Second),
            (burden(0, 100, 0.0), burden(1, 100, 0.5), Side::First),
        ];
        for (first, second, expected) in cases {
            assert_eq!(prefer(first, second, 0.5), expected, "{first:?} {second:?}");
        }
    }

    #[test]
    fn between_idle_ones_the_weights_decide() {
        let mut dice = Dice::new(7);
        let heavy = (0..10_000)
            .filter(|_| prefer(burden(0, 300, 5.0), burden(0, 100, 5.0), dice.unit()) == Side::First)
            .count();
        assert!((7_300..7_700).contains(&heavy), "{heavy}");
    }

    #[test]
    fn the_heavier_one_bears_more_until_it_has_its_share() {
        let chance = |first, second| {
            let mut dice = Dice::new(7);
            (0..10_000).filter(|_| prefer(first, second, dice.unit()) == Side::First).count()
        };
        let (light, shared) = (burden(0, 100, 5.0), burden(3, 300, 5.0));
        assert!(chance(burden(9, 300, 5.0), light) < 500);
        assert!((5_000..6_000).contains(&chance(burden(1, 300, 5.0), light)));
        assert!((7_300..7_700).contains(&chance(shared, burden(1, 100, 5.0))));
        assert!(chance(shared, burden(4, 100, 5.0)) > 9_500);
    }

    #[test]
    fn a_pair_is_of_two_and_every_pair_is_drawn() {
        let mut seen = std::collections::BTreeMap::<(usize, usize), u32>::new();
        for seed in 0..12_000 {
            let (first, second) = Dice::new(seed).pair(4);
            assert!(first != second && first < 4 && second < 4);
            *seen.entry((first, second)).or_default() += 1;
        }
        assert_eq!(seen.len(), 12);
        assert!(seen.values().all(|count| (850..1150).contains(count)), "{seen:?}");
    }

    #[test]
    fn latency_rises_at_once_and_sinks_slowly() {
        let ms = Duration::from_millis;
        let slow = Latency::default().observe(ms(10), ms(0)).observe(ms(100), ms(1));
        assert_eq!(slow.seconds, 0.1);
        let after = slow.observe(ms(10), ms(1001));
        assert!(after.seconds > 0.09 && after.seconds < 0.1, "{after:?}");
        let mut settled = slow;
        for second in 1..60 {
            settled = settled.observe(ms(10), Duration::from_secs(second));
        }
        assert!((settled.seconds - 0.01).abs() < 0.001, "{settled:?}");
        assert!(slow.now(Duration::from_secs(60)) < 0.001);
    }
}
