//! Messages of agents on three real nodes beside NATS JetStream on three servers, in one run: what passes in a second,
//! and what a message costs in processor time, bytes and syncs.
//!
//! `cargo bench -p peerage-tests --bench messages -- --help` says how to run it; tests/README.md says what it found.

mod agent;
mod arguments;
mod cost;
mod figures;
mod jetstream;
mod mesh;
mod nats;
mod report;
mod round_trip;
mod servers;
mod system;

use std::io;
use std::process::ExitCode;

use arguments::{Arguments, HELP};
use figures::{Figures, Subject};
use system::System;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only wants to know that it starts.
    if !words.iter().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    match bench(words) {
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
    // One thread, so that the load takes one core at most.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let figures = runtime.block_on(measure(&arguments))?;
    print!("{}", report::page(&figures));
    Ok(())
}

async fn measure(arguments: &Arguments) -> io::Result<Figures> {
    let mut figures = Figures::default();
    let mut systems = System::all(arguments, false).await?;
    for round in 1..=arguments.rounds {
        for subject in Subject::ALL {
            for system in &mut systems {
                eprintln!("round {round}: {subject:?} over {}", system.name());
                let run = system.measure(subject, arguments).await?;
                figures.add(system.name(), subject, run);
            }
        }
        for system in &mut systems {
            let delays = system.one_at_a_time(arguments.singles).await?;
            figures.add_delays(system.name(), delays);
        }
        figures.add_delays(
            "raw TCP round trip",
            round_trip::measure(arguments.singles).await?,
        );
    }
    for system in systems {
        system.stop().await?;
    }
    if arguments.count_syncs {
        let mut systems = System::all(arguments, true).await?;
        for subject in Subject::ALL {
            for system in &mut systems {
                eprintln!("counting syncs: {subject:?} over {}", system.name());
                let run = system.measure(subject, arguments).await?;
                figures.add_syncs(system.name(), subject, run);
            }
        }
        for system in systems {
            system.stop().await?;
        }
    }
    Ok(figures)
}
