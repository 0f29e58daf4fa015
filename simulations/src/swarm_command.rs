//! `peerage-simulations swarm`: runs real nodes and prints what was measured.

use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use peerage_simulations::distribution::Distribution;
use peerage_simulations::real::{LatencyRange, Spread, SwarmOutcome, SwarmPlan, run as run_swarm};

/// What is run.
#[derive(Args)]
pub struct SwarmArguments {
    /// Nodes at the beginning.
    #[arg(long, default_value_t = 300)]
    nodes: u32,
    /// One-way latencies between which each pair's is drawn, in milliseconds.
    #[arg(long, default_value = "10..100", value_name = "MIN..MAX")]
    latency: Latency,
    /// What keys and latencies are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Nodes that join at the same time.
    #[arg(long, default_value_t = 8)]
    joining_at_once: u32,
    /// Nodes that join one by one once all is quiet.
    #[arg(long, default_value_t = 10)]
    newcomers: u32,
    /// Times that a node tells something new of itself.
    #[arg(long, default_value_t = 20)]
    news: u32,
    /// Times that a node shares another tool.
    #[arg(long, default_value_t = 5)]
    tools: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy)]
struct Latency(LatencyRange);

impl FromStr for Latency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is no range of milliseconds, such as 10..100");
        let (min, max) = text.split_once("..").ok_or_else(wrong)?;
        let min_ms = min.parse().map_err(|_| wrong())?;
        let max_ms = max.parse().map_err(|_| wrong())?;
        if min_ms > max_ms {
            return Err(wrong());
        }
        Ok(Self(LatencyRange { min_ms, max_ms }))
    }
}

/// Runs the swarm; fails when something was never known somewhere.
pub fn run(arguments: &SwarmArguments) -> ExitCode {
    let plan = SwarmPlan {
        nodes: arguments.nodes,
        latency: arguments.latency.0,
        seed: arguments.seed,
        joining_at_once: arguments.joining_at_once,
        newcomers: arguments.newcomers,
        news: arguments.news,
        tools: arguments.tools,
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime could be made: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = match runtime.block_on(run_swarm(plan, &|phase| eprintln!("{phase}"))) {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    print(&outcome, arguments.json);
    let missed = [
        outcome.incomplete,
        outcome.newcomer_known.missed,
        outcome.news_known.missed,
        outcome.tools_known.missed,
    ];
    if missed == [0; 4] {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print(outcome: &SwarmOutcome, json: bool) {
    if json {
        match serde_json::to_string(outcome) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("the outcome cannot be written: {error}"),
        }
        return;
    }
    let plan = &outcome.plan;
    println!(
        "{} nodes, {}..{} ms, seed {}: {:.1} s in all",
        plan.nodes,
        plan.latency.min_ms,
        plan.latency.max_ms,
        plan.seed,
        outcome.took_us as f64 / 1e6
    );
    println!(
        "  all started after {:.2} s",
        outcome.started_us as f64 / 1e6
    );
    match outcome.complete_us {
        Some(time) => println!(
            "  every roster complete {:.2} s after the first join",
            time as f64 / 1e6
        ),
        None => println!("  {} rosters were never complete", outcome.incomplete),
    }
    times("  join, many at once", &outcome.join_us);
    times("  join, one alone", &outcome.newcomer_join_us);
    spread("newcomer listed", &outcome.newcomer_known);
    spread("news known", &outcome.news_known);
    spread("tools listed", &outcome.tools_known);
    println!(
        "  copies in vain: {:.2} a message",
        outcome.duplicates_per_message
    );
    let links = &outcome.links;
    println!(
        "  links: {} to {}, half of the nodes {} or fewer",
        links.min,
        links.max,
        links.quantile(0.5).unwrap_or(0)
    );
    println!(
        "  {:.1} MiB resident and {:.2} % of a processor a node when idle; {} threads, {} files",
        outcome.resident_per_node as f64 / f64::from(1 << 20),
        outcome.idle_processor_share * 100.0,
        outcome.usage.threads,
        outcome.usage.files
    );
}

fn spread(what: &str, spread: &Spread) {
    times(&format!("  {what}, half"), &spread.half_us);
    times(&format!("  {what}, 99 %"), &spread.nearly_all_us);
    times(&format!("  {what}, all"), &spread.all_us);
    if spread.missed > 0 {
        println!("  {what}: never at {} nodes", spread.missed);
    }
}

fn times(what: &str, times: &Distribution) {
    let ms = |share: f64| times.quantile(share).unwrap_or(0) as f64 / 1e3;
    println!(
        "{what}: {} times, median {:.0} ms, 99 % {:.0} ms, most {:.0} ms",
        times.count,
        ms(0.5),
        ms(0.99),
        ms(1.0)
    );
}
