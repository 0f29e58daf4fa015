//! `mutations`: breaks one rule of the protocol after the other, and shows which check notices, and how soon.

use std::time::{Duration, Instant};

use peerage_protocol::mutation::Mutation;
use peerage_simulations::outcome::{Options, Outcome};
use peerage_simulations::report::terminal;
use peerage_simulations::runner::attempt::attempt;
use peerage_simulations::scenario::Scenario;
use peerage_simulations::world;
use serde::Serialize;

use crate::Verdict;
use crate::arguments::Mutations;
use crate::failure::Failure;
use crate::output::{note, say, say_json};

const COLUMNS: [&str; 6] = [
    "broken rule",
    "caught by",
    "scenario",
    "seed",
    "worlds",
    "seconds",
];

/// One broken rule and what came of it.
#[derive(Debug, Serialize)]
struct Tried {
    rule: String,
    /// `None` if no check noticed in time.
    caught: Option<Caught>,
    /// Worlds that were run until then.
    worlds: u32,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct Caught {
    check: String,
    scenario: String,
    seed: u64,
    what: String,
}

/// Tries every mutation over all scenarios, seed after seed, until it is caught or its time is over.
pub fn mutations(asked: &Mutations, json: bool) -> Result<Verdict, Failure> {
    let asked_for = |name: &str| asked.scenario.as_ref().is_none_or(|wanted| wanted == name);
    let scenarios: Vec<Scenario> = Scenario::names()
        .filter(|name| asked_for(name))
        .filter_map(|name| Scenario::builtin(name).ok())
        .collect();
    let within = Duration::from_secs(asked.seconds);
    let mut tried = Vec::new();
    for mutation in Mutation::ALL {
        let rule = format!("{mutation:?}");
        if !asked.rules.is_empty() && !asked.rules.contains(&rule) {
            continue;
        }
        Mutation::choose(Some(*mutation));
        let one = hunt(rule, &scenarios, within);
        note(&line(&one));
        tried.push(one);
    }
    Mutation::choose(None);
    match json {
        true => say_json(&tried)?,
        false => say(&table(&tried)),
    }
    Ok(Verdict::of(tried.iter().any(|one| one.caught.is_none())))
}

fn hunt(rule: String, scenarios: &[Scenario], within: Duration) -> Tried {
    let (begun, mut worlds) = (Instant::now(), 0);
    for seed in 1.. {
        for scenario in scenarios {
            if begun.elapsed() >= within {
                break;
            }
            worlds += 1;
            let plan = scenario.plan(scenario.default_nodes(), seed);
            let Outcome { violation, .. } = attempt(&world::run, &plan, &Options::default());
            if let Some(violation) = violation {
                let caught = Caught {
                    check: violation.check,
                    scenario: scenario.name.clone(),
                    seed,
                    what: violation.what,
                };
                return Tried {
                    rule,
                    caught: Some(caught),
                    worlds,
                    seconds: begun.elapsed().as_secs_f64(),
                };
            }
        }
        if begun.elapsed() >= within {
            break;
        }
    }
    Tried {
        rule,
        caught: None,
        worlds,
        seconds: begun.elapsed().as_secs_f64(),
    }
}

fn line(tried: &Tried) -> String {
    let by = tried.caught.as_ref();
    let by = by.map_or("by nothing", |caught| caught.check.as_str());
    format!("{}: caught {by} after {:.1} s", tried.rule, tried.seconds)
}

fn table(tried: &[Tried]) -> String {
    let row = |one: &Tried| {
        let caught = one.caught.as_ref();
        let of = |text: fn(&Caught) -> String| caught.map_or("–".to_owned(), text);
        [
            one.rule.clone(),
            of(|caught| caught.check.clone()),
            of(|caught| caught.scenario.clone()),
            of(|caught| caught.seed.to_string()),
            one.worlds.to_string(),
            format!("{:.1}", one.seconds),
        ]
    };
    let rows = tried.iter().map(|one| row(one).to_vec()).collect();
    terminal::table(&COLUMNS, rows)
}
