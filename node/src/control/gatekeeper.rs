//! Control as the gate sees it: strangers are turned away here, from snapshots; only good claims reach control.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::admission::{
    Claim, Refusal, Verdict, check_belongs, check_member,
};
use peerage_protocol::membership::certificate::{CertificateChain, Role, Validity};
use peerage_protocol::membership::revocation::Revocation;
use peerage_protocol::membership::ticket::Transcript;
use peerage_protocol::node_state::{Input, Reply};
use peerage_protocol::signature::Ed25519;

use super::clock::wall;
use super::handle::{ControlClosed, ControlHandle};
use super::joining::{JoinError, Joining};
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
        roster.revocations().check_node(dialer)?;
        match claim {
            Claim::Member { chain, .. } => {
                check_member(chain, roster.mesh, dialer, wall(), &Ed25519)
            }
            Claim::Renew { chain } => check_belongs(chain, roster.mesh, dialer, &Ed25519),
            Claim::Redeem { .. } if roster.is_admin() => Ok(()),
            Claim::Redeem { .. } => Err(Refusal::NotAnIssuer),
        }
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
        if let Some((ticket, name)) = self.joining.ticket_for(listener) {
            return Purpose::Redeem { ticket, name };
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

    fn judge(&self, transcript: Transcript, claim: Claim) -> BoxFuture<'_, Verdict> {
        async move {
            if let Err(refusal) = self.precheck(transcript.dialer, &claim) {
                return Verdict::refused(refusal);
            }
            let judged = self.control.ask(move |request| Input::Judge {
                request,
                transcript,
                claim,
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
            let joining = self.joining.ticket_for(listener);
            let known = self.snapshots.roster().map(|roster| roster.mesh);
            let (mesh, addresses) = match (&joining, known) {
                (Some((ticket, _)), _) => (ticket.mesh, ticket.addresses.clone()),
                (None, Some(mesh)) => (mesh, Vec::new()),
                (None, None) => return Err(Refusal::NoMesh),
            };
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
