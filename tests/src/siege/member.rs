//! A member that gossips noise and asks large questions that it never ends.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures::AsyncWriteExt;
use futures::future::join_all;
use peerage_node::net::CallSubstream;
use peerage_protocol::membership::ticket::Ticket;
use tokio::time::{sleep, timeout};

use super::Target;
use crate::inside::{Inside, Transport};

/// The seed of its key.
const KEY: u8 = 77;
/// Questions that are held unended by each of those that ask.
const HELD: usize = 64;
/// Those that ask.
const ASKING: usize = 4;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of one gossip message.
const GOSSIP_BYTES: usize = 30 * 1024;
/// Bytes of a question: just short of what its header says.
const QUESTION_BYTES: usize = 15 * 1024 * 1024;

/// Joins, then floods until `end`.
pub(super) async fn flood(target: &Target, end: Instant) -> u64 {
    let member = Inside::start(KEY, Transport::Quic, Vec::new()).await;
    let ticket = target.ticket.as_deref().expect("a ticket for the member");
    let ticket = Ticket::from_text(ticket).expect("a ticket");
    let name = "flooder".parse().expect("a name");
    member
        .membership
        .join(ticket, name)
        .await
        .expect("it joins");
    let asking = (0..ASKING).map(|_| ask(&member, target, end));
    let (told, asked) = tokio::join!(gossip(&member, end), join_all(asking));
    told + asked.iter().sum::<u64>()
}

/// Tells everybody nothing, each time something else.
async fn gossip(member: &Inside, end: Instant) -> u64 {
    let mut told = 0_u64;
    while Instant::now() < end {
        let mut message = vec![0; GOSSIP_BYTES];
        message[..8].copy_from_slice(&told.to_be_bytes());
        if member.network.publish(message).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
        told += 1;
    }
    told
}

/// Asks and never ends, many times.
async fn ask(member: &Inside, target: &Target, end: Instant) -> u64 {
    let (mut held, mut asked) = (VecDeque::new(), 0);
    while Instant::now() < end {
        asked += 1;
        match timeout(PATIENCE, member.network.open(target.node)).await {
            Ok(Ok(mut substream)) => {
                // Whether it is read, refused or cut off does not matter.
                let _ = timeout(PATIENCE, say_much(&mut substream)).await;
                held.push_back(substream);
            }
            _ => sleep(Duration::from_millis(10)).await,
        }
        if held.len() > HELD {
            held.pop_front();
        }
    }
    asked
}

/// A frame of params that never ends.
async fn say_much(substream: &mut CallSubstream) -> std::io::Result<()> {
    let mut header = vec![peerage_protocol::wire::frame::FrameKind::Params.code()];
    header.extend((QUESTION_BYTES as u32 + 1).to_be_bytes());
    substream.write_all(&header).await?;
    let part = vec![0; 64 * 1024];
    for _ in 0..QUESTION_BYTES / part.len() {
        substream.write_all(&part).await?;
    }
    substream.flush().await
}
