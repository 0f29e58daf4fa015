//! `completions` and `man`: the command line, told to shells and to `man`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::terminal::print;

/// Prints a script that makes a shell complete the commands and flags.
pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "peerage", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Prints the page of `peerage`, or of one of its commands.
pub(super) fn man(command: Option<&str>) -> Result<(), Failure> {
    let mut all = Arguments::command();
    all.build();
    let page = match command {
        None => all,
        Some(name) => {
            let found = all.find_subcommand(name).cloned();
            let unknown = || {
                Failure::failed(
                    "unknown_command",
                    format!("there is no command {name}; see: peerage --help"),
                )
            };
            let found = found.ok_or_else(unknown)?;
            let display = format!("peerage-{name}");
            found.display_name(display)
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut text)
        .map_err(|error| Failure::failed("man", error))?;
    print(&String::from_utf8_lossy(&text))
}
