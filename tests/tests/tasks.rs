//! Agents on several real nodes share tasks: one holder at a time, one completion, whoever is killed.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use peerage_tests::client::{Client, Era, text_of};
use peerage_tests::messages::{crash, mesh};
use peerage_tests::wait::wait_until;
use rmcp::model::CallToolResult;
use serde_json::{Value, json};

/// Longer than anything here needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn failed(result: &CallToolResult) -> bool {
    result.is_error == Some(true)
}

/// Calls a tool until it does not fail, and gives what it says.
async fn until_done(agent: &Client, tool: &str, arguments: Value) -> Value {
    wait_until(&format!("{tool} is done"), PATIENCE, async || {
        let result = agent.call(tool, arguments.clone()).await.ok()?;
        result
            .structured_content
            .clone()
            .filter(|_| !failed(&result))
    })
    .await
}

async fn shown(agent: &Client, id: &str) -> Option<Value> {
    let result = agent.call("task_list", json!({"id": id})).await.ok()?;
    let shown = result
        .structured_content
        .filter(|_| result.is_error != Some(true))?;
    Some(shown["tasks"][0].clone())
}

async fn wait_state(agent: &Client, id: &str, state: &str) -> Value {
    wait_until(&format!("{id} is {state}"), PATIENCE, async || {
        let task = shown(agent, id).await?;
        (task["state"] == state).then_some(task)
    })
    .await
}

#[tokio::test]
async fn a_task_is_created_on_one_node_claimed_on_another_and_completed_for_all_to_see() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = mesh(folder.path(), &["desk", "laptop"]).await;
    let mut planner = Client::connect_agent(&nodes[0], "planner").await;
    let coder = Client::connect_agent(&nodes[1], "coder").await;
    let new = json!({"title": "Port the parser", "description": "Keep the tests green.", "priority": "high"});
    let task = planner.ask("task_create", new).await;
    let id = task["id"].as_str().unwrap();
    assert_eq!(
        (&task["state"], &task["by"]),
        (&json!("open"), &json!("planner@desk"))
    );
    wait_state(&coder, id, "open").await;
    let uri = format!("peerage://tasks/{id}");
    planner.subscribe(&uri).await;
    let held = coder.ask("task_claim", json!({"id": id})).await;
    assert_eq!(held["holder"], "coder@laptop");
    planner.wait_for_update(&uri, PATIENCE).await;
    assert_eq!(planner.read(&uri).await["holder"], "coder@laptop");
    let refused = planner.call("task_claim", json!({"id": id})).await.unwrap();
    assert!(
        failed(&refused) && text_of(&refused).contains("coder at laptop"),
        "{refused:?}"
    );
    let told = json!({"id": id, "fence": held["fence"], "percent": 40, "note": "Lexer done."});
    assert_eq!(coder.ask("task_update", told).await["percent"], 40);
    let done = json!({"id": id, "fence": held["fence"], "result": "Merged."});
    assert_eq!(coder.ask("task_complete", done).await["state"], "completed");
    let task = wait_state(&planner, id, "completed").await;
    assert_eq!(task["result"], "Merged.");
    assert_eq!(planner.read("peerage://tasks").await["tasks"], json!([]));
}

#[tokio::test]
async fn the_command_line_creates_claims_and_completes_in_agents_names() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = mesh(folder.path(), &["desk", "laptop"]).await;
    let made = nodes[0]
        .cli(&["task", "create", "Port", "the", "parser", "--json"])
        .await;
    let made = made.done().json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["by"], "owner@desk");
    let claimed = wait_until("the claim is granted", PATIENCE, async || {
        let claimed = nodes[1]
            .cli(&["task", "claim", id, "--as", "coder", "--json"])
            .await;
        (claimed.code == 0).then(|| claimed.json())
    })
    .await;
    let fence = claimed["fence"].as_str().unwrap();
    let refused = nodes[0].cli(&["task", "claim", id]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("coder at laptop"), "{refused:?}");
    let listed = nodes[0].cli(&["task", "list"]).await.done();
    assert!(listed.stdout.contains("coder@laptop"), "{listed:?}");
    let update = ["task", "update", id, "--as", "coder", "--percent", "50"];
    nodes[1].cli(&update).await.done();
    let other = format!("7{fence}");
    let stale = ["task", "complete", id, "--as", "coder", "--fence", &other];
    assert_eq!(nodes[1].cli(&stale).await.code, 3);
    let done = [
        "task", "complete", id, "--as", "coder", "--fence", fence, "--result", "Merged.",
    ];
    nodes[1].cli(&done).await.done();
    let full = wait_until("the result is known", PATIENCE, async || {
        let full = nodes[0].cli(&["task", "show", id]).await.done().stdout;
        full.contains("Merged.").then_some(full)
    })
    .await;
    assert!(full.contains("completed"), "{full}");
}

#[tokio::test]
async fn a_guest_has_no_task_and_is_told_how_to_get_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = mesh(folder.path(), &["desk"]).await;
    let guest = Client::connect(&nodes[0], Era::Legacy).await;
    let refused = guest
        .call("task_create", json!({"title": "x"}))
        .await
        .unwrap();
    assert!(
        failed(&refused) && text_of(&refused).contains("token"),
        "{refused:?}"
    );
    let listed = guest.ask("task_list", json!({})).await;
    assert_eq!(listed["tasks"], json!([]));
}

