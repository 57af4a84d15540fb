//! Spread for delays, from a number that the caller drew.
//!
//! The same number gives the same throws: what uses them can be replayed.

use std::time::Duration;

/// A row of numbers that look random (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// Any time between none and this.
    pub(super) fn up_to(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let throw = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(u32::MAX);
        most.mul_f64(f64::from(throw) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throws_spread_over_the_whole_and_repeat() {
        let most = Duration::from_secs(1);
        let mut dice = Dice::new(7);
        let throws: Vec<Duration> = (0..1000).map(|_| dice.up_to(most)).collect();
        let mean = throws.iter().sum::<Duration>() / 1000;
        assert!(mean > Duration::from_millis(450) && mean < Duration::from_millis(550), "{mean:?}");
        assert!(throws.iter().all(|throw| *throw <= most));
        assert_eq!(Dice::new(7).up_to(most), throws[0]);
        assert_ne!(Dice::new(8).up_to(most), throws[0]);
    }
}
