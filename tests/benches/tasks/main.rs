//! Claims a second on three real nodes: of tasks that one node decides on, and of tasks that three decide on.
//!
//! `cargo bench -p peerage-tests --bench tasks`; tests/README.md says what it found.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::future::join_all;
use peerage_tests::client::Client;
use peerage_tests::messages::mesh;
use peerage_tests::wait::wait_until;
use rmcp::model::CallToolResult;
use serde_json::json;

/// Tasks of each measure.
const TASKS: usize = 200;
/// Claims that wait for their answer at one time.
const AT_ONCE: usize = 16;
/// Turns that each kind of task has.
const ROUNDS: usize = 3;
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    // `cargo test --benches` only wants to know that it starts.
    if std::env::args().any(|word| word == "--bench") {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        match runtime {
            Ok(runtime) => runtime.block_on(measure()),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

async fn measure() {
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => return eprintln!("{error}"),
    };
    let folder: &Path = folder.path();
    let nodes = mesh(folder, &["one", "two", "three"]).await;
    let planner = Client::connect_agent(&nodes[0], "planner").await;
    let claimers = [
        (
            "the creator's node",
            Client::connect_agent(&nodes[0], "coder").await,
        ),
        (
            "another node",
            Client::connect_agent(&nodes[1], "coder").await,
        ),
    ];
    println!("arbiters  claimed from        claims/s  p50 ms");
    for _ in 0..ROUNDS {
        for arbiters in [1, 3] {
            for (from, claimer) in &claimers {
                let tasks = create(&planner, claimer, arbiters).await;
                let (took, median) = claim_all(claimer, &tasks).await;
                let rate = TASKS as f64 / took.as_secs_f64();
                let median = median.as_secs_f64() * 1_000.0;
                println!("{arbiters:<8}  {from:<18}  {rate:>8.0}  {median:>6.1}");
            }
        }
    }
}

/// Tasks that the claimer's node knows to be open.
async fn create(planner: &Client, claimer: &Client, arbiters: usize) -> Vec<String> {
    let mut made = Vec::new();
    for _ in 0..TASKS {
        let new = json!({"title": "Measured", "arbiters": arbiters});
        let task = planner.ask("task_create", new).await;
        made.push(task["id"].as_str().unwrap_or_default().to_owned());
    }
    for id in &made {
        wait_until("the task is open", PATIENCE, async || {
            let told = done(claimer.call("task_list", json!({"id": id})).await.ok()?)?;
            (told["tasks"][0]["state"] == "open").then_some(())
        })
        .await;
    }
    made
}

fn done(result: CallToolResult) -> Option<serde_json::Value> {
    let failed = result.is_error == Some(true);
    result.structured_content.filter(|_| !failed)
}

/// How long it took to claim all, and half of them at most. They are completed after that, as a node has so many that are
/// not over.
async fn claim_all(claimer: &Client, tasks: &[String]) -> (Duration, Duration) {
    let begun = Instant::now();
    let workers = (0..AT_ONCE).map(async |worker| {
        let mut granted = Vec::new();
        for id in tasks.iter().skip(worker).step_by(AT_ONCE) {
            let asked = Instant::now();
            let held = claimer.ask("task_claim", json!({"id": id})).await;
            granted.push((asked.elapsed(), json!({"id": id, "fence": held["fence"]})));
        }
        granted
    });
    let mut held = join_all(workers).await.concat();
    let took = begun.elapsed();
    for (_, task) in &held {
        claimer.ask("task_complete", task.clone()).await;
    }
    held.sort_by_key(|(delay, _)| *delay);
    (took, held[held.len() / 2].0)
}