#[tokio::test]
async fn a_claim_without_its_arbiter_fails_closed_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = mesh(folder.path(), &["desk", "laptop"]).await;
    let planner = Client::connect_agent(&nodes[0], "planner").await;
    let coder = Client::connect_agent(&nodes[1], "coder").await;
    let task = planner
        .ask("task_create", json!({"title": "x", "lease_seconds": 1}))
        .await;
    let id = task["id"].as_str().unwrap();
    wait_state(&coder, id, "open").await;
    let desk = crash(nodes.remove(0)).await;
    let refused = coder.call("task_claim", json!({"id": id})).await.unwrap();
    assert!(
        failed(&refused) && text_of(&refused).contains("desk"),
        "{refused:?}"
    );
    let _desk = desk.up().await;
    // Once the lease that the arbiter may have forgotten is over.
    let held = until_done(&coder, "task_claim", json!({"id": id})).await;
    assert_eq!(held["holder"], "coder@laptop");
}

/// The completed tasks that an agent is shown.
async fn done(agent: &Client) -> Value {
    let all = json!({"state": "completed", "limit": 200});
    agent.ask("task_list", all).await
}

/// How often agents race; `PEERAGE_RACES` has it otherwise.
fn races() -> usize {
    let races = std::env::var("PEERAGE_RACES").ok();
    races.and_then(|races| races.parse().ok()).unwrap_or(24)
}

/// Who has, and who completed, one task.
#[derive(Default)]
struct Outcome {
    granted: Vec<(String, String)>,
    accepted: Vec<String>,
}

impl Outcome {
    fn note(&mut self, tool: &str, result: &CallToolResult) {
        let Some(task) = result
            .structured_content
            .as_ref()
            .filter(|_| !failed(result))
        else {
            return;
        };
        let text = |name: &str| task[name].as_str().unwrap_or_default().to_owned();
        match tool {
            "task_claim" => self.granted.push((text("fence"), text("holder"))),
            _ => self.accepted.push(text("fence")),
        }
    }
}

#[tokio::test]
async fn of_two_agents_that_race_one_has_each_task_though_their_nodes_are_killed_and_leases_run_out()
 {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = mesh(folder.path(), &["desk", "laptop"]).await;
    let mut agents = Vec::new();
    for node in &nodes {
        agents.push(Client::connect_agent(node, "worker").await);
    }
    let (mut completed, mut killed) = (0, 0);
    for race in 0..races() {
        let creator = race % 2;
        let new = json!({"title": format!("race {race}"), "lease_seconds": 1});
        let task = until_done(&agents[creator], "task_create", new).await;
        let id = task["id"].as_str().unwrap().to_owned();
        wait_state(&agents[1 - creator], &id, "open").await;
        let mut outcome = Outcome::default();
        let asked = json!({"id": id});
        let (one, other) = tokio::join!(
            agents[0].call("task_claim", asked.clone()),
            agents[1].call("task_claim", asked.clone())
        );
        let both = [one.unwrap(), other.unwrap()];
        both.iter()
            .for_each(|result| outcome.note("task_claim", result));
        assert!(outcome.granted.len() <= 1, "race {race}: {both:?}");
        if outcome.granted.is_empty() {
            // What was said of the claims was late, and they were given back.
            let held = until_done(&agents[0], "task_claim", asked.clone()).await;
            let text = |name: &str| held[name].as_str().unwrap().to_owned();
            outcome.granted.push((text("fence"), text("holder")));
        }
        // Every fourth time the arbiter is killed in between, every fourth the holder falls silent.
        if race % 4 == 3 {
            killed += 1;
            let node = crash(nodes.remove(creator)).await.up().await;
            agents[creator] = Client::connect_agent(&node, "worker").await;
            nodes.insert(creator, node);
        }
        if race % 4 == 1 {
            let loser = usize::from(outcome.granted[0].1.ends_with("desk"));
            let taken = until_done(&agents[loser], "task_claim", asked.clone()).await;
            let fence = taken["fence"].as_str().unwrap().to_owned();
            assert_ne!(fence, outcome.granted[0].0);
            outcome.granted.push((fence, String::new()));
        }
        let last = &outcome.granted.last().unwrap().0;
        let fences: Vec<String> = outcome
            .granted
            .iter()
            .map(|(fence, _)| fence.clone())
            .collect();
        let last = last.clone();
        for fence in &fences {
            for agent in &agents {
                let done = json!({"id": id, "fence": fence, "result": fence});
                if let Ok(result) = agent.call("task_complete", done).await {
                    outcome.note("task_complete", &result);
                }
            }
        }
        outcome.accepted.dedup();
        assert!(
            outcome.accepted.len() <= 1,
            "race {race}: {:?}",
            outcome.accepted
        );
        assert!(
            outcome.accepted.iter().all(|fence| *fence == last),
            "race {race}"
        );
        completed += outcome.accepted.len();
    }
    println!("{} races, {killed} kills, {completed} completed", races());
    assert!(completed * 4 >= races() * 2, "{completed} of {}", races());
    wait_until("both know the same", PATIENCE, async || {
        (done(&agents[0]).await == done(&agents[1]).await).then_some(())
    })
    .await;
}
