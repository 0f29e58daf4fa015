//! `swarm`: real nodes in this process, and the simulated world beside them.

use peerage_simulations::amounts::time;
use peerage_simulations::distribution::Distribution;
use peerage_simulations::real::{self, Comparison, Spread, SwarmOutcome};
use peerage_simulations::report::terminal::table;

use crate::Verdict;
use crate::arguments::Swarm;
use crate::failure::Failure;
use crate::output::{note, say, say_json};

/// Runs them and prints what was measured; it fails when something was never known somewhere.
pub fn swarm(asked: &Swarm, json: bool) -> Result<Verdict, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::NoRuntime)?;
    let outcome = runtime.block_on(real::run(asked.plan(), &note))?;
    runtime.shutdown_background();
    let comparison = asked.compare.then(|| {
        note("the same in the simulated world");
        real::compare(&outcome)
    });
    if json {
        say_json(&serde_json::json!({ "real": &outcome, "comparison": &comparison }))?;
    } else {
        tell(&outcome);
        comparison.iter().for_each(tell_comparison);
    }
    let held = comparison.is_none_or(|comparison| comparison.violation.is_none());
    Ok(Verdict::of(!held || outcome.missed() > 0))
}

fn tell(outcome: &SwarmOutcome) {
    let plan = &outcome.plan;
    let latency = plan.latency;
    say(&format!(
        "{} nodes, {}..{} ms apart, seed {}: {} in all, {} to start them",
        plan.nodes,
        latency.min_ms,
        latency.max_ms,
        plan.seed,
        time(outcome.took_us as f64),
        time(outcome.started_us as f64),
    ));
    say(&match outcome.complete_us {
        Some(us) => format!(
            "every roster complete {} after the first join, {} at a time",
            time(us as f64),
            plan.joining_at_once
        ),
        None => format!("{} rosters were never complete", outcome.incomplete),
    });
    let mut rows = vec![
        row("join, many at once", &outcome.join_us),
        row("join, one alone", &outcome.newcomer_join_us),
    ];
    rows.extend(spread("newcomer listed", &outcome.newcomer_known));
    rows.extend(spread("news known", &outcome.news_known));
    rows.extend(spread("tools listed", &outcome.tools_known));
    rows.push(row("a question to any node", &outcome.calls_us));
    say(&table(&["what", "times", "median", "99 %", "most"], rows));
    tell_cost(outcome);
}

fn tell_cost(outcome: &SwarmOutcome) {
    let links = &outcome.links;
    say(&format!(
        "never known: {}; copies in vain: {:.2} a message of news, {:.2} of all; links: {} to {}, median {}",
        outcome.missed(),
        outcome.duplicates_per_message,
        outcome.duplicates_in_all,
        links.min,
        links.max,
        links.quantile(0.5).unwrap_or(0),
    ));
    say(&format!(
        "{:.1} MiB resident a node and {:.2} % of a processor when idle; {} threads, {} files",
        outcome.resident_per_node as f64 / f64::from(1 << 20),
        outcome.idle_processor_share * 100.0,
        outcome.usage.threads,
        outcome.usage.files
    ));
}

fn spread(what: &str, spread: &Spread) -> [Vec<String>; 3] {
    [
        row(&format!("{what} at half of the nodes"), &spread.half_us),
        row(&format!("{what} at 99 of 100"), &spread.nearly_all_us),
        row(&format!("{what} at all"), &spread.all_us),
    ]
}

fn row(what: &str, times: &Distribution) -> Vec<String> {
    let at = |share: f64| {
        let quantile = times.quantile(share);
        quantile.map_or_else(|| "-".to_owned(), |us| time(us as f64))
    };
    let count = times.count.to_string();
    vec![what.to_owned(), count, at(0.5), at(0.99), at(1.0)]
}

fn tell_comparison(comparison: &Comparison) {
    let row = |row: &real::Row| {
        vec![
            row.what.clone(),
            format!("{:.2}", row.real),
            format!("{:.2}", row.world),
            format!("{:+.0} %", row.difference()),
        ]
    };
    let rows = comparison.rows.iter().map(row).collect();
    say(&table(&["medians", "real", "world", "world off by"], rows));
    if let Some(violation) = &comparison.violation {
        say(&format!("the world failed a check: {violation}"));
    }
}
