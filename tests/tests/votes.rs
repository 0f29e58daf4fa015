//! Decisions between real nodes: proposed, voted on, proved, and checked offline; two nodes are down, one signs two votes.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use peerage_node::store::Store;
use peerage_protocol::consensus::electorate::Voter;
use peerage_protocol::consensus::item::DecisionItem;
use peerage_protocol::consensus::proposal::{Choice, ProposalId};
use peerage_protocol::consensus::vote::Vote;
use peerage_protocol::log::Lane;
use peerage_tests::client::{Client, Era};
use peerage_tests::log_node::LogNode;
use peerage_tests::mesh::{named, ticket};
use peerage_tests::messages::{crash, mesh};
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;
use serde_json::{Value, json};

/// Nodes that vote, one of them twice, unless the variable says otherwise.
const VOTERS: usize = 9;
const VOTERS_VARIABLE: &str = "PEERAGE_VOTERS";
/// Longer than anything here needs on a busy machine.
const SETTLE: Duration = Duration::from_secs(90);

fn how_many() -> usize {
    let asked = std::env::var(VOTERS_VARIABLE).ok();
    asked.map_or(VOTERS, |text| text.parse().unwrap())
}

async fn shown(node: &Peerage, id: &str) -> Option<Value> {
    let said = node.cli(&["proposal", id, "--json"]).await;
    (said.code == 0).then(|| said.json())
}

/// Waits until `node` shows the proposal as `fits` wants it.
async fn wait_shown(node: &Peerage, id: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let what = format!("{} shows {what}", node.ready().name);
    wait_until(&what, SETTLE, async || {
        shown(node, id).await.filter(|proposal| fits(proposal))
    })
    .await
}

fn is_decided(proposal: &Value) -> bool {
    proposal["state"] == "decided"
}

/// How many proofs stand in the log of a node.
async fn proofs_in_log(node: &Peerage) -> usize {
    let store = Store::open(&node.home().join("peerage.db")).unwrap();
    let (mut after, mut proofs) = (None, 0);
    loop {
        let page = store.lane_page(Lane::DECISIONS, after, 100).await.unwrap();
        if page.last == after {
            return proofs;
        }
        after = page.last;
        let items = page.entries.iter().flat_map(|entry| entry.items());
        let is_proof =
            |item: &_| matches!(DecisionItem::decode(item), Ok(DecisionItem::Decided(_)));
        proofs += items.filter(|item| is_proof(item)).count();
    }
}

