//! Standard input of the proxy: one message a line, within bounds.

use bytes::Bytes;
use peerage_protocol::limits::BODY_BYTES_MAX;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// A line of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A message, without its line break.
    Message(Bytes),
    /// More than [`BODY_BYTES_MAX`] bytes; it was passed over.
    TooLong,
}

/// Reads the lines of a client.
pub(super) struct Lines<R> {
    from: R,
    line: Vec<u8>,
    too_long: bool,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self {
            from,
            line: Vec::new(),
            too_long: false,
        }
    }

    /// The next line that holds anything; `None` at the end. An error ends the input like its end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Line> {
        loop {
            let read = self.from.fill_buf().await.unwrap_or_default();
            let (end, length) = match read.iter().position(|byte| *byte == b'\n') {
                Some(at) => (true, at),
                None => (read.is_empty(), read.len()),
            };
            let over = self.line.len() + length > BODY_BYTES_MAX;
            if over {
                self.too_long = true;
                self.line = Vec::new();
            } else if !self.too_long {
                self.line.extend_from_slice(&read[..length]);
            }
            let at_end = read.is_empty();
            let consumed = if end && !at_end { length + 1 } else { length };
            self.from.consume(consumed);
            if end {
                match self.take() {
                    None if at_end => return None,
                    None => continue,
                    line => return line,
                }
            }
        }
    }

    fn take(&mut self) -> Option<Line> {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.too_long) {
            return Some(Line::TooLong);
        }
        let message = Bytes::from(line);
        let trimmed = message.trim_ascii();
        (!trimmed.is_empty()).then(|| Line::Message(message.slice_ref(trimmed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(input: &[u8]) -> Vec<Line> {
        let mut lines = Lines::new(input);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await {
            all.push(line);
        }
        all
    }

    fn message(text: &'static str) -> Line {
        Line::Message(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test]
    async fn lines_end_with_either_break_and_the_last_with_none() {
        let lines = read(b"{}\r\n\n  \n[1]\nend").await;
        assert_eq!(lines, [message("{}"), message("[1]"), message("end")]);
    }

    #[tokio::test]
    async fn a_line_over_the_bound_is_passed_over_and_the_next_is_read() {
        let mut input = vec![b'x'; BODY_BYTES_MAX + 1];
        input.extend_from_slice(b"\n{}\n");
        assert_eq!(read(&input).await, [Line::TooLong, message("{}")]);
    }
}
