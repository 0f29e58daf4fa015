//! How far it is: a bar on a terminal, now and then a line elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use peerage_simulations::amounts::time;
use peerage_simulations::report::tally::Tally;
use peerage_simulations::runner::shrink::ShrinkProgress;

use crate::output::note;

/// Between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(10);

/// Shows how far a scenario, or a shrinking, is.
pub struct Progress {
    bar: Option<ProgressBar>,
    title: String,
    total: u64,
    began: Instant,
    told: Instant,
}

impl Progress {
    /// Of so many seeds or runs; `title` says of what.
    pub fn new(title: &str, total: u64, unit: &str) -> Self {
        let now = Instant::now();
        Self {
            bar: std::io::stderr()
                .is_terminal()
                .then(|| bar(title, total, unit)),
            title: title.to_owned(),
            total,
            began: now,
            told: now,
        }
    }

    /// Another seed has been run.
    pub fn seed_done(&mut self, tally: &Tally) {
        let (run, failed) = tally.run_and_failed();
        let rate = run as f64 / self.began.elapsed().as_secs_f64().max(1e-6);
        let simulated = time(tally.virtual_us() as f64);
        let told = format!("{rate:.1} seeds/s, {simulated} simulated, {failed} failed");
        self.show(run, &told);
    }

    /// Another run of a shrinking has been made.
    pub fn run_made(&mut self, progress: &ShrinkProgress) {
        let ShrinkProgress { actions, nodes, .. } = progress;
        let told = format!("{actions} actions and {nodes} nodes left");
        self.show(u64::from(progress.runs), &told);
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn show(&mut self, done: u64, told: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(done);
                bar.set_message(told.to_owned());
            }
            None if self.told.elapsed() >= LINES => {
                self.told = Instant::now();
                note(&format!("{}: {done} of {}, {told}", self.title, self.total));
            }
            None => (),
        }
    }
}

fn bar(title: &str, total: u64, unit: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let template = format!(
        "{{prefix:<16}} {{bar:30.cyan/black.bright}} {{pos}}/{{len}} {unit}  {{msg}}  {{eta}} left"
    );
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.set_prefix(title.to_owned());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
