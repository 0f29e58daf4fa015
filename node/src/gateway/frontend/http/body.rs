//! The body of a request: small, quick, in one piece, and paid for out of a budget that all bodies share.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use peerage_protocol::limits::BODY_BYTES_MAX;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::HttpRefusal;

/// Bytes of all request bodies that may be in memory at a time.
pub const BODIES_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Time for a request's body to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// What a body takes from the budget at a time while it arrives.
const STEP: usize = 64 * 1024;
/// What one permit of the budget stands for.
const PERMIT: usize = 1024;

/// The room for bodies; each keeps its share for as long as any of its bytes are in use.
pub(super) struct Budget(Arc<Semaphore>);

/// A body, and the room that it takes.
struct Paid {
    data: BytesMut,
    paid: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// Room for `bytes`, rounded down to KiB.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / PERMIT)))
    }

    /// The whole body, if it is small and quick enough and there is room.
    pub(super) async fn read(&self, body: Body) -> Result<Bytes, HttpRefusal> {
        // A body that says how long it is need not be read to be refused.
        if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
            return Err(HttpRefusal::BodyTooLarge);
        }
        match tokio::time::timeout(BODY_DEADLINE, self.collect(body)).await {
            Ok(body) => Ok(Bytes::from_owner(body?.settled())),
            Err(_) => Err(HttpRefusal::BodyTooSlow),
        }
    }

    /// A message that is in memory already, paid for from now on; waits for room for as long as a body may take.
    pub(super) async fn hold(&self, message: Bytes) -> Result<Bytes, HttpRefusal> {
        let permits = message.len().div_ceil(PERMIT);
        let permits = u32::try_from(permits).map_err(|_| HttpRefusal::BodyTooLarge)?;
        let room = self.0.clone().acquire_many_owned(permits);
        match tokio::time::timeout(BODY_DEADLINE, room).await {
            Ok(Ok(permit)) => Ok(Bytes::from_owner(Held::new(&message, permit))),
            Ok(Err(_)) | Err(_) => Err(HttpRefusal::BodiesFull),
        }
    }

    /// Copies, because a frame kept would keep all of the buffer that it was read into.
    async fn collect(&self, mut body: Body) -> Result<Paid, HttpRefusal> {
        let mut whole = Paid {
            data: BytesMut::new(),
            paid: 0,
            permit: None,
        };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| HttpRefusal::BodyBrokeOff)?;
            if let Ok(chunk) = frame.into_data() {
                self.append(&mut whole, &chunk)?;
            }
        }
        Ok(whole)
    }

    fn append(&self, whole: &mut Paid, chunk: &[u8]) -> Result<(), HttpRefusal> {
        let length = whole.data.len().saturating_add(chunk.len());
        if length > BODY_BYTES_MAX {
            return Err(HttpRefusal::BodyTooLarge);
        }
        if length > whole.paid {
            let due = length.next_multiple_of(STEP);
            let permit = self.take(due - whole.paid)?;
            match &mut whole.permit {
                Some(held) => held.merge(permit),
                held => *held = Some(permit),
            }
            whole.paid = due;
        }
        whole.data.extend_from_slice(chunk);
        Ok(())
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, HttpRefusal> {
        let permits = u32::try_from(bytes / PERMIT).map_err(|_| HttpRefusal::BodyTooLarge)?;
        let taken = self.0.clone().try_acquire_many_owned(permits);
        taken.map_err(|_| HttpRefusal::BodiesFull)
    }
}

