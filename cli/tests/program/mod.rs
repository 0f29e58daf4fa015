//! The real program, run once on a home.

use std::path::Path;
use std::process::{Command, Output};

/// Runs `peerage --home HOME ARGUMENTS` to its end.
pub fn peerage(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_peerage"))
        .arg("--home")
        .arg(home)
        .args(arguments)
        .output()
        .unwrap()
}

/// What was printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
