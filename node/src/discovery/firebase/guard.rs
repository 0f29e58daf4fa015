//! The only way of an errand into the network: a proxy on loopback that leads to one place, and counts what comes back.
//!
//! Speaks `CONNECT` alone (RFC 9110, 9.3.6). What passes is TLS between the errand and the database. A redirect to
//! another host, or out of TLS, ends here, and the token that it would have carried with it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use std::{io, str};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::ANSWER_BYTES_MAX;
use super::fault::Fault;

/// Connections of one errand at a time: it makes one after the other.
const CONNECTIONS_MAX: usize = 4;

/// How long the way to the database may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Bytes of a request to this proxy.
const HEAD_BYTES_MAX: usize = 4 * 1024;

/// Bytes that are carried at a time.
const PORTION_BYTES: usize = 16 * 1024;

/// A guard of one errand.
pub(super) struct Guard {
    listener: TcpListener,
    authority: String,
    came: AtomicU64,
    elsewhere: AtomicBool,
}

impl Guard {
    /// One that leads to `authority` (`HOST:PORT`), on any free port.
    pub(super) async fn open(authority: String) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
            authority,
            came: AtomicU64::new(0),
            elsewhere: AtomicBool::new(false),
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What the errand cannot know of its own failure.
    pub(super) fn fault(&self) -> Option<Fault> {
        if self.elsewhere.load(Ordering::Relaxed) {
            return Some(Fault::Elsewhere);
        }
        let too_much = self.came.load(Ordering::Relaxed) > ANSWER_BYTES_MAX;
        too_much.then_some(Fault::TooMuch {
            limit: ANSWER_BYTES_MAX,
        })
    }

    /// Serves until it is dropped, and everything under way with it.
    pub(super) async fn serve(&self) {
        let mut relays = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if relays.len() < CONNECTIONS_MAX => {
                    match accepted {
                        Ok((errand, _)) => relays.push(self.relay(errand)),
                        // Out of files, perhaps: the errand fails in its own time.
                        Err(_) => tokio::time::sleep(CONNECT_WITHIN).await,
                    }
                }
                Some(_) = relays.next(), if !relays.is_empty() => {}
            }
        }
    }

    async fn relay(&self, mut errand: TcpStream) -> io::Result<()> {
        let head = timeout(CONNECT_WITHIN, read_head(&mut errand)).await??;
        if !asks_for(&head, &self.authority) {
            self.elsewhere.store(true, Ordering::Relaxed);
            return errand
                .write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                .await;
        }
        let way = TcpStream::connect(&self.authority);
        let mut database = timeout(CONNECT_WITHIN, way).await??;
        errand.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        let (mut from_errand, mut to_errand) = errand.split();
        let (mut from_database, mut to_database) = database.split();
        let there = copy(&mut from_errand, &mut to_database);
        let back = async {
            let mut portion = vec![0; PORTION_BYTES];
            loop {
                let count = from_database.read(&mut portion).await?;
                let came = self.came.fetch_add(count as u64, Ordering::Relaxed);
                if count == 0 || came + count as u64 > ANSWER_BYTES_MAX {
                    return Ok::<(), io::Error>(());
                }
                to_errand.write_all(&portion[..count]).await?;
            }
        };
        tokio::select! {
            there = there => there.map(drop),
            back = back => back,
        }
    }
}

/// Everything up to the empty line.
async fn read_head(errand: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(errand.read_u8().await?);
    }
    Ok(head)
}

fn asks_for(head: &[u8], authority: &str) -> bool {
    let line = head.split(|byte| *byte == b'\r').next();
    let line = line.and_then(|line| str::from_utf8(line).ok());
    let mut words = line.unwrap_or_default().split(' ');
    words.next() == Some("CONNECT")
        && words
            .next()
            .is_some_and(|asked| asked.eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// What the guard of `authority` answers to this, and what it says of it.
    async fn answer(authority: String, request: &str) -> (Vec<u8>, Option<Fault>) {
        let guard = Guard::open(authority).await.unwrap();
        let asked = async {
            let mut errand = TcpStream::connect(guard.address().unwrap()).await.unwrap();
            errand.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // The end may be a reset: what came before it is the answer.
            let _ = errand.read_to_end(&mut answer).await;
            answer
        };
        tokio::select! {
            answer = asked => (answer, guard.fault()),
            () = guard.serve() => unreachable!("it serves for ever"),
        }
    }

    #[tokio::test]
    async fn it_leads_to_the_one_database_and_ends_an_answer_without_end() {
        let database = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = database.local_addr().unwrap().to_string();
        let flood = tokio::spawn(async move {
            let (mut errand, _) = database.accept().await.unwrap();
            let portion = vec![7; 1024 * 1024];
            while errand.write_all(&portion).await.is_ok() {}
        });
        let request = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n\r\n");
        let (came, fault) = answer(authority, &request).await;
        assert!(came.starts_with(b"HTTP/1.1 200 OK\r\n\r\n\x07"));
        assert!(
            came.len() as u64 <= ANSWER_BYTES_MAX + 100,
            "{}",
            came.len()
        );
        let limit = ANSWER_BYTES_MAX;
        assert_eq!(fault, Some(Fault::TooMuch { limit }));
        flood.await.unwrap();
    }

    #[tokio::test]
    async fn it_leads_nowhere_else() {
        for request in [
            "CONNECT other.example:443 HTTP/1.1\r\n\r\n",
            "CONNECT database.example:80 HTTP/1.1\r\n\r\n",
            "GET http://database.example:443/x.json?auth=secret HTTP/1.1\r\n\r\n",
        ] {
            let (came, fault) = answer("database.example:443".to_owned(), request).await;
            assert!(came.starts_with(b"HTTP/1.1 403"), "{request}");
            assert_eq!(fault, Some(Fault::Elsewhere), "{request}");
        }
    }
}
