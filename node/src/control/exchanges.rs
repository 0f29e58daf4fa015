//! Questions between the control planes of two members, over the link between them.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use peerage_protocol::catalog::manifest::Manifest;
use peerage_protocol::id::{NodeId, NodeName};
use peerage_protocol::limits::GOSSIP_BYTES_MAX;
use peerage_protocol::membership::certificate::{CertificateChain, Role};
use peerage_protocol::node_state::{Input, Reply};
use peerage_protocol::wire::announcement::Announcement;
use peerage_protocol::wire::manifests::ManifestsAsked;
use peerage_protocol::wire::sounding::Sounding;
use peerage_protocol::wire::summary::Summary;

use super::handle::{ControlClosed, ControlHandle};
use super::log;
use super::snapshots::Snapshots;
use super::soundings::{SOUND, Soundings};
use crate::gateway::call::CallError;
use crate::gateway::frontend::peer::ExchangeService;
use crate::store::Store;

/// Carries a goodbye; answered with nothing.
pub(super) const ANNOUNCE: &str = "announce";
/// Carries news from another region, to be gossiped in this one; answered with nothing.
pub(super) const CARRY: &str = "carry";
/// Carries a summary of what the asker knows; answered with an announcement of what it may not know.
pub(super) const RECONCILE: &str = "reconcile";
/// Carries a hash; answered with the manifest that has it.
pub(super) const MANIFEST: &str = "manifest";
/// Carries the hashes of manifests of other members; answered with those that are known here.
pub(super) const MANIFESTS: &str = "manifests";
/// Carries a name; answered with a certificate of the asker that says it.
pub(super) const RENAME: &str = "rename";
/// Carries a question about the frontier of the log; answered with how it differs.
pub(super) const LOG: &str = "log";
/// Carries ranges of the log; answered with their entries, as many as fit.
pub(super) const LOG_ENTRIES: &str = "log-entries";
/// Carries entries of direct lanes; answered with nothing.
pub(super) const LOG_PUSH: &str = "log-push";
/// Carries nothing; answered with the asker's fresh certificate.
pub(super) const RENEW: &str = "renew";

/// Answers what linked members ask.
#[derive(Clone)]
pub struct MemberExchanges {
    control: ControlHandle,
    snapshots: Arc<Snapshots>,
    soundings: Arc<Soundings>,
    store: Store,
}

impl MemberExchanges {
    /// Answers from snapshots where it can, and from control where it must.
    pub fn new(
        control: ControlHandle,
        snapshots: Arc<Snapshots>,
        soundings: Arc<Soundings>,
        store: Store,
    ) -> Self {
        Self {
            control,
            snapshots,
            soundings,
            store,
        }
    }

    /// The answer to one question; the error is fit for a member's eyes.
    pub async fn answer(
        &self,
        from: NodeId,
        kind: &str,
        body: &[u8],
    ) -> Result<Bytes, ExchangeError> {
        match kind {
            ANNOUNCE => self.take_announcement(from, body).await,
            CARRY => self.take_carried(from, body).await,
            RECONCILE => self.reconcile(from, body).await,
            MANIFEST => self.manifest(from, body),
            MANIFESTS => self.manifests(from, body).await,
            RENEW => self.renew(from).await,
            RENAME => self.rename(from, body).await,
            SOUND => self.sound(from, body),
            LOG => log::answer(&self.control, from, body).await,
            LOG_ENTRIES => log::entries(&self.snapshots, &self.store, from, body).await,
            LOG_PUSH => log::pushed(&self.control, &self.snapshots, from, body).await,
            _ => Err(ExchangeError::UnknownKind),
        }
    }

    async fn take_announcement(&self, from: NodeId, body: &[u8]) -> Result<Bytes, ExchangeError> {
        let announcement = Announcement::decode(body).map_err(|error| ExchangeError::NotGood {
            why: error.to_string(),
        })?;
        self.control
            .tell(Input::Announced { from, announcement })
            .await;
        Ok(Bytes::new())
    }

    async fn take_carried(&self, from: NodeId, body: &[u8]) -> Result<Bytes, ExchangeError> {
        let bad = |why: String| ExchangeError::NotGood { why };
        if body.len() > GOSSIP_BYTES_MAX {
            return Err(bad(format!(
                "{} bytes of news; at most {GOSSIP_BYTES_MAX} are gossiped",
                body.len()
            )));
        }
        let announcement = Announcement::decode(body).map_err(|error| bad(error.to_string()))?;
        self.control
            .tell(Input::Carried { from, announcement })
            .await;
        Ok(Bytes::new())
    }

    async fn reconcile(&self, from: NodeId, body: &[u8]) -> Result<Bytes, ExchangeError> {
        let summary = Summary::decode(body).map_err(|error| ExchangeError::NotGood {
            why: error.to_string(),
        })?;
        let asked = self.control.ask(move |request| Input::ReconcileAsked {
            request,
            from,
            summary,
        });
        match asked.await {
            Ok(Reply::Reconciled(Ok(announcement))) => Ok(announcement.encode().into()),
            Ok(Reply::Reconciled(Err(refusal))) => Err(ExchangeError::NotGood {
                why: refusal.to_string(),
            }),
            _ => Err(ExchangeError::Busy),
        }
    }

