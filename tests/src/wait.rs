//! Waiting for conditions instead of for time.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Between two looks at a condition.
const INTERVAL: Duration = Duration::from_millis(25);

/// Looks until `condition` gives a value, and fails the test with `what` when it does not within `timeout`.
pub async fn wait_until<T, F: Future<Output = Option<T>>>(
    what: &str,
    timeout: Duration,
    mut condition: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {timeout:?}: {what}");
        sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_condition_that_comes_true_ends_the_wait() {
        let mut looks = 0;
        let seen = wait_until("third look", Duration::from_secs(5), || {
            looks += 1;
            std::future::ready((looks == 3).then_some(looks))
        });
        assert_eq!(seen.await, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "not within 50ms: never")]
    async fn a_condition_that_never_comes_true_fails_by_name() {
        wait_until("never", Duration::from_millis(50), || {
            std::future::ready(None::<()>)
        })
        .await;
    }
}
