//! Three real nodes decide on a task together: one of them may be killed, two may not.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use peerage_tests::client::{Client, text_of};
use peerage_tests::messages::{crash, mesh};
use peerage_tests::wait::wait_until;
use serde_json::{Value, json};

/// Longer than anything here needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls a tool until it does not fail, and gives what it says.
async fn until_done(agent: &Client, tool: &str, arguments: Value) -> Value {
    wait_until(&format!("{tool} is done"), PATIENCE, async || {
        let result = agent.call(tool, arguments.clone()).await.ok()?;
        let failed = result.is_error == Some(true);
        result.structured_content.filter(|_| !failed)
    })
    .await
}

async fn create(planner: &Client, title: &str) -> String {
    let new = json!({"title": title, "arbiters": 3, "lease_seconds": 2});
    let task = until_done(planner, "task_create", new).await;
    assert_eq!(task["arbiters"].as_array().unwrap().len(), 3);
    task["id"].as_str().unwrap().to_owned()
}

/// Waits until a node knows a task to be in this state.
async fn wait_state(agent: &Client, id: &str, state: &str) -> Value {
    wait_until(&format!("{id} is {state}"), PATIENCE, async || {
        let told = agent.call("task_list", json!({"id": id})).await.ok()?;
        let task = told.structured_content?["tasks"][0].clone();
        (task["state"] == state).then_some(task)
    })
    .await
}

#[tokio::test]
async fn a_task_of_three_arbiters_outlasts_one_of_them_and_not_two() {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = mesh(folder.path(), &["desk", "laptop", "tower"]).await;
    let planner = Client::connect_agent(&nodes[0], "planner").await;
    let coder = Client::connect_agent(&nodes[1], "coder").await;
    let (first, second) = (create(&planner, "one").await, create(&planner, "two").await);
    for id in [&first, &second] {
        wait_state(&coder, id, "open").await;
    }

    let desk = crash(nodes.remove(0)).await;
    let held = until_done(&coder, "task_claim", json!({"id": first})).await;
    assert_eq!(held["holder"], "coder@laptop");
    let done = json!({"id": first, "fence": held["fence"], "result": "Merged."});
    let done = until_done(&coder, "task_complete", done).await;
    assert_eq!(done["state"], "completed");

    let tower = crash(nodes.remove(1)).await;
    let refused = coder.call("task_claim", json!({"id": second})).await;
    let refused = refused.unwrap();
    assert_eq!(refused.is_error, Some(true), "{refused:?}");
    for name in ["desk", "tower"] {
        assert!(text_of(&refused).contains(name), "{refused:?}");
    }

    let (desk, _tower) = (desk.up().await, tower.up().await);
    let held = until_done(&coder, "task_claim", json!({"id": second})).await;
    assert_eq!(held["holder"], "coder@laptop");
    let planner = Client::connect_agent(&desk, "planner").await;
    assert_eq!(
        wait_state(&planner, &second, "held").await["holder"],
        "coder@laptop"
    );
    assert_eq!(
        wait_state(&planner, &first, "completed").await["result"],
        "Merged."
    );
}

#[tokio::test]
async fn fewer_machines_than_arbiters_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = mesh(folder.path(), &["desk", "laptop"]).await;
    let asked = ["task", "create", "Port it", "--arbiters", "3"];
    let refused = nodes[0].cli(&asked).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("3 arbiters"), "{refused:?}");
    let even = ["task", "create", "Port it", "--arbiters", "2"];
    assert_eq!(nodes[0].cli(&even).await.code, 2);
}
