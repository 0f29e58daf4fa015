//! The mesh's distributed hash table (Kademlia): where members say they are, by node id, kept by a few others.
//!
//! What gossip and reconciliation know is known to every linked member already, so this is for one case: a member that
//! none of the linked ones can name an address of that works. The table is behind the gate like all else, its protocol
//! name is the mesh's own, and a record is worth its node's signature and nothing more. Every node serves: it is asked
//! over links that stand, whether or not others could dial it. No tools, regions or providers are in it.

mod behaviour;
mod dials;
mod record;

pub(crate) use behaviour::{Behaviour, Event};
pub use record::RecordRefused;

use std::num::NonZeroUsize;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::StreamProtocol;
use libp2p::kad::store::{MemoryStore, MemoryStoreConfig};
use libp2p::kad::{self, BucketInserts, Caching, Mode, StoreInserts};
use peerage_protocol::id::MeshId;
use peerage_protocol::limits::ROSTER_MAX;

/// How many members keep a record.
const REPLICAS: NonZeroUsize = NonZeroUsize::new(5).expect("5 is not zero");

/// Members asked at a time for one record.
const ASKED_AT_ONCE: NonZeroUsize = NonZeroUsize::new(3).expect("3 is not zero");

/// How long a record is kept by others.
const RECORD_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// How often a node tells its record again.
const TELL_EVERY: Duration = Duration::from_secs(10 * 60);

/// The longest that is looked for one record.
const SEEK_WITHIN: Duration = Duration::from_secs(10);

/// Bytes of one record: a certificate with its issuers, and what the node says of itself.
const RECORD_BYTES_MAX: usize = 12 * 1024;

/// Separates the names of tables from every other hash of a mesh id.
const NAME_CONTEXT: &str = "peerage dht protocol name v1";

/// What this table is called on the wire: it names the mesh to those who know it, and to nobody else.
fn protocol_name(mesh: MeshId) -> StreamProtocol {
    let hash = blake3::derive_key(NAME_CONTEXT, mesh.public_key());
    let name = format!(
        "/peerage/dht/{}/1",
        data_encoding::HEXLOWER.encode(&hash[..16])
    );
    StreamProtocol::try_from_owned(name).expect("it begins with a slash")
}

/// The table of `mesh` as this node keeps it, empty.
fn table(local: PeerId, mesh: MeshId) -> kad::Behaviour<MemoryStore> {
    let store = MemoryStoreConfig {
        max_records: ROSTER_MAX,
        max_value_bytes: RECORD_BYTES_MAX,
        max_providers_per_key: 0,
        max_provided_keys: 0,
    };
    let mut config = kad::Config::new(protocol_name(mesh));
    config
        .set_query_timeout(SEEK_WITHIN)
        .set_replication_factor(REPLICAS)
        .set_parallelism(ASKED_AT_ONCE)
        .set_record_ttl(Some(RECORD_LIFETIME))
        .set_record_filtering(StoreInserts::FilterBoth)
        .set_kbucket_inserts(BucketInserts::Manual)
        .set_caching(Caching::Disabled)
        // Each node tells its own, so that a record lives as long as its node does.
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_publication_interval(None)
        .set_periodic_bootstrap_interval(None);
    let store = MemoryStore::with_config(local, store);
    let mut table = kad::Behaviour::with_config(local, store, config);
    table.set_mode(Some(Mode::Server));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_table_is_its_meshs_own_and_does_not_tell_it() {
        let mesh = MeshId::from_public_key([7; 32]);
        let name = protocol_name(mesh).to_string();
        assert_eq!(name, protocol_name(mesh).to_string());
        assert_ne!(
            name,
            protocol_name(MeshId::from_public_key([8; 32])).to_string()
        );
        assert!(!name.contains(&mesh.to_string()), "{name}");
    }
}
