//! Which core runs what, and how a child process gets there.
//!
//! Linux hands a thread's set of allowed cores on to the processes it spawns. The driver moves its
//! own thread to the wanted core, spawns, and moves back: no foreign tool, no unsafe code.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A core by the kernel's number.
pub type Core = usize;

/// Who runs where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cores {
    /// One core for all: the contender waits for the load, so only times of the processor mean much.
    Shared,
    /// The contender alone on one core, upstream and load on others.
    Apart {
        /// The contender's core.
        contender: Core,
        /// The upstream's core.
        upstream: Core,
        /// The core of the driver, which is the load; the upstream's where there are only two.
        load: Core,
    },
}

impl Cores {
    /// Decides from the cores that this process may use.
    pub fn find() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let cores: Vec<Core> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
        Ok(Self::among(&cores))
    }

    fn among(cores: &[Core]) -> Self {
        match *cores {
            [contender, upstream, load, ..] => Self::Apart { contender, upstream, load },
            [contender, other] => Self::Apart { contender, upstream: other, load: other },
            [] | [_] => Self::Shared,
        }
    }

    /// The contender's core, where it has one.
    pub fn contender(self) -> Option<Core> {
        match self {
            Self::Shared => None,
            Self::Apart { contender, .. } => Some(contender),
        }
    }

    /// The upstream's core, where it has one.
    pub fn upstream(self) -> Option<Core> {
        match self {
            Self::Shared => None,
            Self::Apart { upstream, .. } => Some(upstream),
        }
    }

    /// Moves the calling thread, which must be the load, to its core.
    pub fn settle(self) -> io::Result<()> {
        match self {
            Self::Shared => Ok(()),
            Self::Apart { load, .. } => Ok(sched_setaffinity(None, &only(load))?),
        }
    }
}

/// Runs `spawn` on `core`, so that the process it spawns stays there.
pub fn spawn_on<T>(core: Option<Core>, spawn: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let Some(core) = core else { return spawn() };
    let home = sched_getaffinity(None)?;
    sched_setaffinity(None, &only(core))?;
    let spawned = spawn();
    sched_setaffinity(None, &home)?;
    spawned
}

fn only(core: Core) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(core);
    set
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn with_two_cores_the_contender_has_one_to_itself() {
        assert_eq!(Cores::among(&[0, 1]), Cores::Apart { contender: 0, upstream: 1, load: 1 });
        assert_eq!(Cores::among(&[4, 6, 7, 9]), Cores::Apart { contender: 4, upstream: 6, load: 7 });
        assert_eq!(Cores::among(&[3]), Cores::Shared);
    }

    #[test]
    fn a_child_stays_on_its_core_and_the_caller_does_not() {
        let before = sched_getaffinity(None).unwrap();
        let core = (0..CpuSet::MAX_CPU).rfind(|core| before.is_set(*core)).unwrap();
        let status =
            spawn_on(Some(core), || Command::new("cat").arg("/proc/self/status").output()).unwrap().stdout;
        let status = String::from_utf8_lossy(&status).into_owned();
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
        assert_eq!(allowed.trim(), core.to_string());
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
