//! The `peerage` binary: the command line, and nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    peerage::command_line()
}
