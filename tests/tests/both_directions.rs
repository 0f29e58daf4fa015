//! What an upstream says in the middle of a call reaches the caller of that call and nobody else, here and on a peer.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures::future::join_all;
use peerage_tests::mesh::{join, wait_tool};
use peerage_tests::node::Peerage;
use peerage_tests::raw_client::RawClient;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

const ASKING: &str = env!("CARGO_BIN_EXE_asking-server");

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The asking server's resource.
const NOTE: &str = "note://a";

const CALLERS: usize = 32;
const STEPS: u64 = 20;

/// A node whose callers have one shared child, or whose neighbour has it.
struct Stage {
    caller: Peerage,
    /// What the tools' names begin with.
    prefix: String,
    _others: Vec<Peerage>,
    _folder: TempDir,
}

impl Stage {
    async fn local() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = Peerage::up(folder.path(), &[]).await;
        node.cli(&["serve", "asking", "--", ASKING]).await.done();
        Self::of(node, vec![], folder).await
    }

    async fn on_a_peer() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let desk = Peerage::up(&folder.path().join("b"), &["--name", "desk"]).await;
        let laptop = Peerage::up(&folder.path().join("a"), &["--name", "laptop"]).await;
        join(&desk, &laptop).await;
        desk.cli(&["serve", "asking", "--share", "--", ASKING])
            .await
            .done();
        Self::of(laptop, vec![desk], folder).await
    }

    async fn of(caller: Peerage, others: Vec<Peerage>, folder: TempDir) -> Self {
        let name = wait_tool(&caller, "__count").await;
        Self {
            caller,
            prefix: name.trim_end_matches("count").to_owned(),
            _others: others,
            _folder: folder,
        }
    }

    fn tool(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    async fn client(&self) -> RawClient {
        let capabilities = json!({"elicitation": {}, "sampling": {}});
        RawClient::connect(&self.caller, capabilities).await
    }

    /// All messages of one call.
    async fn call(&self, client: &RawClient, tool: &str, arguments: Value) -> Vec<Value> {
        let (_, mut messages) = client.begin(&self.tool(tool), &arguments).await;
        let mut all = Vec::new();
        while let Some(message) = messages.next().await {
            all.push(message);
        }
        all
    }
}

