//! Asks every address of the private networks that this machine is on, one after the other: for networks that pass on no
//! multicast. Only when the owner wants it.
//!
//! The question is that of multicast DNS, sent to one machine (RFC 6762, 5.5), so a scan tells strangers nothing but
//! that somebody asks for Peerage nodes, and only members' answers are understood.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use peerage_protocol::address_book::Source;
use peerage_protocol::id::{MeshId, NodeId};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::announcement::recognise;
use super::packet;
use super::ranges::hosts;
use super::sockets::{PORT, networks};
use crate::control::{ControlHandle, Snapshots, tell_sighted, wall};

/// Time between two questions: a network hears a hundred a second.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// How long the last one asked may take to answer.
const LAST_ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Members remembered of one scan.
const FOUND_MAX: usize = 1_024;

/// The longest packet that is read.
const PACKET_BYTES_MAX: usize = 9_000;

/// How far a scan is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanProgress {
    /// Whether one is under way.
    pub running: bool,
    /// Addresses to ask.
    pub hosts: usize,
    /// Addresses that were asked.
    pub asked: usize,
    /// Members that answered.
    pub found: BTreeSet<NodeId>,
    /// Why it came to nothing.
    pub failed: Option<String>,
}

/// Scans, one at a time.
pub struct Scanner {
    control: ControlHandle,
    snapshots: Arc<Snapshots>,
    me: NodeId,
    running: AtomicBool,
    progress: watch::Sender<ScanProgress>,
}

impl Scanner {
    /// One that has not scanned yet, at the node `me`.
    pub fn new(control: ControlHandle, snapshots: Arc<Snapshots>, me: NodeId) -> Self {
        Self {
            control,
            snapshots,
            me,
            running: AtomicBool::new(false),
            progress: watch::Sender::default(),
        }
    }

    /// How far the latest scan is.
    pub fn progress(&self) -> ScanProgress {
        self.progress.borrow().clone()
    }

    /// Begins a scan, unless one is under way.
    pub fn begin(self: &Arc<Self>) {
        if self.running.swap(true, Ordering::AcqRel) {
            return;
        }
        self.progress.send_replace(ScanProgress {
            running: true,
            ..ScanProgress::default()
        });
        let scanner = self.clone();
        tokio::spawn(async move {
            let failed = match scanner.snapshots.roster() {
                Some(roster) => scanner
                    .scan(roster.mesh)
                    .await
                    .err()
                    .map(|error| error.to_string()),
                None => Some("this node belongs to no mesh yet; join one first".to_owned()),
            };
            scanner.progress.send_modify(|progress| {
                progress.running = false;
                progress.failed = failed;
            });
            scanner.running.store(false, Ordering::Release);
        });
    }

    async fn scan(&self, mesh: MeshId) -> io::Result<()> {
        let hosts = hosts(&networks());
        self.progress
            .send_modify(|progress| progress.hosts = hosts.len());
        tracing::info!(
            hosts = hosts.len(),
            "the private networks of this machine are scanned"
        );
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        let until = Instant::now()
            + ASK_EVERY * u32::try_from(hosts.len()).unwrap_or(u32::MAX)
            + LAST_ANSWER_WITHIN;
        let asked = self.ask(&socket, hosts);
        let heard = self.hear(&socket, mesh, until);
        tokio::join!(asked, heard);
        Ok(())
    }

    async fn ask(&self, socket: &UdpSocket, hosts: Vec<Ipv4Addr>) {
        let Some(question) = packet::question() else {
            return;
        };
        let mut ticks = interval(ASK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for host in hosts {
            ticks.tick().await;
            // Nobody there, or no way: it is one of many.
            let _ = socket.send_to(&question, (host, PORT)).await;
            self.progress.send_modify(|progress| progress.asked += 1);
        }
    }

    async fn hear(&self, socket: &UdpSocket, mesh: MeshId, until: Instant) {
        let mut buffer = vec![0; PACKET_BYTES_MAX];
        while let Ok(heard) = timeout_at(until, socket.recv(&mut buffer)).await {
            // A machine that says that nobody listens is an error of the socket, and no reason to stop.
            let Ok(bytes) = heard else { continue };
            for bytes in packet::read(&buffer[..bytes]).announcements {
                self.take(mesh, &bytes).await;
            }
        }
    }

    async fn take(&self, mesh: MeshId, bytes: &[u8]) {
        let Some(announced) = recognise(mesh, bytes, wall()) else {
            return;
        };
        let node = announced.node;
        let full = self.progress.borrow().found.len() >= FOUND_MAX;
        if node == self.me || full {
            return;
        }
        let news = self
            .progress
            .send_if_modified(|progress| progress.found.insert(node));
        if news {
            let addresses = announced.addresses;
            tell_sighted(
                &self.control,
                &self.snapshots,
                node,
                addresses,
                Source::Scan,
            )
            .await;
        }
    }
}
