//! Who belongs to the mesh: the list, and putting somebody out.

use std::collections::BTreeMap;
use std::time::Duration;

use peerage_protocol::id::{NodeId, NodeName};
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::membership::revocation::Revocation;
use peerage_protocol::membership::role::GuestServer;
use peerage_protocol::membership::roster::Roster;

use super::members_api::{
    MemberStatus, MembersResponse, RevokeRequest, RevokeResponse, RevokedStatus,
};
use super::refusal::{Exit, Refused};
use super::service::{OwnerService, bad_input, membership_refused};
use crate::control::{MembershipError, wall};

impl OwnerService {
    pub(super) fn members(&self) -> Result<MembersResponse, Refused> {
        let roster = self.snapshots.roster();
        let roster = roster.ok_or_else(|| membership_refused(MembershipError::NoMesh))?;
        let mut others: Vec<MemberStatus> = roster
            .members()
            .map(|(_, chain)| member(&roster, chain))
            .collect();
        others.sort_by(|one, other| one.name.cmp(&other.name));
        let own = member(&roster, &roster.own);
        let revoked = roster.revocations().in_force();
        Ok(MembersResponse {
            members: std::iter::once(own).chain(others).collect(),
            revoked: revoked.map(|revocation| put_out(revocation)).collect(),
        })
    }

    /// `SERVER` is one of this node, `NODE/SERVER` one of a member.
    pub(super) fn guest_servers(&self, named: &[String]) -> Result<Vec<GuestServer>, Refused> {
        let roster = self.snapshots.roster();
        let place = |text: &String| {
            let (node, server) = match (text.split_once('/'), &roster) {
                (Some((node, server)), Some(roster)) => (find(roster, node)?, server),
                _ => (self.me, text.as_str()),
            };
            let server = server.parse().map_err(|error| bad_input(&error))?;
            Ok(GuestServer { node, server })
        };
        named.iter().map(place).collect()
    }

    pub(super) async fn revoke(&self, request: &RevokeRequest) -> Result<RevokeResponse, Refused> {
        let roster = self.snapshots.roster();
        let roster = roster.ok_or_else(|| membership_refused(MembershipError::NoMesh))?;
        let subject = find(&roster, &request.node)?;
        let before = names(&roster);
        let spare = request
            .keep_issued_before_seconds
            .map(|seconds| wall() - Duration::from_secs(seconds));
        let revoked = self.membership.revoke(subject, spare).await;
        let revocation = revoked.map_err(membership_refused)?;
        let after = self.snapshots.roster().map(|roster| names(&roster));
        let after = after.unwrap_or_default();
        let gone = before
            .iter()
            .filter(|(node, _)| **node != subject && !after.contains_key(node));
        Ok(RevokeResponse {
            node: subject.to_string(),
            name: before.get(&subject).map(ToString::to_string),
            with_it: gone.map(|(_, name)| name.to_string()).collect(),
            spared: revocation.body.spared.len(),
        })
    }
}

fn names(roster: &Roster) -> BTreeMap<NodeId, NodeName> {
    let members = roster.members();
    members
        .filter_map(|(node, _)| Some((node, roster.name_of(node)?)))
        .collect()
}

fn member(roster: &Roster, chain: &CertificateChain) -> MemberStatus {
    let body = chain.body();
    let issuer = chain.issuers.first().map(|issuer| &issuer.body);
    MemberStatus {
        node: body.subject.to_string(),
        name: roster
            .name_of(body.subject)
            .unwrap_or_else(|| body.name.clone())
            .to_string(),
        role: body.role.to_string(),
        issuer: issuer.map(|issuer| issuer.subject.to_string()),
        issuer_name: issuer.map(|issuer| issuer.name.to_string()),
        expires: body.expires.0,
        own: body.subject == roster.own.body().subject,
    }
}

fn put_out(revocation: &Revocation) -> RevokedStatus {
    let by = revocation.revoker.as_ref().map(CertificateChain::body);
    RevokedStatus {
        node: revocation.body.subject.to_string(),
        by: by.map(|by| by.subject.to_string()),
        by_name: by.map(|by| by.name.to_string()),
        at: revocation.body.at.0,
        spared: revocation.body.spared.len(),
    }
}

/// A member by its name, or any node by its id: one may be put out that this node has never met.
fn find(roster: &Roster, named: &str) -> Result<NodeId, Refused> {
    let by_name = named
        .parse::<NodeName>()
        .ok()
        .and_then(|name| roster.named(&name));
    by_name.or_else(|| named.parse().ok()).ok_or_else(|| {
        Refused::new(
            Exit::Failed,
            "unknown_node",
            format!("no member is called {named}, and it is no node id"),
            "see who is there with: peerage members",
        )
    })
}
