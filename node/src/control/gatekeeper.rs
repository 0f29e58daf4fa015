//! Control as the gate sees it: strangers are turned away here, from snapshots; only good claims reach control.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::admission::{
    Claim, Refusal, Verdict, check_belongs, check_member,
};
use peerage_protocol::membership::certificate::{CertificateChain, Role, Validity};
use peerage_protocol::membership::join_request::RequestWords;
use peerage_protocol::membership::revocation::Revocation;
use peerage_protocol::membership::ticket::Transcript;
use peerage_protocol::node_state::{Input, Reply};
use peerage_protocol::signature::Ed25519;

use super::clock::wall;
use super::handle::{ControlClosed, ControlHandle};
use super::joining::{JoinError, Joined, Joining};
use super::snapshots::Snapshots;
use crate::net::gatekeeper::{Credentials, Gatekeeper, Purpose};

/// The gatekeeper that control stands behind.
pub struct ControlGate {
    control: ControlHandle,
    snapshots: Arc<Snapshots>,
    joining: Arc<Joining>,
}

impl ControlGate {
    pub(super) fn new(
        control: ControlHandle,
        snapshots: Arc<Snapshots>,
        joining: Arc<Joining>,
    ) -> Self {
        Self {
            control,
            snapshots,
            joining,
        }
    }

    /// Signatures and times are checked before control hears of it: a stranger's certificate costs control nothing.
    fn precheck(&self, dialer: NodeId, claim: &Claim) -> Result<(), Refusal> {
        let roster = self.snapshots.roster().ok_or(Refusal::NoMesh)?;
        if let Claim::Rotate { chain, rotation } = claim {
            // Also by a key that was put out: its successor may not have heard the answer.
            return check_member(chain, roster.mesh, rotation.old, wall(), &Ed25519);
        }
        roster.revocations().check_node(dialer)?;
        match claim {
            Claim::Member { chain, .. } => {
                check_member(chain, roster.mesh, dialer, wall(), &Ed25519)
            }
            Claim::Renew { chain } => check_belongs(chain, roster.mesh, dialer, &Ed25519),
            Claim::Redeem { .. } | Claim::Ask { .. } | Claim::Collect if !roster.is_admin() => {
                Err(Refusal::NotAnIssuer)
            }
            Claim::Redeem { .. } | Claim::Rotate { .. } => Ok(()),
            Claim::Collect if roster.member(dialer).is_some() => Ok(()),
            Claim::Ask { .. } | Claim::Collect if self.snapshots.hears_requests() => Ok(()),
            Claim::Ask { .. } | Claim::Collect => Err(Refusal::Unspoken),
        }
    }

    async fn rotated(
        &self,
        listener: NodeId,
        theirs: CertificateChain,
        (new, issued): (NodeId, CertificateChain),
    ) -> Result<(), Refusal> {
        let taken = self.taken(move |request| Input::Rotated {
            request,
            listener,
            theirs,
            new,
            issued,
        });
        let taken = taken.await;
        let outcome = taken.clone().map(|()| Joined::Certified);
        self.joining
            .end(listener, outcome.map_err(JoinError::Refused));
        taken
    }

    async fn taken(
        &self,
        input: impl FnOnce(peerage_protocol::node_state::RequestId) -> Input + Send + 'static,
    ) -> Result<(), Refusal> {
        match self.control.ask(input).await {
            Ok(Reply::Taken(taken)) => taken,
            Ok(_) | Err(ControlClosed) => Err(unavailable()),
        }
    }
}

fn unavailable() -> Refusal {
    Refusal::Unavailable {
        why: ControlClosed.to_string(),
    }
}

impl Gatekeeper for ControlGate {
    fn credentials(&self) -> Option<Credentials> {
        let roster = self.snapshots.roster()?;
        Some(Credentials {
            mesh: roster.mesh,
            chain: roster.own.clone(),
            revocations: roster.revocations().digest(),
        })
    }

    fn purpose(&self, listener: NodeId) -> Purpose {
        // A dial tries several addresses: until all of it is over, each is told the same, so that the link that
        // follows is made by a dial of its own, over the best address.
        if let Some(purpose) = self.joining.purpose(listener) {
            return purpose;
        }
        let Some(roster) = self.snapshots.roster() else {
            return Purpose::Member;
        };
        let expired = roster.own.validity(wall()) == Validity::Expired;
        let issuer = roster.member(listener).map(|chain| chain.body().role);
        if expired && issuer == Some(Role::Admin) {
            Purpose::Renew
        } else {
            Purpose::Member
        }
    }

    fn judge(&self, transcript: Transcript, claim: Claim, place: String) -> BoxFuture<'_, Verdict> {
        async move {
            if let Err(refusal) = self.precheck(transcript.dialer, &claim) {
                return Verdict::refused(refusal);
            }
            let judged = self.control.ask(move |request| Input::Judge {
                request,
                transcript,
                claim,
                place,
            });
            match judged.await {
                Ok(Reply::Verdict(verdict)) => verdict,
                Ok(_) | Err(ControlClosed) => Verdict::silent(unavailable()),
            }
        }
        .boxed()
    }

    fn admitted(
        &self,
        listener: NodeId,
        theirs: CertificateChain,
        revocations: Vec<Arc<Revocation>>,
    ) -> BoxFuture<'_, Result<(), Refusal>> {
        self.taken(move |request| Input::Admitted {
            request,
            listener,
            chain: theirs,
            revocations,
        })
        .boxed()
    }

    fn issued(
        &self,
        listener: NodeId,
        theirs: CertificateChain,
        issued: CertificateChain,
    ) -> BoxFuture<'_, Result<(), Refusal>> {
        async move {
            if let Some(new) = self.joining.rotating(listener) {
                return self.rotated(listener, theirs, (new, issued)).await;
            }
            let known = self.snapshots.roster().map(|roster| roster.mesh);
            let known = known.map(|mesh| (mesh, Vec::new()));
            let expected = self.joining.expects(listener, &issued).or(known);
            let (mesh, addresses) = expected.ok_or(Refusal::NoMesh)?;
            let taken = self
                .taken(move |request| Input::Certified {
                    request,
                    mesh,
                    listener,
                    theirs,
                    issued,
                    addresses,
                })
                .await;
            if let Err(refusal) = &taken {
                let refused = JoinError::Refused(refusal.clone());
                self.joining.end(listener, Err(refused));
            }
            taken
        }
        .boxed()
    }

    fn asked(&self, listener: NodeId, words: RequestWords) {
        self.joining.end(listener, Ok(Joined::Asked(words)));
    }

    fn refused(&self, listener: NodeId, refusal: Refusal) {
        self.joining.end(listener, Err(JoinError::Refused(refusal)));
    }

    fn addresses(&self, node: NodeId) -> Vec<String> {
        let roster = self.snapshots.roster();
        let known = roster.as_ref().and_then(|roster| roster.known(node));
        let record = known.and_then(|member| member.record());
        record.map_or_else(Vec::new, |record| record.addresses.clone())
    }

    fn is_member(&self, node: NodeId) -> bool {
        let roster = self.snapshots.roster();
        roster.is_some_and(|roster| roster.admits(node, wall()))
    }
}
