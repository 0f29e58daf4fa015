//! Frames: how messages follow each other on one substream between two nodes.
//!
//! A frame is one byte of kind, four bytes of payload length (big endian), and the payload. Whoever answers ends
//! its half with [`FrameKind::End`]; a stream that stops without it was cut off, because closing cleanly and being
//! dropped look the same to the other side. A kind that this version does not know is skipped while it is small,
//! so that later versions can add some.

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::{
    BODY_BYTES_MAX, FAILURE_BYTES_MAX, OPENING_BYTES_MAX, SIGNAL_BYTES_MAX, UNKNOWN_FRAME_BYTES_MAX,
};

/// Bytes before a frame's payload.
pub const FRAME_HEADER_BYTES: usize = 5;

/// The least room that is offered to a reader at a time.
const READ_BYTES_MIN: usize = 4 * 1024;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// The first frame of a substream: [`Opening`](super::call::Opening), as CBOR.
    Opening = 1,
    /// The raw JSON `params` of a call.
    Params = 2,
    /// A raw JSON-RPC notification that belongs to the call, before its answer.
    Notification = 3,
    /// What there is to know about the answer that follows: [`ReplyHeader`](super::call::ReplyHeader), as CBOR.
    Reply = 4,
    /// The raw JSON `result` that the upstream gave.
    Result = 5,
    /// The raw JSON-RPC `error` object that the upstream gave.
    Error = 6,
    /// Why the answering node has no answer: [`Failure`](super::failure::Failure), as CBOR.
    Failure = 7,
    /// The caller no longer wants an answer.
    Cancel = 8,
    /// The answering node takes no more substreams from this peer now; nothing has been run.
    Busy = 9,
    /// Everything has been said.
    End = 10,
    /// The answer to an exchange.
    Data = 11,
    /// A raw JSON-RPC request of the upstream to the caller of this call, before its answer.
    Request = 12,
    /// The caller's raw JSON-RPC response to such a request.
    Response = 13,
}

impl FrameKind {
    /// Every kind, in the order of its code.
    pub const ALL: [Self; 13] = [
        Self::Opening,
        Self::Params,
        Self::Notification,
        Self::Reply,
        Self::Result,
        Self::Error,
        Self::Failure,
        Self::Cancel,
        Self::Busy,
        Self::End,
        Self::Data,
        Self::Request,
        Self::Response,
    ];

    /// The byte that stands for this kind.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind that `code` stands for, where this version knows it.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Most bytes of payload.
    pub const fn payload_max(self) -> usize {
        match self {
            Self::Opening => OPENING_BYTES_MAX,
            Self::Params
            | Self::Notification
            | Self::Result
            | Self::Error
            | Self::Data
            | Self::Request
            | Self::Response => BODY_BYTES_MAX,
            Self::Failure => FAILURE_BYTES_MAX,
            Self::Reply | Self::Cancel | Self::Busy | Self::End => SIGNAL_BYTES_MAX,
        }
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it carries.
    pub kind: FrameKind,
    /// The payload, at most [`FrameKind::payload_max`] bytes.
    pub payload: Bytes,
}

impl Frame {
    /// A frame of `kind` around `payload`.
    pub const fn new(kind: FrameKind, payload: Bytes) -> Self {
        Self { kind, payload }
    }

    /// A frame without payload.
    pub const fn signal(kind: FrameKind) -> Self {
        Self::new(kind, Bytes::new())
    }

    /// The bytes before the payload; refuses a payload over its bound.
    pub fn header(&self) -> Result<[u8; FRAME_HEADER_BYTES], FrameError> {
        let length = self.payload.len();
        let too_large = || FrameError::TooLarge {
            kind: self.kind.code(),
            length,
            limit: self.kind.payload_max(),
        };
        if length > self.kind.payload_max() {
            return Err(too_large());
        }
        let [a, b, c, d] = u32::try_from(length)
            .map_err(|_| too_large())?
            .to_be_bytes();
        Ok([self.kind.code(), a, b, c, d])
    }
}

/// Turns bytes, however they are split, into frames.
///
/// A reader writes into [`vacant`](Self::vacant), says how much with [`advance`](Self::advance) and takes frames
/// with [`next_frame`](Self::next_frame). Memory grows with what has arrived, never with what a header promises.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    /// `filled` bytes of input, then zeroed room.
    buffer: BytesMut,
    filled: usize,
    ended: bool,
    refused: Option<FrameError>,
}

