//! Keys: another one for this node, and the mesh of a root key that was restored.

use std::sync::Arc;

use peerage_protocol::address_book::Source;
use peerage_protocol::id::NodeId;
use peerage_protocol::signature::Signer;

use super::keys_api::{FoundRequest, FoundResponse, RotateResponse};
use super::refusal::{Exit, Refused};
use super::requests::whole_address;
use super::service::{OwnerService, failed, membership_refused};
use crate::keys;

impl OwnerService {
    /// Gives this node another key. It is in force once the node has started again, which this brings about.
    pub(crate) async fn rotate_key(&self) -> Result<RotateResponse, Refused> {
        let key_failed = |error: keys::KeyError| failed("key", &error);
        let new = keys::next_key(&self.home).map_err(key_failed)?;
        let old = keys::load(&self.home.identity_key()).map_err(key_failed)?;
        let old = old.ok_or_else(|| failed("key", &"the node's key is not in its home"))?;
        let roster = self.snapshots.roster();
        let root = keys::load(&self.home.root_key()).map_err(key_failed)?;
        let mesh = roster.as_ref().map(|roster| roster.mesh);
        let is_root = |root: &ed25519_dalek::SigningKey| {
            mesh.is_some_and(|mesh| *mesh.public_key() == root.public_key())
        };
        let has_root = root.as_ref().is_some_and(is_root);
        let rotated = self.membership.rotate(&old, &new, has_root).await;
        rotated.map_err(membership_refused)?;
        keys::put_in_force(&self.home).map_err(key_failed)?;
        self.restart.notify_one();
        Ok(RotateResponse {
            old: self.me.to_string(),
            new: NodeId::from_public_key(new.public_key()).to_string(),
            mesh: mesh.map(|mesh| mesh.to_string()),
        })
    }

    /// Takes up the root key in the home: of this node's own mesh, or of the one that it is in from now on.
    pub(super) async fn found_by_root(
        &self,
        request: &FoundRequest,
    ) -> Result<FoundResponse, Refused> {
        let member = request.member.as_deref().map(whole_address).transpose()?;
        let root = keys::load(&self.home.root_key()).map_err(|error| failed("key", &error))?;
        let root = root.ok_or_else(|| {
            Refused::new(
                Exit::Refused,
                "no_root_key",
                "there is no root key in this home",
                "bring one back with: peerage restore --recovery-words",
            )
        })?;
        let founded = self.membership.found(Arc::new(root), self.name.clone());
        let roster = founded.await.map_err(membership_refused)?;
        if let Some((node, addresses)) = member {
            let source = Source::Bootstrap;
            self.membership.sighted(node, addresses, source).await;
        }
        Ok(FoundResponse {
            mesh: roster.mesh.to_string(),
            name: roster.own.body().name.to_string(),
        })
    }
}
