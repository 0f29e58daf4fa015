//! No crash loses a message that was acknowledged to its sender, and a night away loses none either.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use futures::future::join_all;
use peerage_tests::client::Client;
use peerage_tests::messages::{DELIVERED, crash, ids, inbox, kept, mesh, send, texts, wait_kept};
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;
use serde_json::{Value, json};

/// A small generator (xorshift): the seed is printed, and taken from `PEERAGE_SEED` where it is set.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let given = std::env::var("PEERAGE_SEED").ok();
        let seed = given.and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) | 1);
        println!("PEERAGE_SEED={seed}");
        let mut random = Self(seed);
        // The first draws of a small seed are much alike.
        (0..32).for_each(|_| _ = random.below(2));
        random
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

const NAMES: [&str; 3] = ["one", "two", "three"];
const STEPS: usize = 60;

/// A node with the agent `worker`.
struct Worker {
    node: Peerage,
    agent: Client,
}

impl Worker {
    async fn at(node: Peerage) -> Self {
        let agent = Client::connect_agent(&node, "worker").await;
        Self { node, agent }
    }

    /// Its id, where the node took the message.
    async fn say(&self, to: Option<usize>, text: &str) -> Option<String> {
        let (tool, arguments) = match to {
            Some(to) => {
                let to = format!("worker@{}", NAMES[to]);
                ("message_send", json!({"to": to, "text": text}))
            }
            None => ("message_broadcast", json!({"text": text})),
        };
        let said = self.agent.call(tool, arguments).await.ok()?;
        let said = said
            .structured_content
            .filter(|_| said.is_error != Some(true))?;
        Some(said["id"].as_str()?.to_owned())
    }
}

#[tokio::test]
async fn every_acknowledged_message_is_there_once_and_in_order_though_each_node_is_killed_at_random()
 {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new();
    let mut workers = Vec::new();
    for node in mesh(folder.path(), &NAMES).await {
        workers.push(Worker::at(node).await);
    }
    for (from, worker) in workers.iter().enumerate() {
        for to in (0..3).filter(|to| *to != from) {
            send(&worker.agent, &format!("worker@{}", NAMES[to]), "0000").await;
        }
    }
    let mut promised: [BTreeSet<String>; 3] = Default::default();
    let (mut killed, mut victims) = ([0; 3], (0..3).cycle());
    for step in 1..=STEPS {
        let from = random.below(3);
        let to = [Some((from + 1) % 3), Some((from + 2) % 3), None][random.below(3)];
        let text = format!("{step:04}");
        let victim = if random.below(4) == 0 {
            victims.next()
        } else {
            None
        };
        let said = match victim {
            None => workers[from].say(to, &text).await,
            Some(victim) => {
                killed[victim] += 1;
                let pause = std::time::Duration::from_millis(random.below(30) as u64);
                let pid = workers[victim].node.pid();
                let killing = async {
                    tokio::time::sleep(pause).await;
                    kill(pid);
                };
                let (said, ()) = tokio::join!(workers[from].say(to, &text), killing);
                let Worker { node, .. } = workers.remove(victim);
                let node = crash(node).await.up().await;
                workers.insert(victim, Worker::at(node).await);
                said
            }
        };
        if let Some(id) = said {
            for reader in
                (0..3).filter(|reader| *reader != from && to.is_none_or(|to| to == *reader))
            {
                promised[reader].insert(id.clone());
            }
        }
    }
    println!(
        "killed {killed:?}, promised {:?}",
        promised.each_ref().map(BTreeSet::len)
    );
    for (worker, promised) in workers.iter().zip(&promised) {
        let waiting = wait_until("every promised message waits", DELIVERED, async || {
            let waiting = inbox(&worker.agent).await;
            let here: BTreeSet<&str> = ids(&waiting).into_iter().collect();
            let all = promised.iter().all(|id| here.contains(id.as_str()));
            all.then_some(waiting)
        })
        .await;
        check_order(&waiting);
        assert_eq!(ids(&inbox(&worker.agent).await), ids(&waiting));
    }
}

/// Every message once, and those of each sender in the order in which it sent them.
fn check_order(waiting: &[Value]) {
    let distinct: BTreeSet<&str> = ids(waiting).into_iter().collect();
    assert_eq!(distinct.len(), waiting.len(), "an id twice: {waiting:?}");
    for name in NAMES {
        let from = format!("worker@{name}");
        let of_it = waiting.iter().filter(|one| one["from"] == from.as_str());
        let of_it: Vec<Value> = of_it.cloned().collect();
        let texts = texts(&of_it);
        assert!(
            texts.is_sorted() && texts.windows(2).all(|two| two[0] != two[1]),
            "{texts:?}"
        );
    }
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // It may have ended by itself.
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

const SENDERS: [&str; 5] = ["a", "b", "c", "d", "e"];
const EACH: usize = 200;

#[tokio::test]
async fn a_thousand_messages_of_five_senders_two_of_which_go_off_are_there_in_the_morning() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<&str> = SENDERS.iter().copied().chain(["sleeper"]).collect();
    let mut nodes = mesh(folder.path(), &names).await;
    let sleeper = nodes.pop().unwrap();
    let mut agents = Vec::new();
    for node in &nodes {
        let agent = Client::connect_agent(node, "worker").await;
        send(&agent, "reader@sleeper", "hello").await;
        wait_kept(node, "sleeper", &SENDERS, 0).await;
        agents.push(agent);
    }
    let sleeper = crash(sleeper).await;
    let sending = agents.iter().map(async |agent| {
        for number in 0..EACH {
            send(agent, "reader@sleeper", &format!("{number:04}")).await;
        }
    });
    join_all(sending).await;
    let (leaving, staying) = nodes.split_at(2);
    let (leaving_names, mut mailbox) = (&SENDERS[..2], None);
    for node in staying {
        let others: usize = kept(node, "sleeper").await.len();
        if others > 1 {
            mailbox = Some(node);
        }
    }
    // Three mailboxes among five senders: at least one of them stays.
    let mailbox = mailbox.unwrap();
    wait_kept(mailbox, "sleeper", leaving_names, EACH).await;
    drop(agents);
    for node in leaving {
        kill(node.pid());
    }
    let sleeper = sleeper.up().await;
    let reader = Client::connect_agent(&sleeper, "reader").await;
    let mut read: Vec<Value> = Vec::new();
    while read.len() < SENDERS.len() * (EACH + 1) {
        let waiting = wait_until("more messages come", DELIVERED, async || {
            Some(inbox(&reader).await).filter(|waiting| !waiting.is_empty())
        });
        let waiting = waiting.await;
        let done = reader.ask("message_acknowledge", json!({"ids": ids(&waiting)}));
        assert_eq!(done.await["unknown"], json!([]));
        read.extend(waiting);
    }
    let distinct: BTreeSet<&str> = ids(&read).into_iter().collect();
    assert_eq!(distinct.len(), SENDERS.len() * (EACH + 1));
    for name in SENDERS {
        let from = format!("worker@{name}");
        let of_it = read.iter().filter(|one| one["from"] == from.as_str());
        let of_it: Vec<Value> = of_it.cloned().collect();
        assert!(
            texts(&of_it)[1..].is_sorted(),
            "in the order in which {name} sent them"
        );
    }
    for node in staying {
        wait_kept(node, "sleeper", &SENDERS, 0).await;
    }
}
