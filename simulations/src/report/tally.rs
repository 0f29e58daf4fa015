//! Sums up the runs of one scenario as they end, in memory that does not grow with their number.

use std::collections::BTreeMap;
use std::time::Duration;

use super::curve::CurveBuilder;
use super::{Curves, Failure, Moment, ScenarioReport};
use crate::outcome::{Outcome, Sample, Statistics};
use crate::runner::seeds::SeedRun;

/// Failures that are kept.
const FAILURES_MAX: usize = 100;

/// Moments that are kept of the average course.
const MOMENTS_MAX: usize = 4_096;

/// The runs of one scenario so far.
#[derive(Default)]
pub struct Tally {
    report: ScenarioReport,
    curves: Builders,
    course: BTreeMap<u64, Sums>,
    first: Option<u64>,
}

#[derive(Default)]
struct Builders {
    join: CurveBuilder,
    join_known: CurveBuilder,
    change_known: CurveBuilder,
    crash_known: CurveBuilder,
    gossip_first: CurveBuilder,
    convergence: CurveBuilder,
    bytes_per_node: CurveBuilder,
    messages_per_node: CurveBuilder,
    links_per_node: CurveBuilder,
}

#[derive(Default)]
struct Sums {
    runs: u64,
    bytes_per_node_second: f64,
    up: u64,
    members: u64,
}

impl Tally {
    /// Nothing run yet of the scenario that `report` names.
    pub fn new(report: ScenarioReport) -> Self {
        Self {
            report,
            ..Self::default()
        }
    }

    /// Adds a run that ended.
    pub fn add(&mut self, run: &SeedRun) {
        let statistics = &run.outcome.statistics;
        self.report.run += 1;
        self.count_failure(&run.outcome);
        self.sum_up(statistics, run.wall);
        self.curves.add(statistics);
        self.follow(&statistics.series);
        if self.first.is_none_or(|first| run.seed < first) {
            self.first = Some(run.seed);
            self.report.first_course.clone_from(&statistics.series);
        }
    }

    /// Keeps a failure to be told, unless there are too many.
    pub fn keep(&mut self, failure: Failure) {
        if self.report.failures.len() < FAILURES_MAX {
            self.report.failures.push(failure);
        }
    }

    /// How many seeds were run, and how many failed.
    pub fn run_and_failed(&self) -> (u64, u64) {
        (self.report.run, self.report.failed)
    }

    /// Virtual time of all runs so far, in microseconds.
    pub fn virtual_us(&self) -> u64 {
        self.report.totals.virtual_us
    }

    /// What the runs showed.
    pub fn finish(mut self) -> ScenarioReport {
        self.report.curves = self.curves.finish();
        let moments = self.course.into_iter();
        self.report.course = moments.map(|(at_us, sums)| sums.mean(at_us)).collect();
        self.report
    }

    fn count_failure(&mut self, outcome: &Outcome) {
        if let Some(violation) = &outcome.violation {
            self.report.failed += 1;
            let failed = &mut self.report.failed_checks;
            *failed.entry(violation.check.clone()).or_default() += 1;
        }
    }

    fn sum_up(&mut self, statistics: &Statistics, wall: Duration) {
        let totals = &mut self.report.totals;
        totals.wall_ms += u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        totals.virtual_us += statistics.virtual_us;
        totals.events += statistics.events;
        totals.messages += statistics.messages;
        totals.bytes += statistics.bytes;
        totals.bytes_across += statistics.bytes_across;
        totals.dials += statistics.dials;
        totals.connections += statistics.connections;
        totals.gossip_published += statistics.gossip_published;
        totals.gossip_duplicates += statistics.gossip_duplicates;
        totals.gossip_missed += statistics.gossip_missed;
        totals.converged += u64::from(statistics.converged_at_us.is_some());
        add_each(&mut self.report.traffic, &statistics.traffic);
        add_each(&mut self.report.inputs, &statistics.inputs);
        add_each(&mut self.report.gossip_about, &statistics.gossip_about);
        add_each(&mut self.report.gossip_judged, &statistics.gossip_judged);
        add_each(&mut self.report.actions, &statistics.actions);
        add_each(&mut self.report.refusals, &statistics.refusals);
        for (name, peak) in &statistics.peaks {
            let most = self.report.peaks.entry(name.clone()).or_default();
            *most = (*most).max(*peak);
        }
    }

