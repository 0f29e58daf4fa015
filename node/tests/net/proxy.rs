//! A wire between two nodes that can be cut without either being told: what a killed machine looks like.

use std::net::SocketAddr;
use std::sync::Arc;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;

pub struct Wire {
    pub address: Multiaddr,
    cut: watch::Sender<bool>,
}

impl Wire {
    /// A wire to `target`; must be a QUIC or TCP address on loopback.
    pub async fn to(target: &Multiaddr) -> Self {
        let (cut, is_cut) = watch::channel(false);
        let mut parts = target.iter().skip(1);
        let address = match parts.next() {
            Some(Protocol::Udp(port)) => {
                let port = udp(SocketAddr::from(([127, 0, 0, 1], port)), is_cut).await;
                format!("/ip4/127.0.0.1/udp/{port}/quic-v1")
            }
            Some(Protocol::Tcp(port)) => {
                let port = tcp(SocketAddr::from(([127, 0, 0, 1], port)), is_cut).await;
                format!("/ip4/127.0.0.1/tcp/{port}")
            }
            other => panic!("{other:?}"),
        };
        Self {
            address: address.parse().unwrap(),
            cut,
        }
    }

    pub fn cut(&self) {
        self.cut.send_replace(true);
    }
}

async fn udp(target: SocketAddr, is_cut: watch::Receiver<bool>) -> u16 {
    let inside = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let outside = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    outside.connect(target).await.unwrap();
    let port = inside.local_addr().unwrap().port();
    let (client, known_client) = watch::channel(None);
    let (from, to, open) = (inside.clone(), outside.clone(), is_cut.clone());
    tokio::spawn(async move {
        let mut packet = [0; 65_536];
        while let Ok((length, sender)) = from.recv_from(&mut packet).await {
            client.send_replace(Some(sender));
            if !*open.borrow() {
                let _ = to.send(&packet[..length]).await;
            }
        }
    });
    tokio::spawn(async move {
        let mut packet = [0; 65_536];
        while let Ok(length) = outside.recv(&mut packet).await {
            let client = *known_client.borrow();
            if let Some(client) = client.filter(|_| !*is_cut.borrow()) {
                let _ = inside.send_to(&packet[..length], client).await;
            }
        }
    });
    port
}

async fn tcp(target: SocketAddr, is_cut: watch::Receiver<bool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((inside, _)) = listener.accept().await {
            let outside = TcpStream::connect(target).await.unwrap();
            let (inside_read, inside_write) = inside.into_split();
            let (outside_read, outside_write) = outside.into_split();
            tokio::spawn(pump(inside_read, outside_write, is_cut.clone()));
            tokio::spawn(pump(outside_read, inside_write, is_cut.clone()));
        }
    });
    port
}

/// Carries bytes until the wire is cut, then reads none and keeps both ends open.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    is_cut: watch::Receiver<bool>,
) {
    tokio::select! {
        () = cut(is_cut) => std::future::pending().await,
        _ = tokio::io::copy(&mut from, &mut to) => {}
    }
}

async fn cut(mut is_cut: watch::Receiver<bool>) {
    let _ = is_cut.wait_for(|cut| *cut).await;
}
