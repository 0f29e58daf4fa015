//! How gossipsub is set up: small meshes, fast heartbeats, nothing passed on before it is judged.

use std::collections::HashSet;
use std::time::Duration;

use libp2p::gossipsub::{
    self, ConfigBuilder, IdentTopic, Message, MessageAuthenticity, MessageId, ValidationMode,
    WhitelistSubscriptionFilter,
};
use peerage_protocol::limits::GOSSIP_BYTES_MAX;

use super::GossipId;
use super::awaited::VERDICT_DEADLINE;
use super::traffic::Counters;

/// Gossip among linked members, each copy counted, one topic and no other.
pub(crate) type Behaviour = gossipsub::Behaviour<Counters, WhitelistSubscriptionFilter>;

/// Time between two rounds of mesh upkeep and of telling what was heard of late.
const HEARTBEAT: Duration = Duration::from_millis(700);

/// Time before the first round, in addition: a small mesh must not feel dead.
const FIRST_HEARTBEAT: Duration = Duration::from_millis(100);

/// Rounds for which a message can still be asked for, and passed on.
const HISTORY: usize = 10;

/// Rounds in which a message is told of to members outside the mesh.
const HISTORY_TOLD: usize = 5;

/// Members each message is passed on to; between these bounds the mesh is left as it is.
const MESH: usize = 8;
const MESH_LOW: usize = 6;
const MESH_HIGH: usize = 12;

/// Of messages at least this large a node tells its mesh that it needs no other copy; what it says so with is smaller.
const UNWANTED_BYTES: usize = 256;

/// How long a message is known to have been heard.
const DUPLICATES_KNOWN: Duration = Duration::from_secs(5 * 60);

/// Bytes of gossipsub's own envelope around a message, or of its own messages.
const ENVELOPE_BYTES_MAX: usize = 32 * 1024;

/// Identifiers of messages told, and asked for, in one round with one member.
const IDENTIFIERS_MAX: usize = 500;

/// Messages that wait to be sent to one member.
const SENDING_MAX: usize = 128;

const _: () = assert!(HEARTBEAT.as_millis() * HISTORY as u128 <= VERDICT_DEADLINE.as_millis());

/// A node's part in gossip, subscribed to `topic`; `counters` counts what comes in.
pub(crate) fn behaviour(counters: Counters, topic: &IdentTopic) -> Result<Behaviour, String> {
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(message_id)
        .max_transmit_size(GOSSIP_BYTES_MAX + ENVELOPE_BYTES_MAX)
        .heartbeat_interval(HEARTBEAT)
        .heartbeat_initial_delay(FIRST_HEARTBEAT)
        .mesh_n_low(MESH_LOW)
        .mesh_n(MESH)
        .mesh_n_high(MESH_HIGH)
        .history_length(HISTORY)
        .history_gossip(HISTORY_TOLD)
        .duplicate_cache_time(DUPLICATES_KNOWN)
        .max_control_messages_sent(IDENTIFIERS_MAX)
        .connection_handler_queue_len(SENDING_MAX)
        .idontwant_message_size_threshold(UNWANTED_BYTES)
        // Who has links to a thousand joiners would be silenced by its own news of each.
        .flood_publish(false)
        .build()
        .map_err(|error| error.to_string())?;
    let mut behaviour = Behaviour::new_with_subscription_filter_and_transform(
        MessageAuthenticity::Anonymous,
        config,
        WhitelistSubscriptionFilter(HashSet::from([topic.hash()])),
        counters,
    )?;
    behaviour
        .subscribe(topic)
        .map_err(|error| error.to_string())?;
    Ok(behaviour)
}

fn message_id(message: &Message) -> MessageId {
    GossipId::of(&message.topic, &message.data).0.into()
}