    fn follow(&mut self, series: &[Sample]) {
        let mut before = Sample::default();
        for sample in series {
            if self.course.len() >= MOMENTS_MAX && !self.course.contains_key(&sample.at_us) {
                return;
            }
            let sums = self.course.entry(sample.at_us).or_default();
            sums.add(&before, sample);
            before = *sample;
        }
    }
}

impl Builders {
    fn add(&mut self, statistics: &Statistics) {
        self.join.add_all(&statistics.join_us);
        self.join_known.add_all(&statistics.join_known_us);
        self.change_known.add_all(&statistics.change_known_us);
        self.crash_known.add_all(&statistics.crash_known_us);
        self.gossip_first.add_all(&statistics.gossip_first_us);
        self.bytes_per_node.add_all(&statistics.bytes_per_node);
        self.messages_per_node
            .add_all(&statistics.messages_per_node);
        self.links_per_node.add_all(&statistics.links_per_node);
        if let Some(at_us) = statistics.converged_at_us {
            self.convergence
                .add(at_us.saturating_sub(statistics.last_fault_us));
        }
    }

    fn finish(self) -> Curves {
        Curves {
            join: self.join.curve(),
            join_known: self.join_known.curve(),
            change_known: self.change_known.curve(),
            crash_known: self.crash_known.curve(),
            gossip_first: self.gossip_first.curve(),
            convergence: self.convergence.curve(),
            bytes_per_node: self.bytes_per_node.curve(),
            messages_per_node: self.messages_per_node.curve(),
            links_per_node: self.links_per_node.curve(),
        }
    }
}

impl Sums {
    fn add(&mut self, before: &Sample, now: &Sample) {
        let seconds = now.at_us.saturating_sub(before.at_us) as f64 / 1e6;
        if seconds > 0.0 && now.up > 0 {
            let bytes = now.bytes.saturating_sub(before.bytes) as f64;
            self.bytes_per_node_second += bytes / seconds / f64::from(now.up);
        }
        self.runs += 1;
        self.up += u64::from(now.up);
        self.members += u64::from(now.members);
    }

    fn mean(&self, at_us: u64) -> Moment {
        let runs = self.runs.max(1) as f64;
        Moment {
            at_us,
            runs: self.runs,
            bytes_per_node_second: self.bytes_per_node_second / runs,
            up: self.up as f64 / runs,
            members: self.members as f64 / runs,
        }
    }
}

fn add_each(sums: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (name, count) in more {
        *sums.entry(name.clone()).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn run(seed: u64, check: Option<&str>, bytes: u64) -> SeedRun {
        let mut outcome = samples::outcome(&samples::plan(4, Vec::new()), check);
        outcome.statistics.converged_at_us = Some(3_000_000);
        outcome.statistics.last_fault_us = 1_000_000;
        outcome.statistics.peaks.insert("roster".to_owned(), seed);
        outcome.statistics.series = [0, 1_000_000]
            .map(|at_us| Sample {
                at_us,
                up: 4,
                bytes: bytes * at_us / 1_000_000,
                ..Sample::default()
            })
            .to_vec();
        SeedRun {
            seed,
            outcome,
            wall: Duration::from_millis(20),
        }
    }

    #[test]
    fn runs_are_summed_up_in_whatever_order_they_end() {
        let runs = [run(2, Some("admission"), 400), run(1, None, 1_200)];
        let told = |order: [usize; 2]| {
            let mut tally = Tally::default();
            order.iter().for_each(|place| tally.add(&runs[*place]));
            tally.finish()
        };
        let report = told([0, 1]);
        assert_eq!(report, told([1, 0]));
        assert_eq!((report.run, report.failed), (2, 1));
        assert_eq!(report.failed_checks["admission"], 1);
        assert_eq!(report.peaks["roster"], 2);
        assert_eq!(report.curves.convergence.mean, 2_000_000.0);
        assert_eq!(report.course[1].bytes_per_node_second, 200.0);
        assert_eq!(report.first_course[1].bytes, 1_200);
    }

    #[test]
    fn failures_that_are_kept_are_bounded() {
        let mut tally = Tally::default();
        let outcome = run(1, Some("admission"), 0).outcome;
        for seed in 0..200 {
            tally.keep(Failure {
                seed,
                violation: outcome.violation.clone().unwrap_or_else(|| unreachable!()),
                told: String::new(),
                replay: String::new(),
                shrunk: None,
            });
        }
        assert_eq!(tally.finish().failures.len(), FAILURES_MAX);
    }
}
