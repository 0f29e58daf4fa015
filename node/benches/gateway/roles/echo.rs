//! The raw QUIC echo: what one fresh stream costs without libp2p and without a node.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, Endpoint, ServerConfig};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::process::say_ready;

/// The name in the echo's certificate.
const NAME: &str = "localhost";
/// Answers larger than this are not asked of the echo.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Echoes every stream on a free port of loopback; the ready line is `address certificate`.
pub async fn run() -> io::Result<()> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).map_err(io::Error::other)?;
    let key = PrivatePkcs8KeyDer::from(made.key_pair.serialize_der());
    let certificate = made.cert.der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .map_err(io::Error::other)?;
    let tls = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let endpoint = Endpoint::server(ServerConfig::with_crypto(Arc::new(tls)), loopback())?;
    let address = endpoint.local_addr()?;
    say_ready(&format!("{address} {}", HEXLOWER.encode(&certificate)))?;
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else {
                return;
            };
            while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                tokio::spawn(async move {
                    if let Ok(message) = receive.read_to_end(MESSAGE_BYTES_MAX).await {
                        // Whoever resets the stream wants no echo.
                        let _ = send.write_all(&message).await;
                        let _ = send.finish();
                    }
                });
            }
        });
    }
    Ok(())
}

/// A connection to the echo that said `ready`.
pub async fn connect(ready: &str) -> io::Result<Connection> {
    let unreadable = || io::Error::other("the echo said something else");
    let (address, certificate) = ready.split_once(' ').ok_or_else(unreadable)?;
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let certificate = HEXLOWER
        .decode(certificate.as_bytes())
        .map_err(io::Error::other)?;
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from(certificate))
        .map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = QuicClientConfig::try_from(tls).map_err(io::Error::other)?;
    let mut endpoint = Endpoint::client(loopback())?;
    endpoint.set_default_client_config(ClientConfig::new(Arc::new(tls)));
    let connecting = endpoint.connect(address, NAME).map_err(io::Error::other)?;
    connecting.await.map_err(io::Error::other)
}

/// Sends `message` on a fresh stream and waits for all of it to come back.
pub async fn echo(connection: &Connection, message: &[u8]) -> io::Result<usize> {
    let (mut send, mut receive) = connection.open_bi().await?;
    send.write_all(message).await?;
    send.finish()?;
    let echoed = receive.read_to_end(MESSAGE_BYTES_MAX).await;
    echoed.map(|echoed| echoed.len()).map_err(io::Error::other)
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}
