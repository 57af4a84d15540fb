//! Numbers that look random and depend only on their inputs.
//!
//! The world is never stored: whatever is asked about product 42 is thrown again with the same dice.
//! So the functions here may not change, or every test and screenshot does.

/// A sequence of numbers that belongs to one thing of one kind in the world of one seed.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    /// The dice of a thing: `Dice::new(7, "product", 42)`.
    pub(crate) fn new(seed: u64, kind: &str, number: u64) -> Self {
        // FNV-1a over the kind keeps the numbers of orders apart from those of products.
        let kind = kind.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { state: mix(mix(seed ^ kind).wrapping_add(number)) }
    }

    /// The next number (SplitMix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number from 0 up to and without `end`, which must not be 0.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        let wide = u64::from(self.next() as u32) * u64::from(end);
        (wide >> 32) as u32
    }

    /// Like `below`, with small numbers twice as often as large ones: some customers buy more.
    pub(crate) fn skewed(&mut self, end: u32) -> u32 {
        self.below(end).min(self.below(end))
    }

    /// A number from 0.0 up to and without 1.0.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, share: u32) -> bool {
        self.below(100) < share
    }

    /// One of several, which must not be empty.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len() as u32) as usize]
    }
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_inputs_give_the_same_numbers() {
        let throw = |seed, kind, number| Dice::new(seed, kind, number).next();
        assert_eq!(throw(7, "product", 42), throw(7, "product", 42));
        assert_ne!(throw(7, "product", 42), throw(8, "product", 42));
        assert_ne!(throw(7, "product", 42), throw(7, "order", 42));
        assert_ne!(throw(7, "product", 42), throw(7, "product", 43));
    }

    #[test]
    fn numbers_are_spread_evenly() {
        let mut buckets = [0_u32; 10];
        for number in 0..10_000 {
            buckets[Dice::new(1, "spread", number).below(10) as usize] += 1;
        }
        assert!(buckets.iter().all(|count| (850..1150).contains(count)), "{buckets:?}");
    }
}
