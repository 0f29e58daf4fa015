//! Frames over a substream: reads them as they arrive, writes those of one message together.
//!
//! Reading may be given up at any time and taken up again. A write that is given up leaves a frame torn: its writer
//! then refuses to write more, and the other end sees a stream that was cut off.

use std::io;

use bytes::Bytes;
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use peerage_protocol::wire::frame::{FRAME_HEADER_BYTES, Frame, FrameDecoder, FrameError};

use super::byte_share::{ByteShare, ShareUsedUp};

/// Bytes of headers and payloads that are gathered into one write; payloads beyond it are written from where they are.
const GATHERED_BYTES_MAX: usize = 16 * 1024;

/// Reads and writes frames on `stream`, each half on its own.
pub fn split<S>(stream: S) -> (FrameReader<ReadHalf<S>>, FrameWriter<WriteHalf<S>>)
where
    S: AsyncRead + AsyncWrite,
{
    let (read, write) = stream.split();
    (FrameReader::new(read), FrameWriter::new(write))
}

/// The half that reads.
#[derive(Debug)]
pub struct FrameReader<R> {
    input: R,
    decoder: FrameDecoder,
    /// What is held is counted here, where somebody must be kept within bounds.
    share: Option<ByteShare>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads frames from `input`.
    pub fn new(input: R) -> Self {
        Self {
            input,
            decoder: FrameDecoder::default(),
            share: None,
        }
    }

    /// Counts what is held against `share` from here on.
    pub fn count_against(&mut self, share: ByteShare) {
        self.share = Some(share);
    }

    /// Nothing of what was read so far is held any more.
    pub fn forget_count(&mut self) {
        if let Some(share) = &mut self.share {
            share.release();
        }
    }

    /// The half itself, when everything that was read has been taken as frames and the last of them was an END.
    pub fn into_rested(self) -> Option<R> {
        self.decoder.finish().is_ok().then_some(self.input)
    }

    /// The next frame; `None` where the stream ended after an END. Dropping the future loses nothing.
    pub async fn read_frame(&mut self) -> Result<Option<Frame>, ReadError> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(Some(frame));
            }
            match self.input.read(self.decoder.vacant()).await? {
                0 => return self.decoder.finish().map(|()| None).map_err(Into::into),
                read => self.decoder.advance(read),
            }
            if let Some(share) = &mut self.share {
                share.grow(self.decoder.held())?;
            }
        }
    }
}

