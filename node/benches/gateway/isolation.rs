//! Whether upstreams disturb each other: p99 of calls to a healthy one, beside others that hang or are dead.
//!
//! Any call beside the measured ones takes a core away from them now and then, whatever becomes of it. So the figure
//! is held against two others: nothing beside them, and as many calls a second to a healthy upstream.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::{Connection, call};
use crate::figures::Isolation;
use crate::load;
use crate::roles::answers::HANG;
use crate::stage::{DEAD, OTHER, STUCK, Stage, request_of, tool};
use crate::subject::{KIBIBYTE, Road, Subject};

/// Calls that hang at one upstream.
const HANGING: usize = 32;
/// Between two calls to a dead upstream.
const DEAD_PAUSE: Duration = Duration::from_millis(20);
/// Between two calls to a healthy one, which are as many as those to the dead and the hanging one together: 50 and,
/// every two seconds, 32.
const HEALTHY_PAUSE: Duration = Duration::from_millis(15);
/// How often the measure goes round, in one round.
const TURNS: usize = 4;
/// Whom the disturbance is to leave alone.
const UNDISTURBED: Subject = Subject::new(Road::Http, 4, KIBIBYTE);

/// What goes on beside the measured calls.
#[derive(Clone, Copy)]
enum Beside {
    Nothing,
    Healthy,
    HangingAndDead,
}

/// Measures each for half of `duration` in each turn.
pub async fn measure(stage: &Stage, duration: Duration) -> io::Result<Isolation> {
    let all = [Beside::Nothing, Beside::Healthy, Beside::HangingAndDead];
    let mut askers = stage.askers(UNDISTURBED).await?;
    let mut times: Vec<Histogram<u64>> = Vec::new();
    for turn in 0..TURNS * all.len() {
        let beside = all[turn % all.len()].begin(stage.endpoint());
        askers = load::warm_up(askers).await?;
        let answered;
        (askers, answered) = load::drive(askers, duration / 2).await?;
        stop(beside).await?;
        match times.get_mut(turn % all.len()) {
            Some(times) => times.add(answered.times).map_err(io::Error::other)?,
            None => times.push(answered.times),
        }
    }
    let p99 = |at: usize| {
        times.get(at).map_or(f64::NAN, |times| {
            times.value_at_quantile(0.99) as f64 / 1_000.0
        })
    };
    Ok(Isolation {
        alone_micros: p99(0),
        healthy_micros: p99(1),
        disturbed_micros: p99(2),
    })
}

impl Beside {
    /// Calls one after another until the set is dropped.
    fn begin(self, endpoint: &str) -> JoinSet<io::Result<()>> {
        let mut beside = JoinSet::new();
        let mut ask = |request, pause| {
            beside.spawn(ask_again(endpoint.to_owned(), request, pause));
        };
        match self {
            Self::Nothing => {}
            Self::Healthy => ask(request_of(&tool(OTHER), KIBIBYTE), HEALTHY_PAUSE),
            Self::HangingAndDead => {
                for _ in 0..HANGING {
                    ask(call(&format!("{STUCK}__{HANG}"), "{}"), Duration::ZERO);
                }
                ask(call(&tool(DEAD), "{}"), DEAD_PAUSE);
            }
        }
        beside
    }
}

/// Ends them; one that failed would have disturbed nobody.
async fn stop(mut beside: JoinSet<io::Result<()>>) -> io::Result<()> {
    while let Some(ended) = beside.try_join_next() {
        ended.map_err(io::Error::other)??;
    }
    beside.shutdown().await;
    Ok(())
}

/// Asks without end, whatever is answered.
async fn ask_again(address: String, request: Vec<u8>, pause: Duration) -> io::Result<()> {
    let mut connection = Connection::new(TcpStream::connect(address).await?);
    loop {
        connection.ask(&request).await?;
        sleep(pause).await;
    }
}
