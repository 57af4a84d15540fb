//! When is a version asked again that could not be described?
//!
//! Pure. Who could not be reached may just be starting, so the first pauses are short. Who answered that it
//! does not describe itself will not do so soon; another process of the version may. All pauses grow to ten
//! minutes.

use std::time::Duration;

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_mins(10);

/// The first pause after nobody could be reached.
const UNREACHED: Duration = Duration::from_secs(1);

/// The first pause after an answer that was of no use.
const UNUSABLE: Duration = Duration::from_secs(30);

/// Why a version could not be described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Nobody answered, or the store did not.
    Unreached,
    /// What was found cannot be used.
    Unusable,
    /// There is nobody who could be asked: it does not describe itself.
    Absent,
}

/// How long to wait after this many failures in a row, the first being 1.
pub(super) fn pause(class: Class, failures: u32) -> Duration {
    let first = match class {
        Class::Unreached => UNREACHED,
        Class::Unusable => UNUSABLE,
        Class::Absent => PAUSE_MAX,
    };
    first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(PAUSE_MAX)
}

/// How long to wait when a process came that was not asked yet.
pub(super) fn pause_for_newcomer(class: Class) -> Duration {
    match class {
        Class::Unreached => UNREACHED,
        Class::Unusable | Class::Absent => UNUSABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_ten_minutes() {
        let seconds = |class| [1, 2, 3, 6, 10, 11, 99].map(|failures| pause(class, failures).as_secs());
        assert_eq!(seconds(Class::Unreached), [1, 2, 4, 32, 512, 600, 600]);
        assert_eq!(seconds(Class::Unusable), [30, 60, 120, 600, 600, 600, 600]);
        assert_eq!(seconds(Class::Absent), [600; 7]);
    }

    #[test]
    fn an_answer_counts_for_half_a_minute_whoever_comes() {
        for class in [Class::Unusable, Class::Absent] {
            assert!(pause_for_newcomer(class) >= Duration::from_secs(30));
            assert!(pause(class, 1) >= Duration::from_secs(30));
        }
    }
}
