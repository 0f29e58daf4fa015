//! `list`: the scenarios that come with the program.

use peerage_simulations::report::terminal;
use peerage_simulations::scenario::Scenario;

use super::source::scenarios;
use crate::Verdict;
use crate::failure::Failure;
use crate::output::{say, say_json};

/// Prints them.
pub fn list(json: bool) -> Result<Verdict, Failure> {
    let all = scenarios("all")?;
    if json {
        let told = all.iter().map(|scenario| {
            serde_json::json!({
                "name": scenario.name,
                "about": scenario.about(),
                "nodes": scenario.default_nodes(),
            })
        });
        say_json(&told.collect::<Vec<_>>())?;
        return Ok(Verdict::Held);
    }
    let row = |scenario: &Scenario| {
        let nodes = scenario.default_nodes().to_string();
        vec![scenario.name.clone(), nodes, scenario.about().to_owned()]
    };
    let rows = all.iter().map(row).collect();
    say(&terminal::table(&["scenario", "nodes", "about"], rows));
    Ok(Verdict::Held)
}
