//! A program for the kernel (classic BPF) that drops most of what strangers send, before it costs this process anything.
//!
//! It runs for each packet from the UDP header on. Packets of known sockets pass; of others those that may belong to a
//! handshake, as the door judges them, and of these a random share. A socket is known by a keyed hash of 31 bits of its
//! address and port: one in two thousand million others passes with it, and nobody outside can tell which.

use std::net::{IpAddr, SocketAddr};

use socket2::SockFilter;

use super::flood::Share;
use crate::net::door::{
    FIXED_BIT, HANDSHAKE, INITIAL, INITIAL_BYTES_MIN, LONG_HEADER, QUIC_VERSION, TYPE_BITS,
    VERSION_QUESTION, VERSION_QUESTION_BITS,
};

/// Sockets that one program knows: what the kernel takes without being asked for more memory, with room to spare.
pub(super) const KNOWN_MAX: usize = 512;

/// Known sockets that are compared before an instruction that accepts: a jump reaches 255 instructions.
const KNOWN_TOGETHER: usize = 128;

// Instructions (linux/filter.h, linux/bpf_common.h). A is what is computed with; X is another register.
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const LOAD_LENGTH: u16 = 0x80;
const LOAD_CONSTANT: u16 = 0x00;
const MULTIPLY: u16 = 0x24;
const AND: u16 = 0x54;
const SHIFT_RIGHT: u16 = 0x74;
const XOR_X: u16 = 0xac;
const A_TO_X: u16 = 0x07;
const JUMP: u16 = 0x05;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Where the IP header and a random number are read.
const NETWORK_HEADER: u32 = 0xfff0_0000;
const RANDOM: u32 = 0xffff_f000 + 56;
/// The sender's address in its header, and the words of it.
const IPV4_SENDER: (u32, u32) = (12, 1);
const IPV6_SENDER: (u32, u32) = (8, 4);
/// The UDP header, which begins with the sender's port.
const UDP_HEADER_BYTES: u32 = 8;

/// What is returned for a packet: how much of it is kept.
const ALL: u32 = u32::MAX;
const NOTHING: u32 = 0;

/// The secret of a hash.
pub(super) type Key = [u8; 16];

/// The program for a socket of IPv4 or of IPv6.
pub(super) fn program(
    is_ipv4: bool,
    key: &Key,
    known: &[SocketAddr],
    share: Share,
) -> Vec<SockFilter> {
    let mut program = hash_program(is_ipv4, key);
    let known = known.iter().filter(|socket| socket.is_ipv4() == is_ipv4);
    let hashes: Vec<u32> = known
        .take(KNOWN_MAX)
        .map(|socket| hash(key, *socket))
        .collect();
    for together in hashes.chunks(KNOWN_TOGETHER) {
        let accept = together.len() as u8;
        let compare = (1_u8..).zip(together);
        program.extend(
            compare.map(|(number, hash)| SockFilter::new(IF_EQUAL, accept - number + 1, 0, *hash)),
        );
        program.push(plain(JUMP, 1));
        program.push(plain(RETURN, ALL));
    }
    program.extend(judgement(share));
    program
}

/// Computes into A what [`hash`] computes.
fn hash_program(is_ipv4: bool, key: &Key) -> Vec<SockFilter> {
    let (at, words) = if is_ipv4 { IPV4_SENDER } else { IPV6_SENDER };
    let mut loads: Vec<SockFilter> = (0..words)
        .map(|word| plain(LOAD_WORD, NETWORK_HEADER + at + 4 * word))
        .collect();
    loads.push(plain(LOAD_HALF, 0));
    let [seed, factor] = secrets(key);
    let mut program = vec![plain(LOAD_CONSTANT, seed), plain(A_TO_X, 0)];
    for load in loads {
        program.extend([
            load,
            plain(XOR_X, 0),
            plain(MULTIPLY, factor),
            plain(A_TO_X, 0),
            plain(SHIFT_RIGHT, 15),
            plain(XOR_X, 0),
            plain(A_TO_X, 0),
        ]);
    }
    program.push(plain(SHIFT_RIGHT, 1));
    program
}

/// The hash of a socket. Of 31 bits, as the kernel compares larger numbers in two steps.
fn hash(key: &Key, socket: SocketAddr) -> u32 {
    let words: Vec<u32> = match socket.ip() {
        IpAddr::V4(ip) => vec![ip.to_bits()],
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            [96, 64, 32, 0].map(|shift| (bits >> shift) as u32).to_vec()
        }
    };
    let [seed, factor] = secrets(key);
    let mixed = words.into_iter().chain([u32::from(socket.port())]);
    let hash = mixed.fold(seed, |hash, word| {
        let hash = (hash ^ word).wrapping_mul(factor);
        hash ^ hash >> 15
    });
    hash >> 1
}

/// What a hash begins with, and an odd factor.
fn secrets(key: &Key) -> [u32; 2] {
    let word = |at: usize| u32::from_le_bytes([key[at], key[at + 1], key[at + 2], key[at + 3]]);
    [word(0), word(4) | 1]
}

/// Judges packets of sockets that are not known, as the door does (RFC 9000, section 17), and takes a share of them.
fn judgement(share: Share) -> [SockFilter; 18] {
    const QUESTION: u8 = 9;
    const LENGTH: u8 = 11;
    const CHANCE: u8 = 13;
    const ACCEPT: u8 = 16;
    const DROP: u8 = 17;
    let jump = |code: u16, k: u32, own: u8, yes: u8, no: u8| {
        SockFilter::new(code, yes - own - 1, no - own - 1, k)
    };
    let first = UDP_HEADER_BYTES;
    let mask = (1 << share.halvings) - 1;
    [
        plain(LOAD_BYTE, first),
        jump(IF_ANY_BIT, FIXED_BIT.into(), 1, 2, DROP),
        jump(IF_ANY_BIT, LONG_HEADER.into(), 2, 3, CHANCE),
        plain(LOAD_WORD, first + 1),
        jump(IF_EQUAL, QUIC_VERSION, 4, 5, QUESTION),
        plain(LOAD_BYTE, first),
        plain(AND, TYPE_BITS.into()),
        jump(IF_EQUAL, HANDSHAKE.into(), 7, CHANCE, 8),
        jump(IF_EQUAL, INITIAL.into(), 8, LENGTH, DROP),
        plain(AND, VERSION_QUESTION_BITS),
        jump(IF_EQUAL, VERSION_QUESTION, 10, LENGTH, DROP),
        plain(LOAD_LENGTH, 0),
        jump(
            IF_AT_LEAST,
            UDP_HEADER_BYTES + INITIAL_BYTES_MIN as u32,
            12,
            CHANCE,
            DROP,
        ),
        plain(LOAD_WORD, RANDOM),
        plain(AND, mask),
        jump(IF_EQUAL, 0, 15, ACCEPT, DROP),
        plain(RETURN, ALL),
        plain(RETURN, NOTHING),
    ]
}

/// An instruction that does not branch.
fn plain(code: u16, k: u32) -> SockFilter {
    SockFilter::new(code, 0, 0, k)
}
