//! A member as it is known, kept and passed on: its certificate, and what it says of itself.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::admission::Refusal;
use super::certificate::{CertificateChain, Validity};
use super::peer_record::PeerRecord;
use crate::id::{Hash, MeshId, NodeId, RegionName};
use crate::mutation::Mutation;
use crate::signature::Verifier;
use crate::time::Timestamp;
use crate::wire::encode_cbor;

/// A member's certificate with its latest signed record. Immutable: a change makes a new one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Fields")]
pub struct Member {
    chain: Arc<CertificateChain>,
    record: Option<PeerRecord>,
    encoded_bytes: u32,
    digest: u64,
}

#[derive(Serialize, Deserialize)]
struct Fields {
    chain: Arc<CertificateChain>,
    record: Option<PeerRecord>,
}

#[derive(Serialize)]
struct FieldsRef<'a> {
    chain: &'a CertificateChain,
    record: &'a Option<PeerRecord>,
}

impl From<Fields> for Member {
    fn from(fields: Fields) -> Self {
        Self::new(fields.chain, fields.record)
    }
}

impl Serialize for Member {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = FieldsRef {
            chain: &self.chain,
            record: &self.record,
        };
        fields.serialize(serializer)
    }
}

impl Member {
    /// A member known by `chain`, and by `record` where it has spoken.
    pub fn new(chain: Arc<CertificateChain>, record: Option<PeerRecord>) -> Self {
        let mut member = Self {
            chain,
            record,
            encoded_bytes: 0,
            digest: 0,
        };
        member.encoded_bytes = u32::try_from(encode_cbor(&member).len()).unwrap_or(u32::MAX);
        member.digest = member.signatures_digest();
        member
    }

    /// Whose certificate it is.
    pub fn node(&self) -> NodeId {
        self.chain.body().subject
    }

    /// Its certificate with its issuers.
    pub fn chain(&self) -> &Arc<CertificateChain> {
        &self.chain
    }

    /// What it says of itself; `None` until it has been heard.
    pub fn record(&self) -> Option<&PeerRecord> {
        self.record.as_ref()
    }

    /// Whether it has said that it left.
    pub fn has_left(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.leaving)
    }

    /// Where it says it is; `None` also until it has been heard.
    pub fn region(&self) -> Option<&RegionName> {
        self.record.as_ref()?.region.as_ref()
    }

    /// Bytes of its CBOR encoding.
    pub fn encoded_bytes(&self) -> usize {
        self.encoded_bytes as usize
    }

    /// Stands for this very state of the member in a [`Summary`](crate::wire::summary::Summary).
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether the certificate leads to `mesh` and the record, if any, is the subject's own and within its bounds.
    /// Says nothing of time: see [`CertificateChain::validity`].
    ///
    /// # Errors
    ///
    /// What is wrong with the certificate or the record.
    pub fn check(&self, mesh: MeshId, verifier: &dyn Verifier) -> Result<(), Refusal> {
        self.chain.verify(mesh, verifier)?;
        self.check_record(verifier)
    }

    /// [`Member::check`] for one whose certificate was checked before.
    pub(crate) fn check_record(&self, verifier: &dyn Verifier) -> Result<(), Refusal> {
        let Some(record) = &self.record else {
            return Ok(());
        };
        let signed = record.verify(&self.chain, verifier) || Mutation::AcceptForgedRecords.is_on();
        if record.is_bounded() && signed {
            Ok(())
        } else {
            Err(Refusal::Certificate {
                why: "the record that goes with it is not its subject's".to_owned(),
            })
        }
    }

    /// Whether this is later than what is `known` of the same node. The same everywhere, whatever came first: nothing
    /// follows on a goodbye but another certificate, and two records of one sequence, which only a liar or a restored
    /// backup signs, are told apart by their signatures.
    pub fn supersedes(&self, known: &Self) -> bool {
        let order = self.order(known);
        let older = order == Ordering::Less
            && (Mutation::TakeOlderRecords.is_on() && !known.has_left()
                || Mutation::BringBackLeavers.is_on() && known.has_left());
        order == Ordering::Greater || older
    }

    /// Whether this is to be known in place of what is `known` of the same node: what is later, unless only one of the
    /// two has a record. A certificate alone is worth less than one whose holder has spoken, unless that one is over;
    /// nor does one keep its holder out that was issued for a key's rotation, by one more admin than was needed, and
    /// never taken.
    pub(crate) fn takes_over_from(&self, known: &Self, now: Timestamp) -> bool {
        let lasts = |one: &Self| !one.has_left() && one.chain.validity(now) != Validity::Expired;
        let rotated = known.chain.body().replaces.is_some();
        match (&self.record, &known.record) {
            (Some(_), None) if rotated && lasts(self) => true,
            (None, Some(_)) if lasts(known) => false,
            _ => self.supersedes(known),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        let certificate = |member: &Self| {
            let certificate = &member.chain.certificate;
            (certificate.body.expires, certificate.signature.0)
        };
        let record = |member: &Self| {
            let record = member.record.as_ref();
            record.map(|record| (record.leaving, record.sequence, record.signature.0))
        };
        certificate(self)
            .cmp(&certificate(other))
            .then_with(|| record(self).cmp(&record(other)))
    }

    fn signatures_digest(&self) -> u64 {
        let mut bytes = self.chain.certificate.signature.0.to_vec();
        if let Some(record) = &self.record {
            bytes.extend_from_slice(&record.signature.0);
        }
        Hash::of(&bytes).leading_u64()
    }
}
