//! What is a call's end to a trial: nothing to hold against the version, a failure, or no evidence at all?
//!
//! A failure is what a version must not do: not answer, break, or answer what cannot be read. What the caller
//! asked wrongly is no failure, but when it becomes more or less often, something shifted. A call that the
//! gateway did not send, or did not wait long enough for, says nothing about the version; one that its caller
//! gave up never comes here.

use std::time::Duration;

use tonic::Code;
use turnout_control::rollout::Shift;

use crate::upstream::{Failure, Origin};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Good,
    /// Answered otherwise than with what was asked for.
    Shifted(Shift),
    /// The version failed.
    Failed,
    /// Nobody knows.
    Untold,
}

impl Ending {
    /// How a call ended that took so long. Whoever was given `patience` and did not answer has failed; with
    /// less, it is the caller who was in a hurry.
    pub fn of<T>(answer: &Result<T, Failure>, took: Duration, patience: Duration) -> Ending {
        let Err(failure) = answer else { return Ending::Good };
        match failure.origin {
            Origin::Overload => Ending::Untold,
            Origin::Deadline if took < patience => Ending::Untold,
            Origin::Deadline | Origin::Nobody | Origin::Connection | Origin::Answer => Ending::Failed,
            Origin::Service => said(failure.code),
        }
    }
}

fn said(code: Code) -> Ending {
    match code {
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Internal
        | Code::Unknown
        | Code::DataLoss
        | Code::Unimplemented => Ending::Failed,
        Code::NotFound => Ending::Shifted(Shift::NotFound),
        Code::InvalidArgument => Ending::Shifted(Shift::InvalidArgument),
        Code::PermissionDenied => Ending::Shifted(Shift::PermissionDenied),
        Code::Ok
        | Code::Cancelled
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unauthenticated => Ending::Good,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ending(origin: Origin, code: Code, took: Duration) -> Ending {
        let failure = Failure { code, message: String::new(), details: Bytes::new(), origin };
        Ending::of(&Err::<(), _>(failure), took, SECOND)
    }

    #[test]
    fn what_a_call_says_of_its_version() {
        assert_eq!(Ending::of(&Ok(()), SECOND, SECOND), Ending::Good);
        for (origin, code, expected) in [
            (Origin::Service, Code::Unavailable, Ending::Failed),
            (Origin::Service, Code::DeadlineExceeded, Ending::Failed),
            (Origin::Service, Code::Internal, Ending::Failed),
            (Origin::Service, Code::Unknown, Ending::Failed),
            (Origin::Service, Code::DataLoss, Ending::Failed),
            (Origin::Service, Code::Unimplemented, Ending::Failed),
            (Origin::Service, Code::NotFound, Ending::Shifted(Shift::NotFound)),
            (Origin::Service, Code::InvalidArgument, Ending::Shifted(Shift::InvalidArgument)),
            (Origin::Service, Code::PermissionDenied, Ending::Shifted(Shift::PermissionDenied)),
            (Origin::Service, Code::FailedPrecondition, Ending::Good),
            (Origin::Service, Code::ResourceExhausted, Ending::Good),
            (Origin::Connection, Code::Unavailable, Ending::Failed),
            (Origin::Answer, Code::Internal, Ending::Failed),
            (Origin::Nobody, Code::Unavailable, Ending::Failed),
            (Origin::Overload, Code::ResourceExhausted, Ending::Untold),
        ] {
            assert_eq!(ending(origin, code, Duration::ZERO), expected, "{origin:?} {code:?}");
        }
    }

    #[test]
    fn a_deadline_is_the_versions_failure_when_it_had_its_time() {
        let late = |took| ending(Origin::Deadline, Code::DeadlineExceeded, took);
        assert_eq!(late(SECOND), Ending::Failed);
        assert_eq!(late(SECOND / 2), Ending::Untold);
    }
}
