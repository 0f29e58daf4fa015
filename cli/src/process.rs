//! What the system knows of a process.

use std::ffi::OsString;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// The command line of a running process; `None` when it is gone or the system does not tell.
pub(crate) fn command_line(pid: u32) -> Option<Vec<OsString>> {
    let pid = Pid::from_u32(pid);
    let mut system = System::new().ok()?;
    let wanted = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, wanted);
    let words = system.process(pid)?.cmd().to_vec();
    (!words.is_empty()).then_some(words)
}

/// The command lines of all running processes that the system tells of.
pub(crate) fn command_lines() -> Vec<(u32, Vec<OsString>)> {
    let Ok(mut system) = System::new() else {
        return Vec::new();
    };
    let wanted = ProcessRefreshKind::nothing()
        .with_cmd(UpdateKind::Always)
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, false, wanted);
    let words = system
        .processes()
        .iter()
        .map(|(pid, process)| (pid.as_u32(), process.cmd().to_vec()));
    words.filter(|(_, words)| !words.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn this_process_knows_its_own_command_line() {
        let words = command_line(std::process::id()).unwrap();
        assert_eq!(words.first().cloned(), std::env::args_os().next());
        assert_eq!(command_line(u32::MAX), None);
    }
}
