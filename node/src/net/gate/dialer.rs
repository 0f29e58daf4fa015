//! The dialer's part of the handshake: shows its claim after the listener said hello, and checks the listener in turn.

use std::sync::Arc;

use libp2p::core::muxing::StreamMuxerBox;
use peerage_protocol::id::{MeshId, NodeId, NodeName};
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::membership::join_request::Opening;
use peerage_protocol::membership::revocation::Revocation;
use peerage_protocol::membership::rotation::Rotation;
use peerage_protocol::membership::ticket::{Ticket, Transcript};
use peerage_protocol::wire::hello::{
    Answer, Claim, DialerHello, ListenerHello, MeshTag, VERSION_MAX, VERSION_MIN,
};

use super::conversation::Conversation;
use super::{Gate, GateError, certifies, nonce};
use crate::net::gatekeeper::{Credentials, Purpose, Refusal};

impl Gate {
    /// Asks `listener` to be let in.
    pub(super) async fn dial(
        &self,
        listener: NodeId,
        muxer: &mut StreamMuxerBox,
    ) -> Result<(), GateError> {
        let purpose = self.gatekeeper.purpose(listener);
        let errand = Errand::new(purpose, self.gatekeeper.credentials())?;
        let mut conversation = Conversation::open(muxer).await?;
        let transcript = self.greet(listener, &errand, &mut conversation).await?;
        conversation.say(&errand.claim(&transcript)).await?;
        let answer: Answer = conversation.hear().await?;
        match (&errand, answer) {
            (Errand::Enter(_), Answer::Accept { chain, revocations }) => {
                let accepted = (chain, revocations);
                self.check(listener, accepted, &mut conversation).await?;
                conversation.finish().await
            }
            (
                Errand::Renew(_) | Errand::Redeem { .. } | Errand::Collect | Errand::Rotate { .. },
                Answer::Issue { own, issued },
            ) => {
                let subject = errand.subject().unwrap_or(self.local);
                self.keep(listener, subject, own, issued).await?;
                Err(GateError::Issued)
            }
            (
                Errand::Ask { opening, .. },
                Answer::Refused {
                    reason: Some(Refusal::Pending),
                },
            ) => {
                self.gatekeeper.asked(listener, opening.words(&transcript));
                Err(GateError::Refused {
                    refusal: Refusal::Pending,
                })
            }
            (_, Answer::Refused { reason }) => Err(self.refused(listener, reason)),
            (_, Answer::Accept { .. }) => Err(errand.out_of_place("an acceptance")),
            (_, Answer::Issue { .. }) => Err(errand.out_of_place("a certificate")),
        }
    }

    /// Whether the listener is a member too.
    async fn check(
        &self,
        listener: NodeId,
        (chain, revocations): (Arc<CertificateChain>, Vec<Arc<Revocation>>),
        conversation: &mut Conversation<'_>,
    ) -> Result<(), GateError> {
        certifies(&chain, listener).map_err(|refusal| GateError::Distrusted { refusal })?;
        let chain = Arc::unwrap_or_clone(chain);
        let judgement = self.gatekeeper.admitted(listener, chain, revocations);
        let judgement = conversation.meanwhile(judgement).await?;
        judgement.map_err(|refusal| GateError::Distrusted { refusal })
    }

    /// Keeps what was issued, even if the listener leaves while it is written: so this polls no muxer.
    async fn keep(
        &self,
        listener: NodeId,
        subject: NodeId,
        own: Arc<CertificateChain>,
        issued: Arc<CertificateChain>,
    ) -> Result<(), GateError> {
        let kept = async {
            certifies(&own, listener)?;
            certifies(&issued, subject)?;
            let (own, issued) = (Arc::unwrap_or_clone(own), Arc::unwrap_or_clone(issued));
            self.gatekeeper.issued(listener, own, issued).await
        };
        kept.await
            .map_err(|refusal| GateError::Distrusted { refusal })
    }

