//! How a call between two nodes ends when no answer comes: cancelled, cut off, or out of time.

use super::*;

#[tokio::test]
async fn a_caller_that_gives_up_sends_cancel_and_the_call_is_dropped() {
    let (service, mut events) = endless();
    let backend = linked(service);
    tokio::select! {
        reply = Arc::clone(&backend).call(call()) => panic!("it has no answer: {reply:?}"),
        event = soon(events.recv()) => assert_eq!(event, Some("called")),
    }
    assert_eq!(soon(events.recv()).await, Some("dropped"));
}

#[tokio::test]
async fn giving_up_is_said_by_a_cancel_frame() {
    let (backend, mut opened) = scripted();
    let far = tokio::select! {
        reply = Arc::clone(&backend).call(call()) => panic!("it has no answer: {reply:?}"),
        far = async {
            let (mut reader, writer) = split(opened.recv().await.unwrap());
            for expected in [FrameKind::Opening, FrameKind::Params] {
                assert_eq!(reader.read_frame().await.unwrap().unwrap().kind, expected);
            }
            (reader, writer)
        } => far,
    };
    let (mut reader, _writer) = far;
    let cancel = reader.read_frame().await.unwrap();
    assert_eq!(cancel, Some(Frame::signal(FrameKind::Cancel)));
}

#[tokio::test]
async fn a_cancel_frame_drops_the_call_and_frees_its_place() {
    let admission = Arc::new(Admission::default());
    let (service, mut events) = endless();
    let (mut reader, mut writer) = served(&admission, service);
    writer.write_frames(&question(header())).await.unwrap();
    assert_eq!(soon(events.recv()).await, Some("called"));
    assert_eq!(admission.in_progress(), 1);
    let cancel = [Frame::signal(FrameKind::Cancel)];
    writer.write_frames(&cancel).await.unwrap();
    assert_eq!(soon(events.recv()).await, Some("dropped"));
    assert!(reader.read_frame().await.is_err(), "there is no answer");
    assert_eq!(admission.in_progress(), 0);
}

#[tokio::test]
async fn a_callers_half_that_ends_before_the_result_cancels() {
    let (service, mut events) = endless();
    let (_reader, mut writer) = served(&Arc::default(), service);
    writer.write_frames(&question(header())).await.unwrap();
    assert_eq!(soon(events.recv()).await, Some("called"));
    writer.close().await.unwrap();
    assert_eq!(soon(events.recv()).await, Some("dropped"));
}

/// What the caller is told when the far end answers with `frames` and is gone.
async fn told_after(frames: &[Frame]) -> CallError {
    let (backend, mut opened) = scripted();
    let far = async {
        let (mut reader, mut writer) = split(opened.recv().await.unwrap());
        reader.read_frame().await.unwrap();
        reader.read_frame().await.unwrap();
        writer.write_frames(frames).await.unwrap();
    };
    let (reply, ()) = tokio::join!(Arc::clone(&backend).call(call()), far);
    reply.unwrap_err()
}

fn assert_unreachable(error: &CallError) {
    assert!(
        matches!(error, CallError::PeerUnreachable { node, .. } if node == "laptop"),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_that_is_not_complete_is_an_error_that_names_the_node() {
    let header = wire::ReplyHeader {
        era: wire::Era::Modern,
        again: false,
    };
    let reply = Frame::new(FrameKind::Reply, header.encode().into());
    let one = Frame::new(FrameKind::Result, Bytes::from_static(b"1"));
    let end = Frame::signal(FrameKind::End);
    assert_unreachable(&told_after(&[]).await);
    assert_unreachable(&told_after(&[reply.clone(), one.clone()]).await);
    assert_unreachable(&told_after(std::slice::from_ref(&end)).await);
    assert_unreachable(&told_after(&[one.clone(), end.clone()]).await);
    assert_unreachable(&told_after(&[reply, one.clone(), one, end]).await);
    let garbage = Frame::new(FrameKind::Failure, Bytes::from_static(b"\xff"));
    assert_unreachable(&told_after(&[garbage]).await);
    assert_unreachable(&told_after(&[Frame::signal(FrameKind::Cancel)]).await);
}

#[tokio::test]
async fn bytes_that_are_no_frames_are_an_error_that_names_the_node() {
    let (backend, mut opened) = scripted();
    let far = async {
        let mut far = opened.recv().await.unwrap();
        futures::AsyncWriteExt::write_all(&mut far, &[0xee; 64])
            .await
            .unwrap();
        far
    };
    let (reply, _far) = tokio::join!(Arc::clone(&backend).call(call()), far);
    assert_unreachable(&reply.unwrap_err());
}

#[tokio::test]
async fn a_node_without_a_link_is_an_error_that_names_it() {
    let (backend, opened) = scripted();
    drop(opened);
    assert_unreachable(&Arc::clone(&backend).call(call()).await.unwrap_err());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_cancels_and_names_who_did_not_answer() {
    let (backend, mut opened) = scripted();
    let hurried = Call {
        deadline: Instant::now() + Duration::from_millis(200),
        ..call()
    };
    let reply = Arc::clone(&backend).call(hurried).await;
    let target = "files on laptop".to_owned();
    assert_eq!(reply, Err(CallError::DeadlineExceeded { target }));
    let (mut reader, _writer) = split(opened.recv().await.unwrap());
    let mut kinds = Vec::new();
    while let Ok(Some(frame)) = reader.read_frame().await {
        kinds.push(frame.kind);
    }
    assert_eq!(
        kinds,
        [FrameKind::Opening, FrameKind::Params, FrameKind::Cancel]
    );
}

#[tokio::test(start_paused = true)]
async fn the_answering_node_keeps_the_deadline_too() {
    let (service, mut events) = endless();
    let (mut reader, mut writer) = served(&Arc::default(), service);
    let hurried = wire::CallHeader {
        time_left_ms: 200,
        ..header()
    };
    writer.write_frames(&question(hurried)).await.unwrap();
    let failure = heard_failure(&mut reader).await;
    assert_eq!(failure.kind, FailureKind::DeadlineExceeded);
    assert_eq!(soon(events.recv()).await, Some("called"));
    assert_eq!(soon(events.recv()).await, Some("dropped"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_substream_is_given_up_and_frees_its_place() {
    let admission = Arc::new(Admission::default());
    let before = Instant::now();
    let (mut reader, _writer) = served(&admission, |_, _| panic!("it is not called"));
    assert!(reader.read_frame().await.is_err());
    assert_eq!(before.elapsed(), OPENING_DEADLINE);
    assert_eq!(admission.in_progress(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_does_not_take_its_answer_loses_its_place_in_the_end() {
    let admission = Arc::new(Admission::default());
    let (reader, mut writer) = served(&admission, |_, _| {
        async { result(vec![b'x'; 1 << 20]) }.boxed()
    });
    writer.write_frames(&question(header())).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(admission.in_progress(), 1);
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!(admission.in_progress(), 0);
    drop(reader);
}
