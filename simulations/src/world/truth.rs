//! What really happened, kept by the world: what the checks hold the nodes to.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use peerage_protocol::consensus::proposal::ProposalId;
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::membership::revocation::CertificateDigest;
use peerage_protocol::membership::revocations::Revocations;
use peerage_protocol::membership::roster::Roster;
use peerage_protocol::membership::ticket::TicketId;
use peerage_protocol::time::Timestamp;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::event::Boot;
use super::process::{definition, tool_name};
use crate::plan::ServerPlan;

/// What really happened.
#[derive(Default)]
pub(crate) struct Truth {
    /// Certificates that honest admins of the mesh gave out, by subject: when each begins and ends.
    certificates: FxHashMap<NodeId, Vec<(Timestamp, Timestamp)>>,
    tickets: FxHashMap<TicketId, TicketTruth>,
    /// Every tool that a node shared at some time, by its place.
    shared: FxHashMap<usize, FxHashSet<u64>>,
    /// The machines that have left, and who heard of it since which start.
    goodbyes: FxHashMap<usize, Vec<(usize, Boot)>>,
    /// The machines whose word is worth nothing, now or at some time.
    pub(crate) liars: BTreeSet<usize>,
    /// The machines that were put back to an old backup.
    pub(crate) restored: BTreeSet<usize>,
    /// The machines that left at some time.
    pub(crate) leavers: BTreeSet<usize>,
    /// The machines that run as members from an old backup, and have left since it was made: they cannot know.
    pub(crate) revenants: BTreeSet<usize>,
    /// Who has signed two votes, and on what.
    pub(crate) double_voters: BTreeSet<(ProposalId, NodeId)>,
    /// Every revocation that some node which was in the mesh then has known.
    pub(crate) revocations: Revocations,
    /// Keys that were replaced, with what they were certified as.
    pub(crate) replaced: Vec<ReplacedKey>,
    /// The machines that were told that they belong to the mesh, and not yet that they have left it.
    pub(crate) homes: BTreeSet<usize>,
}

/// A key that its machine has no more, and that somebody may have found.
pub(crate) struct ReplacedKey {
    pub(crate) id: NodeId,
    /// Its last certificate.
    pub(crate) chain: Arc<CertificateChain>,
}

/// One ticket.
pub(crate) struct TicketTruth {
    pub(crate) issuer: usize,
    pub(crate) uses: u32,
    pub(crate) redeemed: BTreeSet<NodeId>,
}

impl Truth {
    /// An admin gave out this certificate.
    pub(crate) fn issued(&mut self, chain: &CertificateChain) {
        let body = chain.body();
        let known = self.certificates.entry(body.subject).or_default();
        let period = (body.not_before, body.expires);
        if !known.contains(&period) {
            known.push(period);
        }
    }

    /// Whether its subject was given no certificate later than this one: a goodbye under an earlier one says nothing of
    /// that.
    pub(crate) fn is_latest(&self, chain: &CertificateChain) -> bool {
        let body = chain.body();
        let known = self.certificates.get(&body.subject);
        let mut known = known.into_iter().flatten();
        known.all(|(_, ends)| *ends <= body.expires)
    }

    /// Whether somebody whose clock shows `wall` may take `node` for a member.
    pub(crate) fn admits(&self, node: NodeId, wall: Timestamp) -> bool {
        let leeway = peerage_protocol::limits::CLOCK_LEEWAY;
        let periods = self.certificates.get(&node).map_or(&[][..], Vec::as_slice);
        let valid = |(begins, ends): &(Timestamp, Timestamp)| {
            wall + leeway >= *begins && wall < *ends + leeway
        };
        periods.iter().any(valid)
    }

    /// Some node has this roster, and so knows its revocations. What only those know who are out themselves, nobody
    /// hears: they are let in nowhere.
    pub(crate) fn revoked_by_somebody_in(&mut self, roster: &Roster) {
        let known = roster.revocations();
        if known.digest() != self.revocations.digest() && !self.is_put_out(&roster.own) {
            for revocation in known.iter() {
                self.revocations.add(revocation.clone());
            }
        }
    }

    /// Whether the holder of `chain` was put out, or somebody who certified it and whose certificates are not spared.
    pub(crate) fn is_put_out(&self, chain: &CertificateChain) -> bool {
        let voids = |issuer: &NodeId, issued: CertificateDigest| {
            let mut in_force = self.revocations.in_force();
            in_force.any(|out| out.body.subject == *issuer && !out.body.spared.contains(&issued))
        };
        let holder = chain.body().subject;
        let mut in_force = self.revocations.in_force();
        if in_force.any(|out| out.body.subject == holder) {
            return true;
        }
        let issued = std::iter::once(&chain.certificate).chain(&chain.issuers);
        let mut issued = issued.zip(&chain.issuers);
        issued.any(|(issued, issuer)| voids(&issuer.body.subject, CertificateDigest::of(issued)))
    }

