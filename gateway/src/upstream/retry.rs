//! Whether a call that failed is tried again, and what a failure says about the instance.
//!
//! Nothing is ever done twice that may not be: a call that is neither read-only nor idempotent is repeated
//! only when the service certainly never saw it. Retries share a budget, so that trouble is not multiplied:
//! a fifth of the calls and ten a second, over ten seconds. Pure: time and chance are arguments. How many
//! attempts there are, and on which instance, is decided where it is done.

use std::time::Duration;

use tonic::Code;
use turnout_schema::graph::Safety;

use super::breaker::Mark;
use super::exchange::{Attempt, Reach};
use super::{Failure, Origin};

/// Waits before a retry are drawn from this range: full jitter, so that callers do not come back together.
const WAIT_MIN: Duration = Duration::from_millis(25);
const WAIT_MAX: Duration = Duration::from_millis(250);

/// Over which time the budget counts.
const BUDGET_S: f64 = 10.0;
/// Retries a second that are always allowed.
const BUDGET_PER_S: f64 = 10.0;
/// Retries for a call that are allowed beside those.
const BUDGET_PER_CALL: f64 = 0.2;

/// Whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// No.
    Never,
    /// At once on another instance; after this time when there is only the same.
    Elsewhere(Duration),
    /// After this time.
    After(Duration),
}

/// Whether a failed attempt may be followed by another. `draw` is from 0 to 1.
pub(super) fn decide(attempt: &Attempt, safety: Safety, draw: f64) -> Retry {
    let wait = WAIT_MIN + (WAIT_MAX - WAIT_MIN).mul_f64(draw.clamp(0.0, 1.0));
    let repeatable = match safety {
        Safety::ReadOnly | Safety::Idempotent => true,
        Safety::Once => false,
    };
    let unseen = attempt.reach == Reach::Unseen;
    if out_of_time(&attempt.failure) || !(unseen || repeatable) {
        return Retry::Never;
    }
    match attempt.pushback {
        Some(None) => Retry::Never,
        Some(Some(pushback)) if unseen || transient(&attempt.failure) || asked(&attempt.failure) => {
            Retry::After(pushback)
        }
        None if unseen => Retry::Elsewhere(wait),
        None if transient(&attempt.failure) => Retry::After(wait),
        Some(Some(_)) | None => Retry::Never,
    }
}

fn out_of_time(failure: &Failure) -> bool {
    failure.origin == Origin::Deadline
}

/// By gRPC's rules, what may be gone in a moment.
fn transient(failure: &Failure) -> bool {
    match failure.origin {
        Origin::Connection => true,
        Origin::Service | Origin::Answer => failure.code == Code::Unavailable,
        Origin::Nobody | Origin::Deadline | Origin::Overload => false,
    }
}

/// A service that is full and says when it will not be has asked for a retry.
fn asked(failure: &Failure) -> bool {
    failure.origin == Origin::Service && failure.code == Code::ResourceExhausted
}

/// What a failure says about the instance. `patient`: whether it was given the time it may expect; a short
/// deadline of a caller proves nothing.
pub(super) fn blame(failure: &Failure, patient: Patience) -> Mark {
    let too_late = match patient {
        Patience::Enough => Mark::Bad,
        Patience::Short => Mark::Nothing,
    };
    match failure.origin {
        Origin::Connection => Mark::Bad,
        Origin::Deadline => too_late,
        Origin::Nobody | Origin::Overload => Mark::Nothing,
        // More of an answer, or of headers, than is taken: the question's fault.
        Origin::Answer if failure.code == Code::ResourceExhausted => Mark::Nothing,
        Origin::Answer => Mark::Bad,
        Origin::Service => match failure.code {
            Code::Unavailable | Code::Internal | Code::Unknown | Code::DataLoss => Mark::Bad,
            Code::DeadlineExceeded => too_late,
            Code::Cancelled | Code::ResourceExhausted | Code::Unimplemented => Mark::Nothing,
            // It understood the question and refused it: that is work well done.
            Code::Ok
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unauthenticated => Mark::Good,
        },
    }
}

