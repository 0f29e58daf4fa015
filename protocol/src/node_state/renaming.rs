//! Another name for a member: a fresh certificate that says it, from the root key here or from a linked admin.

use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::gate::root_certificate;
use super::input::RequestId;
use super::output::{Rename, Reply};
use super::renewal::usual_lifetime;
use crate::id::{NodeId, NodeName};
use crate::membership::admission::Refusal;
use crate::membership::certificate::CertificateChain;
use crate::membership::issuer::Terms;
use crate::time::Now;

/// A member gets another name once in this time, so that renaming makes little work for the mesh.
pub const RENAME_EVERY: Duration = Duration::from_secs(10);

impl NodeState {
    pub(super) fn rename(&mut self, now: Now, request: RequestId, name: NodeName) {
        let renamed = self.renamed(now, name);
        self.reply(request, Reply::Renamed(renamed));
    }

    fn renamed(&mut self, now: Now, name: NodeName) -> Result<Rename, Refusal> {
        let roster = self.roster.clone().ok_or(Refusal::NoMesh)?;
        let own = roster.own.body();
        if own.name == name {
            return Ok(Rename::Done);
        }
        self.check_free(&name, self.me)?;
        let Some(root) = self.keys.root.clone() else {
            let admin = self.linked_admin().ok_or(Refusal::Unavailable {
                why: "no admin is linked that could certify the name".to_owned(),
            })?;
            return Ok(Rename::Ask { admin });
        };
        let serial = own.serial.saturating_add(1);
        let chain = root_certificate(now.wall, &*root, serial, self.me, name);
        // Of two certificates the one that ends later counts.
        if chain.body().expires <= own.expires {
            return Err(too_soon());
        }
        self.issuer.note_serial(serial);
        self.adopt(roster.mesh, chain.into());
        Ok(Rename::Done)
    }

    pub(super) fn rename_asked(
        &mut self,
        now: Now,
        request: RequestId,
        from: NodeId,
        name: NodeName,
    ) {
        let issued = self.rename_for(now, from, name);
        self.reply(request, Reply::Renewal(issued));
    }

    fn rename_for(
        &mut self,
        now: Now,
        from: NodeId,
        name: NodeName,
    ) -> Result<Arc<CertificateChain>, Refusal> {
        let roster = self.roster.clone().ok_or(Refusal::NoMesh)?;
        if !roster.may_issue(now.wall) {
            return Err(Refusal::NotAnIssuer);
        }
        let known = roster.member(from).ok_or(Refusal::OtherMesh)?.clone();
        if self.has_given_up(&known) {
            return Err(Refusal::Left);
        }
        roster.revocations().check(&known)?;
        self.check_free(&name, from)?;
        if now.wall.since(known.body().not_before) < RENAME_EVERY {
            return Err(too_soon());
        }
        let signer = self.keys.node.clone();
        let terms = Terms {
            name,
            grant: known.body().grant(),
            lifetime: usual_lifetime(known.body()),
        };
        let issued = self.issuer.issue(now.wall, &*signer, &roster, from, terms);
        self.take_member(now, issued.clone())?;
        Ok(issued)
    }

    /// Whether nobody but `node` goes by `name`.
    fn check_free(&self, name: &NodeName, node: NodeId) -> Result<(), Refusal> {
        let roster = self.roster.as_ref().ok_or(Refusal::NoMesh)?;
        match roster.other_holder(name, node) {
            None => Ok(()),
            Some(holder) => Err(Refusal::NameTaken {
                name: name.clone(),
                holder,
            }),
        }
    }
}

fn too_soon() -> Refusal {
    Refusal::Unavailable {
        why: format!(
            "the certificate is younger than {} s; ask again then",
            RENAME_EVERY.as_secs()
        ),
    }
}