impl FrameDecoder {
    /// Room for more input; never empty.
    pub fn vacant(&mut self) -> &mut [u8] {
        if self.filled == self.buffer.len() {
            let more = READ_BYTES_MIN.max(self.missing().min(self.filled));
            self.buffer.resize(self.filled + more, 0);
        }
        self.buffer.get_mut(self.filled..).unwrap_or_default()
    }

    /// Counts the first `written` bytes of [`vacant`](Self::vacant) as input; more than there was room for counts
    /// as all of the room.
    pub fn advance(&mut self, written: usize) {
        self.filled = self.filled.saturating_add(written).min(self.buffer.len());
    }

    /// Takes a copy of `input`.
    pub fn feed(&mut self, mut input: &[u8]) {
        while !input.is_empty() {
            let room = self.vacant();
            let count = room.len().min(input.len());
            let (now, later) = input.split_at(count);
            room[..count].copy_from_slice(now);
            self.advance(count);
            input = later;
        }
    }

    /// Bytes of input that are held and not taken as frames yet.
    pub const fn held(&self) -> usize {
        self.filled
    }

    /// The next complete frame; `None` when it takes more input. An error is final.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        match &self.refused {
            Some(error) => Err(error.clone()),
            None => self
                .take_frame()
                .inspect_err(|error| self.refused = Some(error.clone())),
        }
    }

    /// Whether the input may stop here: an error unless the last frame was an END.
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.ended && self.filled == 0 {
            Ok(())
        } else {
            Err(FrameError::Truncated)
        }
    }

    fn take_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        while let Some((code, length)) = self.header()? {
            let whole = FRAME_HEADER_BYTES + length;
            if self.filled < whole {
                return Ok(None);
            }
            let mut payload = self.buffer.split_to(whole);
            self.filled -= whole;
            payload.advance(FRAME_HEADER_BYTES);
            if let Some(kind) = FrameKind::from_code(code) {
                self.ended = kind == FrameKind::End;
                return Ok(Some(Frame::new(kind, payload.freeze())));
            }
        }
        Ok(None)
    }

    /// The kind and length of the frame that begins the buffer, once they are there and within bounds.
    fn header(&self) -> Result<Option<(u8, usize)>, FrameError> {
        if self.ended && self.filled > 0 {
            return Err(FrameError::AfterEnd);
        }
        let input = self.buffer.get(..self.filled).unwrap_or_default();
        let Some(&[code, a, b, c, d]) = input.first_chunk() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let limit =
            FrameKind::from_code(code).map_or(UNKNOWN_FRAME_BYTES_MAX, FrameKind::payload_max);
        if length > limit {
            return Err(FrameError::TooLarge {
                kind: code,
                length,
                limit,
            });
        }
        Ok(Some((code, length)))
    }

    /// Bytes that the frame at the front of the buffer still lacks.
    fn missing(&self) -> usize {
        match self.header() {
            Ok(Some((_, length))) => (FRAME_HEADER_BYTES + length).saturating_sub(self.filled),
            Ok(None) | Err(_) => 0,
        }
    }
}

