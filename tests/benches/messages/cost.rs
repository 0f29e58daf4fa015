//! What processes and the loopback have used so far.

use std::fs;
use std::time::Duration;

use peerage_tests::process::processor_time;

use crate::servers::Server;

/// Sums over some processes, and the loopback.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Processor time.
    pub processor: Duration,
    /// Bytes that go to disk.
    pub disk_bytes: u64,
    /// Bytes over the loopback, of everybody in this network namespace.
    pub network_bytes: u64,
    /// Syncs, where they are counted.
    pub syncs: usize,
}

impl Cost {
    /// Until now.
    pub fn of(servers: &[Server]) -> Self {
        Self {
            processor: servers.iter().map(|one| processor_time(one.pid())).sum(),
            disk_bytes: servers.iter().map(|one| written(one.pid())).sum(),
            network_bytes: loopback(),
            syncs: servers.iter().map(Server::syncs).sum(),
        }
    }

    /// Since an earlier moment.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            processor: self.processor.saturating_sub(earlier.processor),
            disk_bytes: self.disk_bytes.saturating_sub(earlier.disk_bytes),
            network_bytes: self.network_bytes.saturating_sub(earlier.network_bytes),
            syncs: self.syncs.saturating_sub(earlier.syncs),
        }
    }
}

fn written(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes:"));
    line.and_then(|bytes| bytes.trim().parse().ok())
        .unwrap_or_default()
}

fn loopback() -> u64 {
    let text = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("lo:"));
    let received = line.and_then(|line| line.split_whitespace().next());
    received
        .and_then(|bytes| bytes.parse().ok())
        .unwrap_or_default()
}
