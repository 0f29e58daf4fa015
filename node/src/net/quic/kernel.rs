//! Has the kernel drop what strangers flood a UDP socket with. Elsewhere than on Linux nothing is dropped there.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::flood::Share;

/// The kernel's end of one UDP socket.
#[derive(Debug)]
pub(super) struct Kernel {
    #[cfg(target_os = "linux")]
    socket: socket2::Socket,
    #[cfg(target_os = "linux")]
    is_ipv4: bool,
    #[cfg(target_os = "linux")]
    key: super::packet_filter::Key,
}

#[cfg(target_os = "linux")]
impl Kernel {
    pub(super) fn of(socket: &UdpSocket) -> io::Result<Self> {
        let mut key = super::packet_filter::Key::default();
        getrandom::fill(&mut key)?;
        Ok(Self {
            is_ipv4: socket.local_addr()?.is_ipv4(),
            socket: socket.try_clone()?.into(),
            key,
        })
    }

    /// Lets all packets of `known` sockets through from now on, the first of them at least, and of others a share.
    pub(super) fn lets_through(&self, known: &[SocketAddr], share: Share) -> io::Result<()> {
        let program = super::packet_filter::program(self.is_ipv4, &self.key, known, share);
        self.socket.attach_filter(&program)
    }

    /// Lets everything through.
    pub(super) fn opens(&self) -> io::Result<()> {
        self.socket.detach_filter()
    }
}

#[cfg(not(target_os = "linux"))]
impl Kernel {
    pub(super) fn of(_: &UdpSocket) -> io::Result<Self> {
        Ok(Self {})
    }

    pub(super) fn lets_through(&self, _: &[SocketAddr], _: Share) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn opens(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use super::*;
    use crate::net::door::belongs_to_a_handshake;

    const EVERYTHING: Share = Share { halvings: 0 };
    const LOOPBACKS: [IpAddr; 2] = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ];

    /// A receiver whose kernel may be told what to drop, and a sender, on one loopback.
    fn pair(ip: IpAddr) -> (UdpSocket, Kernel, UdpSocket) {
        let receiver = UdpSocket::bind((ip, 0)).unwrap();
        receiver
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let sender = UdpSocket::bind((ip, 0)).unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        let kernel = Kernel::of(&receiver).unwrap();
        (receiver, kernel, sender)
    }

    /// How many packets came before one of the known socket `end`, which says that no more will.
    fn received(receiver: &UdpSocket, end: &UdpSocket) -> usize {
        end.send(b"end").unwrap();
        let mut packet = [0; 2_048];
        let mut packets = std::iter::repeat_with(|| {
            receiver
                .recv(&mut packet)
                .map(|length| packet[..length] == *b"end")
        });
        packets.position(Result::unwrap).unwrap()
    }

    fn packets() -> Vec<Vec<u8>> {
        let versions: [[u8; 4]; 5] = [
            [0, 0, 0, 1],
            [0, 0, 0, 2],
            [0; 4],
            [0x1a, 0x2a, 0x3a, 0x4a],
            [0x1a, 0x2a, 0x3a, 0x4b],
        ];
        let mut packets = vec![Vec::new(), vec![0x40], vec![0xc0], vec![0xc0, 0, 0, 0]];
        for first in (0..=u8::MAX).step_by(8) {
            for version in versions {
                for length in [5, 100, 1_199, 1_200, 1_400] {
                    let mut packet = vec![first; length];
                    packet[1..5].copy_from_slice(&version);
                    packets.push(packet);
                }
            }
        }
        packets
    }

    #[test]
    fn the_kernel_judges_packets_of_strangers_as_the_door_does() {
        for ip in LOOPBACKS {
            let (receiver, kernel, stranger) = pair(ip);
            let known = UdpSocket::bind((ip, 0)).unwrap();
            known.connect(receiver.local_addr().unwrap()).unwrap();
            kernel
                .lets_through(&[known.local_addr().unwrap()], EVERYTHING)
                .unwrap();
            for packet in packets() {
                stranger.send(&packet).unwrap();
                let expected = usize::from(belongs_to_a_handshake(&packet));
                let start = &packet[..packet.len().min(5)];
                let length = packet.len();
                assert_eq!(
                    received(&receiver, &known),
                    expected,
                    "{length} bytes from {start:?}"
                );
            }
        }
    }

    #[test]
    fn known_sockets_are_heard_whatever_they_send_and_of_others_a_share() {
        for ip in LOOPBACKS {
            let (receiver, kernel, stranger) = pair(ip);
            let known: Vec<UdpSocket> = (0..300)
                .map(|_| UdpSocket::bind((ip, 0)).unwrap())
                .collect();
            let addresses: Vec<SocketAddr> =
                known.iter().map(|one| one.local_addr().unwrap()).collect();
            kernel
                .lets_through(&addresses, Share { halvings: 4 })
                .unwrap();
            for one in &known {
                one.connect(receiver.local_addr().unwrap()).unwrap();
                one.send(b"noise").unwrap();
                assert_eq!(received(&receiver, one), 1);
            }
            let mut heard = 0;
            for _ in 0..100 {
                for _ in 0..32 {
                    stranger.send(&[0x40; 100]).unwrap();
                }
                heard += received(&receiver, &known[0]);
            }
            assert!((100..400).contains(&heard), "{heard} of 3,200");
            kernel.opens().unwrap();
            stranger.send(b"noise").unwrap();
            assert_eq!(received(&receiver, &known[0]), 1);
        }
    }
}
