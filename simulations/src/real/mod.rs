//! Real nodes, hundreds in one process: real control, store and swarm, over in-process channels with a latency.
//!
//! Time is the wall clock's and the processor is shared by all nodes, so what is measured here is at least what one
//! node for itself would need.

mod channels;
mod comparison;
mod delayed;
mod latency;
mod measure;
mod node;
mod outcome;
mod process;
mod rounds;
mod swarm;

pub use comparison::{Comparison, Row, compare};
pub use latency::LatencyRange;
pub use node::NodeError;
pub use outcome::{Spread, SwarmOutcome};
pub use process::Usage;
pub use swarm::{SwarmError, SwarmPlan, run};
