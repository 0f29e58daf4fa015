//! Finds the `peerage` binary under test, and builds it where that has not been done.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The variable that names a binary to test instead of the one that cargo builds here.
pub const BINARY_VARIABLE: &str = "PEERAGE_BIN";

/// What the binary under test is built with beside what all have.
const FEATURES: &[&str] = match cfg!(feature = "firebase") {
    true => &["--features", "firebase"],
    false => &[],
};

/// The binary under test. Built once a process, into the target folder and with the profile of the running test.
pub fn peerage() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match env::var_os(BINARY_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

fn build() -> PathBuf {
    // TARGET/PROFILE/deps/test-hash
    let test = env::current_exe().expect("a test knows its own path");
    let folder = test
        .ancestors()
        .nth(2)
        .expect("a test lies in the target folder");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let target = folder
        .parent()
        .expect("a profile lies in the target folder");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What cargo tells a test about its package, build scripts of others would take for a change and run again.
    let of_this_package =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars().filter(|(name, _)| of_this_package(name)) {
        command.env_remove(name);
    }
    let status = command
        .args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "peerage",
            "--profile",
            profile,
        ])
        .args(FEATURES)
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "cargo could not build peerage");
    folder.join("peerage")
}
