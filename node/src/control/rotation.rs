//! Another key for this node: made here, certified by an admin or the root key, kept; in force from the next start on.

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::admission::Refusal;
use peerage_protocol::membership::certificate::{CertificateChain, Role, Validity};
use peerage_protocol::membership::roster::Roster;
use peerage_protocol::membership::rotation::Rotation;
use peerage_protocol::node_state::{Input, Reply};

use super::clock::wall;
use super::handle::ControlClosed;
use super::joining::{JoinErrand, JoinError};
use super::requests::{Membership, MembershipError};

/// How long one admin is given to certify a key.
const ROTATE_WITHIN: Duration = Duration::from_secs(15);

impl Membership {
    /// Has `new` certified in place of this node's key `old`; on disk when this returns, with the certificate. Without a
    /// mesh there is nothing to do.
    ///
    /// # Errors
    ///
    /// [`MembershipError::NotRotated`] where no admin would. It may be tried again with the same new key: whoever has
    /// certified it already answers the same.
    pub async fn rotate(
        &self,
        old: &SigningKey,
        new: &SigningKey,
        has_root: bool,
    ) -> Result<(), MembershipError> {
        let Some(roster) = self.snapshots.roster() else {
            return Ok(());
        };
        let rotation = Rotation::sign(roster.mesh, old, new);
        if has_root {
            return self.rotate_by_root(rotation).await;
        }
        let mut why = "no admin is known that is as near to the root as this node".to_owned();
        for admin in self.admins_for(&roster) {
            let addresses = self.dial_addresses(admin).await?;
            match self
                .rotate_at(admin, addresses, &roster.own, &rotation)
                .await
            {
                Ok(()) => return Ok(()),
                Err(error) => why = format!("{admin}: {error}"),
            }
        }
        Err(MembershipError::NotRotated { why })
    }

    async fn rotate_by_root(&self, rotation: Rotation) -> Result<(), MembershipError> {
        let asked = self
            .control
            .ask(move |request| Input::RotateOwn { request, rotation });
        match asked.await? {
            Reply::Taken(Ok(())) => Ok(()),
            Reply::Taken(Err(refusal)) => Err(not_rotated(&refusal)),
            _ => Err(ControlClosed.into()),
        }
    }

    /// A handshake of its own: whatever links stand are made by the old key.
    async fn rotate_at(
        &self,
        admin: NodeId,
        addresses: Vec<String>,
        own: &Arc<CertificateChain>,
        rotation: &Rotation,
    ) -> Result<(), JoinError> {
        self.network.disconnect(admin).await;
        let errand = JoinErrand::Rotate {
            chain: own.clone(),
            rotation: Arc::new(rotation.clone()),
        };
        let rotated = self.run_errand(admin, addresses, errand, ROTATE_WITHIN);
        rotated.await.map(drop)
    }

    async fn dial_addresses(&self, node: NodeId) -> Result<Vec<String>, MembershipError> {
        let asked = self
            .control
            .ask(move |request| Input::DialAddresses { request, node });
        match asked.await? {
            Reply::DialAddresses(addresses) => Ok(addresses),
            _ => Err(ControlClosed.into()),
        }
    }

    /// Admins that may: the linked ones first.
    fn admins_for(&self, roster: &Roster) -> Vec<NodeId> {
        let links = self.snapshots.links();
        let links = links.borrow();
        let is_linked = |node: NodeId| links.get(&node).is_some_and(|link| link.up);
        let mut admins: Vec<NodeId> = roster
            .members()
            .filter(|(_, chain)| {
                chain.body().role == Role::Admin
                    && chain.rank() <= roster.own.rank()
                    && chain.validity(wall()) == Validity::Valid
            })
            .map(|(node, _)| node)
            .collect();
        admins.sort_by_key(|node| !is_linked(*node));
        admins
    }
}

fn not_rotated(refusal: &Refusal) -> MembershipError {
    MembershipError::NotRotated {
        why: refusal.to_string(),
    }
}
