//! Several calls on one substream, one after the other.

use std::sync::Mutex;

use peerage_protocol::limits::{
    SUBSTREAM_AGE_MAX, SUBSTREAM_REST_DEADLINE, SUBSTREAM_REST_MAX, SUBSTREAMS_RESTING_MAX,
};

use super::*;

/// An opener that keeps what is given back, and counts what it had to open.
pub(super) struct Keeping<O: OpenSubstream> {
    opener: O,
    opened: AtomicUsize,
    kept: Mutex<Vec<O::Stream>>,
}

impl<O: OpenSubstream> Keeping<O> {
    pub(super) fn new(opener: O) -> Arc<Self> {
        Arc::new(Self {
            opener,
            opened: AtomicUsize::new(0),
            kept: Mutex::default(),
        })
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    fn kept(&self) -> usize {
        self.kept.lock().unwrap().len()
    }
}

impl<O: OpenSubstream> OpenSubstream for Keeping<O> {
    type Stream = O::Stream;

    fn open(&self, node: NodeId) -> BoxFuture<'_, Result<O::Stream, OpenError>> {
        if let Some(kept) = self.kept.lock().unwrap().pop() {
            return async move { Ok(kept) }.boxed();
        }
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.opener.open(node)
    }

    fn give_back(&self, stream: O::Stream) {
        self.kept.lock().unwrap().push(stream);
    }
}

fn kept_link<F>(admission: &Arc<Admission>, service: F) -> Arc<Keeping<Link>>
where
    F: Fn(ServerName, Call) -> Served + Send + Sync + 'static,
{
    let frontend = frontend(admission, service);
    Keeping::new(Link { frontend })
}

fn echo(_: ServerName, call: Call) -> Served {
    async move { result(call.params.to_bytes()) }.boxed()
}

#[tokio::test]
async fn calls_one_after_another_share_a_substream() {
    let link = kept_link(&Arc::default(), echo);
    let backend = backend(link.clone());
    for length in [64, 1 << 20, 64, 1 << 10] {
        let params = object_of(length);
        let reply = soon(Arc::clone(&backend).call(call_with(&params).0)).await;
        assert_eq!(reply, result(params));
    }
    assert_eq!(link.opened(), 1);
    assert_eq!(link.kept(), 1);
}

#[tokio::test]
async fn a_substream_that_rests_takes_no_place_of_those_in_progress() {
    let one = Arc::new(Admission::new(1));
    let link = kept_link(&one, echo);
    let backend = backend(link.clone());
    soon(Arc::clone(&backend).call(call())).await.unwrap();
    while one.in_progress() > 0 {
        tokio::task::yield_now().await;
    }
    let other = kept_link(&one, echo);
    soon(super::backend(other).call(call())).await.unwrap();
    soon(Arc::clone(&backend).call(call())).await.unwrap();
}

#[tokio::test]
async fn after_a_failure_or_a_call_that_was_given_up_the_substream_is_not_used_again() {
    let unknown = |_, _| {
        let name = "read".to_owned();
        async move { Err(CallError::UnknownTool { name }) }.boxed()
    };
    let link = kept_link(&Arc::default(), unknown);
    let failed = backend(link.clone());
    soon(Arc::clone(&failed).call(call())).await.unwrap_err();
    assert_eq!(link.kept(), 0);

    let (service, mut events) = endless();
    let link = kept_link(&Arc::default(), service);
    let endless = backend(link.clone());
    tokio::select! {
        reply = Arc::clone(&endless).call(call()) => panic!("it has no answer: {reply:?}"),
        event = soon(events.recv()) => assert_eq!(event, Some("called")),
    }
    assert_eq!(soon(events.recv()).await, Some("dropped"));
    assert_eq!(link.kept(), 0);
}

#[tokio::test]
async fn no_more_substreams_rest_than_the_bound() {
    let link = kept_link(&Arc::default(), echo);
    let backend = backend(link.clone());
    let calls = (0..SUBSTREAMS_RESTING_MAX + 10).map(|_| Arc::clone(&backend).call(call()));
    for reply in soon(futures::future::join_all(calls)).await {
        reply.unwrap();
    }
    assert_eq!(link.opened(), SUBSTREAMS_RESTING_MAX + 10);
    assert_eq!(link.kept(), SUBSTREAMS_RESTING_MAX);
}

#[tokio::test(start_paused = true)]
async fn an_old_substream_takes_no_further_call() {
    let link = kept_link(&Arc::default(), echo);
    let backend = backend(link.clone());
    let begun = Instant::now();
    while begun.elapsed() < SUBSTREAM_AGE_MAX {
        Arc::clone(&backend).call(call()).await.unwrap();
        assert_eq!((link.opened(), link.kept()), (1, 1));
        tokio::time::advance(SUBSTREAM_REST_MAX).await;
    }
    Arc::clone(&backend).call(call()).await.unwrap();
    assert_eq!((link.opened(), link.kept()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_answering_node_ends_a_substream_that_rests_too_long() {
    let (mut reader, mut writer) = served(&Arc::default(), echo);
    writer.write_frames(&question(header())).await.unwrap();
    while soon(reader.read_frame()).await.unwrap() != Some(Frame::signal(FrameKind::End)) {}
    let begun = Instant::now();
    assert_eq!(reader.read_frame().await.unwrap(), None);
    assert!(begun.elapsed() >= SUBSTREAM_REST_DEADLINE);
}
