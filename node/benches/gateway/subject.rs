//! What is measured: which road a call takes, how many are in flight, how large its answer is.

use std::fmt;

use serde::Serialize;

/// The way from the load to the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Road {
    /// To the HTTP upstream, past every node: the least that a call can cost. It is the minimal own-path server.
    Direct,
    /// To a tool of the node itself.
    Builtin,
    /// Through the node to the HTTP upstream.
    Http,
    /// Through the node to its stdio child.
    Stdio,
    /// Through the node and another node to the HTTP upstream.
    PeerHttp,
    /// Through the node and another node to that one's stdio child.
    PeerStdio,
    /// A fresh stream each on one raw QUIC connection to an echo, without any node.
    Quic,
}

impl fmt::Display for Road {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Road::Direct => "direct to the HTTP upstream",
            Road::Builtin => "builtin tool",
            Road::Http => "node, HTTP upstream",
            Road::Stdio => "node, stdio child",
            Road::PeerHttp => "node, peer, HTTP upstream",
            Road::PeerStdio => "node, peer, stdio child",
            Road::Quic => "raw QUIC echo",
        })
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The way.
    pub road: Road,
    /// Calls in flight, each on a connection of its own.
    pub in_flight: usize,
    /// Bytes of text in the answer; of the builtin, which chooses its own, what that comes to.
    pub bytes: usize,
}

impl Subject {
    /// A row.
    pub const fn new(road: Road, in_flight: usize, bytes: usize) -> Self {
        Self {
            road,
            in_flight,
            bytes,
        }
    }
}

/// The usual answer.
pub const KIBIBYTE: usize = 1024;
/// The large answer.
pub const MEBIBYTE: usize = 1024 * 1024;
/// About what the builtin answers.
pub const BUILTIN_BYTES: usize = 256;

/// Every row, in the order in which a round measures them: what is compared stands side by side.
pub const SUBJECTS: [Subject; 19] = [
    Subject::new(Road::Direct, 1, KIBIBYTE),
    Subject::new(Road::Http, 1, KIBIBYTE),
    Subject::new(Road::Direct, 8, KIBIBYTE),
    Subject::new(Road::Http, 8, KIBIBYTE),
    Subject::new(Road::Direct, 4, MEBIBYTE),
    Subject::new(Road::Http, 4, MEBIBYTE),
    Subject::new(Road::Direct, 32, BUILTIN_BYTES),
    Subject::new(Road::Builtin, 32, BUILTIN_BYTES),
    Subject::new(Road::Builtin, 1, BUILTIN_BYTES),
    Subject::new(Road::Stdio, 1, KIBIBYTE),
    Subject::new(Road::PeerStdio, 1, KIBIBYTE),
    Subject::new(Road::Quic, 1, KIBIBYTE),
    Subject::new(Road::PeerHttp, 1, KIBIBYTE),
    Subject::new(Road::Stdio, 32, KIBIBYTE),
    Subject::new(Road::PeerStdio, 32, KIBIBYTE),
    Subject::new(Road::Quic, 32, KIBIBYTE),
    Subject::new(Road::PeerHttp, 32, KIBIBYTE),
    Subject::new(Road::PeerHttp, 1, MEBIBYTE),
    Subject::new(Road::PeerHttp, 4, MEBIBYTE),
];
