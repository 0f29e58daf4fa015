//! Runs one plan and turns a panic of the code under test into a failed check of that run.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use super::Engine;
use crate::outcome::{Options, Outcome, Statistics, Violation};
use crate::plan::Plan;

/// The name of the check that a panic fails.
pub const PANIC_CHECK: &str = "no panic";

thread_local! {
    static ATTEMPTING: Cell<bool> = const { Cell::new(false) };
    static MESSAGE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `plan`. A panic ends the run and is its violation; what was measured until then is lost.
pub fn attempt(engine: Engine<'_>, plan: &Plan, options: &Options) -> Outcome {
    listen_for_panics();
    ATTEMPTING.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| engine(plan, options)));
    ATTEMPTING.set(false);
    outcome.unwrap_or_else(|_| panicked(plan))
}

fn panicked(plan: &Plan) -> Outcome {
    let message = MESSAGE.take();
    Outcome {
        trace_hash: String::new(),
        violation: Some(Violation {
            at_us: 0,
            check: PANIC_CHECK.to_owned(),
            node: None,
            what: message.unwrap_or_else(|| "it panicked".to_owned()),
        }),
        statistics: Statistics {
            nodes: plan.nodes.len() as u32,
            ..Statistics::default()
        },
        trace: Vec::new(),
    }
}

/// Panics within an attempt are kept for its violation instead of being printed; all others go where they went.
fn listen_for_panics() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| match ATTEMPTING.get() {
            true => MESSAGE.set(Some(told(info))),
            false => before(info),
        }));
    });
}

fn told(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("a panic without a message");
    match info.location() {
        Some(place) => format!("{message} ({}:{})", place.file(), place.line()),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_panic_fails_the_run_with_its_message_and_place() {
        let plan = samples::plan(2, Vec::new());
        let engine = |_: &Plan, _: &Options| -> Outcome { panic!("{} is too much", 7) };
        let outcome = attempt(&engine, &plan, &Options::default());
        let violation = outcome
            .violation
            .map(|violation| (violation.check, violation.what));
        let (check, what) = violation.unwrap_or_default();
        assert_eq!(check, PANIC_CHECK);
        assert!(what.starts_with("7 is too much (simulations"), "{what}");
    }

    #[test]
    fn a_run_that_ends_gives_its_own_outcome() {
        let plan = samples::plan(2, Vec::new());
        let engine = |plan: &Plan, _: &Options| samples::outcome(plan, None);
        let outcome = attempt(&engine, &plan, &Options::default());
        assert_eq!(outcome, samples::outcome(&plan, None));
    }
}
