//! A disk that is watched and fails under a real node: `faults/failing_disk.c`, preloaded (Linux only).

use std::path::{Path, PathBuf};
use std::process::Command;

/// What goes wrong, where the boundaries of a run are the calls that change a file of the node's home, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; every boundary is recorded.
    Recorded,
    /// The node is killed there.
    KillAt(u64),
    /// From there on the disk is full.
    FullAt(u64),
}

/// The library, built.
pub struct FailingDisk {
    folder: PathBuf,
}

impl FailingDisk {
    /// Builds it into `folder`.
    pub fn build(folder: &Path) -> Self {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/faults/failing_disk.c");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let mut command = Command::new(compiler);
        command.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]);
        let folder = folder.to_path_buf();
        command.arg(folder.join("failing_disk.so")).arg(source);
        let built = command.args(["-ldl", "-lpthread"]).status();
        assert!(built.expect("a C compiler").success(), "it was not built");
        Self { folder }
    }

    /// Where boundaries are recorded.
    pub fn record(&self) -> PathBuf {
        self.folder.join("boundaries")
    }

    /// What a node on `home` finds in its environment.
    pub fn environment(&self, home: &Path, fault: Fault) -> Vec<(&'static str, String)> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let (name, value) = match fault {
            Fault::Recorded => ("FAULT_RECORD", text(self.record())),
            Fault::KillAt(boundary) => ("FAULT_KILL_AT", boundary.to_string()),
            Fault::FullAt(boundary) => ("FAULT_FULL_AT", boundary.to_string()),
        };
        vec![
            ("LD_PRELOAD", text(self.folder.join("failing_disk.so"))),
            ("FAULT_FOLDER", text(home.to_path_buf())),
            (name, value),
        ]
    }
}
