//! Server-sent events, as far as MCP uses them: the data of each event, read piece by piece, and from where a stream
//! that ended is resumed (WHATWG HTML, "Server-sent events", 9.2.6).

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

/// Bytes of an event's id that are kept; it is sent back in a header.
const ID_BYTES_MAX: usize = 1024;

/// Splits a stream into the data of its events.
#[derive(Debug)]
pub struct Events {
    buffer: BytesMut,
    /// Bytes of the buffer that hold no line break.
    searched: usize,
    /// The last line ended with a carriage return: a line feed right after it belongs to it.
    after_return: bool,
    /// No line was read yet: a byte order mark may come.
    first_line: bool,
    data: Data,
    /// The id of the event being read, which is that of the one before where it has none of its own.
    id: Option<Bytes>,
    last_id: Option<Bytes>,
    retry: Option<Duration>,
    limit: usize,
}

/// The data lines of the event being read.
#[derive(Debug)]
enum Data {
    None,
    Line(Bytes),
    Lines(BytesMut),
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Data::None => 0,
            Data::Line(line) => line.len(),
            Data::Lines(lines) => lines.len(),
        }
    }

    fn add(&mut self, line: Bytes) {
        *self = match std::mem::replace(self, Data::None) {
            Data::None => Data::Line(line),
            Data::Line(first) => {
                let mut lines = BytesMut::from(&first[..]);
                lines.extend_from_slice(b"\n");
                lines.extend_from_slice(&line);
                Data::Lines(lines)
            }
            Data::Lines(mut lines) => {
                lines.extend_from_slice(b"\n");
                lines.extend_from_slice(&line);
                Data::Lines(lines)
            }
        };
    }

    fn take(&mut self) -> Option<Bytes> {
        match std::mem::replace(self, Data::None) {
            Data::None => None,
            Data::Line(line) => Some(line),
            Data::Lines(lines) => Some(lines.freeze()),
        }
    }
}

impl Events {
    /// Reads events of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            after_return: false,
            first_line: true,
            data: Data::None,
            id: None,
            last_id: None,
            retry: None,
            limit,
        }
    }

    /// Begins the stream that resumes this one: what was not complete comes again.
    pub fn resume(&mut self) {
        *self = Self {
            id: self.last_id.clone(),
            last_id: self.last_id.take(),
            retry: self.retry,
            ..Self::new(self.limit)
        };
    }

    /// The id of the last event that was complete, with data or without; the stream is resumed after it. `None` where
    /// the server gives none, or one of more than 1024 bytes.
    pub fn last_id(&self) -> Option<&[u8]> {
        self.last_id.as_deref()
    }

    /// How long the server wants its client to wait before it resumes the stream.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Adds the next piece of the stream.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The data of the next event that is complete; events without data are skipped.
    pub fn next_event(&mut self) -> Result<Option<Bytes>, EventTooLong> {
        while let Some(line) = self.next_line()? {
            if line.is_empty() {
                self.last_id.clone_from(&self.id);
                match self.data.take() {
                    Some(data) if !data.is_empty() => return Ok(Some(data)),
                    _ => continue,
                }
            }
            self.take_field(line);
        }
        Ok(None)
    }

    fn take_field(&mut self, line: Bytes) {
        let (name, value) = field(line);
        match &name[..] {
            b"data" => self.data.add(value),
            b"id" if !value.contains(&0) => {
                let usable = !value.is_empty() && value.len() <= ID_BYTES_MAX;
                self.id = usable.then(|| Bytes::copy_from_slice(&value));
            }
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                let milliseconds = std::str::from_utf8(&value)
                    .ok()
                    .and_then(|n| n.parse().ok());
                self.retry = milliseconds.map(Duration::from_millis).or(self.retry);
            }
            _ => {}
        }
    }

    fn next_line(&mut self) -> Result<Option<Bytes>, EventTooLong> {
        if self.after_return && !self.buffer.is_empty() {
            self.after_return = false;
            if self.buffer[0] == b'\n' {
                self.buffer.advance(1);
            }
        }
        let found = memchr::memchr2(b'\n', b'\r', &self.buffer[self.searched..]);
        let length = self.searched + found.unwrap_or(self.buffer.len() - self.searched);
        if length + self.data.len() > self.limit {
            return Err(EventTooLong { limit: self.limit });
        }
        if found.is_none() {
            self.searched = length;
            return Ok(None);
        }
        let mut line = self.buffer.split_to(length + 1).freeze();
        self.searched = 0;
        self.after_return = line[length] == b'\r';
        line.truncate(length);
        if std::mem::take(&mut self.first_line) && line.starts_with(b"\xEF\xBB\xBF") {
            line.advance(3);
        }
        Ok(Some(line))
    }
}

