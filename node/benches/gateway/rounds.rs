//! The rounds: each measures every subject once, one after the other, so that what the machine does meanwhile meets
//! all of them.

use std::io;
use std::time::Duration;

use crate::figures::{Sample, Series};
use crate::load;
use crate::process::processor_micros;
use crate::stage::Stage;
use crate::subject::{Road, Subject};

/// Processor time so far, in microseconds.
struct Processor {
    near: f64,
    far: f64,
    upstream: f64,
    load: f64,
}

impl Processor {
    fn read(stage: &Stage, subject: Subject) -> Self {
        let upstream = match subject.road {
            Road::Quic => &stage.echo,
            _ => &stage.upstream,
        };
        Self {
            near: stage.near.processor_micros(),
            far: stage.far.processor_micros(),
            upstream: upstream.processor_micros(),
            load: processor_micros(std::process::id()),
        }
    }
}

/// Measures one subject for `duration`.
pub async fn measure(stage: &Stage, subject: Subject, duration: Duration) -> io::Result<Sample> {
    let askers = load::warm_up(stage.askers(subject).await?).await?;
    let before = Processor::read(stage, subject);
    let (_, answered) = load::drive(askers, duration).await?;
    let after = Processor::read(stage, subject);
    let calls = answered.times.len() as f64;
    let micros = |quantile| answered.times.value_at_quantile(quantile) as f64 / 1_000.0;
    let elapsed_micros = answered.elapsed.as_secs_f64() * 1e6;
    Ok(Sample {
        calls_per_second: calls / answered.elapsed.as_secs_f64(),
        p50_micros: micros(0.5),
        p99_micros: micros(0.99),
        node_micros: (after.near - before.near) / calls,
        peer_micros: (after.far - before.far) / calls,
        upstream_micros: (after.upstream - before.upstream) / calls,
        load_share: (after.load - before.load) / elapsed_micros,
    })
}

/// Measures `subjects` on each of `stages` in `rounds` rounds; one list of series for each stage. Stages take turns in
/// going first.
pub async fn measure_all(
    stages: &[Stage],
    subjects: &[Subject],
    rounds: usize,
    duration: Duration,
) -> io::Result<Vec<Vec<Series>>> {
    let empty = |subject: &Subject| Series {
        subject: *subject,
        samples: Vec::with_capacity(rounds),
    };
    let empty: Vec<Series> = subjects.iter().map(empty).collect();
    let mut all = vec![empty; stages.len()];
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (row, subject) in subjects.iter().enumerate() {
            for turn in 0..stages.len() {
                let at = (turn + round) % stages.len();
                let sample = measure(&stages[at], *subject, duration).await;
                let named =
                    |error| io::Error::other(format!("{}, round {round}: {error}", subject.road));
                all[at][row].samples.push(sample.map_err(named)?);
            }
        }
    }
    Ok(all)
}
