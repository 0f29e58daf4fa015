//! A UDP socket that drops what the door does not take, before QUIC computes anything for it.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

use crate::net::door::Door;

/// Times that everything received is dropped before others have their turn: going round costs more than dropping.
const DROPPED_IN_A_ROW: usize = 8;

/// A socket with the door before it.
pub(super) struct Sifted {
    socket: Arc<dyn AsyncUdpSocket>,
    door: Door,
}

impl Sifted {
    pub(super) fn new(socket: Arc<dyn AsyncUdpSocket>, door: Door) -> Self {
        Self { socket, door }
    }

    /// Empties what is not taken, which the socket's reader then passes over; whether anything is left.
    fn sift(&self, metas: &mut [RecvMeta], buffers: &[IoSliceMut<'_>]) -> bool {
        let mut left = false;
        for (meta, buffer) in metas.iter_mut().zip(buffers) {
            if self.takes(meta, buffer) {
                left = true;
            } else {
                meta.len = 0;
            }
        }
        left
    }

    /// Whether what came in one piece, several packets of one length perhaps, is worth a look.
    fn takes(&self, meta: &RecvMeta, buffer: &[u8]) -> bool {
        let stride = meta.stride.max(1);
        let count = u32::try_from(meta.len.div_ceil(stride)).unwrap_or(u32::MAX);
        let first = buffer.get(..meta.len.min(stride)).unwrap_or_default();
        self.door.takes_packets(meta.addr, first, count)
    }
}

impl fmt::Debug for Sifted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sifted").field(&self.socket).finish()
    }
}

impl AsyncUdpSocket for Sifted {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.socket.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut received = 0;
        for _ in 0..DROPPED_IN_A_ROW {
            received = ready!(self.socket.poll_recv(cx, buffers, metas))?;
            if self.sift(&mut metas[..received], buffers) {
                break;
            }
        }
        Poll::Ready(Ok(received))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}
