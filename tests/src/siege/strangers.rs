//! Nodes of another mesh: they do all that the protocol asks of them, and are refused.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use futures::future::{join_all, select};
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::core::Endpoint;
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt};
use libp2p::core::transport::{Boxed, DialOpts, PortUse, Transport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, noise, quic, tcp, yamux};
use peerage_node::control::wall;
use peerage_node::net::peer_id::keypair;
use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::membership::certificate::{
    CERTIFICATE_VERSION, CertificateBody, CertificateChain, Role,
};
use peerage_protocol::signature::Signer;
use peerage_protocol::wire::hello::{
    Claim, DialerHello, LENGTH_PREFIX_BYTES, ListenerHello, MeshTag, body_length, decode, encode,
};
use zeroize::Zeroizing;

use super::Target;

/// Strangers at the same time.
const AT_ONCE: u8 = 8;
/// How long one may wait for an answer.
const PATIENCE: Duration = Duration::from_millis(1_000);

/// Over TCP.
pub(super) async fn tcp(target: &Target, end: Instant) -> u64 {
    let address = address(target.tcp, "tcp", "");
    let make = |keypair: &Keypair| {
        tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
            .upgrade(Version::V1Lazy)
            .authenticate(noise::Config::new(keypair).expect("a key"))
            .multiplex(yamux::Config::default())
            .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
            .boxed()
    };
    all(target.node, address, make, end).await
}

/// Over QUIC.
pub(super) async fn quic(target: &Target, end: Instant) -> u64 {
    let address = address(target.quic, "udp", "/quic-v1");
    let make = |keypair: &Keypair| {
        quic::tokio::Transport::new(quic::Config::new(keypair))
            .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
            .boxed()
    };
    all(target.node, address, make, end).await
}

fn address(socket: SocketAddr, protocol: &str, rest: &str) -> Multiaddr {
    let text = format!("/ip4/{}/{protocol}/{}{rest}", socket.ip(), socket.port());
    text.parse().expect("an address")
}

type Ways = Boxed<(PeerId, StreamMuxerBox)>;

async fn all(
    target: NodeId,
    address: Multiaddr,
    make: impl Fn(&Keypair) -> Ways,
    end: Instant,
) -> u64 {
    let one = async |number: u8| {
        let stranger = Stranger::new(number);
        let mut ways = make(&keypair(&Zeroizing::new(stranger.key.to_bytes())));
        let mut attempts = 0;
        while Instant::now() < end {
            attempts += 1;
            let meeting = stranger.meet(target, &mut ways, address.clone());
            if tokio::time::timeout(PATIENCE, meeting).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
        attempts
    };
    join_all((0..AT_ONCE).map(one)).await.iter().sum()
}

/// A node of a mesh of its own.
struct Stranger {
    key: SigningKey,
    mesh: MeshId,
    chain: CertificateChain,
}

impl Stranger {
    fn new(number: u8) -> Self {
        let root = SigningKey::from_bytes(&[200 + number; 32]);
        let key = SigningKey::from_bytes(&[100 + number; 32]);
        let mesh = MeshId::from_public_key(root.public_key());
        let body = CertificateBody {
            version: CERTIFICATE_VERSION,
            mesh,
            serial: 1,
            subject: NodeId::from_public_key(key.public_key()),
            name: "stranger".parse().expect("a name"),
            role: Role::Admin,
            not_before: wall(),
            expires: wall() + Duration::from_secs(60 * 60),
            only: Vec::new(),
            replaces: None,
        };
        let chain = body.sign(&root, Vec::new());
        Self { key, mesh, chain }
    }

    /// Once to the gate and away again; whatever comes of it.
    async fn meet(&self, target: NodeId, ways: &mut Ways, address: Multiaddr) -> Option<()> {
        let options = DialOpts {
            role: Endpoint::Dialer,
            port_use: PortUse::Reuse,
        };
        let (_, mut muxer) = ways.dial(address, options).ok()?.await.ok()?;
        let mut substream = poll_fn(|cx| muxer.poll_outbound_unpin(cx)).await.ok()?;
        let conversation = Box::pin(async move {
            let nonce = [4; 32];
            let own = NodeId::from_public_key(self.key.public_key());
            let tag = MeshTag::new(self.mesh, own, target, &nonce);
            let hello = encode(&DialerHello::new(nonce, tag)).ok()?;
            substream.write_all(&hello).await.ok()?;
            substream.flush().await.ok()?;
            let mut prefix = [0; LENGTH_PREFIX_BYTES];
            substream.read_exact(&mut prefix).await.ok()?;
            let mut body = vec![0; body_length(prefix).ok()?];
            substream.read_exact(&mut body).await.ok()?;
            decode::<ListenerHello>(&body).ok()?;
            let claim = Claim::Member {
                chain: self.chain.clone(),
                revocations: 0,
            };
            substream.write_all(&encode(&claim).ok()?).await.ok()?;
            substream.flush().await.ok()?;
            substream.read_to_end(&mut Vec::new()).await.ok().map(drop)
        });
        // A byte stream's muxer works only while it is polled.
        let working = poll_fn(|cx| muxer.poll_unpin(cx).map(drop));
        select(conversation, working).await;
        Some(())
    }
}