    /// An admin made a ticket.
    pub(crate) fn invited(&mut self, ticket: TicketId, issuer: usize, uses: u32) {
        let truth = TicketTruth {
            issuer,
            uses,
            redeemed: BTreeSet::new(),
        };
        self.tickets.insert(ticket, truth);
    }

    /// A ticket brought `joiner` a certificate.
    pub(crate) fn redeemed(&mut self, ticket: TicketId, joiner: NodeId) {
        if let Some(known) = self.tickets.get_mut(&ticket) {
            known.redeemed.insert(joiner);
        }
    }

    /// What is known of a ticket; `None` if nobody made it.
    pub(crate) fn ticket(&self, ticket: TicketId) -> Option<&TicketTruth> {
        self.tickets.get(&ticket)
    }

    /// A node has these servers from now on.
    pub(crate) fn offers(&mut self, place: usize, servers: &[ServerPlan]) {
        let shared = self.shared.entry(place).or_default();
        for server in servers.iter().filter(|server| server.share) {
            for tool in 0..server.tools {
                let (name, definition) = (tool_name(tool), definition(tool, server.edition));
                shared.insert(hash_of(&(&server.name, &name, &*definition)));
            }
        }
    }

    /// Whether the node at `place` ever shared this tool in these words.
    pub(crate) fn ever_shared(
        &self,
        place: usize,
        server: &str,
        tool: &str,
        definition: &str,
    ) -> bool {
        let shared = self.shared.get(&place);
        shared.is_some_and(|shared| shared.contains(&hash_of(&(server, tool, definition))))
    }

    /// The node at `place` is in the mesh, for the first time or again.
    pub(crate) fn entered(&mut self, place: usize) {
        self.goodbyes.remove(&place);
        self.revenants.remove(&place);
        self.homes.insert(place);
    }

    /// The owner of the node at `place` was told that it has left: it forgets who else has.
    pub(crate) fn left(&mut self, place: usize) {
        self.goodbyes.entry(place).or_default();
        for hearers in self.goodbyes.values_mut() {
            hearers.retain(|(by, _)| *by != place);
        }
        self.leavers.insert(place);
        self.revenants.remove(&place);
        self.homes.remove(&place);
    }

    /// The node at `place` was given a certificate again: whoever heard it leave need not hold on to that.
    pub(crate) fn readmitted(&mut self, place: usize) {
        if let Some(hearers) = self.goodbyes.get_mut(&place) {
            hearers.clear();
        }
    }

    /// A running node heard that the node at `place` has left.
    pub(crate) fn goodbye_heard(&mut self, place: usize, by: usize, boot: Boot) {
        if let Some(hearers) = self.goodbyes.get_mut(&place) {
            hearers.push((by, boot));
        }
    }

    /// Whether the node at `place` has left, and who heard of it.
    pub(crate) fn goodbye(&self, place: usize) -> Option<&[(usize, Boot)]> {
        self.goodbyes.get(&place).map(Vec::as_slice)
    }
}

/// A hash that is the same in every run.
pub(crate) fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shared_once_stays_known_and_what_is_private_never_is() {
        let server = |share, edition| ServerPlan {
            name: "files".to_owned(),
            share,
            tools: 1,
            edition,
        };
        let mut truth = Truth::default();
        truth.offers(0, &[server(true, 1)]);
        truth.offers(0, &[server(false, 2)]);
        assert!(truth.ever_shared(0, "files", "tool_0", &definition(0, 1)));
        assert!(!truth.ever_shared(0, "files", "tool_0", &definition(0, 2)));
        assert!(!truth.ever_shared(1, "files", "tool_0", &definition(0, 1)));
    }

    #[test]
    fn who_comes_back_has_not_left() {
        let mut truth = Truth::default();
        truth.left(3);
        truth.goodbye_heard(3, 1, 1);
        assert_eq!(truth.goodbye(3), Some(&[(1, 1)][..]));
        truth.entered(3);
        assert_eq!(truth.goodbye(3), None);
    }

    #[test]
    fn who_leaves_forgets_the_goodbyes_that_it_heard() {
        let mut truth = Truth::default();
        truth.left(3);
        truth.goodbye_heard(3, 1, 1);
        truth.goodbye_heard(3, 2, 1);
        truth.left(1);
        truth.entered(1);
        assert_eq!(truth.goodbye(3), Some(&[(2, 1)][..]));
    }
}
