//! Links that come and go by the thousand leave nothing behind.

use std::fs;

use peerage_node::net::NetworkEvent;
use peerage_protocol::id::NodeId;

use crate::world::{Mesh, Node, Via};

/// How often a link comes and goes, unless the variable says otherwise.
const CHURNS: usize = 1_500;
const CHURNS_VARIABLE: &str = "PEERAGE_CHURNS";
/// Links after which everything is as large as it gets.
const WARM: usize = 500;
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

async fn link_up(node: &mut Node) -> NodeId {
    node.event(|event| match event {
        NetworkEvent::LinkUp { node, .. } => Some(node),
        _ => None,
    })
    .await
}

async fn link_down(node: &mut Node) -> NodeId {
    node.event(|event| match event {
        NetworkEvent::LinkDown { node, .. } => Some(node),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_come_and_go_leave_memory_and_files_as_they_were() {
    let asked = std::env::var(CHURNS_VARIABLE).ok();
    let churns = asked.map_or(CHURNS, |text| text.parse().unwrap());
    let mesh = Mesh::new(100);
    let mut listener = Node::member(&mesh, 2, Via::Memory).await;
    let mut dialer = Node::member(&mesh, 1, Via::Memory).await;
    let mut warm = (0, 0);
    for churn in 0..churns {
        if churn == WARM {
            warm = (resident_kib(), open_files());
        }
        dialer.dial(&listener).await;
        link_up(&mut dialer).await;
        link_up(&mut listener).await;
        dialer.network.disconnect(listener.id).await;
        link_down(&mut dialer).await;
        link_down(&mut listener).await;
    }
    let (resident, files) = (resident_kib(), open_files());
    println!(
        "{churns} links; resident {} to {resident} KiB, files {} to {files}",
        warm.0, warm.1
    );
    assert!(
        resident < warm.0 + GROWTH_MAX_KIB,
        "{} to {resident} KiB",
        warm.0
    );
    assert!(files <= warm.1 + 8, "{} to {files} files", warm.1);
}
