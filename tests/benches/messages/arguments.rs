//! The command line of the bench.

use std::path::PathBuf;
use std::time::Duration;

/// What to measure, and how long.
#[derive(Debug)]
pub struct Arguments {
    /// How often each subject is measured.
    pub rounds: usize,
    /// For how long messages are sent each time.
    pub duration: Duration,
    /// Messages on their way to the sender's own node at a time.
    pub in_flight: usize,
    /// Bytes of a message's text.
    pub bytes: usize,
    /// Messages sent alone in a round.
    pub singles: usize,
    /// Whether syncs are counted, after the rounds.
    pub count_syncs: bool,
    /// The `nats-server` to measure beside; only nodes are measured without.
    pub nats: Option<PathBuf>,
}

/// What `--help` says.
pub const HELP: &str = "\
Sends messages between agents on three nodes, and over NATS JetStream where a server is named.

  --nats PATH       a nats-server, 2.10 or later: 2.9 cannot sync what it acknowledges
  --rounds N        rounds, of which the medians are shown (5)
  --millis N        for how long messages are sent each time (2000)
  --in-flight N     messages that are sent and not taken yet (64)
  --bytes N         bytes of a text (256)
  --singles N       messages sent alone in a round (50)
  --count-syncs     count fsyncs afterwards, in processes under strace

Bytes on the network are those of the whole loopback: begin with
  unshare -rn sh -c 'ip link set lo up; exec cargo bench ...'
to have it for this alone.
";

impl Arguments {
    /// Reads what stands behind the program's name; `None` asks for help.
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut arguments = Self {
            rounds: 5,
            duration: Duration::from_millis(2_000),
            in_flight: 64,
            bytes: 256,
            singles: 50,
            count_syncs: false,
            nats: None,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
            match word.as_str() {
                "--rounds" => arguments.rounds = number(&value()?)?.max(1),
                "--millis" => {
                    let millis = u64::try_from(number(&value()?)?).unwrap_or(u64::MAX);
                    arguments.duration = Duration::from_millis(millis);
                }
                "--in-flight" => arguments.in_flight = number(&value()?)?.max(1),
                "--bytes" => arguments.bytes = number(&value()?)?.max(1),
                "--singles" => arguments.singles = number(&value()?)?.max(1),
                "--count-syncs" => arguments.count_syncs = true,
                "--nats" => arguments.nats = Some(value()?.into()),
                // Given by `cargo bench` to every bench.
                "--bench" => {}
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("{word} is not known; see --help")),
            }
        }
        Ok(Some(arguments))
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| format!("{text} is not a whole number"))
}
