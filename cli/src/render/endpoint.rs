//! The places that were looked at for an endpoint.

use super::one_line;
use crate::client::search::{Outcome, Step};

/// One line a place: how long it took, which it is, what came of it.
pub fn trace(steps: &[Step]) -> String {
    steps.iter().map(line).collect()
}

fn line(step: &Step) -> String {
    let Step {
        source,
        micros,
        outcome,
    } = step;
    let said = match outcome {
        Outcome::Found(url) => one_line(url),
        Outcome::Nothing(why) => format!("nothing: {}", one_line(why)),
    };
    let milliseconds = format!("{}.{:03} ms", micros / 1_000, micros % 1_000);
    format!("{milliseconds:>14}  {source}: {said}\n",)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Source;

    #[test]
    fn each_place_has_a_line_with_its_time() {
        let steps = [
            Step {
                source: Source::Environment,
                micros: 7,
                outcome: Outcome::Nothing("MCP_ENDPOINT is not set".to_owned()),
            },
            Step {
                source: Source::Node,
                micros: 1_234,
                outcome: Outcome::Found("http://127.0.0.1:8080/mcp".to_owned()),
            },
        ];
        assert_eq!(
            trace(&steps),
            "      0.007 ms  from MCP_ENDPOINT: nothing: MCP_ENDPOINT is not set\n      1.234 ms  this machine's node: \
             http://127.0.0.1:8080/mcp\n"
        );
    }
}
