//! The `turnout` binary; see `turnout::cli`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Requests make many small allocations that end together: this one is 5 to 15 % cheaper than the system's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for huge pages, of which each thread would hold several for a few hundred bytes. A
    // kernel that has no such switch has no such pages either.
    let _unknown = rustix::thread::disable_transparent_huge_pages(true);
    turnout::cli::main()
}