/// A message, and its share of the room.
struct Held {
    data: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl Held {
    /// Copies what is small: a slice of the buffer that it was read into would keep all of that.
    fn new(message: &Bytes, permit: OwnedSemaphorePermit) -> Self {
        let data = match message.len() < STEP {
            true => Bytes::copy_from_slice(message),
            false => message.clone(),
        };
        Self {
            data,
            _permit: permit,
        }
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Paid {
    /// Gives back what the last step took too much, or small bodies would fill the budget with nothing.
    fn settled(mut self) -> Self {
        let needed = self.data.len().next_multiple_of(PERMIT);
        if let Some(permit) = &mut self.permit {
            drop(permit.split(self.paid.saturating_sub(needed) / PERMIT));
            self.paid = needed;
        }
        self
    }
}

impl AsRef<[u8]> for Paid {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use axum::response::IntoResponse;
    use futures::stream;
    use http::StatusCode;
    use hyper::body::{Frame, SizeHint};

    use super::*;

    /// A body that says how long it is, and must not be read.
    struct Promised(u64);

    impl HttpBody for Promised {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            panic!("the body was read")
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0)
        }
    }

    fn chunks(chunks: Vec<Vec<u8>>) -> Body {
        Body::from_stream(stream::iter(chunks.into_iter().map(Ok::<_, Infallible>)))
    }

    fn status(refusal: HttpRefusal) -> StatusCode {
        refusal.into_response().status()
    }

    #[tokio::test]
    async fn a_body_that_says_it_is_too_large_is_refused_unread() {
        let body = Body::new(Promised(BODY_BYTES_MAX as u64 + 1));
        let refusal = Budget::new(BODIES_BYTES_MAX).read(body).await.unwrap_err();
        assert_eq!(status(refusal), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_body_that_grows_too_large_is_refused_and_gives_its_room_back() {
        let budget = Budget::new(BODIES_BYTES_MAX);
        let before = budget.0.available_permits();
        let body = chunks(vec![vec![b' '; BODY_BYTES_MAX], vec![b' ']]);
        let refusal = budget.read(body).await.unwrap_err();
        assert_eq!(status(refusal), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(budget.0.available_permits(), before);
    }

    #[tokio::test]
    async fn without_room_bodies_are_refused_until_others_are_gone() {
        let budget = Budget::new(2 * STEP);
        let large = budget.read(vec![1; STEP + 1].into()).await.unwrap();
        let refusal = budget.read("{}".into()).await.unwrap_err();
        assert_eq!(refusal, HttpRefusal::BodiesFull);
        assert_eq!(status(refusal), StatusCode::SERVICE_UNAVAILABLE);

        let part = large.slice(1..2);
        drop(large);
        budget.read("{}".into()).await.unwrap_err();
        drop(part);
        assert_eq!(budget.read("{}".into()).await.unwrap(), "{}");
        budget.read(vec![1; 2 * STEP].into()).await.unwrap();
    }

    #[tokio::test]
    async fn a_body_that_runs_out_of_room_half_way_gives_back_what_it_took() {
        let budget = Budget::new(2 * STEP);
        let body = chunks(vec![vec![1; STEP]; 3]);
        assert_eq!(budget.read(body).await, Err(HttpRefusal::BodiesFull));
        budget.read(vec![1; 2 * STEP].into()).await.unwrap();
    }

    #[tokio::test]
    async fn a_body_of_single_bytes_is_one_buffer_that_takes_the_room_of_its_bytes() {
        let budget = Budget::new(2 * STEP);
        let bytes: Vec<u8> = (0..STEP + 1).map(|at| (at % 251) as u8).collect();
        let body = chunks(bytes.iter().map(|byte| vec![*byte]).collect());
        let whole = budget.collect(body).await.unwrap();
        assert_eq!(whole.data, bytes);
        assert!(whole.data.capacity() <= 2 * whole.paid);
        assert_eq!(whole.paid, 2 * STEP);
        assert_eq!(budget.0.available_permits(), 0);
    }

    #[tokio::test]
    async fn a_small_body_keeps_little_room() {
        let budget = Budget::new(2 * STEP);
        let before = budget.0.available_permits();
        let small = budget.read("{}".into()).await.unwrap();
        assert_eq!(budget.0.available_permits(), before - 1);
        drop(small);
        assert_eq!(budget.0.available_permits(), before);
    }

    #[tokio::test]
    async fn an_empty_body_takes_no_room() {
        let budget = Budget::new(0);
        assert!(budget.read(Body::empty()).await.unwrap().is_empty());
    }
}
