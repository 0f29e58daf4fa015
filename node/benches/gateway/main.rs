//! The benches of the gateway: what a call costs on every road through a node, beside what it costs without one.
//!
//! The README in the folder above says how to run it, what it found, and which goals are met.

mod arguments;
mod client;
mod figures;
mod goals;
mod load;
mod process;
mod report;
mod roles;
mod rounds;
mod singles;
mod stage;
mod subject;

use std::io;
use std::process::ExitCode;

use arguments::{Arguments, HELP};
use figures::Figures;
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
    let figures = runtime.block_on(measure(&arguments))?;
    match arguments.json {
        true => println!("{}", report::json(&figures)?),
        false => print!("{}", report::page(&figures)),
    }
    Ok(())
}

async fn measure(arguments: &Arguments) -> io::Result<Figures> {
    let before = process::load_average();
    let stage = Stage::set(arguments.binary.clone()).await?;
    let wanted = |subject: &Subject| {
        let road = subject.road.to_string();
        arguments
            .only
            .as_ref()
            .is_none_or(|only| road.contains(only))
    };
    let subjects: Vec<Subject> = SUBJECTS.into_iter().filter(wanted).collect();
    let series =
        rounds::measure_all(&stage, &subjects, arguments.rounds, arguments.duration).await?;
    let singles = match arguments.only {
        Some(_) => figures::Singles::default(),
        None => {
            singles::measure(stage, arguments.rounds, arguments.duration)
                .await?
                .1
        }
    };
    Ok(Figures {
        load_average: [before, process::load_average()],
        series,
        singles,
    })
}
