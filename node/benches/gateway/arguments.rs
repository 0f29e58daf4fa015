//! The command line of the bench.

use std::path::PathBuf;
use std::time::Duration;

/// What to measure, and how long.
#[derive(Debug)]
pub struct Arguments {
    /// How often each subject is measured.
    pub rounds: usize,
    /// How long each time.
    pub duration: Duration,
    /// JSON instead of a page.
    pub json: bool,
    /// The `peerage` binary to measure instead of the library.
    pub binary: Option<PathBuf>,
    /// An earlier build of this bench, whose nodes are measured in the same rounds.
    pub before: Option<PathBuf>,
    /// Only what has this in its name.
    pub only: Option<String>,
}

/// What `--help` says.
pub const HELP: &str = "\
Measures the gateway beside a direct upstream and a raw QUIC echo.

  --rounds N       rounds, of which the medians are shown (5)
  --millis N       how long each subject is measured in a round (400)
  --only TEXT      only roads with TEXT in their names, and starts, cold or isolation if that is it
  --binary PATH    measure this peerage binary, not the library as it was just built
  --before PATH    measure an earlier build of this bench in the same rounds, and compare
  --json           figures and goals as JSON
";

impl Arguments {
    /// Reads what stands behind the program's name; `None` asks for help.
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut arguments = Self {
            rounds: 5,
            duration: Duration::from_millis(400),
            json: false,
            binary: None,
            before: None,
            only: None,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
            match word.as_str() {
                "--rounds" => arguments.rounds = number(&value()?)?.max(1),
                "--millis" => {
                    let millis = u64::try_from(number(&value()?)?).unwrap_or(u64::MAX);
                    arguments.duration = Duration::from_millis(millis);
                }
                "--only" => arguments.only = Some(value()?),
                "--binary" => arguments.binary = Some(value()?.into()),
                "--before" => arguments.before = Some(value()?.into()),
                "--json" => arguments.json = true,
                // Given by `cargo bench` to every bench.
                "--bench" => {}
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("{word} is not known; see --help")),
            }
        }
        Ok(Some(arguments))
    }

    /// Whether what is called `name` is to be measured.
    pub fn want(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| format!("{text} is not a whole number"))
}
