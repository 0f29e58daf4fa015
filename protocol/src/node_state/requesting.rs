//! Letting somebody in without a ticket: a person opens a window, compares words, and approves by typing them.

use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::input::RequestId;
use super::output::Reply;
use crate::id::NodeId;
use crate::limits::CERTIFICATE_LIFETIME;
use crate::membership::admission::{Refusal, Verdict};
use crate::membership::certificate::{CertificateChain, Validity};
use crate::membership::issuer::{InviteError, Terms, is_certificate_lifetime};
use crate::membership::join_request::RequestWords;
use crate::membership::join_requests::{Asked, JoinRequest, REQUEST_WINDOW_MAX};
use crate::membership::role::Grant;
use crate::membership::roster::Roster;
use crate::time::{Monotonic, Now};

/// Who waits to be let in, and for how long yet requests are heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingRequests {
    /// By this node's own clock; `None` while none is heard.
    pub open_until: Option<Monotonic>,
    /// In order of asking.
    pub waiting: Vec<JoinRequest>,
}

/// Whom the owner lets in, and as what.
pub(super) struct Approval {
    pub(super) words: RequestWords,
    pub(super) grant: Grant,
    pub(super) certificate_lifetime: Option<Duration>,
}

impl NodeState {
    pub(super) fn open_requests(&mut self, now: Now, request: RequestId, window: Option<Duration>) {
        let opened = match window {
            None => {
                self.requests.close();
                Ok(())
            }
            Some(window) if window.is_zero() || window > REQUEST_WINDOW_MAX => {
                Err(RequestsError::Window)
            }
            Some(window) => self.check_may_let_in(now).map(|_| {
                self.requests.open(now.monotonic, window);
            }),
        };
        let waiting = opened.map(|()| self.waiting_requests(now));
        self.reply(request, Reply::Requests(waiting));
    }

    pub(super) fn tell_requests(&mut self, now: Now, request: RequestId) {
        let waiting = self.waiting_requests(now);
        self.reply(request, Reply::Requests(Ok(waiting)));
    }

    fn waiting_requests(&self, now: Now) -> WaitingRequests {
        WaitingRequests {
            open_until: self.requests.open_until(now.monotonic),
            waiting: self.requests.waiting(now.monotonic).to_vec(),
        }
    }

    fn check_may_let_in(&self, now: Now) -> Result<Arc<Roster>, RequestsError> {
        let roster = self.roster.as_ref().filter(|r| r.may_issue(now.wall));
        roster.cloned().ok_or(RequestsError::NotAnAdmin)
    }

    /// What a dialer that asks to be let in is answered: that it waits, or nothing.
    pub(super) fn hear_request(&mut self, now: Now, roster: &Roster, asked: &Asked<'_>) -> Verdict {
        if !roster.may_issue(now.wall) {
            return Verdict::silent(Refusal::NotAnIssuer);
        }
        match self.requests.hear(now.monotonic, asked) {
            Ok(()) => Verdict::spoken(Refusal::Pending),
            Err(refusal) => Verdict::silent(refusal),
        }
    }

    /// The certificate of a dialer that was let in meanwhile: it is as good to its holder as to nobody else.
    pub(super) fn collect(
        &self,
        now: Now,
        roster: &Roster,
        node: NodeId,
    ) -> Result<Arc<CertificateChain>, Verdict> {
        if !roster.may_issue(now.wall) {
            return Err(Verdict::silent(Refusal::NotAnIssuer));
        }
        if self.requests.waits(now.monotonic, node) {
            return Err(Verdict::spoken(Refusal::Pending));
        }
        // Whom the roster knows by what it has said was let in before, and may have left since without this node hearing.
        let silent = roster.known(node).filter(|known| known.record().is_none());
        let held = self.requests.approved(node);
        let held = held.or(silent.map(|known| known.chain()));
        let held = held.filter(|chain| chain.validity(now.wall) == Validity::Valid);
        let held = held.ok_or(Verdict::silent(Refusal::Unspoken))?;
        roster.revocations().check(held).map_err(Verdict::refused)?;
        Ok(held.clone())
    }

    pub(super) fn approve(&mut self, now: Now, request: RequestId, approval: Approval) {
        let approved = self.let_in(now, approval);
        self.reply(request, Reply::Approved(approved));
    }

    fn let_in(
        &mut self,
        now: Now,
        approval: Approval,
    ) -> Result<Arc<CertificateChain>, RequestsError> {
        let Approval {
            words,
            grant,
            certificate_lifetime,
        } = approval;
        let roster = self.check_may_let_in(now)?;
        if !grant.is_consistent() {
            return Err(InviteError::Servers.into());
        }
        if !is_certificate_lifetime(certificate_lifetime) {
            return Err(InviteError::CertificateLifetime.into());
        }
        let asked = self.requests.take(now.monotonic, words);
        let asked = asked.ok_or(RequestsError::UnknownWords { words })?;
        roster.revocations().check_node(asked.node)?;
        let terms = Terms {
            name: self.issuer.free_name(&asked.name, asked.node, &roster),
            grant,
            lifetime: certificate_lifetime.unwrap_or(CERTIFICATE_LIFETIME),
        };
        let signer = self.keys.node.clone();
        let issued = self
            .issuer
            .issue(now.wall, &*signer, &roster, asked.node, terms);
        self.take_member(now, issued.clone())?;
        self.requests.approve(issued.clone());
        // Before it can be collected: whoever was let in stays so.
        self.persist(Vec::new());
        Ok(issued)
    }
}

/// Why requests are not heard, or nobody is let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestsError {
    /// This node may not.
    #[error("this node is not an admin of its mesh; only an admin lets others in")]
    NotAnAdmin,
    /// The window is out of bounds.
    #[error("requests are heard for 1 second to 1 hour at a time")]
    Window,
    /// The terms are out of bounds.
    #[error(transparent)]
    Terms(#[from] InviteError),
    /// Nobody waits who shows these words.
    #[error(
        "nobody who waits shows {words}; if the other machine shows just these, somebody may stand between the two: let nobody in"
    )]
    UnknownWords {
        /// As they were typed.
        words: RequestWords,
    },
    /// The certificate cannot be given.
    #[error("it cannot be let in: {0}")]
    Refused(#[from] Refusal),
}
