//! Tells that messages have come: to whoever waits for one.

use tokio::sync::watch;

/// A counter that rises with every batch of messages that came to this node; cheap to clone.
#[derive(Clone)]
pub struct News(watch::Sender<u64>);

impl Default for News {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl News {
    /// Something is in the database that was not there before.
    pub fn arrived(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    /// Hears of whatever arrives from here on.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
