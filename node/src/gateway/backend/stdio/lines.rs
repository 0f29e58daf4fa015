//! Lines from a child process, each of bounded length.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What happens to a line over the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LongLine {
    /// The stream is broken.
    Refuse,
    /// The rest of the line is left out.
    Cut,
}

/// Reads lines without copying them.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    stream: R,
    buffer: BytesMut,
    /// Bytes of the buffer that hold no line break.
    searched: usize,
    limit: usize,
    long: LongLine,
    /// The rest of a cut line is still to come.
    skipping: bool,
}

/// Room that is asked for before each read.
const READ_BYTES: usize = 16 * 1024;

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(stream: R, limit: usize, long: LongLine) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            searched: 0,
            limit,
            long,
            skipping: false,
        }
    }

    /// The next line without its end; `None` at the end of the stream, where an unfinished line is dropped.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, LineError> {
        loop {
            if let Some(line) = self.buffered_line()? {
                return Ok(Some(line));
            }
            self.buffer.reserve(READ_BYTES);
            let read = self.stream.read_buf(&mut self.buffer).await;
            match read.map_err(|error| LineError::Read(error.kind()))? {
                0 => return Ok(None),
                _ => continue,
            }
        }
    }

    fn buffered_line(&mut self) -> Result<Option<Bytes>, LineError> {
        loop {
            let found = memchr::memchr(b'\n', &self.buffer[self.searched..]);
            let Some(offset) = found else {
                return self.unfinished_line();
            };
            let mut line = self.buffer.split_to(self.searched + offset + 1).freeze();
            self.searched = 0;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            line.truncate(line.len() - 1);
            if line.last() == Some(&b'\r') {
                line.truncate(line.len() - 1);
            }
            if line.len() > self.limit {
                self.refuse()?;
                line.truncate(self.limit);
            }
            return Ok(Some(line));
        }
    }

    fn unfinished_line(&mut self) -> Result<Option<Bytes>, LineError> {
        self.searched = self.buffer.len();
        if self.skipping {
            self.buffer.clear();
            self.searched = 0;
            return Ok(None);
        }
        if self.buffer.len() <= self.limit {
            return Ok(None);
        }
        self.refuse()?;
        self.skipping = true;
        let line = self.buffer.split_to(self.limit).freeze();
        self.buffer.clear();
        self.searched = 0;
        Ok(Some(line))
    }

    fn refuse(&self) -> Result<(), LineError> {
        match self.long {
            LongLine::Refuse => Err(LineError::TooLong { limit: self.limit }),
            LongLine::Cut => Ok(()),
        }
    }
}

/// Why no more lines come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LineError {
    /// A line over its bound.
    #[error("it wrote a line of more than {limit} bytes")]
    TooLong {
        /// The bound.
        limit: usize,
    },
    /// The operating system refused.
    #[error("its output cannot be read: {0}")]
    Read(std::io::ErrorKind),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn all(stream: &[u8], limit: usize, long: LongLine) -> Result<Vec<Bytes>, LineError> {
        futures::executor::block_on(async {
            let mut lines = Lines::new(stream, limit, long);
            let mut all = Vec::new();
            while let Some(line) = lines.next().await? {
                all.push(line);
            }
            Ok(all)
        })
    }

    #[test]
    fn lines_come_without_their_ends() {
        let lines = all(b"a\r\n\nbc\nunfinished", 10, LongLine::Refuse).unwrap();
        assert_eq!(lines, ["a", "", "bc"]);
    }

    #[test]
    fn a_line_over_the_bound_breaks_the_stream_or_is_cut() {
        let stream = b"123456\nab\n";
        assert_eq!(
            all(stream, 5, LongLine::Refuse),
            Err(LineError::TooLong { limit: 5 })
        );
        assert_eq!(all(stream, 5, LongLine::Cut).unwrap(), ["12345", "ab"]);
    }

    #[test]
    fn a_long_line_never_fills_more_than_its_bound_while_it_is_cut() {
        let mut stream = vec![b'x'; 200_000];
        stream.extend_from_slice(b"\nnext\n");
        let lines = all(&stream, 100, LongLine::Cut).unwrap();
        assert_eq!(lines, [Bytes::from(vec![b'x'; 100]), Bytes::from("next")]);
    }

    proptest! {
        #[test]
        fn lines_are_those_of_the_text(lines in proptest::collection::vec("[a-z]{0,20}", 0..20)) {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            prop_assert_eq!(all(text.as_bytes(), 20, LongLine::Refuse).unwrap(), lines);
        }
    }
}