/// Why bytes are not frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A payload over the bound of its kind.
    #[error("a frame of kind {kind} has {length} bytes; at most {limit} are allowed")]
    TooLarge {
        /// The kind's code.
        kind: u8,
        /// The length.
        length: usize,
        /// The bound.
        limit: usize,
    },
    /// The stream went on after its END.
    #[error("there are bytes after the end of the stream")]
    AfterEnd,
    /// The stream stopped before its END.
    #[error("the stream was cut off before its end")]
    Truncated,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn encode(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in frames {
            bytes.extend_from_slice(&frame.header().unwrap());
            bytes.extend_from_slice(&frame.payload);
        }
        bytes
    }

    fn decode(pieces: &[&[u8]]) -> Result<Vec<Frame>, FrameError> {
        let mut decoder = FrameDecoder::default();
        let mut frames = Vec::new();
        for piece in pieces {
            decoder.feed(piece);
            while let Some(frame) = decoder.next_frame()? {
                frames.push(frame);
            }
        }
        decoder.finish()?;
        Ok(frames)
    }

    #[test]
    fn the_bytes_of_version_one_are_fixed() {
        let frames = [
            Frame::new(FrameKind::Opening, Bytes::from_static(b"o")),
            Frame::new(FrameKind::Params, Bytes::from_static(b"{}")),
            Frame::signal(FrameKind::End),
        ];
        let golden = b"\x01\0\0\0\x01o\x02\0\0\0\x02{}\x0a\0\0\0\0";
        assert_eq!(encode(&frames), golden);
        assert_eq!(decode(&[golden]).unwrap(), frames);
        let codes: Vec<u8> = FrameKind::ALL.map(FrameKind::code).to_vec();
        assert_eq!(codes, (1..=13).collect::<Vec<u8>>());
    }

    #[test]
    fn a_small_frame_of_an_unknown_kind_is_skipped() {
        let bytes = b"\xc8\0\0\0\x03new\x0a\0\0\0\0";
        assert_eq!(
            decode(&[bytes]).unwrap(),
            [Frame::signal(FrameKind::End)],
            "only the END is left"
        );
    }

    #[test]
    fn a_large_frame_of_an_unknown_kind_is_refused_by_its_header_alone() {
        let refused = Err(FrameError::TooLarge {
            kind: 0xc8,
            length: 65_537,
            limit: 65_536,
        });
        assert_eq!(decode(&[b"\xc8\0\x01\0\x01"]), refused);
    }

    #[test]
    fn a_body_over_its_bound_is_refused_before_it_arrives() {
        let mut decoder = FrameDecoder::default();
        decoder.feed(b"\x05\x01\0\0\x01");
        let error = decoder.next_frame().unwrap_err();
        assert!(matches!(error, FrameError::TooLarge { kind: 5, .. }));
        assert_eq!(decoder.next_frame(), Err(error), "an error is final");
    }

    #[test]
    fn a_stream_without_end_was_cut_off() {
        assert_eq!(decode(&[]), Err(FrameError::Truncated));
        assert_eq!(
            decode(&[b"\x05\0\0\0\x02{}"]),
            Err(FrameError::Truncated),
            "a whole result, but no END"
        );
        assert_eq!(decode(&[b"\x0a\0\0\0"]), Err(FrameError::Truncated));
    }

    #[test]
    fn bytes_after_the_end_are_refused() {
        assert_eq!(decode(&[b"\x0a\0\0\0\0x"]), Err(FrameError::AfterEnd));
    }

    #[test]
    fn a_promised_body_takes_no_memory_until_it_arrives() {
        let mut decoder = FrameDecoder::default();
        decoder.feed(b"\x05\x00\xff\xff\xff");
        assert_eq!(decoder.next_frame(), Ok(None));
        decoder.feed(&vec![b'x'; READ_BYTES_MIN]);
        decoder.vacant();
        assert!(decoder.buffer.capacity() <= 8 * READ_BYTES_MIN);
    }

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let payload = proptest::collection::vec(any::<u8>(), 0..64);
        let content = proptest::sample::select(vec![
            FrameKind::Opening,
            FrameKind::Params,
            FrameKind::Notification,
            FrameKind::Result,
        ]);
        let frame = (content, payload).prop_map(|(kind, payload)| Frame::new(kind, payload.into()));
        proptest::collection::vec(frame, 0..8).prop_map(|mut frames| {
            frames.push(Frame::signal(FrameKind::End));
            frames
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_frames_or_a_named_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = decode(&[&bytes]);
        }

        #[test]
        fn any_split_of_the_input_gives_the_same_frames(frames in frames(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let bytes = encode(&frames);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(decode(&pieces).unwrap(), frames);
        }

        #[test]
        fn any_proper_beginning_of_a_stream_was_cut_off(frames in frames(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&frames);
            let cut = cut.index(bytes.len());
            prop_assert_eq!(decode(&[&bytes[..cut]]), Err(FrameError::Truncated));
        }
    }
}
