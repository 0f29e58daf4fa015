//! The standard error of a child process: into the log, and its last lines kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use peerage_protocol::id::ServerName;
use tokio::io::AsyncRead;

use super::lines::{Lines, LongLine};

/// Lines that are kept.
const KEPT_LINES: usize = 20;
/// Bytes of one line that are logged and kept.
const LINE_BYTES_MAX: usize = 2_048;

/// The last lines a child wrote to its standard error.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastWords {
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl LastWords {
    /// Logs and keeps the lines of `stream` until it ends.
    pub(crate) async fn follow(self, server: ServerName, stream: impl AsyncRead + Unpin) {
        let mut lines = Lines::new(stream, LINE_BYTES_MAX, LongLine::Cut);
        while let Ok(Some(line)) = lines.next().await {
            let line = String::from_utf8_lossy(&line).into_owned();
            tracing::info!(target: "upstream", server = %server, "{line}");
            self.keep(line);
        }
    }

    fn keep(&self, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The lines kept, oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn the_last_twenty_lines_are_kept() {
        let text: String = (0..50).map(|n| format!("line {n}\n")).collect();
        let words = LastWords::default();
        words
            .clone()
            .follow("x".parse().unwrap(), text.as_bytes())
            .await;
        let kept = words.lines();
        assert_eq!(kept.len(), KEPT_LINES);
        assert_eq!((&kept[0][..], &kept[19][..]), ("line 30", "line 49"));
    }
}
