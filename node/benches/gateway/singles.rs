//! What is measured apart from the rounds: starts, idle memory, isolation, cold calls.

use std::io;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::client::call;
use crate::figures::Singles;
use crate::isolation;
use crate::stage::{Stage, endpoint, request, until_answered};
use crate::subject::{KIBIBYTE, Road};

/// After this long a node that has started does nothing more of its own.
const SETTLED: Duration = Duration::from_millis(700);

/// What `--only` calls them.
const STARTS: &str = "starts";
const ISOLATION: &str = "isolation";
const COLD: &str = "cold";

/// All of it on each of `stages`, in rounds; the isolation with `arguments.duration` for each turn.
pub async fn measure(mut stages: Vec<Stage>, arguments: &Arguments) -> io::Result<Vec<Singles>> {
    let mut all = vec![Singles::default(); stages.len()];
    let wanted = [STARTS, ISOLATION, COLD].map(|name| arguments.want(name));
    if wanted == [false; 3] {
        return Ok(all);
    }
    for round in 1..=arguments.rounds {
        let rounds = arguments.rounds;
        eprintln!("starts, isolation and cold calls, round {round} of {rounds}");
        for singles in &mut all {
            // Each in turn, and back in its place after all have had theirs.
            let mut stage = stages.remove(0);
            if wanted[0] {
                let (millis, mebibytes) = start(&stage).await?;
                singles.start_millis.push(millis);
                singles.idle_mebibytes.push(mebibytes);
            }
            if wanted[1] {
                let measured = isolation::measure(&stage, arguments.duration).await?;
                singles.isolation.push(measured);
            }
            if wanted[2] {
                let millis;
                (stage, millis) = cold_call(stage).await?;
                singles.cold_millis.push(millis);
            }
            stages.push(stage);
        }
    }
    Ok(all)
}

/// Starts a node without a mesh, calls a tool of its own, and lets it settle.
async fn start(stage: &Stage) -> io::Result<(f64, f64)> {
    let (home, name) = stage.lone_home()?;
    let begun = Instant::now();
    let node = stage.start_node(&home, name).await?;
    let search = call("tools_search", r#"{"query":""}"#);
    until_answered(&endpoint(&node)?, &search).await?;
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    sleep(SETTLED).await;
    let mebibytes = node.resident_mebibytes()?;
    node.stop().await?;
    Ok((millis, mebibytes))
}

/// Starts the first node anew and calls its peer as soon as it answers at all.
async fn cold_call(stage: Stage) -> io::Result<(Stage, f64)> {
    let stage = stage.restart_near().await?;
    let begun = Instant::now();
    until_answered(stage.endpoint(), &request(Road::PeerHttp, KIBIBYTE)).await?;
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    until_answered(stage.endpoint(), &request(Road::Http, KIBIBYTE)).await?;
    Ok((stage, millis))
}
