//! A UDP socket that drops what the door does not take, before QUIC computes anything for it.
//!
//! While strangers flood it, the kernel drops most of what they send before it is received at all.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, UdpPoller};
use tokio::time::{Instant, Sleep};

use super::flood::Flood;
use super::kernel::Kernel;
use crate::net::door::{Door, Look};

/// Times that everything received is dropped before others have their turn: going round costs more than dropping.
const DROPPED_IN_A_ROW: usize = 8;

/// A socket with the door before it.
pub(super) struct Sifted {
    socket: Arc<dyn AsyncUdpSocket>,
    door: Door,
    guard: Mutex<Guard>,
}

/// What is done about floods.
struct Guard {
    kernel: Kernel,
    flood: Flood,
    /// Ends each window while there is a flood.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Sifted {
    pub(super) fn new(socket: UdpSocket, runtime: &dyn Runtime, door: Door) -> io::Result<Self> {
        let guard = Guard {
            kernel: Kernel::of(&socket)?,
            flood: Flood::new(Instant::now()),
            timer: None,
        };
        Ok(Self {
            socket: runtime.wrap_udp_socket(socket)?,
            door,
            guard: Mutex::new(guard),
        })
    }

    /// Tells the kernel, if it drops anything, which sockets are known now.
    pub(super) fn refresh(&self) {
        let guard = self.guard();
        if guard.flood.share().is_some() {
            guard.instruct(&self.door);
        }
    }

    /// Empties what is not taken, which the socket's reader then passes over; whether anything is left.
    fn sift(&self, metas: &mut [RecvMeta], buffers: &[IoSliceMut<'_>]) -> bool {
        let (mut left, mut strangers) = (false, 0);
        for (meta, buffer) in metas.iter_mut().zip(buffers) {
            let stride = meta.stride.max(1);
            // What came in one piece, several packets of one length perhaps.
            let count = u32::try_from(meta.len.div_ceil(stride)).unwrap_or(u32::MAX);
            let first = buffer.get(..meta.len.min(stride)).unwrap_or_default();
            let look = self.door.look(meta.addr, first, count);
            if look != Look::Known {
                strangers += count.max(1);
            }
            if look == Look::Refused {
                meta.len = 0;
            } else {
                left = true;
            }
        }
        if strangers > 0 {
            self.guard().flood.count(strangers);
        }
        left
    }

    fn guard(&self) -> MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guard {
    /// Has the kernel drop more or less where a window is over.
    fn poll(&mut self, door: &Door, cx: &mut Context<'_>) {
        let before = self.flood.share();
        if self.flood.pass(Instant::now()) && (before.is_some() || self.flood.share().is_some()) {
            self.instruct(door);
        }
        if before != self.flood.share() {
            let share = self.flood.share();
            tracing::debug!(
                ?share,
                "of what strangers send over UDP, a share is received"
            );
        }
        if self.flood.share().is_none() {
            self.timer = None;
            return;
        }
        let end = self.flood.window_end();
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        if timer.deadline() != end {
            timer.as_mut().reset(end);
        }
        // Only its waker matters: the window is not over yet.
        let _ = timer.as_mut().poll(cx);
    }

    fn instruct(&self, door: &Door) {
        let instructed = match self.flood.share() {
            Some(share) => self.kernel.lets_through(&door.known_sockets(), share),
            None => self.kernel.opens(),
        };
        if let Err(error) = instructed {
            tracing::debug!(%error, "the kernel does not drop what strangers flood");
        }
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
        self.guard().poll(&self.door, cx);
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
