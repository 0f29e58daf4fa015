//! The same promises over real connections: QUIC and TCP with Noise and yamux, on the loopback interface.
//!
//! What a dropped or unread substream looks like to the other side differs between the two.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use futures::StreamExt;
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
use libp2p::core::transport::{Boxed, DialOpts, ListenerId, PortUse, TransportEvent};
use libp2p::core::{Endpoint, upgrade};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, Transport, noise, quic, tcp, yamux};
use tokio::sync::oneshot;

use super::reuse::Keeping;
use super::*;

type Connections = Boxed<(PeerId, StreamMuxerBox)>;

fn over_quic() -> (Connections, Multiaddr) {
    let config = quic::Config::new(&Keypair::generate_ed25519());
    let transport = quic::tokio::Transport::new(config)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    (
        transport.boxed(),
        "/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap(),
    )
}

fn over_tcp() -> (Connections, Multiaddr) {
    let transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(upgrade::Version::V1Lazy)
        .authenticate(noise::Config::new(&Keypair::generate_ed25519()).unwrap())
        .multiplex(yamux::Config::default());
    (transport.boxed(), "/ip4/127.0.0.1/tcp/0".parse().unwrap())
}

/// The two ends of one connection. The dialer's is driven at once: lazy negotiation waits for its first write.
async fn connect(
    (mut dialer, _): (Connections, Multiaddr),
    (mut listener, address): (Connections, Multiaddr),
) -> (Opener, StreamMuxerBox) {
    listener.listen_on(ListenerId::next(), address).unwrap();
    let Some(TransportEvent::NewAddress { listen_addr, .. }) = listener.next().await else {
        panic!("it listens");
    };
    let options = DialOpts {
        role: Endpoint::Dialer,
        port_use: PortUse::New,
    };
    let dialed = tokio::spawn(dialer.dial(listen_addr, options).unwrap());
    let driven = tokio::spawn(async move { while dialer.next().await.is_some() {} });
    let accepted = loop {
        if let Some(TransportEvent::Incoming { upgrade, .. }) = listener.next().await {
            break tokio::spawn(upgrade);
        }
    };
    tokio::spawn(async move {
        let _dialer = driven;
        while listener.next().await.is_some() {}
    });
    let (_, near) = dialed.await.unwrap().unwrap();
    let (opener, _) = drive(near);
    let (_, far) = accepted.await.unwrap().unwrap();
    (opener, far)
}

/// One end of a connection, driven until it breaks.
struct End {
    muxer: StreamMuxerBox,
    wanted: mpsc::UnboundedReceiver<oneshot::Sender<SubstreamBox>>,
    opening: VecDeque<oneshot::Sender<SubstreamBox>>,
    opened_by_peer: mpsc::UnboundedSender<SubstreamBox>,
}

