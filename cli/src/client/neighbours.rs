//! Asks the private networks of this machine for a node whose endpoint others may use.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use peerage_node::config::http_addresses::HttpAddresses;
use peerage_node::discovery::lan::private_hosts;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Time between two questions: a network hears a hundred a second.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// How long one neighbour may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 4 * 1024;

/// The URL of the first that answers as a node, or why there is none.
pub(super) async fn find() -> Result<String, String> {
    let hosts = private_hosts();
    let count = hosts.len();
    let addresses = hosts
        .into_iter()
        .map(|host: Ipv4Addr| SocketAddr::from((host, HttpAddresses::PORT)));
    let found = first_node(addresses.collect()).await;
    found.ok_or_else(|| format!("no node answered at {count} addresses of private networks"))
}

async fn first_node(addresses: Vec<SocketAddr>) -> Option<String> {
    let mut asked = JoinSet::new();
    let mut ticks = interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut waiting = addresses.into_iter();
    let mut next = waiting.next();
    // Those that are still asked end with the set.
    loop {
        tokio::select! {
            _ = ticks.tick(), if next.is_some() => {
                if let Some(address) = next {
                    asked.spawn(timeout(ANSWER_WITHIN, ask(address)));
                    next = waiting.next();
                }
            }
            Some(answer) = asked.join_next(), if !asked.is_empty() => {
                if let Ok(Ok(Some(url))) = answer {
                    return Some(url);
                }
            }
            else => return None,
        }
    }
}

/// The URL of the endpoint at `address`, if a node is there that goes by it.
async fn ask(address: SocketAddr) -> Option<String> {
    let mut neighbour = TcpStream::connect(address).await.ok()?;
    let question =
        format!("GET /mcp/health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    neighbour.write_all(question.as_bytes()).await.ok()?;
    let mut answer = String::new();
    let mut bounded = neighbour.take(ANSWER_BYTES_MAX);
    bounded.read_to_string(&mut answer).await.ok()?;
    is_node(&answer).then(|| format!("http://{address}/mcp"))
}

fn is_node(answer: &str) -> bool {
    /// A count of links tells a node from every other service that is well.
    #[derive(Deserialize)]
    struct Health {
        status: String,
        #[serde(rename = "connections")]
        _connections: u64,
    }
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let health: Option<Health> = serde_json::from_str(body).ok();
    head.starts_with("HTTP/1.1 200") && health.is_some_and(|health| health.status == "ok")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::net::TcpListener;

    use super::*;

    async fn answers(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut asker, _) = listener.accept().await.unwrap();
            let mut question = [0; 256];
            let _ = asker.read(&mut question).await.unwrap();
            asker.write_all(answer.as_bytes()).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn only_what_answers_as_a_node_is_one() {
        let other = answers("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ok\"}").await;
        assert_eq!(first_node(vec![other]).await, None);
        let other = answers("HTTP/1.1 403 No\r\n\r\n{}").await;
        let node = answers("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ok\",\"connections\":2}").await;
        assert_eq!(
            first_node(vec![other, node]).await,
            Some(format!("http://{node}/mcp"))
        );
        assert_eq!(first_node(Vec::new()).await, None);
    }
}