    async fn greet(
        &self,
        listener: NodeId,
        errand: &Errand,
        conversation: &mut Conversation<'_>,
    ) -> Result<Transcript, GateError> {
        let dialer_nonce = errand.nonce()?;
        let mesh = errand.mesh().map_or_else(unknown_mesh, Ok)?;
        let tag = MeshTag::new(mesh, self.local, listener, &dialer_nonce);
        conversation
            .say(&DialerHello::new(dialer_nonce, tag))
            .await?;
        let theirs: ListenerHello = conversation.hear().await?;
        if !(VERSION_MIN..=VERSION_MAX).contains(&theirs.version) {
            return Err(self.refused(listener, Some(Refusal::Version)));
        }
        Ok(Transcript {
            dialer: self.local,
            listener,
            dialer_nonce,
            listener_nonce: theirs.nonce,
        })
    }

    fn refused(&self, listener: NodeId, reason: Option<Refusal>) -> GateError {
        let refusal = reason.unwrap_or(Refusal::Unspoken);
        self.gatekeeper.refused(listener, refusal.clone());
        GateError::Refused { refusal }
    }
}

/// The purpose of a dial with all that it takes.
enum Errand {
    Enter(Credentials),
    Renew(Credentials),
    Redeem {
        ticket: Arc<Ticket>,
        name: NodeName,
    },
    Ask {
        opening: Opening,
        name: NodeName,
    },
    Collect,
    Rotate {
        chain: Arc<CertificateChain>,
        rotation: Arc<Rotation>,
    },
}

/// Stands for the mesh of whoever knows none: as random as every tag looks to who does not know its mesh.
fn unknown_mesh() -> Result<MeshId, GateError> {
    Ok(MeshId::from_public_key(nonce()?))
}

impl Errand {
    fn new(purpose: Purpose, credentials: Option<Credentials>) -> Result<Self, GateError> {
        match (purpose, credentials) {
            (Purpose::Redeem { ticket, name }, _) => Ok(Self::Redeem { ticket, name }),
            (Purpose::Ask { opening, name }, _) => Ok(Self::Ask { opening, name }),
            (Purpose::Collect, _) => Ok(Self::Collect),
            (Purpose::Rotate { chain, rotation }, _) => Ok(Self::Rotate { chain, rotation }),
            (Purpose::Member, Some(credentials)) => Ok(Self::Enter(credentials)),
            (Purpose::Renew, Some(credentials)) => Ok(Self::Renew(credentials)),
            (Purpose::Member | Purpose::Renew, None) => Err(GateError::NothingToShow),
        }
    }

    fn mesh(&self) -> Option<MeshId> {
        match self {
            Self::Enter(credentials) | Self::Renew(credentials) => Some(credentials.mesh),
            Self::Redeem { ticket, .. } => Some(ticket.mesh),
            Self::Rotate { rotation, .. } => Some(rotation.mesh),
            Self::Ask { .. } | Self::Collect => None,
        }
    }

    /// Whose certificate is expected, where it is not this node's own.
    fn subject(&self) -> Option<NodeId> {
        match self {
            Self::Rotate { rotation, .. } => Some(rotation.new),
            _ => None,
        }
    }

    /// Random, or a commitment to what is: to the listener the two look the same.
    fn nonce(&self) -> Result<[u8; 32], GateError> {
        match self {
            Self::Ask { opening, .. } => Ok(opening.commitment()),
            _ => nonce(),
        }
    }

    fn claim(&self, transcript: &Transcript) -> Claim {
        match self {
            Self::Enter(credentials) => Claim::Member {
                chain: (*credentials.chain).clone(),
                revocations: credentials.revocations,
            },
            Self::Renew(credentials) => Claim::Renew {
                chain: (*credentials.chain).clone(),
            },
            Self::Redeem { ticket, name } => Claim::Redeem {
                ticket: ticket.id,
                proof: ticket.secret.prove(ticket.id, transcript),
                name: name.clone(),
            },
            Self::Ask { opening, name } => Claim::Ask {
                opening: *opening,
                name: name.clone(),
            },
            Self::Collect => Claim::Collect,
            Self::Rotate { chain, rotation } => Claim::Rotate {
                chain: (**chain).clone(),
                rotation: Box::new((**rotation).clone()),
            },
        }
    }

    fn out_of_place(&self, answered: &'static str) -> GateError {
        let asked = match self {
            Self::Enter(_) => "certificate",
            Self::Renew(_) => "request for renewal",
            Self::Redeem { .. } => "ticket",
            Self::Ask { .. } | Self::Collect => "request to be let in",
            Self::Rotate { .. } => "new key",
        };
        GateError::OutOfPlace { asked, answered }
    }
}
