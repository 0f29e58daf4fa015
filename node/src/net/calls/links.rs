//! The links that stand now, and the way to open a substream on the best of them.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, Stream, multiaddr::Protocol};
use peerage_protocol::id::NodeId;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::open_count::{OpenCount, OpenGuard};
use super::spares::Spares;
use super::substream::CallSubstream;

/// Asks a connection for a substream, which counts as open from here on.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    reply: oneshot::Sender<Result<CallSubstream, OpenFailure>>,
    open: OpenGuard,
}

impl OpenRequest {
    /// Whether nobody waits any more.
    pub(super) fn is_closed(&self) -> bool {
        self.reply.is_closed()
    }

    /// Hands over what came of it; if nobody waits any more, dropping the substream resets it.
    pub(super) fn answer(self, outcome: Result<Stream, OpenFailure>) {
        let outcome = outcome.map(|stream| CallSubstream::new(stream, self.open));
        let _ = self.reply.send(outcome);
    }
}

/// A handle on every link of this node; cheap to clone, reads a snapshot.
#[derive(Clone, Default)]
pub struct Links {
    table: Arc<ArcSwap<HashMap<NodeId, Arc<[Link]>>>>,
}

/// One connection as callers use it.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) connection: ConnectionId,
    pub(super) route: Route,
    pub(super) opens: mpsc::Sender<OpenRequest>,
    pub(super) open: OpenCount,
    pub(super) spares: Spares,
}

/// How a connection travels; the first is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Route {
    /// Directly, over QUIC.
    Quic,
    /// Directly, over a byte stream.
    ByteStream,
    /// Through a third node.
    Relayed,
}

impl Route {
    /// The route over `address`.
    pub(super) fn of(address: &Multiaddr) -> Self {
        let has = |wanted: Protocol<'_>| address.iter().any(|part| part == wanted);
        if has(Protocol::P2pCircuit) {
            Self::Relayed
        } else if has(Protocol::QuicV1) {
            Self::Quic
        } else {
            Self::ByteStream
        }
    }
}

impl Links {
    /// Opens a substream to `node` on its best connection; when that one dies meanwhile, on the next.
    ///
    /// Dropping the future leaves nothing behind.
    pub async fn open(&self, node: NodeId) -> Result<CallSubstream, OpenError> {
        let links = self.table.load().get(&node).cloned();
        let links = links.ok_or(OpenError::NotConnected { node })?;
        let mut outcome = OpenError::NotConnected { node };
        for link in links.iter() {
            if let Some(stream) = link.spares.take() {
                let substream = CallSubstream::new(stream, link.open.one_more());
                return Ok(substream.resting_in(link.spares.clone()));
            }
            let (reply, opened) = oneshot::channel();
            let open = link.open.one_more();
            match link.opens.try_send(OpenRequest { reply, open }) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    outcome = OpenError::Busy { node };
                    continue;
                }
                Err(TrySendError::Closed(_)) => continue,
            }
            match opened.await {
                Ok(Ok(substream)) => return Ok(substream.resting_in(link.spares.clone())),
                Ok(Err(failure)) => return Err(OpenError::Failed { node, failure }),
                Err(_connection_died) => {}
            }
        }
        Err(outcome)
    }

    /// Whether a link to `node` stands.
    pub fn is_connected(&self, node: NodeId) -> bool {
        self.table.load().contains_key(&node)
    }

    /// Every node a link stands to, in no order.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.table.load().keys().copied().collect()
    }

    /// The connections to `node` on which no substream is open or being opened.
    pub(super) fn idle_connections(&self, node: NodeId) -> Vec<ConnectionId> {
        let table = self.table.load();
        let links = table.get(&node).into_iter().flat_map(|links| links.iter());
        let idle = links.filter(|link| link.open.is_zero());
        idle.map(|link| link.connection).collect()
    }

    /// Adds a connection. Only the swarm's task calls this, so there is one writer.
    pub(super) fn add(&self, node: NodeId, link: Link) {
        self.change(node, |links| {
            links.push(link);
            links.sort_by_key(|link| link.route);
        });
    }

    /// Removes a connection. Only the swarm's task calls this, so there is one writer.
    pub(super) fn remove(&self, node: NodeId, connection: ConnectionId) {
        self.change(node, |links| {
            links.retain(|link| link.connection != connection);
        });
    }

    fn change(&self, node: NodeId, change: impl FnOnce(&mut Vec<Link>)) {
        let mut table = HashMap::clone(&self.table.load());
        let mut links = table.remove(&node).map(|links| links.to_vec());
        let links = links.get_or_insert_default();
        change(links);
        if !links.is_empty() {
            table.insert(node, links.as_slice().into());
        }
        self.table.store(Arc::new(table));
    }
}

