//! Which addresses a scan asks: those of private networks, and of each no more than a home has.

use std::net::Ipv4Addr;

/// Addresses asked on one network; of a larger one, those next to this machine's own.
const HOSTS_PER_NETWORK_MAX: u32 = 1_024;

/// Addresses asked in one scan.
pub(super) const HOSTS_MAX: usize = 4_096;

/// A network of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    /// This machine's address in it.
    pub(super) own: Ipv4Addr,
    /// The bits that name the network.
    pub(super) mask: Ipv4Addr,
}

/// Every address to ask on these networks, this machine's own left out.
pub(super) fn hosts(networks: &[Network]) -> Vec<Ipv4Addr> {
    let private = networks.iter().filter(|network| network.own.is_private());
    let mut hosts: Vec<Ipv4Addr> = private.flat_map(|network| hosts_of(*network)).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts.retain(|host| networks.iter().all(|network| network.own != *host));
    hosts.truncate(HOSTS_MAX);
    hosts
}

fn hosts_of(network: Network) -> impl Iterator<Item = Ipv4Addr> {
    let smallest = u32::MAX << HOSTS_PER_NETWORK_MAX.trailing_zeros();
    let mask = network.mask.to_bits() | smallest;
    let first = network.own.to_bits() & mask;
    let last = first | !mask;
    // The first address names the network, the last means everybody in it.
    let ends = if last - first > 1 { 1 } else { 0 };
    (first + ends..=last - ends).map(Ipv4Addr::from_bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(own: [u8; 4], mask: [u8; 4]) -> Network {
        Network {
            own: own.into(),
            mask: mask.into(),
        }
    }

    #[test]
    fn a_home_network_is_asked_whole_but_for_its_ends_and_this_machine() {
        let hosts = hosts(&[network([192, 168, 1, 7], [255, 255, 255, 0])]);
        assert_eq!(hosts.len(), 253);
        assert_eq!(hosts[0], Ipv4Addr::new(192, 168, 1, 1));
        assert_eq!(hosts[252], Ipv4Addr::new(192, 168, 1, 254));
        assert!(!hosts.contains(&Ipv4Addr::new(192, 168, 1, 7)));
    }

    #[test]
    fn networks_of_the_world_are_never_asked() {
        let worldwide = [
            [203, 0, 113, 7],
            [8, 8, 8, 8],
            [172, 32, 0, 1],
            [100, 64, 0, 1],
        ];
        for own in worldwide {
            assert!(hosts(&[network(own, [255, 255, 255, 0])]).is_empty());
        }
    }

    #[test]
    fn of_a_large_network_the_part_around_this_machine_is_asked() {
        let hosts = hosts(&[network([10, 1, 2, 3], [255, 0, 0, 0])]);
        assert_eq!(hosts.len(), 1_024 - 3);
        assert!(hosts.iter().all(|host| host.octets()[..2] == [10, 1]));
    }

    #[test]
    fn many_networks_are_bounded_and_the_smallest_have_no_ends() {
        let many: Vec<Network> = (0..100)
            .map(|n| network([10, n, 0, 1], [255, 255, 0, 0]))
            .collect();
        assert_eq!(hosts(&many).len(), HOSTS_MAX);
        let pair = network([10, 0, 0, 0], [255, 255, 255, 254]);
        assert_eq!(hosts(&[pair]), [Ipv4Addr::new(10, 0, 0, 1)]);
        let alone = network([10, 0, 0, 9], [255, 255, 255, 255]);
        assert!(hosts(&[alone]).is_empty());
    }
}
