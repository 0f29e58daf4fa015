//! The names of all checks, as violations have them.

use crate::checks;
use crate::runner::attempt::PANIC_CHECK;

/// The check at the end of a run, beside those that look at its every step.
const CONVERGENCE: &str = "convergence";

/// Every check's name: those of the steps, convergence, and that nothing panics.
pub fn check_names() -> Vec<String> {
    let steps = checks::all();
    let steps = steps.iter().map(|check| check.name());
    let all = steps.chain([CONVERGENCE, PANIC_CHECK]);
    all.map(str::to_owned).collect()
}
