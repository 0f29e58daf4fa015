//! The log between nodes: answers members' questions about it, and asks theirs.
//!
//! Signatures of entries are checked here, beside control and not in it: it takes what proves itself.

use std::sync::Arc;

use bytes::Bytes;
use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::log::direct::may_hold;
use peerage_protocol::log::entry::Entry;
use peerage_protocol::log::retention::Sweep;
use peerage_protocol::membership::role::Role;
use peerage_protocol::membership::roster::Roster;
use peerage_protocol::node_state::{Input, Reply};
use peerage_protocol::signature::Ed25519;
use peerage_protocol::wire::log::{
    EntriesAsked, EntriesTold, LogAsked, LogTold, LogWireError, OpenedEntries,
};

use super::exchanges::{ExchangeError, LOG, LOG_ENTRIES, LOG_PUSH};
use super::handle::ControlHandle;
use super::network::PeerNetwork;
use super::snapshots::Snapshots;
use crate::store::Store;

impl From<LogWireError> for ExchangeError {
    fn from(error: LogWireError) -> Self {
        Self::NotGood {
            why: error.to_string(),
        }
    }
}

/// How this node's log differs from the asker's.
pub(super) async fn answer(
    control: &ControlHandle,
    from: NodeId,
    body: &[u8],
) -> Result<Bytes, ExchangeError> {
    let asked = LogAsked::decode(body)?;
    let told = control.ask(move |request| Input::LogAsked {
        request,
        from,
        asked,
    });
    match told.await {
        Ok(Reply::LogTold(Ok(told))) => Ok(told.encode().into()),
        Ok(Reply::LogTold(Err(refusal))) => Err(ExchangeError::NotGood {
            why: refusal.to_string(),
        }),
        _ => Err(ExchangeError::Busy),
    }
}

/// The entries of ranges that the asker may hold, straight from the store.
pub(super) async fn entries(
    snapshots: &Snapshots,
    store: &Store,
    from: NodeId,
    body: &[u8],
) -> Result<Bytes, ExchangeError> {
    let mut asked = EntriesAsked::decode(body)?;
    let roster = reader(snapshots, from)?;
    asked
        .ranges
        .retain(|range| may_hold(&roster, from, range.chain));
    let told = store.entries(Arc::new(asked)).await;
    let told = told.map_err(|error| {
        tracing::error!(%error, "entries of the log cannot be read");
        ExchangeError::Busy
    })?;
    Ok(told.encode().into())
}

/// The roster, if `node` is a member that may hold the log.
fn reader(snapshots: &Snapshots, node: NodeId) -> Result<Arc<Roster>, ExchangeError> {
    let roster = snapshots.roster().ok_or(ExchangeError::Busy)?;
    let chain = roster.member(node);
    match chain.is_some_and(|chain| chain.body().role != Role::Guest) {
        true => Ok(roster),
        false => Err(ExchangeError::NotGood {
            why: "only members read the log".to_owned(),
        }),
    }
}

/// Entries of direct lanes that a member hands over.
pub(super) async fn pushed(
    control: &ControlHandle,
    snapshots: &Snapshots,
    from: NodeId,
    body: &[u8],
) -> Result<Bytes, ExchangeError> {
    let mesh = reader(snapshots, from)?.mesh;
    let told = EntriesTold::decode(body)?;
    let opened = open(told, mesh).await;
    let entries = opened.ok_or(ExchangeError::NotGood {
        why: "an entry is not good".to_owned(),
    })?;
    let entries = entries.entries;
    control.tell(Input::EntriesPushed { from, entries }).await;
    Ok(Bytes::new())
}

/// Checks every entry by itself, on a thread that may take its time.
async fn open(told: EntriesTold, mesh: MeshId) -> Option<OpenedEntries> {
    let opened = tokio::task::spawn_blocking(move || told.open(mesh, &Ed25519));
    match opened.await.ok()? {
        Ok(opened) => Some(opened),
        Err(error) => {
            tracing::warn!(%error, "a member told an entry that is not good");
            None
        }
    }
}

/// Asks a member how its log differs, and tells control.
pub(super) fn ask(network: &dyn PeerNetwork, control: ControlHandle, to: NodeId, asked: LogAsked) {
    let answered = network.exchange(to, LOG, asked.encode());
    tokio::spawn(async move {
        let answer = answered.await.ok();
        let told = answer.and_then(|bytes| LogTold::decode(&bytes).ok());
        let from = to;
        control.tell(Input::LogTold { from, asked, told }).await;
    });
}

/// Asks a member for entries, checks what it says, and tells control.
pub(super) fn pull(
    network: &dyn PeerNetwork,
    control: ControlHandle,
    mesh: Option<MeshId>,
    from: NodeId,
    asked: Arc<EntriesAsked>,
) {
    let answered = network.exchange(from, LOG_ENTRIES, asked.encode());
    tokio::spawn(async move {
        let told = match (answered.await, mesh) {
            (Ok(bytes), Some(mesh)) => match EntriesTold::decode(&bytes) {
                Ok(told) => open(told, mesh).await,
                Err(error) => {
                    tracing::debug!(%from, %error, "entries cannot be read");
                    None
                }
            },
            _ => None,
        };
        control.tell(Input::EntriesTold { from, asked, told }).await;
    });
}

/// Hands entries to a member, and tells control when that is over; what it does not take it finds when frontiers are
/// compared.
pub(super) fn push(
    network: &dyn PeerNetwork,
    control: ControlHandle,
    to: NodeId,
    entries: &[Arc<Entry>],
) {
    let told = EntriesTold {
        entries: entries.iter().map(|entry| entry.sealed().clone()).collect(),
        pruned: Vec::new(),
    };
    let answered = network.exchange(to, LOG_PUSH, told.encode());
    tokio::spawn(async move {
        if let Err(error) = answered.await {
            tracing::debug!(%to, %error, "a direct entry was not handed over");
        }
        control.tell(Input::PushAnswered { to }).await;
    });
}

/// Looks up what is kept at the place of an entry that contradicts it, and tells control.
pub(super) fn look_up(store: Store, control: ControlHandle, theirs: Arc<Entry>) {
    tokio::spawn(async move {
        let ours = store.entry_at(theirs.chain(), theirs.sequence()).await;
        let ours = ours.unwrap_or_else(|error| {
            tracing::error!(%error, "an entry of the log cannot be read");
            None
        });
        let ours = ours.map(Arc::new);
        control.tell(Input::LookedUp { theirs, ours }).await;
    });
}

/// Looks for entries that are too old, and tells control.
pub(super) fn sweep(store: Store, control: ControlHandle, sweeps: Vec<Sweep>) {
    tokio::spawn(async move {
        match store.swept(sweeps).await {
            Ok(swept) if swept.is_empty() => {}
            Ok(swept) => control.tell(Input::LogSwept(swept)).await,
            Err(error) => tracing::error!(%error, "what is too old in the log cannot be found"),
        }
    });
}
