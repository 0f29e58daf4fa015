//! How QUIC is set up: libp2p's TLS, and windows that are small until the gate has been passed.

use std::sync::Arc;
use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::tls;
use peerage_protocol::limits::{GATE_MESSAGE_BYTES_MAX, SUBSTREAMS_PER_CONNECTION_MAX};
use quinn::crypto::rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig};
use quinn::crypto::{CryptoError, HmacKey};
use quinn::{ClientConfig, Connection, EndpointConfig, ServerConfig, TransportConfig, VarInt};

/// Silence after which QUIC gives a connection up; the pulse notices a dead peer long before.
const IDLE_TIMEOUT_MS: u32 = 30_000;

/// Time between two packets that keep paths through NATs open.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Bytes in flight on one substream: a large result crosses a fast link without waiting for credit.
const SUBSTREAM_WINDOW: u32 = 8 * 1024 * 1024;

/// Bytes in flight on one connection of members.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// Bytes in flight before the gate has been passed: each end says two messages at most.
const GATE_WINDOW: u32 = 4 * GATE_MESSAGE_BYTES_MAX as u32;

/// Substreams the other end may open before the gate has been passed: the gate's own.
const GATE_SUBSTREAMS: u32 = 1;

/// Arrivals that wait to be looked at, and bytes of what else they send meanwhile.
const INCOMING_MAX: usize = 256;
const INCOMING_BYTES_EACH: u64 = 8 * 1024;
const INCOMING_BYTES_MAX: u64 = 1024 * 1024;

/// What endpoints and connections are made with.
#[derive(Clone)]
pub(super) struct Config {
    pub(super) endpoint: EndpointConfig,
    pub(super) server: ServerConfig,
    pub(super) client: ClientConfig,
}

impl Config {
    pub(super) fn new(keypair: &Keypair) -> Result<Self, ConfigError> {
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .max_concurrent_bidi_streams(VarInt::from_u32(GATE_SUBSTREAMS))
            .datagram_receive_buffer_size(None)
            .keep_alive_interval(Some(KEEP_ALIVE))
            .max_idle_timeout(Some(VarInt::from_u32(IDLE_TIMEOUT_MS).into()))
            .allow_spin(false)
            .stream_receive_window(VarInt::from_u32(SUBSTREAM_WINDOW))
            .receive_window(VarInt::from_u32(GATE_WINDOW));
        let transport = Arc::new(transport);
        let server = tls::make_server_config(keypair)?;
        let mut server = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server)?));
        server
            .transport_config(transport.clone())
            .migration(false)
            .max_incoming(INCOMING_MAX)
            .incoming_buffer_size(INCOMING_BYTES_EACH)
            .incoming_buffer_size_total(INCOMING_BYTES_MAX);
        let client = tls::make_client_config(keypair, None)?;
        let mut client = ClientConfig::new(Arc::new(QuicClientConfig::try_from(client)?));
        client.transport_config(transport);
        let mut endpoint = match keypair.derive_secret(b"libp2p quic stateless reset key") {
            Some(secret) => EndpointConfig::new(Arc::new(ResetKey(secret))),
            None => EndpointConfig::default(),
        };
        // The door tells packets from noise by the bit that others would grease.
        endpoint.supported_versions(vec![1]).grease_quic_bit(false);
        Ok(Self {
            endpoint,
            server,
            client,
        })
    }
}

/// Gives the other end of `connection` the credit of a member.
pub(super) fn widen(connection: &Connection) {
    connection.set_receive_window(VarInt::from_u32(CONNECTION_WINDOW));
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(SUBSTREAMS_PER_CONNECTION_MAX));
}

/// Signs the tokens by which a node that was restarted tells others at once that their connections are no more.
struct ResetKey([u8; 32]);

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature: &mut [u8]) {
        signature.copy_from_slice(blake3::keyed_hash(&self.0, data).as_bytes());
    }

    fn signature_len(&self) -> usize {
        blake3::OUT_LEN
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let signature: [u8; blake3::OUT_LEN] = signature.try_into().map_err(|_| CryptoError)?;
        // Hashes are compared in constant time.
        let genuine = blake3::keyed_hash(&self.0, data) == blake3::Hash::from_bytes(signature);
        genuine.then_some(()).ok_or(CryptoError)
    }
}

/// Why QUIC cannot be set up with a key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No certificate could be made.
    #[error("no certificate for QUIC can be made: {0}")]
    Certificate(#[from] tls::certificate::GenError),
    /// The TLS of libp2p lacks what QUIC begins with.
    #[error("no cipher for the first packets of QUIC: {0}")]
    Cipher(#[from] NoInitialCipherSuite),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_believed_only_with_its_own_signature() {
        let (key, mut signature) = (ResetKey([1; 32]), [0; 32]);
        key.sign(b"connection", &mut signature);
        assert!(key.verify(b"connection", &signature).is_ok());
        assert!(key.verify(b"another", &signature).is_err());
        assert!(key.verify(b"connection", &signature[1..]).is_err());
        assert!(ResetKey([2; 32]).verify(b"connection", &signature).is_err());
    }
}
