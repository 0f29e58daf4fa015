//! How much memory a roster takes for each member, beyond the member itself, of which there is one in a process.

#![allow(clippy::unwrap_used)]

use std::alloc::System;
use std::sync::Arc;

use peerage_protocol::id::{Hash, MeshId, NodeId};
use peerage_protocol::membership::certificate::{
    CERTIFICATE_VERSION, Certificate, CertificateBody, CertificateChain, Role,
};
use peerage_protocol::membership::member::Member;
use peerage_protocol::membership::roster::{Inserted, Roster};
use peerage_protocol::signature::Signature;
use peerage_protocol::time::Timestamp;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// What an entry may take.
const BYTES_MAX: f64 = 64.0;

fn member(number: usize) -> Arc<Member> {
    let body = CertificateBody {
        version: CERTIFICATE_VERSION,
        mesh: MeshId::from_public_key([7; 32]),
        serial: number as u64,
        subject: NodeId::from_public_key(*Hash::of(&number.to_be_bytes()).as_bytes()),
        name: format!("node-{number}").parse().unwrap(),
        role: Role::Member,
        not_before: NOW,
        expires: Timestamp(NOW.0 + 1_000_000),
        only: Vec::new(),
        replaces: None,
    };
    let certificate = Certificate {
        body,
        signature: Signature([9; 64]),
    };
    let chain = CertificateChain {
        certificate,
        issuers: Vec::new(),
    };
    Arc::new(Member::new(Arc::new(chain), None))
}

/// Bytes for each entry of the rosters of `nodes` nodes that all know each other.
fn bytes_per_entry(nodes: usize, rosters: usize) -> f64 {
    let members: Vec<Arc<Member>> = (0..nodes).map(member).collect();
    let own: Vec<_> = members.iter().take(rosters).collect();
    let mut built = Vec::with_capacity(rosters);
    let region = Region::new(ALLOCATOR);
    for own in own {
        let chain = own.chain().clone();
        let mut roster = Roster::new(chain.body().mesh, chain);
        for other in members.iter().filter(|other| other.node() != own.node()) {
            assert_eq!(roster.insert(other.clone(), NOW), Inserted::New);
        }
        built.push(roster);
    }
    let change = region.change();
    // What was reallocated is counted in these two as well.
    let grown = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    assert!(built.iter().all(|roster| roster.len() == nodes - 1));
    grown / (rosters * (nodes - 1)) as f64
}

#[test]
fn an_entry_of_a_roster_takes_at_most_64_bytes_beyond_the_member() {
    for nodes in [100, 1_000, 3_000] {
        let bytes = bytes_per_entry(nodes, 10);
        println!("{nodes} nodes: {bytes:.1} bytes per entry");
        assert!(
            (16.0..=BYTES_MAX).contains(&bytes),
            "{nodes} nodes: {bytes}"
        );
    }
}
