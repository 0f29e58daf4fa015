//! The listener's part of the handshake: says nothing of itself before the claim of the other end is found good.

use libp2p::core::muxing::StreamMuxerBox;
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::ticket::Transcript;
use peerage_protocol::wire::hello::{
    Answer, Claim, DialerHello, ListenerHello, MeshTag, VERSION_MAX,
};

use super::conversation::Conversation;
use super::{Gate, GateError, certifies, nonce};
use crate::net::credit::Credit;
use crate::net::gatekeeper::{Refusal, Verdict};

impl Gate {
    /// Hears `dialer` and decides.
    pub(super) async fn listen(
        &self,
        dialer: NodeId,
        place: String,
        muxer: &mut StreamMuxerBox,
        credit: &Credit,
    ) -> Result<(), GateError> {
        let mut conversation = Conversation::accept(muxer).await?;
        let hello: DialerHello = conversation.hear().await?;
        let listener_nonce = nonce()?;
        let version = hello.common_version().unwrap_or(VERSION_MAX);
        let answer = ListenerHello {
            version,
            nonce: listener_nonce,
        };
        conversation.say(&answer).await?;
        let claim: Claim = conversation.hear().await?;
        let transcript = Transcript {
            dialer,
            listener: self.local,
            dialer_nonce: hello.nonce,
            listener_nonce,
        };
        let verdict = match self.precheck(&hello, &transcript, &claim) {
            Ok(()) => {
                let judgement = self.gatekeeper.judge(transcript, claim, place);
                conversation.meanwhile(judgement).await?
            }
            Err(reason) => Verdict::Refuse {
                reason,
                tell: false,
            },
        };
        if matches!(verdict, Verdict::Admit { .. }) {
            // As soon as it is told so, the other end may speak as a member.
            credit.open();
        }
        pronounce(verdict, conversation).await
    }

    /// What needs no judgement. Its outcome is told only after the claim was read, so that a stranger cannot tell a
    /// node without a mesh from one of another mesh or another version.
    fn precheck(
        &self,
        hello: &DialerHello,
        transcript: &Transcript,
        claim: &Claim,
    ) -> Result<(), Refusal> {
        let credentials = self.gatekeeper.credentials().ok_or(Refusal::NoMesh)?;
        hello.common_version().ok_or(Refusal::Version)?;
        if matches!(claim, Claim::Ask { .. } | Claim::Collect) {
            // Whoever asks to be let in knows no mesh yet.
            return Ok(());
        }
        let Transcript {
            dialer, listener, ..
        } = *transcript;
        let tag = MeshTag::new(credentials.mesh, dialer, listener, &hello.nonce);
        if !tag.matches(&hello.mesh_tag) {
            return Err(Refusal::OtherMesh);
        }
        match claim {
            Claim::Member { chain, .. } | Claim::Renew { chain } => certifies(chain, dialer),
            Claim::Rotate { chain, rotation } => certifies(chain, rotation.old),
            Claim::Redeem { .. } | Claim::Ask { .. } | Claim::Collect => Ok(()),
        }
    }
}

async fn pronounce(verdict: Verdict, mut conversation: Conversation<'_>) -> Result<(), GateError> {
    match verdict {
        Verdict::Admit { own, revocations } => {
            let accept = Answer::Accept {
                chain: own,
                revocations,
            };
            conversation.say(&accept).await?;
            conversation.finish().await
        }
        Verdict::Issue { own, issued } => {
            conversation.say(&Answer::Issue { own, issued }).await?;
            conversation.see_off().await?;
            Err(GateError::Issued)
        }
        Verdict::Refuse { reason, tell } => {
            let told = tell.then(|| reason.clone());
            conversation.say(&Answer::Refused { reason: told }).await?;
            conversation.see_off().await?;
            Err(GateError::TurnedAway { refusal: reason })
        }
    }
}
