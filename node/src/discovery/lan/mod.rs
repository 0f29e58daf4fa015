//! Members of one mesh on one local network, found by multicast DNS (RFC 6762, RFC 6763) without telling who they are.
//!
//! A node asks for `_peerage._udp.local` and answers who asks. Its answer names nothing but a tag that changes with every
//! packet; only who knows the mesh's id recognises it and can read what is sealed under it: the node's id and addresses,
//! signed by the node. Strangers see that a Peerage node is there, and from which address the packet came. IPv4 only:
//! a network without it has no multicast that every home router passes on.

pub(in crate::discovery) mod announcement;
mod beacon;
mod packet;
mod ranges;
mod scan;
mod sockets;

pub use beacon::{Beacon, BeaconSettings};
pub use scan::{ScanProgress, Scanner};

/// Every address of the private networks of this machine that a scan may ask.
pub fn private_hosts() -> Vec<std::net::Ipv4Addr> {
    ranges::hosts(&sockets::networks())
}
