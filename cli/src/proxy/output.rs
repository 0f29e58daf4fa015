//! Standard output of the proxy: one message a line, written by one task so that no two mix.

use bytes::Bytes;
use peerage_node::gateway::mcp::splice::line;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// Messages that may wait for the client to read.
const MESSAGES_WAITING_MAX: usize = 64;

/// Where messages to the client go.
#[derive(Clone)]
pub(super) struct Output(mpsc::Sender<Bytes>);

impl Output {
    /// The sender, and the messages to be written by [`write`].
    pub(super) fn channel() -> (Self, mpsc::Receiver<Bytes>) {
        let (sender, messages) = mpsc::channel(MESSAGES_WAITING_MAX);
        (Self(sender), messages)
    }

    /// Waits for room. A client that does not read any more needs nothing.
    pub(super) async fn send(&self, message: Bytes) {
        let _ = self.0.send(message).await;
    }
}

/// Writes every message until all senders are gone, or the client is.
pub(super) async fn write(mut messages: mpsc::Receiver<Bytes>, mut to: impl AsyncWrite + Unpin) {
    while let Some(message) = messages.recv().await {
        let mut written = line(&message).into_owned();
        written.push(b'\n');
        let sent = to.write_all(&written).await;
        if sent.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_of_several_lines_becomes_one() {
        let (output, messages) = Output::channel();
        output.send(Bytes::from_static(b"{\n\"a\":1}")).await;
        drop(output);
        let mut written = Vec::new();
        write(messages, &mut written).await;
        assert_eq!(written, b"{ \"a\":1}\n");
    }
}