/// The name and the value of a line; a comment has no name.
fn field(mut line: Bytes) -> (Bytes, Bytes) {
    let end = memchr::memchr(b':', &line).unwrap_or(line.len());
    let name = line.split_to(end);
    let skip = match line[..] {
        [] => 0,
        [b':', b' ', ..] => 2,
        _ => 1,
    };
    line.advance(skip);
    (name, line)
}

/// An event over its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {limit} bytes")]
pub struct EventTooLong {
    /// The bound.
    pub limit: usize,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Bytes> {
        let mut events = Events::new(1_000);
        let mut all = Vec::new();
        for piece in pieces {
            events.push(piece);
            while let Some(data) = events.next_event().unwrap() {
                all.push(data);
            }
        }
        all
    }

    #[test]
    fn data_lines_are_joined_and_all_else_is_skipped() {
        let stream = b"\xEF\xBB\xBF: comment\nevent: message\nid: 7\ndata: {\"a\":\ndata:1}\n\nretry: 5\n\ndata\n\ndatabase: x\ndata:  two\r\n\r\n";
        assert_eq!(read([&stream[..]]), ["{\"a\":\n1}", " two"]);
    }

    #[test]
    fn a_stream_is_resumed_after_the_last_event_that_was_complete() {
        let mut events = Events::new(3_000);
        events.push(b"id: 7\nretry: 250\ndata: \n\n");
        assert_eq!(events.next_event(), Ok(None));
        events.push(b"data: x\n\nid: 8\nretry: soon\ndata: half");
        assert_eq!(events.next_event(), Ok(Some("x".into())));
        assert_eq!(events.next_event(), Ok(None));
        events.resume();
        let point = (Some(&b"7"[..]), Some(Duration::from_millis(250)));
        assert_eq!((events.last_id(), events.retry()), point);
        events.push(b"data: whole\n\n");
        assert_eq!(events.next_event(), Ok(Some("whole".into())));
        assert_eq!((events.last_id(), events.retry()), point);
        events.push(format!("id: {}\n\n", "9".repeat(2_000)).as_bytes());
        assert_eq!(events.next_event(), Ok(None));
        assert_eq!(events.last_id(), None, "too long to be sent back");
    }

    #[test]
    fn an_unfinished_event_is_none() {
        assert!(read([&b"data: half\n"[..]]).is_empty());
    }

    #[test]
    fn an_event_over_the_bound_is_refused_before_it_is_complete() {
        let mut events = Events::new(10);
        events.push(b"data: 1234\ndata: 56789");
        assert_eq!(events.next_event(), Err(EventTooLong { limit: 10 }));
    }

    proptest! {
        #[test]
        fn events_do_not_depend_on_how_the_stream_is_cut(
            lines in proptest::collection::vec("(data: ?[a-z]{0,5}|:[a-z]{0,3}|id:4|)(\n|\r\n|\r)", 0..20),
            cut in 1usize..7,
        ) {
            let stream: String = lines.concat();
            let whole = read([stream.as_bytes()]);
            prop_assert_eq!(read(stream.as_bytes().chunks(cut)), whole);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut events = Events::new(100);
            events.push(&bytes);
            while let Ok(Some(data)) = events.next_event() {
                prop_assert!(data.len() <= 100);
            }
        }
    }
}
