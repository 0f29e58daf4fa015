//! Why no QUIC connection stands, and what that says of the other end.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use libp2p::PeerId;

use crate::net::door::Offence;

/// Time for a secure channel to stand, from the first packet.
pub(super) const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// Why no QUIC connection stands.
#[derive(Debug, thiserror::Error)]
pub enum QuicError {
    /// A socket cannot be used.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// The dial cannot even begin.
    #[error(transparent)]
    Connect(#[from] quinn::ConnectError),
    /// The handshake failed.
    #[error(transparent)]
    Connection(#[from] quinn::ConnectionError),
    /// The handshake did not end in time.
    #[error("the QUIC handshake did not end within {HANDSHAKE_DEADLINE:?}")]
    Deadline,
    /// The handshake took long, and somebody else needed the place.
    #[error("the QUIC handshake took too long while others waited")]
    Dawdled,
    /// The other end has no identity of libp2p.
    #[error("the other end proved no identity")]
    NoIdentity,
    /// Another node came where one was expected.
    #[error("another node, {obtained}, came from there")]
    OtherPeer {
        /// Who came.
        obtained: PeerId,
    },
    /// There is no socket from which a hole could be punched.
    #[error("nothing listens from where a hole could be punched")]
    NoListener,
    /// A hole is being punched already.
    #[error("a hole to {target} is being punched already")]
    PunchUnderWay {
        /// Where.
        target: SocketAddr,
    },
}

impl QuicError {
    /// What a stranger whose handshake ended so has done.
    pub(super) fn offence(&self) -> Offence {
        match self {
            Self::NoIdentity | Self::Connection(quinn::ConnectionError::TransportError(_)) => {
                Offence::Garbage
            }
            _ => Offence::HalfOpen,
        }
    }
}
