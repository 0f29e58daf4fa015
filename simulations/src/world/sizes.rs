//! How many bytes things take on the wire.

use std::sync::Arc;

use peerage_protocol::membership::admission::Claim;
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::membership::revocation::Revocation;
use peerage_protocol::wire::announcement::Announcement;
use peerage_protocol::wire::hello::Answer;

/// A hello, a claim without its certificate, and what the secure channel adds to each.
pub(crate) const HELLO_BYTES: usize = 160;
/// What an exchange adds to its body or its answer: frames, encryption and transport.
pub(crate) const EXCHANGE_BYTES: usize = 120;
/// One encoded certificate, within a few bytes.
const CERTIFICATE_BYTES: usize = 260;

/// The encoded bytes of a chain, within a few.
pub(crate) fn chain_bytes(chain: &CertificateChain) -> usize {
    CERTIFICATE_BYTES * (1 + chain.issuers.len())
}

/// The encoded bytes of an announcement, within a few.
pub(crate) fn announcement_bytes(announcement: &Announcement) -> usize {
    let members = announcement
        .members
        .iter()
        .map(|member| member.encoded_bytes());
    16 + members.sum::<usize>() + revocation_bytes(&announcement.revocations)
}

fn revocation_bytes(revocations: &[Arc<Revocation>]) -> usize {
    let each = revocations
        .iter()
        .map(|revocation| revocation.encoded_bytes());
    each.sum()
}

/// The bytes of a claim, within a few.
pub(crate) fn claim_bytes(claim: &Claim) -> usize {
    match claim {
        Claim::Member { chain, .. } | Claim::Renew { chain } | Claim::Rotate { chain, .. } => {
            HELLO_BYTES + chain_bytes(chain)
        }
        Claim::Redeem { .. } | Claim::Ask { .. } | Claim::Collect => HELLO_BYTES,
    }
}

/// The bytes of an answer to a claim, within a few.
pub(crate) fn answer_bytes(answer: &Answer) -> usize {
    match answer {
        Answer::Accept { chain, revocations } => {
            HELLO_BYTES + chain_bytes(chain) + revocation_bytes(revocations)
        }
        Answer::Issue { own, issued } => HELLO_BYTES + chain_bytes(own) + chain_bytes(issued),
        Answer::Refused { .. } => 2 * HELLO_BYTES,
    }
}
