//! What happened and when: written down as it happens, for people or as one JSON object a line.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::failure::Failure;
use crate::render;
use crate::terminal::{View, print};

/// A moment of the demonstration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// Milliseconds since the beginning.
    pub at_ms: f64,
    /// What happened.
    #[serde(flatten)]
    pub happened: Happened,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happened {
    /// A command, as a person would type it on that machine.
    Command {
        /// Where.
        machine: &'static str,
        /// What.
        command: String,
    },
    /// What came of it.
    Seen {
        /// A stable name of the step, for programs.
        step: &'static str,
        /// For people.
        text: String,
        /// Milliseconds until it was so.
        took_ms: Option<f64>,
    },
    /// All went well, and everything is gone again.
    Done,
}

/// Writes moments as they come.
pub struct Timeline {
    begun: Instant,
    json: bool,
    view: View,
}

impl Timeline {
    /// Begins now.
    pub fn start(json: bool, view: View) -> Self {
        Self {
            begun: Instant::now(),
            json,
            view,
        }
    }

    pub(super) fn command(
        &mut self,
        machine: &'static str,
        command: impl Into<String>,
    ) -> Result<(), Failure> {
        self.add(Happened::Command {
            machine,
            command: command.into(),
        })
    }

    pub(super) fn seen(
        &mut self,
        step: &'static str,
        text: impl Into<String>,
        took: Option<Duration>,
    ) -> Result<(), Failure> {
        self.add(Happened::Seen {
            step,
            text: text.into(),
            took_ms: took.map(milliseconds),
        })
    }

    /// The end.
    pub fn done(&mut self) -> Result<(), Failure> {
        self.add(Happened::Done)
    }

    fn add(&mut self, happened: Happened) -> Result<(), Failure> {
        let moment = Moment {
            at_ms: milliseconds(self.begun.elapsed()),
            happened,
        };
        match self.json {
            true => print(&render::json(&moment)?),
            false => print(&render::demo_moment(&moment, self.view)),
        }
    }
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
