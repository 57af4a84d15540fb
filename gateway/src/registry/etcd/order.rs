//! Which member is asked first.
//!
//! The one that answered last, as long as it answers. One that failed goes to the end of the row for a
//! while that doubles each time, and comes back by itself. Nobody is ever left out: when all have failed,
//! all are still asked, the one that failed least recently first.

use std::time::Duration;

/// How long a member that failed once goes last.
const REST_MIN: Duration = Duration::from_secs(1);
/// The longest that it goes last.
const REST_MAX: Duration = Duration::from_secs(30);

/// The members and how they did.
#[derive(Debug)]
pub(super) struct Order {
    first: usize,
    members: Vec<Health>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Health {
    failures: u32,
    /// Goes last until then, by the age of the process.
    rests_until: Duration,
}

impl Order {
    /// So many members, none of which was asked yet; `first` is taken round the number of them.
    pub(super) fn new(members: usize, first: usize) -> Order {
        Order { first: first % members.max(1), members: vec![Health::default(); members] }
    }

    /// All members, in the order in which they should be asked.
    pub(super) fn row(&self, now: Duration) -> Vec<usize> {
        let count = self.members.len();
        let mut row: Vec<usize> = (0..count).map(|step| (self.first + step) % count).collect();
        // Stable: those that do not rest keep their order.
        row.sort_by_key(|at| Some(self.members[*at].rests_until).filter(|until| *until > now));
        row
    }

    /// A member answered, whatever it said.
    pub(super) fn answered(&mut self, member: usize) {
        self.members[member] = Health::default();
        self.first = member;
    }

    /// A member did not answer, or could not.
    pub(super) fn failed(&mut self, member: usize, now: Duration) {
        let health = &mut self.members[member];
        let rest = REST_MIN * 2_u32.pow(health.failures.min(5));
        health.failures = health.failures.saturating_add(1);
        health.rests_until = now + rest.min(REST_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_one_that_answered_last_is_asked_first() {
        let mut order = Order::new(3, 4);
        assert_eq!(order.row(s(0)), [1, 2, 0]);
        order.answered(2);
        assert_eq!(order.row(s(0)), [2, 0, 1]);
    }

    #[test]
    fn one_that_failed_goes_last_for_a_while_that_doubles() {
        let mut order = Order::new(3, 0);
        order.failed(0, s(10));
        assert_eq!(order.row(s(10)), [1, 2, 0]);
        assert_eq!(order.row(s(11)), [0, 1, 2]);
        order.failed(0, s(11));
        assert_eq!(order.row(s(12)), [1, 2, 0]);
        assert_eq!(order.row(s(13)), [0, 1, 2]);
        for _ in 0..100 {
            order.failed(0, s(20));
        }
        assert_eq!(order.row(s(49)), [1, 2, 0]);
        assert_eq!(order.row(s(50)), [0, 1, 2]);
        order.failed(1, s(60));
        order.answered(1);
        assert_eq!(order.row(s(60)), [1, 2, 0], "an answer ends the rest");
    }

    #[test]
    fn when_all_failed_the_one_that_failed_first_is_asked_first() {
        let mut order = Order::new(3, 0);
        for (member, at) in [(1, 0), (2, 100), (0, 200)] {
            order.failed(member, Duration::from_millis(at));
        }
        assert_eq!(order.row(Duration::from_millis(300)), [1, 2, 0]);
    }
}
