//! Links that come and go by the thousand leave nothing behind. In a process of its own: what others of its tests take
//! would be counted.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "net/world.rs"]
mod world;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use peerage_node::net::NetworkEvent;

use world::{Mesh, Node, Via};

/// How often a link comes and goes, unless the variable says otherwise.
const CHURNS: usize = 1_000;
const CHURNS_VARIABLE: &str = "PEERAGE_CHURNS";
/// Links after which everything is as large as it gets.
const WARM: usize = 500;
/// Members that come and go at the same time.
const DIALERS: u8 = 10;
/// How long a link that was cut may stand before it is cut again.
const CUT_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// What the process may grow by after that: pages that the allocator keeps, nothing for each link.
const GROWTH_MAX_KIB: u64 = 16 * 1024;

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().split_whitespace().next();
    number.unwrap().parse().unwrap()
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Dials until a link stands: on a busy machine a handshake may come too late.
async fn link_up(node: &mut Node, listener: &Node) {
    loop {
        node.dial(listener).await;
        let linked = node.event(|event| match event {
            NetworkEvent::LinkUp { .. } => Some(true),
            NetworkEvent::DialFailed { .. } => Some(false),
            _ => None,
        });
        if linked.await {
            return;
        }
    }
}

/// Cuts until the link ends: what came up may be of an earlier dial, by the table of the mesh, and this one still under
/// way.
async fn cut(node: &mut Node, listener: &Node) {
    loop {
        node.network.disconnect(listener.id).await;
        let down = node.event(|event| match event {
            NetworkEvent::LinkDown { node, .. } => Some(node),
            _ => None,
        });
        if tokio::time::timeout(CUT_AGAIN_AFTER, down).await.is_ok() {
            return;
        }
    }
}

/// Links to `listener` and cuts the link, so many times.
async fn come_and_go(mut dialer: Node, listener: Arc<Node>, times: usize) -> Node {
    for _ in 0..times {
        link_up(&mut dialer, &listener).await;
        cut(&mut dialer, &listener).await;
    }
    dialer
}

/// All dialers at once, so many times each, until the listener has no link any more.
async fn all_come_and_go(dialers: Vec<Node>, listener: &Arc<Node>, times: usize) -> Vec<Node> {
    let tasks = dialers
        .into_iter()
        .map(|dialer| tokio::spawn(come_and_go(dialer, listener.clone(), times)));
    let dialers = join_all(tasks).await.into_iter().map(Result::unwrap);
    let dialers = dialers.collect();
    while !listener.network.links().nodes().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    dialers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_come_and_go_leave_memory_and_files_as_they_were() {
    let asked = std::env::var(CHURNS_VARIABLE).ok();
    let churns = asked.map_or(CHURNS, |text| text.parse().unwrap());
    let mesh = Mesh::new(100);
    let listener = Arc::new(Node::member(&mesh, 2, Via::Memory).await);
    let mut dialers = Vec::new();
    for number in 0..DIALERS {
        dialers.push(Node::member(&mesh, 10 + number, Via::Memory).await);
    }
    let each = |links: usize| links / usize::from(DIALERS);
    let dialers = all_come_and_go(dialers, &listener, each(WARM)).await;
    let (resident, files) = (resident_kib(), open_files());
    let dialers = all_come_and_go(dialers, &listener, each(churns)).await;
    let (now, files_now) = (resident_kib(), open_files());
    println!("{churns} links; resident {resident} to {now} KiB, files {files} to {files_now}");
    assert!(now < resident + GROWTH_MAX_KIB, "{resident} to {now} KiB");
    assert!(files_now <= files + 8, "{files} to {files_now} files");
    drop(dialers);
}
