//! The gate: after a secure channel and its muxer stand, and before the swarm hears of them, both ends prove membership.
//!
//! It sits in the transport, so it covers every way in alike, and a refused connection is one that never was: no
//! behaviour sees it. The whole handshake runs under one deadline. A renewal or a redeemed ticket ends its
//! connection by design; the node dials again as a member.

mod conversation;
mod dialer;
mod listener;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt};
use libp2p::core::{ConnectedPoint, Endpoint};
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::wire::hello::GateCodecError;

use super::credit::{Arrival, Credit, TooMuchForTheGate};
use super::door::{Door, Offence, Place, Source};
use super::gatekeeper::{Gatekeeper, Refusal};
use super::peer_id::node_id;

/// Lets members through, at both ends of a connection.
#[derive(Clone)]
pub(crate) struct Gate {
    local: NodeId,
    gatekeeper: Arc<dyn Gatekeeper>,
    door: Door,
    deadline: Duration,
}

impl Gate {
    /// A gate for the node `local`, whose handshakes end within `deadline`.
    pub(crate) fn new(
        local: NodeId,
        gatekeeper: Arc<dyn Gatekeeper>,
        door: Door,
        deadline: Duration,
    ) -> Self {
        Self {
            local,
            gatekeeper,
            door,
            deadline,
        }
    }

    /// Gives the connection back if both ends may have it; otherwise tells the other end what it may know, closes it
    /// and says why.
    pub(crate) async fn admit(
        self,
        peer: PeerId,
        arrival: Arrival,
        point: ConnectedPoint,
    ) -> Result<(PeerId, StreamMuxerBox), GateError> {
        let Arrival {
            muxer,
            credit,
            place,
        } = arrival;
        let handshake = self.in_time(peer, muxer, &credit, &point);
        let admitted = match place {
            Some(place) => in_place(handshake, place).await,
            None => handshake.await,
        };
        match &admitted {
            Ok(_) => self.remember(&point),
            Err(error) => tracing::debug!(%peer, %error, "the gate stays closed"),
        }
        Ok((peer, admitted?))
    }

    /// Where the other end was reached is where it may come from one day.
    fn remember(&self, point: &ConnectedPoint) {
        if let Some(source) = Source::of(point.get_remote_address()) {
            self.door.remember(source);
        }
    }

    async fn in_time(
        &self,
        peer: PeerId,
        muxer: StreamMuxerBox,
        credit: &Credit,
        point: &ConnectedPoint,
    ) -> Result<StreamMuxerBox, GateError> {
        let remote = node_id(&peer).ok_or(GateError::NotEd25519 { peer })?;
        let handshake = self.handshake(remote, muxer, credit, point);
        tokio::time::timeout(self.deadline, handshake)
            .await
            .unwrap_or(Err(GateError::Deadline {
                deadline: self.deadline,
            }))
    }

    async fn handshake(
        &self,
        remote: NodeId,
        mut muxer: StreamMuxerBox,
        credit: &Credit,
        point: &ConnectedPoint,
    ) -> Result<StreamMuxerBox, GateError> {
        let outcome = match role(point) {
            Endpoint::Dialer => self.dial(remote, &mut muxer).await,
            Endpoint::Listener => {
                self.listen(remote, network_of(point), &mut muxer, credit)
                    .await
            }
        };
        match outcome {
            Ok(()) => {
                credit.open();
                Ok(muxer)
            }
            Err(error) => {
                // Closing tells the other end; if it cannot be told, dropping the muxer does as well.
                let _ = muxer.close().await;
                Err(error)
            }
        }
    }
}

/// The handshake, as long as it may hold its place, and what is held against a stranger for how it ended.
async fn in_place(
    handshake: impl Future<Output = Result<StreamMuxerBox, GateError>>,
    mut place: Place,
) -> Result<StreamMuxerBox, GateError> {
    match place.within(handshake).await {
        Some(Ok(muxer)) => Ok(muxer),
        Some(Err(error)) => {
            if let Some(offence) = error.offence() {
                place.offended(offence);
            }
            Err(error)
        }
        None => Err(GateError::Dawdled),
    }
}