/// How long somebody waited for an answer that did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as the operator grants.
    Enough,
    /// Less.
    Short,
}

/// How many retries a pool may make.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    tokens: f64,
    at: Duration,
    calls: u64,
}

impl Budget {
    /// One that has a second's worth.
    pub(super) fn new(now: Duration) -> Budget {
        Budget { tokens: BUDGET_PER_S, at: now, calls: 0 }
    }

    /// Takes one retry, when there is one. `calls`: how many the pool has had, without retries.
    pub(super) fn withdraw(&mut self, now: Duration, calls: u64) -> bool {
        let seconds = now.saturating_sub(self.at).as_secs_f64();
        let earned = BUDGET_PER_CALL * calls.saturating_sub(self.calls) as f64;
        if seconds > 0.0 {
            // Income over this time, of which what came early has faded as the rest did.
            let kept = (-seconds / BUDGET_S).exp();
            let per_s = BUDGET_PER_S + earned / seconds;
            self.tokens = self.tokens * kept + per_s * BUDGET_S * (1.0 - kept);
            // Calls fail in another order than they began in, and none is to be paid for twice.
            self.calls = self.calls.max(calls);
            self.at = now;
        }
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn failure(code: Code, origin: Origin) -> Failure {
        Failure { code, message: String::new(), details: Bytes::new(), origin }
    }

    fn attempt(code: Code, origin: Origin, reach: Reach) -> Attempt {
        Attempt { failure: failure(code, origin), reach, pushback: None }
    }

    const SAFETIES: [Safety; 3] = [Safety::ReadOnly, Safety::Idempotent, Safety::Once];
    const CODES: [Code; 17] = [
        Code::Ok,
        Code::Cancelled,
        Code::Unknown,
        Code::InvalidArgument,
        Code::DeadlineExceeded,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
        Code::Unauthenticated,
    ];

    #[test]
    fn what_may_happen_only_once_is_never_repeated_when_it_was_perhaps_seen() {
        for code in CODES {
            for origin in [Origin::Service, Origin::Connection, Origin::Answer, Origin::Deadline] {
                for reach in [Reach::Perhaps, Reach::Answered] {
                    for pushback in [None, Some(None), Some(Some(WAIT_MIN))] {
                        let attempt = Attempt { pushback, ..attempt(code, origin, reach) };
                        assert_eq!(decide(&attempt, Safety::Once, 0.5), Retry::Never, "{attempt:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_never_seen_is_tried_elsewhere_at_once() {
        for safety in SAFETIES {
            let refused = attempt(Code::Unavailable, Origin::Connection, Reach::Unseen);
            assert_eq!(decide(&refused, safety, 0.0), Retry::Elsewhere(WAIT_MIN));
            assert_eq!(decide(&refused, safety, 1.0), Retry::Elsewhere(WAIT_MAX));
        }
    }

    #[test]
    fn answers_are_final_but_for_unavailable() {
        for code in CODES {
            let answered = attempt(code, Origin::Service, Reach::Answered);
            let expected = if code == Code::Unavailable {
                Retry::After(Duration::from_micros(137_500))
            } else {
                Retry::Never
            };
            assert_eq!(decide(&answered, Safety::ReadOnly, 0.5), expected, "{code:?}");
        }
    }

    #[test]
    fn a_connection_that_broke_is_retried_by_readers() {
        let broke = attempt(Code::Internal, Origin::Connection, Reach::Perhaps);
        assert_eq!(decide(&broke, Safety::Idempotent, 0.0), Retry::After(WAIT_MIN));
    }

    #[test]
    fn nobody_retries_when_time_ran_out() {
        for reach in [Reach::Unseen, Reach::Perhaps, Reach::Answered] {
            let late = attempt(Code::DeadlineExceeded, Origin::Deadline, reach);
            assert_eq!(decide(&late, Safety::ReadOnly, 0.5), Retry::Never);
        }
    }

    #[test]
    fn a_service_that_asks_to_be_left_alone_is() {
        let second = Duration::from_secs(1);
        let cases = [
            (Code::Unavailable, Some(None), Retry::Never),
            (Code::Unavailable, Some(Some(second)), Retry::After(second)),
            (Code::ResourceExhausted, Some(Some(second)), Retry::After(second)),
            (Code::ResourceExhausted, None, Retry::Never),
            (Code::NotFound, Some(Some(second)), Retry::Never),
        ];
        for (code, pushback, expected) in cases {
            let attempt = Attempt { pushback, ..attempt(code, Origin::Service, Reach::Answered) };
            assert_eq!(decide(&attempt, Safety::ReadOnly, 0.5), expected, "{attempt:?}");
        }
    }

    #[test]
    fn an_instance_is_blamed_for_what_is_its_fault() {
        use Mark::{Bad, Good, Nothing};
        let cases = [
            (Code::Unavailable, Origin::Connection, Bad),
            (Code::Internal, Origin::Answer, Bad),
            (Code::ResourceExhausted, Origin::Answer, Nothing),
            (Code::Unavailable, Origin::Service, Bad),
            (Code::Internal, Origin::Service, Bad),
            (Code::Unknown, Origin::Service, Bad),
            (Code::DataLoss, Origin::Service, Bad),
            (Code::ResourceExhausted, Origin::Service, Nothing),
            (Code::Cancelled, Origin::Service, Nothing),
            (Code::NotFound, Origin::Service, Good),
            (Code::InvalidArgument, Origin::Service, Good),
            (Code::PermissionDenied, Origin::Service, Good),
        ];
        for (code, origin, expected) in cases {
            for patience in [Patience::Enough, Patience::Short] {
                assert_eq!(blame(&failure(code, origin), patience), expected, "{code:?} {origin:?}");
            }
        }
    }

    #[test]
    fn a_short_deadline_of_a_caller_proves_nothing() {
        for origin in [Origin::Deadline, Origin::Service] {
            let late = failure(Code::DeadlineExceeded, origin);
            assert_eq!(blame(&late, Patience::Short), Mark::Nothing);
            assert_eq!(blame(&late, Patience::Enough), Mark::Bad);
        }
    }

    /// Everything fails for half a minute: how many retries there are.
    fn retries(calls_per_s: u64) -> u64 {
        let mut budget = Budget::new(Duration::ZERO);
        let mut granted = 0;
        for call in 0..calls_per_s * 30 {
            let now = Duration::from_secs_f64(call as f64 / calls_per_s as f64);
            granted += u64::from(budget.withdraw(now, call));
        }
        granted
    }

    #[test]
    fn retries_stay_within_a_fifth_of_the_calls_and_ten_a_second() {
        for calls_per_s in [1, 5, 20, 200, 5000] {
            let (calls, granted) = (calls_per_s * 30, retries(calls_per_s));
            let allowed = (calls / 5 + 10 * 30 + 10).min(calls);
            assert!(granted <= allowed, "{granted} of {calls}");
            assert!(granted >= allowed * 9 / 10, "{granted} of {calls}");
        }
    }

    #[test]
    fn calls_that_fail_late_are_not_paid_for_twice() {
        let mut budget = Budget::new(Duration::ZERO);
        // A thousand calls a second for 20 s; of those that fail, every other one began a second ago.
        let granted = (0..20_000_u64).filter(|turn| {
            let began = if turn % 2 == 0 { *turn } else { turn.saturating_sub(1000) };
            budget.withdraw(Duration::from_millis(*turn), began)
        });
        let granted = granted.count();
        assert!(granted <= 20_000 / 5 + 10 * 20 + 10, "{granted}");
    }

    #[test]
    fn a_burst_after_silence_has_ten_seconds_worth() {
        let mut budget = Budget::new(Duration::ZERO);
        let now = Duration::from_secs(3600);
        let granted = (0..1000).filter(|_| budget.withdraw(now, 0)).count();
        assert!((95..=100).contains(&granted), "{granted}");
    }
}
