//! Which of an upstream's lists have changed, by its own word, and whose turn it is to list them again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::upstream::ListChanges;

/// Announced changes that nobody has acted on yet.
#[derive(Debug, Default)]
pub(crate) struct Announcements {
    changes: Mutex<ListChanges>,
    came: Notify,
}

impl Announcements {
    /// Takes in a notification; whether it was a `list_changed` at all.
    pub(crate) fn take_in(&self, method: &str) -> bool {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        match method {
            "notifications/tools/list_changed" => changes.tools = true,
            "notifications/prompts/list_changed" => changes.prompts = true,
            "notifications/resources/list_changed" => changes.resources = true,
            _ => return false,
        }
        self.came.notify_one();
        true
    }

    /// Waits for an announcement, then a moment more for the rest of a burst.
    pub(crate) async fn settled(&self, coalesce: Duration) -> ListChanges {
        self.came.notified().await;
        sleep(coalesce).await;
        let _ = timeout(Duration::ZERO, self.came.notified()).await;
        self.take()
    }

    /// What was announced since the last time.
    pub(crate) fn take(&self) -> ListChanges {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_is_one_announcement_of_all_its_kinds() {
        let announcements = Announcements::default();
        assert!(announcements.take_in("notifications/tools/list_changed"));
        assert!(announcements.take_in("notifications/prompts/list_changed"));
        assert!(!announcements.take_in("notifications/message"));
        let changes = announcements.settled(Duration::ZERO).await;
        assert!(changes.tools && changes.prompts && !changes.resources);
        assert!(!announcements.take().any());
    }
}