/// Why no frame could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The stream broke.
    #[error("the stream broke: {0}")]
    Broken(#[from] io::Error),
    /// What arrived is not frames, or stopped before its END.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Whoever sends it has too much under way.
    #[error(transparent)]
    Share(#[from] ShareUsedUp),
}

/// The half that writes.
#[derive(Debug)]
pub struct FrameWriter<W> {
    output: W,
    gathered: Vec<u8>,
    torn: bool,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Writes frames to `output`.
    pub fn new(output: W) -> Self {
        Self {
            output,
            gathered: Vec::new(),
            torn: false,
        }
    }

    /// Whether a write failed or was given up midway: nothing more can be written.
    pub const fn is_torn(&self) -> bool {
        self.torn
    }

    /// Writes the frames of one message in as few writes as they allow, then flushes once.
    pub async fn write_frames(&mut self, frames: &[Frame]) -> Result<(), WriteError> {
        if self.torn {
            return Err(WriteError::Torn);
        }
        let headers = frames
            .iter()
            .map(Frame::header)
            .collect::<Result<Vec<_>, _>>()?;
        self.torn = true;
        for (frame, header) in frames.iter().zip(headers) {
            self.gather(header, &frame.payload).await?;
        }
        self.write_gathered().await?;
        self.output.flush().await?;
        self.torn = false;
        Ok(())
    }

    /// The half itself, unless it is torn.
    pub fn into_rested(self) -> Option<W> {
        (!self.torn).then_some(self.output)
    }

    /// Writes what is left and closes this half.
    pub async fn close(&mut self) -> io::Result<()> {
        self.output.close().await
    }

    async fn gather(
        &mut self,
        header: [u8; FRAME_HEADER_BYTES],
        payload: &Bytes,
    ) -> io::Result<()> {
        self.gathered.extend_from_slice(&header);
        let room = GATHERED_BYTES_MAX.saturating_sub(self.gathered.len());
        let (first, rest) = payload.split_at(room.min(payload.len()));
        self.gathered.extend_from_slice(first);
        if !rest.is_empty() {
            self.write_gathered().await?;
            self.output.write_all(rest).await?;
        }
        Ok(())
    }

    async fn write_gathered(&mut self) -> io::Result<()> {
        self.output.write_all(&self.gathered).await?;
        self.gathered.clear();
        Ok(())
    }
}

/// Why frames could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The stream broke.
    #[error("the stream broke: {0}")]
    Broken(#[from] io::Error),
    /// A payload over its bound; nothing was written.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// An earlier write was not finished.
    #[error("an earlier write was given up midway")]
    Torn,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures::FutureExt;
    use peerage_protocol::limits::BODY_BYTES_MAX;
    use peerage_protocol::wire::frame::FrameKind;
    use tokio_util::compat::TokioAsyncReadCompatExt;

    use super::*;

    /// Remembers the size of every write and counts the flushes.
    #[derive(Default)]
    struct Recorder {
        writes: Vec<usize>,
        flushes: usize,
    }

    impl AsyncWrite for Recorder {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.writes.push(buffer.len());
            Poll::Ready(Ok(buffer.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn result(length: usize) -> [Frame; 2] {
        let payload = Bytes::from(vec![b'x'; length]);
        [
            Frame::new(FrameKind::Result, payload),
            Frame::signal(FrameKind::End),
        ]
    }

    #[tokio::test]
    async fn a_small_message_is_one_write_and_one_flush() {
        let mut writer = FrameWriter::new(Recorder::default());
        writer.write_frames(&result(1024)).await.unwrap();
        assert_eq!(writer.output.writes, [5 + 1024 + 5]);
        assert_eq!(writer.output.flushes, 1);
    }

    #[tokio::test]
    async fn a_large_payload_is_written_from_where_it_is() {
        let mut writer = FrameWriter::new(Recorder::default());
        writer.write_frames(&result(1 << 20)).await.unwrap();
        let rest = (1 << 20) - (GATHERED_BYTES_MAX - 5);
        assert_eq!(writer.output.writes, [GATHERED_BYTES_MAX, rest, 5]);
        assert_eq!(writer.output.flushes, 1);
    }

    #[tokio::test]
    async fn a_payload_over_its_bound_is_refused_before_anything_is_written() {
        let mut writer = FrameWriter::new(Recorder::default());
        let error = writer.write_frames(&result(BODY_BYTES_MAX + 1)).await;
        assert!(matches!(error, Err(WriteError::Frame(_))), "{error:?}");
        assert!(writer.output.writes.is_empty());
        assert!(!writer.is_torn());
    }

    #[tokio::test]
    async fn a_write_that_was_given_up_is_not_taken_up_again() {
        let (near, _far) = tokio::io::duplex(64);
        let (_, mut writer) = split(near.compat());
        assert!(writer.write_frames(&result(1000)).now_or_never().is_none());
        let error = writer.write_frames(&result(1)).await;
        assert!(matches!(error, Err(WriteError::Torn)), "{error:?}");
    }

    #[tokio::test]
    async fn reading_may_be_given_up_between_any_two_pieces() {
        let (near, far) = tokio::io::duplex(7);
        let (_, mut writer) = split(near.compat());
        let (mut reader, _) = split(far.compat());
        let sent = result(1000);
        let writing = writer.write_frames(&sent);
        let reading = async {
            let first = loop {
                tokio::select! {
                    biased;
                    frame = reader.read_frame() => break frame.unwrap().unwrap(),
                    () = tokio::task::yield_now() => {}
                }
            };
            (first, reader.read_frame().await.unwrap())
        };
        let (written, (frame, end)) = tokio::join!(writing, reading);
        assert_eq!(end, Some(Frame::signal(FrameKind::End)));
        written.unwrap();
        assert_eq!(frame.payload.len(), 1000);
    }

    #[tokio::test]
    async fn a_stream_closed_without_end_was_cut_off() {
        let (near, far) = tokio::io::duplex(1024);
        let (_, mut writer) = split(near.compat());
        let (mut reader, _) = split(far.compat());
        let [result, _] = result(10);
        writer.write_frames(&[result]).await.unwrap();
        writer.close().await.unwrap();
        assert!(reader.read_frame().await.unwrap().is_some());
        let error = reader.read_frame().await.unwrap_err();
        assert!(
            matches!(error, ReadError::Frame(FrameError::Truncated)),
            "{error}"
        );
    }
}
