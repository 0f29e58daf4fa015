//! Where output goes: answers to standard output, everything else to standard error.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::failure::Failure;

/// Writes a line to standard output. A reader that has gone away has seen enough.
pub fn say(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Writes a line to standard error.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes `value` to standard output as JSON.
pub fn say_json(value: &impl Serialize) -> Result<(), Failure> {
    say(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Says why nothing was done.
pub fn refuse(failure: &Failure, json: bool) {
    match json {
        true => note(&serde_json::json!({ "error": failure.to_string() }).to_string()),
        false => note(&format!("error: {failure}")),
    }
}

/// Writes a file.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|source| Failure::Write {
        path: path.to_owned(),
        source,
    })
}
