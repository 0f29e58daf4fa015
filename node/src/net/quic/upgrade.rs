//! From the first packets to a secure channel, within a place at the door.

use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::{PeerId, tls};
use quinn::Connecting;
use quinn::rustls::pki_types::CertificateDer;

use super::config::widen;
use super::connection::Connection;
use super::error::{HANDSHAKE_DEADLINE, QuicError};
use crate::net::credit::{Arrival, Credit};
use crate::net::door::{Door, Place, Standing};

/// A connection on its way to be a secure channel.
pub(crate) type Upgrade = BoxFuture<'static, Result<(PeerId, Arrival), QuicError>>;

/// What one connection may bring.
pub(crate) struct Windows {
    connection: quinn::Connection,
    door: Door,
    standing: Stands,
}

/// Filled once the other end is known to be a member; kept as long as the connection.
pub(super) type Stands = Arc<OnceLock<Standing>>;

impl Windows {
    /// As much as a member's.
    pub(crate) fn open(&self) {
        widen(&self.connection);
        let remote = self.connection.remote_address();
        self.standing.get_or_init(|| self.door.stands(remote));
    }
}

/// Waits for the secure channel; an arrival holds its place meanwhile.
pub(super) fn upgrade(connecting: Connecting, place: Option<Place>, door: Door) -> Upgrade {
    Box::pin(async move {
        let Some(mut place) = place else {
            return Ok(arrival(channel(connecting).await?, None, door));
        };
        match place.within(channel(connecting)).await {
            Some(Ok(channel)) => Ok(arrival(channel, Some(place), door)),
            Some(Err(error)) => {
                place.offended(error.offence());
                Err(error)
            }
            None => Err(QuicError::Dawdled),
        }
    })
}

async fn channel(connecting: Connecting) -> Result<(PeerId, quinn::Connection), QuicError> {
    let connection = tokio::time::timeout(HANDSHAKE_DEADLINE, connecting)
        .await
        .map_err(|_| QuicError::Deadline)??;
    let peer = peer_of(&connection).ok_or(QuicError::NoIdentity)?;
    Ok((peer, connection))
}

fn arrival(
    (peer, connection): (PeerId, quinn::Connection),
    place: Option<Place>,
    door: Door,
) -> (PeerId, Arrival) {
    let standing = Stands::default();
    let muxer = Connection::new(connection.clone(), standing.clone());
    let windows = Windows {
        connection,
        door,
        standing,
    };
    let arrival = Arrival {
        credit: Credit::Windows(windows),
        muxer: StreamMuxerBox::new(muxer),
        place,
    };
    (peer, arrival)
}

/// Who the other end has proved to be.
fn peer_of(connection: &quinn::Connection) -> Option<PeerId> {
    let chain = connection.peer_identity()?;
    let chain = chain.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    let certificate = tls::certificate::parse(chain.first()?).ok()?;
    Some(certificate.peer_id())
}
