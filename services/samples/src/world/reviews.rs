//! Reviews of the past.

use prost_types::Timestamp;

use super::words::OPINIONS;
use super::{PRODUCTS, REVIEWS, USERS, World, minutes_ago};
use crate::random::Dice;

/// What can be said of a review without its texts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReviewFacts {
    pub product: u32,
    pub user: u32,
    /// One to five.
    pub stars: u32,
    pub helpful: u32,
    pub verified: bool,
    pub created_at: Timestamp,
}

impl World {
    /// A review of the world.
    pub(crate) fn review(self, number: u32) -> ReviewFacts {
        let mut dice = Dice::new(self.seed, "review", u64::from(number));
        ReviewFacts {
            product: 1 + dice.skewed(PRODUCTS),
            user: 1 + dice.skewed(USERS),
            stars: [1, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5][dice.below(12) as usize],
            helpful: dice.skewed(40),
            verified: dice.percent(70),
            // One every thirteen minutes, the last one just now.
            created_at: minutes_ago(u64::from(REVIEWS - number) * 13),
        }
    }

    /// The gist of a review.
    pub(crate) fn review_title(self, number: u32) -> &'static str {
        self.opinion(number).0
    }

    /// The text of a review.
    pub(crate) fn review_text(self, number: u32) -> &'static str {
        self.opinion(number).1
    }

    fn opinion(self, number: u32) -> (&'static str, &'static str) {
        let stars = self.review(number).stars;
        let said = OPINIONS[stars as usize - 1];
        said[Dice::new(self.seed, "opinion", u64::from(number)).below(said.len() as u32) as usize]
    }
}
