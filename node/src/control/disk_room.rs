//! Tells control when there is hardly any room left on disk, so that the log refuses by name before a write fails.

use std::path::PathBuf;
use std::time::Duration;

use peerage_protocol::node_state::Input;
use tokio_util::sync::CancellationToken;

use super::handle::ControlHandle;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The log takes nothing while fewer bytes are left: what a node must write to stay a member takes far less.
const RESERVED_BYTES: u64 = 64 * 1024 * 1024;

/// Looks at the disk that holds `folder` until `stop`, and tells of every change.
pub async fn watch_disk_room(folder: PathBuf, control: ControlHandle, stop: CancellationToken) {
    let mut was_full = false;
    loop {
        let full = is_full(&folder, RESERVED_BYTES);
        if full != was_full {
            was_full = full;
            match full {
                true => {
                    tracing::error!(folder = %folder.display(), "the disk is full: the log takes nothing more")
                }
                false => tracing::info!("there is room on the disk again"),
            }
            control.tell(Input::DiskRoom { full }).await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Whether fewer than `reserved` bytes are left; not where that cannot be known.
fn is_full(folder: &std::path::Path, reserved: u64) -> bool {
    let room = rustix::fs::statvfs(folder);
    room.is_ok_and(|room| room.f_bavail.saturating_mul(room.f_frsize) < reserved)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_disk_is_full_when_less_is_left_than_is_reserved() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_full(folder.path(), 0));
        assert!(is_full(folder.path(), u64::MAX));
        assert!(!is_full(&folder.path().join("missing"), u64::MAX));
    }
}
