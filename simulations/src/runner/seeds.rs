//! Runs many seeds of one scenario on several threads.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Engine;
use super::attempt::attempt;
use crate::outcome::{Options, Outcome};
use crate::plan::Plan;

/// What is run.
pub struct Batch<'a> {
    /// Draws the plan of a seed.
    pub plans: &'a (dyn Fn(u64) -> Plan + Sync),
    /// Runs it.
    pub engine: Engine<'a>,
    /// How it is watched.
    pub options: Options,
    /// Which seeds.
    pub seeds: Range<u64>,
    /// How many threads.
    pub threads: NonZeroUsize,
    /// Whether to go on after a seed that failed. Seeds under way are always finished.
    pub keep_going: bool,
}

/// A seed that was run.
#[derive(Clone, Debug)]
pub struct SeedRun {
    /// Which.
    pub seed: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took on its thread.
    pub wall: Duration,
}

/// Runs the seeds of `batch` and gives each to `done`, in the order in which they end.
pub fn run(batch: &Batch<'_>, done: &mut dyn FnMut(SeedRun)) {
    let next = AtomicU64::new(batch.seeds.start);
    let stop = AtomicBool::new(false);
    let (sender, runs) = sync_channel(batch.threads.get());
    thread::scope(|scope| {
        for _ in 0..batch.threads.get() {
            let (sender, next, stop) = (sender.clone(), &next, &stop);
            scope.spawn(move || work(batch, next, stop, &sender));
        }
        drop(sender);
        for run in runs {
            done(run);
        }
    });
}

fn work(batch: &Batch<'_>, next: &AtomicU64, stop: &AtomicBool, sender: &SyncSender<SeedRun>) {
    while !stop.load(Ordering::Relaxed) {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if !batch.seeds.contains(&seed) {
            return;
        }
        let began = Instant::now();
        let outcome = attempt(batch.engine, &(batch.plans)(seed), &batch.options);
        if outcome.violation.is_some() && !batch.keep_going {
            stop.store(true, Ordering::Relaxed);
        }
        let wall = began.elapsed();
        let run = SeedRun {
            seed,
            outcome,
            wall,
        };
        if sender.send(run).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn seeds_run(threads: usize, keep_going: bool) -> Vec<u64> {
        let engine = |plan: &Plan, _: &Options| {
            samples::outcome(plan, (plan.seed == 13).then_some("stable names"))
        };
        let plans = |seed| Plan {
            seed,
            ..samples::plan(2, Vec::new())
        };
        let batch = Batch {
            plans: &plans,
            engine: &engine,
            options: Options::default(),
            seeds: 10..110,
            threads: NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN),
            keep_going,
        };
        let mut seeds = Vec::new();
        run(&batch, &mut |run| seeds.push(run.seed));
        seeds.sort_unstable();
        seeds
    }

    #[test]
    fn every_seed_is_run_once_whatever_the_threads() {
        let all: Vec<u64> = (10..110).collect();
        assert_eq!(seeds_run(1, true), all);
        assert_eq!(seeds_run(4, true), all);
    }

    #[test]
    fn the_first_failing_seed_ends_it() {
        assert_eq!(seeds_run(1, false), [10, 11, 12, 13]);
    }
}