    fn manifest(&self, from: NodeId, hash: &[u8]) -> Result<Bytes, ExchangeError> {
        let manifest = self.snapshots.manifest().ok_or(ExchangeError::OtherHash)?;
        if manifest.hash.as_bytes() != hash {
            return Err(ExchangeError::OtherHash);
        }
        if !self.is_guest(from) {
            return Ok(Bytes::copy_from_slice(&manifest.bytes));
        }
        let roster = self.snapshots.roster().ok_or(ExchangeError::OtherHash)?;
        let mut shown = Manifest::decode(&manifest.bytes, manifest.hash)
            .map_err(|_| ExchangeError::OtherHash)?;
        shown
            .servers
            .retain(|server| roster.may_see(from, &server.name));
        let shown = shown.encode().map_err(|_| ExchangeError::OtherHash)?;
        Ok(shown.bytes.into())
    }

    fn is_guest(&self, node: NodeId) -> bool {
        let roster = self.snapshots.roster();
        let chain = roster.as_ref().and_then(|roster| roster.member(node));
        chain.is_none_or(|chain| chain.body().role == Role::Guest)
    }

    async fn manifests(&self, from: NodeId, body: &[u8]) -> Result<Bytes, ExchangeError> {
        if self.is_guest(from) {
            return Err(ExchangeError::OtherHash);
        }
        let asked = ManifestsAsked::decode(body).map_err(|error| ExchangeError::NotGood {
            why: error.to_string(),
        })?;
        let told = self.control.ask(move |request| Input::ManifestsAsked {
            request,
            from,
            asked,
        });
        match told.await {
            Ok(Reply::Manifests(Ok(told))) => Ok(told.encode().into()),
            Ok(Reply::Manifests(Err(refusal))) => Err(ExchangeError::NotGood {
                why: refusal.to_string(),
            }),
            _ => Err(ExchangeError::Busy),
        }
    }

    fn sound(&self, from: NodeId, body: &[u8]) -> Result<Bytes, ExchangeError> {
        let sounding = Sounding::decode(body).map_err(|error| ExchangeError::NotGood {
            why: error.to_string(),
        })?;
        Ok(self.soundings.answer(from, &sounding).encode().into())
    }

    async fn rename(&self, from: NodeId, body: &[u8]) -> Result<Bytes, ExchangeError> {
        let name = String::from_utf8_lossy(body);
        let name = name
            .parse::<NodeName>()
            .map_err(|error| ExchangeError::NotGood {
                why: error.to_string(),
            })?;
        let asked = self.control.ask(move |request| Input::RenameAsked {
            request,
            from,
            name,
        });
        certificate(asked.await)
    }

    async fn renew(&self, from: NodeId) -> Result<Bytes, ExchangeError> {
        let asked = self
            .control
            .ask(move |request| Input::RenewalAsked { request, from });
        certificate(asked.await)
    }
}

fn certificate(replied: Result<Reply, ControlClosed>) -> Result<Bytes, ExchangeError> {
    match replied {
        Ok(Reply::Renewal(Ok(chain))) => Ok(encode_chain(&chain)),
        Ok(Reply::Renewal(Err(refusal))) => Err(ExchangeError::NotGood {
            why: refusal.to_string(),
        }),
        _ => Err(ExchangeError::Busy),
    }
}

impl ExchangeService for MemberExchanges {
    fn exchange(
        &self,
        from: NodeId,
        kind: String,
        body: Bytes,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        async move {
            let answer = self.answer(from, &kind, &body).await;
            answer.map_err(|error| match error {
                ExchangeError::UnknownKind => CallError::UnknownMethod { method: kind },
                ExchangeError::Busy => CallError::Busy {
                    what: error.to_string(),
                },
                ExchangeError::NotGood { .. } | ExchangeError::OtherHash => {
                    CallError::InvalidParams {
                        what: error.to_string(),
                    }
                }
            })
        }
        .boxed()
    }
}

fn encode_chain(chain: &CertificateChain) -> Bytes {
    let mut bytes = Vec::new();
    ciborium::into_writer(chain, &mut bytes).expect("writing to memory does not fail");
    bytes.into()
}

pub(super) fn decode_chain(bytes: &[u8]) -> Option<CertificateChain> {
    ciborium::from_reader(bytes).ok()
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// A question from another time.
    #[error("this node does not know that kind of question")]
    UnknownKind,
    /// What came with it is not well formed, or not allowed.
    #[error("{why}")]
    NotGood {
        /// What is wrong.
        why: String,
    },
    /// The manifest has changed since it was announced.
    #[error("the manifest has changed; a fresh announcement is on its way")]
    OtherHash,
    /// Control did not answer in time.
    #[error("the node is stopping or too busy to answer")]
    Busy,
}
