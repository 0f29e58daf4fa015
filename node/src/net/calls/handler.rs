//! One connection's part in calls: opens substreams on request, hands over those the other end opens.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
};
use libp2p::{Stream, StreamProtocol, core::util::unreachable};
use peerage_protocol::id::NodeId;
use peerage_protocol::limits::{SUBSTREAM_OPEN_DEADLINE, SUBSTREAMS_OPENING_MAX};
use tokio::sync::mpsc;

use super::links::{OpenFailure, OpenRequest};
use super::open_count::OpenCount;
use super::substream::CallSubstream;
use super::{InboundSubstreams, PROTOCOL};

/// Lives as long as its connection, and keeps it alive.
pub(crate) struct Handler {
    remote: NodeId,
    inbound: Arc<dyn InboundSubstreams>,
    requests: mpsc::Receiver<OpenRequest>,
    opening: usize,
    open: OpenCount,
}

impl Handler {
    pub(super) fn new(
        remote: NodeId,
        inbound: Arc<dyn InboundSubstreams>,
        requests: mpsc::Receiver<OpenRequest>,
        open: OpenCount,
    ) -> Self {
        Self {
            remote,
            inbound,
            requests,
            opening: 0,
            open,
        }
    }

    /// The next request somebody still waits for; none while as many as allowed are under way.
    fn next_request(&mut self, cx: &mut Context<'_>) -> Option<OpenRequest> {
        while self.opening < SUBSTREAMS_OPENING_MAX {
            match self.requests.poll_recv(cx) {
                Poll::Ready(Some(request)) if request.is_closed() => {}
                Poll::Ready(Some(request)) => return Some(request),
                Poll::Ready(None) | Poll::Pending => return None,
            }
        }
        None
    }

    fn answer(&mut self, request: OpenRequest, outcome: Result<Stream, OpenFailure>) {
        self.opening -= 1;
        request.answer(outcome);
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = OpenRequest;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, OpenRequest, Infallible>> {
        let Some(request) = self.next_request(cx) else {
            return Poll::Pending;
        };
        self.opening += 1;
        let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), request)
            .with_timeout(SUBSTREAM_OPEN_DEADLINE);
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    /// Lets everybody who waits for this connection look for another.
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Option<Infallible>> {
        self.requests.close();
        while self.requests.try_recv().is_ok() {}
        Poll::Ready(None)
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        unreachable(event)
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), OpenRequest>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) => {
                let substream = CallSubstream::new(protocol, self.open.one_more());
                self.inbound.accept(self.remote, substream);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol,
                info,
            }) => self.answer(info, Ok(protocol)),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                self.answer(info, Err(failure(error)));
            }
            _ => {}
        }
    }
}

fn failure(error: StreamUpgradeError<Infallible>) -> OpenFailure {
    match error {
        StreamUpgradeError::Timeout => OpenFailure::Deadline,
        StreamUpgradeError::NegotiationFailed => OpenFailure::Protocol,
        StreamUpgradeError::Apply(never) => unreachable(never),
        StreamUpgradeError::Io(error) => OpenFailure::Broken {
            why: error.to_string(),
        },
    }
}