async fn mesh_id(node: &Peerage) -> String {
    let status = node.cli(&["status", "--json"]).await.done().json();
    status["mesh"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_machines_decide_and_anybody_checks_it_without_a_node() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = mesh(folder.path(), &["desk", "laptop", "server"]).await;
    let coder = Client::connect_agent(&nodes[0], "coder").await;
    let mut reviewer = Client::connect_agent(&nodes[1], "reviewer").await;
    reviewer.subscribe("peerage://proposals").await;
    let proposed = wait_until("an electorate of three", SETTLE, async || {
        let asked = json!({"question": "Merge it?", "options": ["yes", "no"]});
        let proposed = coder.ask("consensus_propose", asked).await;
        (proposed["total"] == 3).then_some(proposed)
    })
    .await;
    let id = proposed["id"].as_str().unwrap().to_owned();
    reviewer
        .wait_for_update("peerage://proposals", SETTLE)
        .await;
    wait_shown(&nodes[1], &id, "the proposal", |_| true).await;
    let voted = json!({"proposal": &id[..8], "option": "yes"});
    let voted = reviewer.ask("consensus_vote", voted).await;
    assert_eq!(
        (&voted["state"], &voted["outstanding"]),
        (&json!("open"), &json!(2))
    );
    // The owner of the third machine votes on the command line.
    wait_shown(&nodes[2], &id, "the proposal", |_| true).await;
    nodes[2].cli(&["vote", &id, "yes"]).await.done();
    let again = nodes[2].cli(&["vote", &id, "no", "--as", "another"]).await;
    assert_eq!(again.code, 3, "{again:?}");
    assert!(again.stderr.contains("final"), "{again:?}");
    for node in &nodes {
        let decided = wait_shown(node, &id, "the decision", is_decided).await;
        assert_eq!(decided["outcome"], "yes");
    }
    let status = json!({"proposal": id, "wait_seconds": 30});
    let told = coder.ask("consensus_status", status).await;
    assert_eq!(told["proposals"][0]["outcome"], "yes");
    let read = coder.read(&format!("peerage://proposals/{id}")).await;
    assert_eq!(read["outcome"], "yes");

    let mesh = mesh_id(&nodes[0]).await;
    let file = folder.path().join("decision.proof");
    let file = file.to_str().unwrap();
    let written = nodes[1].cli(&["proposal", &id, "--proof", file]).await;
    assert!(written.done().stdout.contains("peerage verify"));
    // On a home where no node ever ran.
    let nowhere = folder.path().join("nowhere");
    let verify = ["verify", file, "--mesh", &mesh, "--json"];
    let verified = peerage_tests::cli::run(&nowhere, &verify).await.done();
    let verified = verified.json();
    assert_eq!(
        (&verified["outcome"], &verified["weight"]),
        (&json!("yes"), &json!(2))
    );
    assert_eq!(verified["by"], "coder@desk");
    println!(
        "a proof with two voters has {} bytes",
        std::fs::metadata(file).unwrap().len()
    );
    let other = "11111111111111111111111111111111";
    let refused = peerage_tests::cli::run(&nowhere, &["verify", file, "--mesh", other]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
    let refused = peerage_tests::cli::run(&nowhere, &verify).await;
    assert_eq!(refused.code, 1, "{refused:?}");
}

#[tokio::test]
async fn a_guest_of_the_machine_sees_and_does_not_vote() {
    let folder = tempfile::tempdir().unwrap();
    let desk = named(folder.path(), "desk").await;
    ticket(&desk).await;
    let proposed = desk
        .cli(&["propose", "Lunch?", "--json"])
        .await
        .done()
        .json();
    let id = proposed["id"].as_str().unwrap();
    let guest = Client::connect(&desk, Era::Modern).await;
    let seen = guest.ask("consensus_status", json!({})).await;
    assert_eq!(seen["proposals"][0]["id"], id);
    let vote = json!({"proposal": id, "option": "accepted"});
    let refused = guest.call("consensus_vote", vote).await.unwrap();
    assert_eq!(refused.is_error, Some(true));
    let desk = crash(desk).await.up().await;
    assert!(
        shown(&desk, id).await.is_some(),
        "it is there after a start"
    );
    desk.cli(&["vote", id, "rejected"]).await.done();
    let desk = crash(desk).await.up().await;
    let decided = shown(&desk, id).await.unwrap();
    assert_eq!(
        (&decided["state"], &decided["outcome"]),
        (&json!("decided"), &json!("rejected"))
    );
}

/// Signs and logs a vote for each of the first two outcomes, in its node's name.
async fn vote_twice(liar: &LogNode, id: &str) {
    let id: ProposalId = id.parse().unwrap();
    wait_until("the liar has heard", SETTLE, async || {
        liar.snapshots.proposals().borrow().get(&id).map(|_| ())
    })
    .await;
    let mesh = liar.snapshots.roster().unwrap().mesh;
    let key = ed25519_dalek::SigningKey::from_bytes(&[LIAR; 32]);
    for choice in [Choice(1), Choice::REJECTED] {
        let voter = Voter {
            node: liar.id,
            agent: None,
        };
        let vote = Vote::sign(mesh, id, voter, choice, &key);
        let item = DecisionItem::Voted(vote).encode();
        liar.append(Lane::DECISIONS, vec![item]).await.unwrap();
    }
}

const LIAR: u8 = 66;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_two_down_and_one_that_votes_twice_each_node_decides_once_and_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let count = how_many();
    assert!(
        count >= 9,
        "two are down, and a majority is left without the liar"
    );
    let mut nodes = vec![named(folder.path(), "founder").await];
    let uses = count.to_string();
    let invited = nodes[0].cli(&["invite", "--uses", &uses, "--json"]).await;
    let ticket = invited.done().json()["ticket"].as_str().unwrap().to_owned();
    for number in 1..count - 1 {
        let node = named(folder.path(), &format!("node-{number}")).await;
        node.cli(&["join", &ticket]).await.done();
        nodes.push(node);
    }
    let home = tempfile::tempdir().unwrap();
    let liar = LogNode::start(home.path(), LIAR).await;
    liar.join(&ticket, "liar").await;

    let began = Instant::now();
    let proposed = wait_until("all are in the electorate", SETTLE, async || {
        let proposed = nodes[0].cli(&["propose", "Release?", "--json"]).await;
        let proposed = proposed.done().json();
        (proposed["total"] == count).then_some(proposed)
    })
    .await;
    let id = proposed["id"].as_str().unwrap().to_owned();
    let needed = usize::try_from(proposed["needed"].as_u64().unwrap()).unwrap();
    let down = nodes.split_off(nodes.len() - 2);
    let mut off = Vec::new();
    for node in down {
        off.push(crash(node).await);
    }
    vote_twice(&liar, &id).await;
    for node in &nodes {
        let double = |proposal: &Value| proposal["double_votes"][0]["voter"] == "liar";
        wait_shown(node, &id, "who voted twice", double).await;
    }
    let (last, early) = nodes[..needed].split_last().unwrap();
    for node in early {
        node.cli(&["vote", &id, "accepted"]).await.done();
    }
    let all_but_one = |proposal: &Value| proposal["options"][1]["weight"] == needed - 1;
    for node in &nodes {
        let proposal = wait_shown(node, &id, "all votes but one", all_but_one).await;
        assert_eq!(
            proposal["state"], "open",
            "the liar's vote would have sufficed"
        );
    }
    let at = Instant::now();
    last.cli(&["vote", &id, "accepted"]).await.done();
    let decided = nodes
        .iter()
        .map(|node| wait_shown(node, &id, "the decision", is_decided));
    let decided = join_all(decided).await;
    println!(
        "{} nodes knew the decision {:?} after the last vote was given, {:?} after the proposal",
        nodes.len(),
        at.elapsed(),
        began.elapsed()
    );
    for one in off {
        nodes.push(one.up().await);
    }
    let back = nodes[nodes.len() - 2..].iter();
    let back = join_all(back.map(|node| wait_shown(node, &id, "the decision", is_decided))).await;
    for proposal in decided.iter().chain(&back) {
        assert_eq!(proposal["outcome"], "accepted");
    }

    let mesh = mesh_id(&nodes[0]).await;
    let mut sizes = BTreeSet::new();
    for node in &nodes {
        let double = |proposal: &Value| proposal["double_votes"][0]["voter"] == "liar";
        wait_shown(node, &id, "who voted twice", double).await;
        wait_until("one proof is in the log", SETTLE, async || {
            (proofs_in_log(node).await == 1).then_some(())
        })
        .await;
        let file = folder.path().join(format!("{}.proof", node.ready().name));
        let file = file.to_str().unwrap();
        node.cli(&["proposal", &id, "--proof", file]).await.done();
        let nowhere = folder.path().join("nowhere");
        let verify = ["verify", file, "--mesh", &mesh, "--json"];
        let verified = peerage_tests::cli::run(&nowhere, &verify).await.done();
        assert_eq!(verified.json()["outcome"], "accepted");
        sizes.insert(std::fs::metadata(file).unwrap().len());
    }
    println!("proofs of {needed} votes have {sizes:?} bytes");
    liar.stop().await;
}

/// Votes of agents on all nodes at once: how long it takes from asking to everybody's knowing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_know_a_decision_soon_after_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::env::var(VOTERS_VARIABLE).map_or(3, |text| text.parse().unwrap());
    let mut nodes = vec![named(folder.path(), "founder").await];
    let uses = count.to_string();
    let invited = nodes[0].cli(&["invite", "--uses", &uses, "--json"]).await;
    let ticket = invited.done().json()["ticket"].as_str().unwrap().to_owned();
    for number in 1..count {
        let node = named(folder.path(), &format!("node-{number}")).await;
        node.cli(&["join", &ticket]).await.done();
        nodes.push(node);
    }
    let mut agents = Vec::new();
    for node in &nodes {
        agents.push(Client::connect_agent(node, "voter").await);
    }
    let mut took = Vec::new();
    while took.len() < 5 {
        let began = Instant::now();
        let question = json!({"question": "Ready?"});
        let proposed = agents[0].ask("consensus_propose", question).await;
        if proposed["total"] != count {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(began.elapsed() < SETTLE);
            continue;
        }
        let id = proposed["id"].as_str().unwrap();
        let voted = agents.iter().map(async |agent| {
            wait_until("the vote is taken", SETTLE, async || {
                let vote = json!({"proposal": id, "option": "accepted"});
                let voted = agent.call("consensus_vote", vote).await.unwrap();
                (voted.is_error != Some(true)).then_some(())
            })
            .await;
            let status = json!({"proposal": id, "wait_seconds": 50});
            let told = agent.ask("consensus_status", status).await;
            assert_eq!(told["proposals"][0]["state"], "decided");
        });
        join_all(voted).await;
        took.push(began.elapsed());
    }
    took.sort();
    println!(
        "{count} nodes: asked, voted and known to all in {:?} (median of 5: {took:?})",
        took[2]
    );
}
