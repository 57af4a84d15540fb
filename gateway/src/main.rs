//! The `turnout` binary; see `turnout::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    turnout::cli::main()
}