async fn every_progress_reaches_its_own_caller_before_its_result(stage: Stage) {
    let calls = (0..CALLERS).map(async |number| {
        let client = stage.client().await;
        let who = format!("caller {number}");
        let arguments = json!({"who": who, "steps": STEPS});
        (who, stage.call(&client, "count", arguments).await)
    });
    for (who, mut messages) in timeout(PATIENCE, join_all(calls)).await.unwrap() {
        let result = messages.pop().unwrap();
        assert_eq!(result["result"]["content"][0]["text"], who);
        let steps: Vec<u64> = messages
            .iter()
            .map(|message| {
                assert_eq!(message["method"], "notifications/progress");
                assert_eq!(message["params"]["message"], who);
                assert_eq!(message["params"]["progressToken"], 1);
                message["params"]["progress"].as_u64().unwrap()
            })
            .collect();
        assert_eq!(steps, (0..STEPS).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn every_progress_of_a_shared_child_reaches_its_own_caller_before_its_result() {
    every_progress_reaches_its_own_caller_before_its_result(Stage::local().await).await;
}

#[tokio::test]
async fn every_progress_of_a_shared_child_on_a_peer_reaches_its_own_caller_before_its_result() {
    every_progress_reaches_its_own_caller_before_its_result(Stage::on_a_peer().await).await;
}

async fn a_cancelled_call_is_cancelled_at_the_child(stage: Stage) {
    let client = stage.client().await;
    let (id, _response) = client.begin(&stage.tool("hold"), &json!({})).await;
    let params = json!({"requestId": id});
    let cancelled =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params});
    client.tell(&cancelled).await;
    let wanted = stage.call(&client, "cancelled", json!({"wanted": 1}));
    let messages = timeout(PATIENCE, wanted).await.unwrap();
    assert_eq!(messages[0]["result"]["content"][0]["text"], "all");
}

#[tokio::test]
async fn a_call_that_is_cancelled_is_cancelled_at_the_child() {
    a_cancelled_call_is_cancelled_at_the_child(Stage::local().await).await;
}

#[tokio::test]
async fn a_call_to_a_peer_that_is_cancelled_is_cancelled_at_the_child() {
    a_cancelled_call_is_cancelled_at_the_child(Stage::on_a_peer().await).await;
}

/// Makes a call that asks, answers it with `answer`, and gives what the server made of it.
async fn asked(stage: &Stage, client: &RawClient, tool: &str, who: &str, answer: Value) -> String {
    let (_, mut messages) = client.begin(&stage.tool(tool), &json!({"who": who})).await;
    let request = timeout(PATIENCE, messages.next()).await.unwrap().unwrap();
    assert!(request["params"].to_string().contains(who), "{request}");
    let response = json!({"jsonrpc": "2.0", "id": request["id"], "result": answer});
    client.tell(&response).await;
    timeout(PATIENCE, messages.text()).await.unwrap()
}

async fn what_is_asked_reaches_the_caller(stage: Stage) {
    for who in ["ada", "bob"] {
        let client = stage.client().await;
        let answer = json!({"action": "accept", "content": {"name": who}});
        let heard = asked(&stage, &client, "elicit", who, answer.clone()).await;
        assert_eq!(heard, answer.to_string());
        let content = json!({"type": "text", "text": who});
        let answer = json!({"role": "assistant", "content": content, "model": "m"});
        let heard = asked(&stage, &client, "sample", who, answer.clone()).await;
        assert_eq!(heard, answer.to_string());
    }
    let silent = RawClient::connect(&stage.caller, json!({})).await;
    let messages = stage.call(&silent, "elicit", json!({"who": "eve"})).await;
    let refused = messages[0]["result"]["content"][0]["text"]
        .as_str()
        .unwrap();
    assert!(refused.contains("has not declared"), "{refused}");
}

#[tokio::test]
async fn what_a_server_asks_reaches_the_caller_whose_call_runs() {
    what_is_asked_reaches_the_caller(Stage::local().await).await;
}

#[tokio::test]
async fn what_a_server_on_a_peer_asks_reaches_the_caller_whose_call_runs() {
    what_is_asked_reaches_the_caller(Stage::on_a_peer().await).await;
}

async fn what_a_server_takes_back_is_taken_back_at_the_caller(stage: Stage) {
    let client = stage.client().await;
    let calling = stage.call(&client, "withdraw", json!({"who": "ada"}));
    let messages = timeout(PATIENCE, calling).await.unwrap();
    let [asked, taken_back, result] = &messages[..] else {
        panic!("{messages:?}");
    };
    assert_eq!(asked["method"], "elicitation/create");
    assert_eq!(taken_back["method"], "notifications/cancelled");
    assert_eq!(taken_back["params"]["requestId"], asked["id"]);
    assert_eq!(taken_back["params"]["reason"], "never mind");
    assert_eq!(result["result"]["content"][0]["text"], "taken back");
}

#[tokio::test]
async fn a_request_that_a_server_takes_back_is_taken_back_at_the_caller() {
    what_a_server_takes_back_is_taken_back_at_the_caller(Stage::local().await).await;
}

#[tokio::test]
async fn a_request_that_a_server_on_a_peer_takes_back_is_taken_back_at_the_caller() {
    what_a_server_takes_back_is_taken_back_at_the_caller(Stage::on_a_peer().await).await;
}

async fn each_caller_hears_the_log_from_its_own_level_on(stage: Stage) {
    let levels = |messages: &[Value]| -> Vec<String> {
        let logged = messages
            .iter()
            .filter_map(|message| message["params"]["level"].as_str());
        logged.map(str::to_owned).collect()
    };
    let usual = stage.client().await;
    let curious = stage.client().await;
    let set = curious
        .ask("logging/setLevel", &json!({"level": "debug"}))
        .await;
    assert_eq!(set["result"], json!({}));
    let messages = stage.call(&curious, "log", json!({"who": "ada"})).await;
    assert_eq!(levels(&messages), ["debug", "info", "error"]);
    assert_eq!(messages[3]["result"]["content"][0]["text"], "debug");
    let set = usual
        .ask("logging/setLevel", &json!({"level": "error"}))
        .await;
    assert_eq!(set["result"], json!({}));
    let messages = stage.call(&usual, "log", json!({"who": "bob"})).await;
    assert_eq!(levels(&messages), ["error"]);
    // The other client still wants more.
    assert_eq!(messages[1]["result"]["content"][0]["text"], "debug");
}

#[tokio::test]
async fn each_caller_of_a_shared_child_hears_its_log_from_its_own_level_on() {
    each_caller_hears_the_log_from_its_own_level_on(Stage::local().await).await;
}

#[tokio::test]
async fn each_caller_of_a_shared_child_on_a_peer_hears_its_log_from_its_own_level_on() {
    each_caller_hears_the_log_from_its_own_level_on(Stage::on_a_peer().await).await;
}

async fn changed_roots_are_told_to_the_server_that_asked_for_them(stage: Stage) {
    let roots = json!({"roots": {"listChanged": true}});
    let client = RawClient::connect(&stage.caller, roots).await;
    let answer = json!({"roots": [{"uri": "file:///a"}]});
    for expected in [0, 1, 1] {
        let (_, mut messages) = client.begin(&stage.tool("roots"), &json!({})).await;
        let request = timeout(PATIENCE, messages.next()).await.unwrap().unwrap();
        assert_eq!(request["method"], "roots/list");
        let response = json!({"jsonrpc": "2.0", "id": request["id"], "result": answer});
        client.tell(&response).await;
        let result = timeout(PATIENCE, messages.next()).await.unwrap().unwrap();
        assert_eq!(result["result"]["changed"], expected, "{result}");
        if expected == 0 {
            let changed = "notifications/roots/list_changed";
            client
                .tell(&json!({"jsonrpc": "2.0", "method": changed}))
                .await;
        }
    }
}

#[tokio::test]
async fn roots_that_have_changed_are_told_to_the_server_that_asked_for_them() {
    changed_roots_are_told_to_the_server_that_asked_for_them(Stage::local().await).await;
}

#[tokio::test]
async fn roots_that_have_changed_are_told_to_the_server_on_a_peer_that_asked_for_them() {
    changed_roots_are_told_to_the_server_that_asked_for_them(Stage::on_a_peer().await).await;
}

async fn an_update_of_a_resource_reaches_who_subscribed_and_nobody_else(stage: Stage) {
    let (subscriber, other) = (stage.client().await, stage.client().await);
    let (mut told, mut untold) = (subscriber.listen().await, other.listen().await);
    let note = json!({"uri": NOTE});
    let subscribed = subscriber.ask("resources/subscribe", &note).await;
    assert_eq!(subscribed["result"], json!({}));
    stage.call(&other, "touch", json!({})).await;
    let updated = timeout(PATIENCE, told.next()).await.unwrap().unwrap();
    assert_eq!(updated["method"], "notifications/resources/updated");
    assert_eq!(updated["params"]["uri"], NOTE);
    // What comes to the other one is of its own subscription, the first that it made.
    let subscribed = other.ask("resources/subscribe", &note).await;
    assert_eq!(subscribed["result"], json!({}));
    let unsubscribed = subscriber.ask("resources/unsubscribe", &note).await;
    assert_eq!(unsubscribed["result"], json!({}));
    stage.call(&subscriber, "touch", json!({})).await;
    let updated = timeout(PATIENCE, untold.next()).await.unwrap().unwrap();
    assert_eq!(updated["params"]["uri"], NOTE);
    // Another server is listed, which is told after whatever else was.
    let serve = ["serve", "toy", "--", TOY];
    stage.caller.cli(&serve).await.done();
    let listed = timeout(PATIENCE, untold.next()).await.unwrap().unwrap();
    assert_eq!(listed["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn an_update_of_a_childs_resource_reaches_who_subscribed_and_nobody_else() {
    an_update_of_a_resource_reaches_who_subscribed_and_nobody_else(Stage::local().await).await;
}

#[tokio::test]
async fn an_update_of_a_resource_on_a_peer_reaches_who_subscribed_and_nobody_else() {
    an_update_of_a_resource_reaches_who_subscribed_and_nobody_else(Stage::on_a_peer().await).await;
}

async fn who_reads_by_a_qualified_uri_is_told_qualified_uris(stage: Stage, owner: &str) {
    let client = stage.client().await;
    let uris = async |asked: &str| -> Vec<String> {
        let read = client.ask("resources/read", &json!({"uri": asked})).await;
        let contents = read["result"]["contents"].as_array().unwrap().clone();
        let uri = |content: &Value| content["uri"].as_str().unwrap().to_owned();
        contents.iter().map(uri).collect()
    };
    assert_eq!(uris(NOTE).await, [NOTE.to_owned(), format!("{NOTE}#part")]);
    let qualified = format!("peerage://{owner}/{NOTE}");
    let expected = [qualified.clone(), format!("{qualified}#part")];
    assert_eq!(uris(&qualified).await, expected);
    let again = uris(&expected[1]).await;
    assert_eq!(again[0], expected[1], "what was told can be read");
}

#[tokio::test]
async fn who_reads_a_childs_resource_by_its_qualified_uri_is_told_qualified_uris() {
    who_reads_by_a_qualified_uri_is_told_qualified_uris(Stage::local().await, "asking").await;
}

#[tokio::test]
async fn who_reads_a_resource_on_a_peer_by_its_qualified_uri_is_told_qualified_uris() {
    let stage = Stage::on_a_peer().await;
    who_reads_by_a_qualified_uri_is_told_qualified_uris(stage, "asking.desk").await;
}

async fn a_call_that_becomes_a_task_is_asked_for_by_its_id(stage: Stage, owner: &str) {
    let client = stage.client().await;
    let params = json!({"name": stage.tool("later"), "arguments": {}, "task": {"ttl": 1000}});
    let created = client.ask("tools/call", &params).await;
    let id = format!("{owner}:a:1");
    assert_eq!(created["result"]["task"]["taskId"], id, "{created}");
    let task = json!({"taskId": id});
    for (method, status) in [("tasks/get", "completed"), ("tasks/cancel", "cancelled")] {
        let answer = client.ask(method, &task).await;
        assert_eq!(answer["result"]["status"], status, "{answer}");
        assert_eq!(answer["result"]["taskId"], id);
    }
    let result = &client.ask("tasks/result", &task).await["result"];
    assert_eq!(result["content"][0]["text"], "a:1");
    let related = &result["_meta"]["io.modelcontextprotocol/related-task"];
    assert_eq!(related["taskId"], id);
    let strange = client
        .ask("tasks/get", &json!({"taskId": "nobody:a:1"}))
        .await;
    assert_eq!(strange["error"]["code"], -32602, "{strange}");
    let listed = client.ask("tasks/list", &json!({})).await;
    assert_eq!(listed["error"]["code"], -32601, "{listed}");
}

#[tokio::test]
async fn a_call_of_a_child_that_becomes_a_task_is_asked_for_by_its_id() {
    a_call_that_becomes_a_task_is_asked_for_by_its_id(Stage::local().await, "asking").await;
}

#[tokio::test]
async fn a_call_to_a_peer_that_becomes_a_task_is_asked_for_by_its_id() {
    let stage = Stage::on_a_peer().await;
    a_call_that_becomes_a_task_is_asked_for_by_its_id(stage, "asking.desk").await;
}

#[tokio::test]
async fn a_request_that_could_mean_several_callers_reaches_none_and_says_what_to_do() {
    let stage = Stage::local().await;
    let holding = stage.client().await;
    let (_id, _response) = holding.begin(&stage.tool("hold"), &json!({})).await;
    let client = stage.client().await;
    let asking = stage.call(&client, "elicit", json!({"who": "ada"}));
    let messages = timeout(PATIENCE, asking).await.unwrap();
    let refused = messages[0]["result"]["content"][0]["text"]
        .as_str()
        .unwrap();
    assert!(refused.contains("per-session"), "{refused}");
}
