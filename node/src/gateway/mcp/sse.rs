//! Server-sent events, as streamable HTTP frames JSON-RPC messages.

use bytes::Bytes;

use super::splice::line;

/// A comment that keeps intermediaries from closing a silent stream.
pub const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// One JSON-RPC message as one event.
pub fn event(message: &[u8]) -> Bytes {
    named_event("message", message)
}

/// An event of another kind; line breaks in `data` become spaces.
pub fn named_event(name: &str, data: &[u8]) -> Bytes {
    const BETWEEN: &[u8] = b"\ndata: ";
    let mut frame = Vec::with_capacity(7 + name.len() + BETWEEN.len() + data.len() + 2);
    frame.extend_from_slice(b"event: ");
    frame.extend_from_slice(name.as_bytes());
    frame.extend_from_slice(BETWEEN);
    frame.extend_from_slice(&line(data));
    frame.extend_from_slice(b"\n\n");
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_several_lines_is_one_data_line() {
        let frame = event(b"{\r\n\"a\":1\n}");
        assert_eq!(frame, &b"event: message\ndata: {  \"a\":1 }\n\n"[..]);
    }
}