/// Why no substream was opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No link to it stands.
    #[error("no link to {node} stands")]
    NotConnected {
        /// The node asked for.
        node: NodeId,
    },
    /// Too many substreams to it are being opened.
    #[error("too many calls to {node} are being started at once; try again")]
    Busy {
        /// The node asked for.
        node: NodeId,
    },
    /// The link stands, but the substream did not open.
    #[error("no substream to {node} could be opened: {failure}")]
    Failed {
        /// The node asked for.
        node: NodeId,
        /// What went wrong.
        failure: OpenFailure,
    },
}

/// What went wrong while a substream was opened on a standing connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenFailure {
    /// The other end has no room for another, or does not answer.
    #[error("the other node did not take it in time")]
    Deadline,
    /// The other end does not speak our protocol.
    #[error("the other node does not speak {}", super::PROTOCOL)]
    Protocol,
    /// The connection broke.
    #[error("the connection broke: {why}")]
    Broken {
        /// What the transport says.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn node() -> NodeId {
        NodeId::from_public_key([1; 32])
    }

    fn link(connection: usize, route: Route, room: usize) -> (Link, mpsc::Receiver<OpenRequest>) {
        let (opens, requests) = mpsc::channel(room);
        let connection = ConnectionId::new_unchecked(connection);
        let link = Link {
            connection,
            route,
            opens,
            open: OpenCount::default(),
            spares: Spares::default(),
        };
        (link, requests)
    }

    #[test]
    fn routes_are_read_off_addresses_and_quic_is_the_best() {
        let route = |text: &str| Route::of(&text.parse().unwrap());
        assert_eq!(route("/ip4/127.0.0.1/udp/1/quic-v1"), Route::Quic);
        assert_eq!(route("/ip4/127.0.0.1/tcp/1"), Route::ByteStream);
        assert_eq!(
            route("/ip4/127.0.0.1/udp/1/quic-v1/p2p-circuit"),
            Route::Relayed
        );
        assert!(Route::Quic < Route::ByteStream && Route::ByteStream < Route::Relayed);
    }

    #[tokio::test]
    async fn a_node_without_a_link_is_not_connected_at_once() {
        let opened = Links::default().open(node()).await;
        assert_eq!(opened.err(), Some(OpenError::NotConnected { node: node() }));
    }

    #[tokio::test]
    async fn a_full_queue_is_a_named_refusal() {
        let links = Links::default();
        let (link, _requests) = link(1, Route::Quic, 1);
        let request = OpenRequest {
            reply: oneshot::channel().0,
            open: link.open.one_more(),
        };
        link.opens.try_send(request).unwrap();
        links.add(node(), link);
        let opened = links.open(node()).await;
        assert_eq!(opened.err(), Some(OpenError::Busy { node: node() }));
    }

    #[tokio::test]
    async fn the_best_link_is_asked_first_and_the_next_when_it_dies() {
        let links = Links::default();
        let (slow, mut slow_requests) = link(1, Route::ByteStream, 1);
        let (fast, mut fast_requests) = link(2, Route::Quic, 1);
        links.add(node(), slow);
        links.add(node(), fast);
        let serve = async {
            drop(fast_requests.recv().await.unwrap());
            let request = slow_requests.recv().await.unwrap();
            request.answer(Err(OpenFailure::Protocol));
        };
        let (opened, ()) = tokio::join!(links.open(node()), serve);
        let failure = OpenFailure::Protocol;
        let expected = OpenError::Failed {
            node: node(),
            failure,
        };
        assert_eq!(opened.err(), Some(expected));
    }

    #[tokio::test]
    async fn a_connection_is_not_idle_while_a_substream_is_asked_for() {
        let links = Links::default();
        let (link, mut requests) = link(1, Route::Quic, 1);
        let connection = link.connection;
        links.add(node(), link);
        assert_eq!(links.idle_connections(node()), [connection]);
        let serve = async {
            let request = requests.recv().await.unwrap();
            assert_eq!(links.idle_connections(node()), []);
            request.answer(Err(OpenFailure::Protocol));
        };
        let _ = tokio::join!(links.open(node()), serve);
        assert_eq!(links.idle_connections(node()), [connection]);
    }

    #[tokio::test]
    async fn a_node_is_forgotten_with_its_last_connection() {
        let links = Links::default();
        let (first, _first_requests) = link(1, Route::Quic, 1);
        let (second, _second_requests) = link(2, Route::Quic, 1);
        links.add(node(), first);
        links.add(node(), second);
        links.remove(node(), ConnectionId::new_unchecked(1));
        assert!(links.is_connected(node()));
        links.remove(node(), ConnectionId::new_unchecked(2));
        assert!(!links.is_connected(node()));
        assert_eq!(links.nodes(), []);
    }
}