impl End {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(Some(wanted)) = self.wanted.poll_recv(context) {
            self.opening.push_back(wanted);
        }
        while !self.opening.is_empty() {
            match self.muxer.poll_outbound_unpin(context) {
                Poll::Ready(Ok(opened)) => {
                    let _ = self.opening.pop_front().unwrap().send(opened);
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        while let Poll::Ready(opened) = self.muxer.poll_inbound_unpin(context) {
            let Ok(opened) = opened else {
                return Poll::Ready(());
            };
            let _ = self.opened_by_peer.send(opened);
        }
        while let Poll::Ready(event) = self.muxer.poll_unpin(context) {
            if event.is_err() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

struct Opener(mpsc::UnboundedSender<oneshot::Sender<SubstreamBox>>);

impl OpenSubstream for Opener {
    type Stream = SubstreamBox;

    fn open(&self, node: NodeId) -> BoxFuture<'_, Result<SubstreamBox, OpenError>> {
        let (sender, receiver) = oneshot::channel();
        let sent = self.0.send(sender);
        async move {
            sent.map_err(|_| OpenError::NotConnected { node })?;
            receiver.await.map_err(|_| OpenError::NotConnected { node })
        }
        .boxed()
    }
}

fn drive(muxer: StreamMuxerBox) -> (Opener, mpsc::UnboundedReceiver<SubstreamBox>) {
    let (want, wanted) = mpsc::unbounded_channel();
    let (opened_by_peer, inbound) = mpsc::unbounded_channel();
    let mut end = End {
        muxer,
        wanted,
        opening: VecDeque::new(),
        opened_by_peer,
    };
    tokio::spawn(std::future::poll_fn(move |context| end.poll(context)));
    (Opener(want), inbound)
}

/// A backend at one end of a connection, whose other end `frontend` serves.
async fn joined(
    transport: fn() -> (Connections, Multiaddr),
    frontend: PeerFrontend,
) -> Arc<PeerBackend<Arc<Keeping<Opener>>>> {
    let (opener, far) = soon(connect(transport(), transport())).await;
    let (idle, mut inbound) = drive(far);
    tokio::spawn(async move {
        let _idle = idle;
        while let Some(substream) = inbound.recv().await {
            let frontend = frontend.clone();
            tokio::spawn(async move { frontend.serve(caller(), substream).await });
        }
    });
    backend(Keeping::new(opener))
}

async fn answers_arrive_whole(transport: fn() -> (Connections, Multiaddr)) {
    let echo = frontend(&Arc::default(), |_, call| {
        async move { result(call.params.to_bytes()) }.boxed()
    });
    let backend = joined(transport, echo).await;
    let ask = |length: usize| {
        let params = object_of(length);
        let reply = Arc::clone(&backend).call(call_with(&params).0);
        async move { assert!(reply.await == result(params), "the bytes differ") }
    };
    soon(ask(8 << 20)).await;
    for _ in 0..100 {
        soon(ask(1024)).await;
    }
    let at_once = futures::future::join_all((0..64).map(|number| ask(1024 + number)));
    soon(at_once).await;
}

async fn giving_up_reaches_the_far_end(transport: fn() -> (Connections, Multiaddr)) {
    let (service, mut events) = endless();
    let admission = Arc::default();
    let backend = joined(transport, frontend(&admission, service)).await;
    tokio::select! {
        reply = Arc::clone(&backend).call(call()) => panic!("it has no answer: {reply:?}"),
        event = soon(events.recv()) => assert_eq!(event, Some("called")),
    }
    assert_eq!(soon(events.recv()).await, Some("dropped"));
}

async fn a_refusal_is_heard_while_the_request_is_being_sent(
    transport: fn() -> (Connections, Multiaddr),
) {
    let admission = Arc::new(Admission::new(0));
    let (service, _events) = endless();
    let full = joined(transport, frontend(&admission, service)).await;
    for length in [1 << 10, 1 << 20, 8 << 20] {
        let reply = soon(Arc::clone(&full).call(call_with(&object_of(length)).0)).await;
        assert!(matches!(reply, Err(CallError::Busy { .. })), "{reply:?}");
    }
    let (service, _events) = endless();
    let circular = joined(transport, frontend(&Arc::default(), service)).await;
    let around = Call {
        via: vec![answerer_id()],
        ..call_with(&object_of(8 << 20)).0
    };
    assert_eq!(soon(circular.call(around)).await, Err(CallError::Loop));
}

#[tokio::test]
async fn answers_arrive_whole_over_quic() {
    answers_arrive_whole(over_quic).await;
}

#[tokio::test]
async fn answers_arrive_whole_over_tcp() {
    answers_arrive_whole(over_tcp).await;
}

#[tokio::test]
async fn giving_up_reaches_the_far_end_over_quic() {
    giving_up_reaches_the_far_end(over_quic).await;
}

#[tokio::test]
async fn giving_up_reaches_the_far_end_over_tcp() {
    giving_up_reaches_the_far_end(over_tcp).await;
}

#[tokio::test]
async fn a_refusal_is_heard_while_the_request_is_being_sent_over_quic() {
    a_refusal_is_heard_while_the_request_is_being_sent(over_quic).await;
}

#[tokio::test]
async fn a_refusal_is_heard_while_the_request_is_being_sent_over_tcp() {
    a_refusal_is_heard_while_the_request_is_being_sent(over_tcp).await;
}
