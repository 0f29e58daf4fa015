//! The benches of the gateway: what a call costs on every road through a node, beside what it costs without one.
//!
//! The README in the folder above says how to run it, what it found, and which goals are met.

mod arguments;
mod client;
mod comparison;
mod figures;
mod goals;
mod isolation;
mod load;
mod process;
mod program;
mod report;
mod roles;
mod rounds;
mod singles;
mod stage;
mod subject;

use std::io;
use std::iter;
use std::process::ExitCode;

use arguments::{Arguments, HELP};
use figures::Figures;
use program::Program;
use stage::Stage;
use subject::{SUBJECTS, Subject};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.split_first() {
        Some((first, [role, arguments @ ..])) if first == roles::ROLE => {
            roles::play(role, arguments)
        }
        // `cargo test --benches` only wants to know that it starts.
        _ if !words.iter().any(|word| word == "--bench") => Ok(()),
        _ => bench(words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(words: Vec<String>) -> io::Result<()> {
    let Some(arguments) = Arguments::read(words.into_iter()).map_err(io::Error::other)? else {
        print!("{HELP}");
        return Ok(());
    };
    // One thread, so that the load takes one core at most and its share of it can be told.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let all = runtime.block_on(measure(&arguments))?;
    let [figures, before @ ..] = all.as_slice() else {
        return Ok(());
    };
    let before = before.first();
    match arguments.json {
        true => println!("{}", report::json(figures, before)?),
        false => print!("{}", report::page(figures, before)),
    }
    Ok(())
}

/// Figures of the nodes as they are, and of those of an earlier build where one is given.
async fn measure(arguments: &Arguments) -> io::Result<Vec<Figures>> {
    let before = process::load_average();
    let own = arguments
        .binary
        .clone()
        .map_or(Program::Own, Program::Peerage);
    let programs = iter::once(own).chain(arguments.before.clone().map(Program::Bench));
    let mut stages = Vec::new();
    for program in programs {
        stages.push(Stage::set(program).await?);
    }
    let wanted = |subject: &Subject| arguments.want(&subject.road.to_string());
    let subjects: Vec<Subject> = SUBJECTS.into_iter().filter(wanted).collect();
    let Arguments {
        rounds, duration, ..
    } = *arguments;
    let series = rounds::measure_all(&stages, &subjects, rounds, duration).await?;
    let singles = singles::measure(stages, arguments).await?;
    let load_average = [before, process::load_average()];
    let figures = |(series, singles)| Figures {
        load_average,
        series,
        singles,
    };
    Ok(series.into_iter().zip(singles).map(figures).collect())
}
