//! Waiting until the mesh is as it should be, and how long that took.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::failure::Failure;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks; what is told as a time is right to this.
const INTERVAL: Duration = Duration::from_millis(2);

/// Looks until `condition` gives a value, and says how long that took.
pub(super) async fn until<T, F>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> Result<(T, Duration), Failure>
where
    F: Future<Output = Result<Option<T>, Failure>>,
{
    let begun = Instant::now();
    loop {
        if let Some(value) = condition().await? {
            return Ok((value, begun.elapsed()));
        }
        if begun.elapsed() > PATIENCE {
            return Err(Failure::failed(
                "demo",
                format!("not within {PATIENCE:?}: {what}; is this machine very busy?"),
            ));
        }
        sleep(INTERVAL).await;
    }
}
