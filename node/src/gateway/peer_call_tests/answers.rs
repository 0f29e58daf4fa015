//! What a call between two nodes carries there and back, and what is refused.

use super::*;
use crate::gateway::aside::{ServerRequest, Withdrawn};

#[tokio::test]
async fn a_call_reaches_the_server_with_everything_its_owner_decides_by() {
    let backend = linked(|server, call| {
        async move {
            assert_eq!(server.as_str(), "files");
            assert_eq!(
                call.caller,
                Caller::Peer {
                    node: caller_id(),
                    name: "desk".parse().unwrap(),
                    agent: Some("claude".parse().unwrap()),
                }
            );
            assert_eq!(call.era, Era::Modern);
            assert_eq!(&*call.method, "tools/call");
            assert_eq!(&*call.params.to_bytes(), br#"{"name":"read"}"#);
            assert_eq!(call.via, [caller_id()]);
            assert_eq!(call.trace.as_deref(), Some("00-trace-01"));
            let left = call.time_left();
            assert!(left > Duration::from_secs(50) && left <= Duration::from_secs(60));
            result(&b"{\"content\":[]}"[..])
        }
        .boxed()
    });
    let reply = Arc::clone(&backend)
        .call(call_with(br#"{"name":"read"}"#).0)
        .await;
    assert_eq!(reply, result(&b"{\"content\":[]}"[..]));
}

#[tokio::test]
async fn an_upstreams_own_error_and_the_nodes_failure_stay_apart() {
    let error = Reply {
        era: Era::Modern,
        body: ReplyBody::Error(Bytes::from_static(br#"{"code":-1,"message":"x"}"#)),
    };
    let answer = error.clone();
    let backend = linked(move |_, call| {
        let answer = answer.clone();
        async move {
            match &*call.params.to_bytes() {
                b"{}" => Ok(answer),
                _ => Err(CallError::UnknownTool { name: "y".into() }),
            }
        }
        .boxed()
    });
    assert_eq!(Arc::clone(&backend).call(call()).await, Ok(error));
    let unknown = Err(CallError::UnknownTool { name: "y".into() });
    assert_eq!(
        Arc::clone(&backend).call(call_with(b"{ }").0).await,
        unknown
    );
}

#[tokio::test]
async fn progress_arrives_in_order_and_before_the_result() {
    let backend = linked(|_, call| {
        async move {
            for number in 0..100 {
                call.asides
                    .try_send(Aside::Notification(notification(number)))
                    .unwrap();
            }
            result("1")
        }
        .boxed()
    });
    let (call, mut heard) = call_with(b"{}");
    Arc::clone(&backend).call(call).await.unwrap();
    for number in 0..100 {
        assert_eq!(heard.try_recv().map(told), Ok(notification(number)));
    }
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn progress_arrives_while_the_call_goes_on() {
    let backend = linked(|_, call| {
        async move {
            call.asides
                .send(Aside::Notification(notification(0)))
                .await
                .unwrap();
            std::future::pending().await
        }
        .boxed()
    });
    let (call, mut heard) = call_with(b"{}");
    tokio::select! {
        reply = Arc::clone(&backend).call(call) => panic!("it has no answer yet: {reply:?}"),
        first = heard.recv() => assert_eq!(first.map(told), Some(notification(0))),
    }
}

#[tokio::test]
async fn more_progress_than_may_wait_arrives_whole_when_the_caller_reads_it() {
    let count = 10 * ASIDES_WAITING_MAX;
    let backend = linked(move |_, call| {
        async move {
            for number in 0..count {
                call.asides
                    .send(Aside::Notification(notification(number)))
                    .await
                    .unwrap();
            }
            result("1")
        }
        .boxed()
    });
    let (call, mut heard) = call_with(b"{}");
    let reading = async {
        for number in 0..count {
            assert_eq!(heard.recv().await.map(told), Some(notification(number)));
        }
    };
    let (reply, ()) = tokio::join!(Arc::clone(&backend).call(call), reading);
    reply.unwrap();
}

#[tokio::test]
async fn a_peer_over_its_share_is_told_that_the_node_is_busy_even_while_it_sends() {
    let admission = Arc::new(Admission::new(1));
    let (service, mut events) = endless();
    let frontend = frontend(&admission, service);
    let backend = backend(Link { frontend });
    let first = Arc::clone(&backend).call(call()).map(|_| ());
    let second = async {
        assert_eq!(soon(events.recv()).await, Some("called"));
        let large = object_of(1 << 20);
        Arc::clone(&backend).call(call_with(&large).0).await
    };
    let reply = tokio::select! {
        () = first => panic!("it has no answer"),
        reply = second => reply,
    };
    assert!(matches!(reply, Err(CallError::Busy { .. })), "{reply:?}");
    assert_eq!(soon(events.recv()).await, Some("dropped"));
}

#[tokio::test]
async fn a_request_that_was_here_before_is_refused() {
    let (service, _events) = endless();
    let backend = linked(service);
    let around = Call {
        via: vec![answerer_id()],
        ..call()
    };
    assert_eq!(
        Arc::clone(&backend).call(around).await,
        Err(CallError::Loop)
    );
    let far = Call {
        via: vec![NodeId::from_public_key([9; 32]); HOPS_MAX],
        ..call()
    };
    assert_eq!(Arc::clone(&backend).call(far).await, Err(CallError::Loop));
    let (mut reader, mut writer) = served(&Arc::default(), |_, _| panic!("it is not called"));
    let long = wire::CallHeader {
        via: vec![caller_id(); HOPS_MAX + 1],
        ..header()
    };
    writer.write_frames(&question(long)).await.unwrap();
    assert_eq!(heard_failure(&mut reader).await.kind, FailureKind::Loop);
}

#[tokio::test]
async fn a_substream_that_does_not_begin_with_an_opening_is_told_so() {
    let (mut reader, mut writer) = served(&Arc::default(), |_, _| panic!("it is not called"));
    let [_, params] = question(header());
    writer.write_frames(&[params]).await.unwrap();
    let failure = heard_failure(&mut reader).await;
    assert_eq!(failure.kind, FailureKind::InvalidParams);
}

#[tokio::test]
async fn eight_mebibytes_arrive_intact_both_ways() {
    let body = Bytes::from(object_of(8 << 20));
    let backend = linked(|_, call| async move { result(call.params.to_bytes()) }.boxed());
    let reply = Arc::clone(&backend).call(call_with(&body).0).await;
    assert!(reply == result(body), "the bytes differ");
}

#[tokio::test]
async fn bodies_over_their_bound_are_refused_by_name_at_either_end() {
    let backend = linked(|_, _| async { result(vec![b'x'; BODY_BYTES_MAX + 1]) }.boxed());
    let large = object_of(BODY_BYTES_MAX + 1);
    for call in [call(), call_with(&large).0] {
        let error = Arc::clone(&backend).call(call).await.unwrap_err();
        assert!(matches!(
            error,
            CallError::TooLarge {
                limit: BODY_BYTES_MAX,
                ..
            }
        ));
    }
}

#[tokio::test]
async fn many_calls_one_after_another_and_at_once_each_get_their_own_answer() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let backend = linked(|_, call| {
        CALLS.fetch_add(1, Ordering::Relaxed);
        async move { result(call.params.to_bytes()) }.boxed()
    });
    let ask = |number: usize| {
        let params = format!("{{\"number\":{number}}}");
        let reply = Arc::clone(&backend).call(call_with(params.as_bytes()).0);
        async move { assert_eq!(reply.await, result(params)) }
    };
    for number in 0..1_000 {
        ask(number).await;
    }
    futures::future::join_all((0..64).map(ask)).await;
    assert_eq!(CALLS.load(Ordering::Relaxed), 1_064);
}

#[tokio::test]
async fn an_exchange_is_one_question_with_one_answer_or_a_named_refusal() {
    let frontend = frontend(&Arc::default(), |_, _| panic!("it is not called"));
    let link = Link { frontend };
    let ask = |kind| {
        let patience = Duration::from_secs(5);
        exchange(&link, answerer_id(), kind, b"body".to_vec(), patience)
    };
    assert_eq!(&*ask("echo").await.unwrap(), b"body");
    let error = ask("nonsense").await.unwrap_err();
    assert!(
        matches!(&error, ExchangeError::Refused(failure) if failure.kind == FailureKind::UnknownMethod),
        "{error}"
    );
}

#[tokio::test]
async fn a_request_of_the_upstream_is_answered_by_the_caller_of_that_call() {
    let backend = linked(|_, call| {
        async move {
            let params = Bytes::from_static(br#"{"message":"who?"}"#);
            let (request, answered) = ServerRequest::new("elicitation/create", Some(params));
            call.asides.send(Aside::Request(request)).await.unwrap();
            let ReplyBody::Result(answer) = answered.await.unwrap() else {
                panic!("refused");
            };
            result_bytes(answer)
        }
        .boxed()
    });
    let (call, mut heard) = call_with(b"{}");
    let answering = async {
        let Some(Aside::Request(request)) = heard.recv().await else {
            panic!("not asked");
        };
        assert_eq!(&*request.method, "elicitation/create");
        assert_eq!(request.params.unwrap(), &br#"{"message":"who?"}"#[..]);
        let answer = Bytes::from_static(br#"{"action" : "accept"}"#);
        request.answer.send(ReplyBody::Result(answer)).unwrap();
    };
    let (reply, ()) = tokio::join!(Arc::clone(&backend).call(call), answering);
    let expected = Bytes::from_static(br#"{"action" : "accept"}"#);
    assert_eq!(reply, result_bytes(expected));
}

#[tokio::test]
async fn an_upstream_hears_when_the_caller_does_not_answer() {
    let backend = linked(|_, call| {
        async move {
            let (request, answered) = ServerRequest::new("roots/list", None);
            call.asides.send(Aside::Request(request)).await.unwrap();
            match answered.await.unwrap() {
                ReplyBody::Error(error) => result_bytes(error),
                ReplyBody::Result(_) => panic!("nobody answered"),
            }
        }
        .boxed()
    });
    let (call, mut heard) = call_with(b"{}");
    let ignoring = async { drop(heard.recv().await) };
    let (reply, ()) = tokio::join!(Arc::clone(&backend).call(call), ignoring);
    let ReplyBody::Result(error) = reply.unwrap().body else {
        panic!("no result");
    };
    assert!(String::from_utf8_lossy(&error).contains("-32601"));
}

#[tokio::test]
async fn a_request_that_the_upstream_takes_back_is_taken_back_at_the_caller_too() {
    let backend = linked(|_, call| {
        async move {
            let (request, answered) = ServerRequest::new("roots/list", None);
            let withdrawn = Withdrawn {
                request: request.number,
                message: Bytes::from_static(
                    br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x"}}"#,
                ),
            };
            call.asides.send(Aside::Request(request)).await.unwrap();
            call.asides.send(Aside::Withdrawn(withdrawn)).await.unwrap();
            assert!(answered.await.is_err(), "nobody answers what was taken back");
            result_bytes(Bytes::from_static(b"{}"))
        }
        .boxed()
    });
    let (call, mut heard) = call_with(b"{}");
    let hearing = async {
        let Some(Aside::Request(request)) = heard.recv().await else {
            panic!("not asked");
        };
        let Some(Aside::Withdrawn(withdrawn)) = heard.recv().await else {
            panic!("not taken back");
        };
        assert_eq!(withdrawn.request, request.number);
    };
    let (reply, ()) = tokio::join!(Arc::clone(&backend).call(call), hearing);
    assert_eq!(reply, result_bytes(Bytes::from_static(b"{}")));
}

fn result_bytes(json: Bytes) -> Result<Reply, CallError> {
    Ok(Reply {
        era: Era::Modern,
        body: ReplyBody::Result(json),
    })
}
