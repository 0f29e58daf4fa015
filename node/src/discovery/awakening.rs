//! Notices that the machine slept, so that nobody has to wait for pauses that were meant for another network.
//!
//! While a machine sleeps its wall clock goes on; its monotonic clock stands still on some systems and leaps on others.
//! Either way one of the two says more than the time between two ticks.

use std::sync::Arc;
use std::time::Duration;

use peerage_protocol::node_state::Input;
use peerage_protocol::time::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::control::{ControlHandle, wall};

/// Time between two ticks.
const TICK: Duration = Duration::from_secs(1);

/// What a clock may say beyond that on a busy machine.
const LATE: Duration = Duration::from_secs(5);

/// Tells control and whoever waits for `arrived` when the machine has slept, until `stop`.
pub async fn notice_awakening(
    control: ControlHandle,
    arrived: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut before = (Instant::now(), wall());
    while stop.run_until_cancelled(sleep(TICK)).await.is_some() {
        let after = (Instant::now(), wall());
        if has_slept(after.0 - before.0, before.1, after.1) {
            tracing::info!("the machine slept, or its clock was set: members are looked for anew");
            control.tell(Input::NetworkChanged).await;
            arrived.notify_one();
        }
        before = after;
    }
}

/// Whether more time went by between two ticks than the machine was awake for. A clock that was put back looks the
/// same, and costs some dials too many.
fn has_slept(awake: Duration, before: Timestamp, after: Timestamp) -> bool {
    let forward = after.since(before);
    let back = before.since(after);
    awake > TICK + LATE || forward > TICK + LATE || back > LATE
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    #[test]
    fn a_tick_on_time_or_a_little_late_is_no_sleep() {
        for late in [Duration::ZERO, LATE / 2] {
            let passed = TICK + late;
            assert!(!has_slept(passed, START, START + passed));
        }
    }

    #[test]
    fn a_sleep_shows_in_the_wall_clock_or_in_both() {
        let hour = Duration::from_secs(3_600);
        assert!(has_slept(TICK, START, START + hour));
        assert!(has_slept(hour, START, START + hour));
        assert!(has_slept(hour, START, START));
        assert!(has_slept(TICK, START, START - LATE * 2));
    }
}
