//! Somebody with a secure channel and no manners: says raw bytes at the gate and records what comes back.

use std::future::poll_fn;
use std::sync::Arc;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
use libp2p::core::transport::{Boxed, DialOpts, MemoryTransport, PortUse};
use libp2p::core::upgrade::Version;
use libp2p::core::{Endpoint, Transport};
use libp2p::identity::Keypair;
use libp2p::{PeerId, noise, quic, tcp, yamux};
use peerage_node::net::peer_id::keypair;
use peerage_protocol::id::MeshId;
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::wire::hello::{
    Claim, DialerHello, LENGTH_PREFIX_BYTES, ListenerHello, MeshTag, body_length, decode, encode,
};

use crate::world::{Node, PATIENCE, Via, id, secret};

const SEED: u8 = 9;

pub struct Stranger {
    substream: SubstreamBox,
    _transport: Boxed<(PeerId, StreamMuxerBox)>,
}

/// What a stranger who knows the protocol claims.
pub struct Greeting {
    pub mesh: MeshId,
    pub chain: Arc<CertificateChain>,
    pub version: u16,
}

impl Stranger {
    pub async fn dial(via: Via, listener: &Node) -> Self {
        let mut transport = ungated(via, &keypair(&secret(SEED).to_bytes().into()));
        let address = listener.network.listen_addresses().remove(0);
        let options = DialOpts {
            role: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        let (_, mut muxer) = transport.dial(address, options).unwrap().await.unwrap();
        let substream = poll_fn(|cx| muxer.poll_outbound_unpin(cx)).await.unwrap();
        tokio::spawn(poll_fn(move |cx| muxer.poll_unpin(cx).map(drop)));
        Self {
            substream,
            _transport: transport,
        }
    }

    pub async fn say(&mut self, bytes: &[u8]) {
        self.substream.write_all(bytes).await.unwrap();
        self.substream.flush().await.unwrap();
    }

    /// Everything until the other end closes.
    pub async fn hear_all(&mut self) -> Vec<u8> {
        let mut heard = Vec::new();
        // Whether it ends by a close or a reset is the transport's affair.
        let read = self.substream.read_to_end(&mut heard);
        let _ = tokio::time::timeout(PATIENCE, read)
            .await
            .expect("the gate ends it");
        heard
    }

    /// Says a whole greeting and leaves the answer to be heard.
    pub async fn greet(&mut self, listener: &Node, greeting: Greeting) {
        let nonce = [4; 32];
        let tag = MeshTag::new(greeting.mesh, id(SEED), listener.id, &nonce);
        let mut hello = DialerHello::new(nonce, tag);
        (hello.min_version, hello.max_version) = (greeting.version, greeting.version);
        self.say(&encode(&hello).unwrap()).await;
        let mut prefix = [0; LENGTH_PREFIX_BYTES];
        self.substream.read_exact(&mut prefix).await.unwrap();
        let mut body = vec![0; body_length(prefix).unwrap()];
        self.substream.read_exact(&mut body).await.unwrap();
        decode::<ListenerHello>(&body).unwrap();
        let chain = (*greeting.chain).clone();
        self.say(
            &encode(&Claim::Member {
                chain,
                revocations: 0,
            })
            .unwrap(),
        )
        .await;
    }
}

fn ungated(via: Via, keypair: &Keypair) -> Boxed<(PeerId, StreamMuxerBox)> {
    match via {
        Via::Quic => quic::tokio::Transport::new(quic::Config::new(keypair))
            .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
            .boxed(),
        Via::Tcp | Via::Memory => tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
            .or_transport(MemoryTransport::default())
            .upgrade(Version::V1Lazy)
            .authenticate(noise::Config::new(keypair).unwrap())
            .multiplex(yamux::Config::default())
            .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
            .boxed(),
    }
}