/// Which part this end plays; hole punching makes a dialer play the listener.
fn role(point: &ConnectedPoint) -> Endpoint {
    match point {
        ConnectedPoint::Dialer { role_override, .. } => *role_override,
        ConnectedPoint::Listener { .. } => Endpoint::Listener,
    }
}

/// The network that the other end is in, as text; nothing where it has no address.
fn network_of(point: &ConnectedPoint) -> String {
    let source = Source::of(point.get_remote_address());
    source.map_or_else(String::new, |source| source.network().to_string())
}

/// Whether `chain` is about `node` at all: a certificate is worth nothing in another node's hands.
fn certifies(chain: &CertificateChain, node: NodeId) -> Result<(), Refusal> {
    let subject = chain.body().subject;
    if subject == node {
        return Ok(());
    }
    Err(Refusal::Certificate {
        why: format!("it is the certificate of {subject}, shown by {node}"),
    })
}

fn nonce() -> Result<[u8; 32], GateError> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(GateError::Randomness)?;
    Ok(nonce)
}

/// Why a connection did not pass the gate.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The other end's key is not Ed25519, so it cannot be a node.
    #[error("{peer} is not the id of an Ed25519 key; only nodes with such a key may enter")]
    NotEd25519 {
        /// Who it is.
        peer: PeerId,
    },
    /// This node belongs to no mesh and holds no ticket, so it has nothing to show.
    #[error("this node belongs to no mesh yet; redeem a ticket first with `peerage join`")]
    NothingToShow,
    /// The other end refused this node.
    #[error("refused by the other node: {refusal}")]
    Refused {
        /// What it told.
        refusal: Refusal,
    },
    /// This node, listening, refused the other end.
    #[error("refused to let it in: {refusal}")]
    TurnedAway {
        /// For this node's log only.
        refusal: Refusal,
    },
    /// This node, dialing, does not accept what the other end showed.
    #[error("the other node was not accepted: {refusal}")]
    Distrusted {
        /// What was wrong.
        refusal: Refusal,
    },
    /// A certificate was issued; the connection ends here by design.
    #[error("a certificate was issued; dial again as a member")]
    Issued,
    /// The other end answered what was not asked.
    #[error("the other node answered a {asked} with {answered}")]
    OutOfPlace {
        /// What the claim was.
        asked: &'static str,
        /// What the answer was.
        answered: &'static str,
    },
    /// The handshake took too long.
    #[error("the gate handshake did not end within {deadline:?}")]
    Deadline {
        /// How long it was given.
        deadline: Duration,
    },
    /// The handshake took long, and somebody else needed its place.
    #[error("the gate handshake took too long while others waited")]
    Dawdled,
    /// The other end's bytes are not the handshake's.
    #[error(transparent)]
    Codec(#[from] GateCodecError),
    /// The connection broke.
    #[error("the connection broke during the gate handshake: {0}")]
    Connection(#[from] std::io::Error),
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system: {0}")]
    Randomness(getrandom::Error),
}

impl GateError {
    /// What a stranger whose handshake ended so has done, if anything.
    fn offence(&self) -> Option<Offence> {
        match self {
            Self::NotEd25519 { .. } | Self::Codec(_) => Some(Offence::Garbage),
            Self::TurnedAway { .. } => Some(Offence::NoClaim),
            Self::Deadline { .. } => Some(Offence::HalfOpen),
            Self::Connection(error) if TooMuchForTheGate::is_behind(error) => Some(Offence::Flood),
            Self::Connection(_) => Some(Offence::HalfOpen),
            Self::NothingToShow
            | Self::Refused { .. }
            | Self::Distrusted { .. }
            | Self::Issued
            | Self::OutOfPlace { .. }
            | Self::Dawdled
            | Self::Randomness(_) => None,
        }
    }
}
