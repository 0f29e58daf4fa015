//! What is measured apart from the rounds: starts, idle memory, cold calls, and whether upstreams disturb each other.

use std::io;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::{Connection, call};
use crate::figures::Singles;
use crate::load;
use crate::roles::answers::HANG;
use crate::stage::{DEAD, STUCK, Stage, endpoint, request, tool, until_answered};
use crate::subject::{KIBIBYTE, Road, Subject};

/// After this long a node that has started does nothing more of its own.
const SETTLED: Duration = Duration::from_millis(700);
/// Calls that hang at one upstream.
const HANGING: usize = 32;
/// Between two calls to a dead upstream.
const DEAD_PAUSE: Duration = Duration::from_millis(20);
/// Whom the disturbance is to leave alone.
const UNDISTURBED: Subject = Subject::new(Road::Http, 4, KIBIBYTE);

/// All of it, in `rounds` rounds; `duration` is for each half of an isolation round.
pub async fn measure(
    mut stage: Stage,
    rounds: usize,
    duration: Duration,
) -> io::Result<(Stage, Singles)> {
    let mut singles = Singles::default();
    for round in 1..=rounds {
        eprintln!("starts, cold calls and isolation, round {round} of {rounds}");
        let (millis, mebibytes) = start(&stage).await?;
        singles.start_millis.push(millis);
        singles.idle_mebibytes.push(mebibytes);
        singles
            .isolation_ratio
            .push(isolation(&stage, duration).await?);
        let cold;
        (stage, cold) = cold_call(stage).await?;
        singles.cold_millis.push(cold);
    }
    Ok((stage, singles))
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
    node.end().await?;
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

/// p99 of calls to one upstream while others hang or are dead, by that without them.
async fn isolation(stage: &Stage, duration: Duration) -> io::Result<f64> {
    let askers = load::warm_up(stage.askers(UNDISTURBED).await?).await?;
    let (askers, alone) = load::drive(askers, duration).await?;
    let mut disturbance = JoinSet::new();
    for _ in 0..HANGING {
        let hang = call(&format!("{STUCK}__{HANG}"), "{}");
        disturbance.spawn(ask_again(stage.endpoint().to_owned(), hang, Duration::ZERO));
    }
    let dead = call(&tool(DEAD), "{}");
    disturbance.spawn(ask_again(stage.endpoint().to_owned(), dead, DEAD_PAUSE));
    let (_, disturbed) = load::drive(load::warm_up(askers).await?, duration).await?;
    disturbance.shutdown().await;
    let p99 = |answered: &load::Answered| answered.times.value_at_quantile(0.99) as f64;
    Ok(p99(&disturbed) / p99(&alone))
}

/// Asks without end, whatever is answered.
async fn ask_again(address: String, request: Vec<u8>, pause: Duration) -> io::Result<()> {
    let mut connection = Connection::new(TcpStream::connect(address).await?);
    loop {
        connection.ask(&request).await?;
        sleep(pause).await;
    }
}
