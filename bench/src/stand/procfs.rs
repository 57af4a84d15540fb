//! What the kernel says about a process: processor time and peak memory.
//!
//! Parsing is apart from reading, so that it can be tested. Only the process itself counts, with all
//! its threads, not its children.

use std::time::Duration;

use tokio::fs;

/// Why the kernel's text could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read: the process is gone, or this is no Linux.
    #[error("reading {path}")]
    Read {
        /// The file.
        path: String,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// The file has another form than the kernel documents.
    #[error("{path} has no {field}")]
    Form {
        /// The file.
        path: String,
        /// What was looked for.
        field: &'static str,
    },
}

/// User and system time of a process since its start, in the kernel's steps of usually 10 ms.
pub async fn cpu(pid: u32) -> Result<Duration, Error> {
    let path = format!("/proc/{pid}/stat");
    let ticks = cpu_ticks(&read(&path).await?).ok_or(Error::Form { path, field: "utime and stime" })?;
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_nanos(ticks * 1_000_000_000 / ticks_per_second))
}

/// The most memory, in KiB, that a process ever had resident.
pub async fn memory_peak_kib(pid: u32) -> Result<u64, Error> {
    let path = format!("/proc/{pid}/status");
    peak_kib(&read(&path).await?).ok_or(Error::Form { path, field: "VmHWM" })
}

async fn read(path: &str) -> Result<String, Error> {
    fs::read_to_string(path).await.map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// utime + stime of `/proc/PID/stat`: fields 14 and 15. Field 2 is the program's name in parentheses
/// and may hold spaces and parentheses itself, so counting starts behind the last one.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn peak_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_user_plus_system_of_fields_14_and_15() {
        let stat = "4711 (bench-limit) S 1 4711 4711 0 -1 4194304 900 0 0 0 731 269 0 0 20 0 3 0 88 1 2";
        assert_eq!(cpu_ticks(stat), Some(1000));
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "4711 (a b) (c) 9) R 1 4711 4711 0 -1 4194304 900 0 0 0 40 2 7 8 20 0 3 0 88 1 2";
        assert_eq!(cpu_ticks(stat), Some(42));
    }

    #[test]
    fn text_of_another_form_gives_nothing() {
        assert_eq!(cpu_ticks("4711 bench S 1 2 3"), None);
        assert_eq!(cpu_ticks("4711 (bench) S 1 2"), None);
        assert_eq!(peak_kib("VmRSS:\t 12 kB\n"), None);
    }

    #[test]
    fn the_peak_is_the_high_water_mark_not_the_present_size() {
        let status = "Name:\tbench\nVmPeak:\t  9000 kB\nVmHWM:\t   1234 kB\nVmRSS:\t    99 kB\n";
        assert_eq!(peak_kib(status), Some(1234));
    }

    #[tokio::test]
    async fn this_process_has_used_time_and_memory() {
        let pid = std::process::id();
        assert!(memory_peak_kib(pid).await.unwrap() > 0);
        assert!(cpu(pid).await.unwrap() < Duration::from_secs(86_400));
        assert!(cpu(u32::MAX).await.is_err());
    }
}
