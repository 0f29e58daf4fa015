//! Yamux over a byte stream that brings little until the gate opens its allowance.

use std::io;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::{Ready, ready};
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent, SubstreamBox};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use libp2p::yamux;
use peerage_protocol::limits::SUBSTREAMS_PER_CONNECTION_MAX;

use super::bounded_close::BoundedClose;
use super::credit::{Allowance, Arrival, Beyond, Credit, Limited};

/// Makes the muxers of byte streams.
#[derive(Clone)]
pub(crate) struct Muxing(yamux::Config);

impl Default for Muxing {
    fn default() -> Self {
        let mut config = yamux::Config::default();
        config.set_max_num_streams(SUBSTREAMS_PER_CONNECTION_MAX as usize);
        Self(config)
    }
}

impl UpgradeInfo for Muxing {
    type Info = &'static str;
    type InfoIter = iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.protocol_info()
    }
}

impl<S> InboundConnectionUpgrade<S> for Muxing
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Muxer;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer>>;

    fn upgrade_inbound(self, stream: S, info: Self::Info) -> Self::Future {
        let stream = Limited::new(stream, Beyond::Fails);
        let allowance = stream.allowance();
        let muxer = self.0.upgrade_inbound(stream, info).into_inner();
        ready(muxer.map(|muxer| Muxer::new(StreamMuxerBox::new(muxer), allowance)))
    }
}

impl<S> OutboundConnectionUpgrade<S> for Muxing
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Muxer;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer>>;

    fn upgrade_outbound(self, stream: S, info: Self::Info) -> Self::Future {
        let stream = Limited::new(stream, Beyond::Waits);
        let allowance = stream.allowance();
        let muxer = self.0.upgrade_outbound(stream, info).into_inner();
        ready(muxer.map(|muxer| Muxer::new(StreamMuxerBox::new(muxer), allowance)))
    }
}

/// The substreams of one byte stream.
pub(crate) struct Muxer {
    muxer: BoundedClose,
    allowance: Allowance,
}

impl Muxer {
    fn new(muxer: StreamMuxerBox, allowance: Allowance) -> Self {
        Self {
            muxer: BoundedClose::new(muxer),
            allowance,
        }
    }

    /// What the door and the gate are shown.
    pub(crate) fn into_arrival(self) -> Arrival {
        Arrival {
            muxer: StreamMuxerBox::new(self.muxer),
            credit: Credit::Bytes(self.allowance),
            place: None,
        }
    }
}

impl StreamMuxer for Muxer {
    type Substream = SubstreamBox;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<SubstreamBox>> {
        Pin::new(&mut self.muxer).poll_inbound(cx)
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<SubstreamBox>> {
        Pin::new(&mut self.muxer).poll_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.muxer).poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Pin::new(&mut self.muxer).poll(cx)
    }
}
