//! What happened, as a hash over all of it and as lines of text over what is asked for.

use std::collections::VecDeque;
use std::fmt::Write as _;

use crate::outcome::Trace;

/// Numbers gathered before they are hashed.
const GATHERED: usize = 512;

/// Records a run.
pub(crate) struct Tracer {
    hasher: blake3::Hasher,
    gathered: Vec<u8>,
    wanted: Trace,
    lines: VecDeque<String>,
}

impl Tracer {
    pub(crate) fn new(wanted: Trace) -> Self {
        Self {
            hasher: blake3::Hasher::new(),
            gathered: Vec::with_capacity(GATHERED * 8),
            wanted,
            lines: VecDeque::new(),
        }
    }

    /// Notes something that happened: its kind and numbers go into the hash, the text is made only where it is kept.
    pub(crate) fn note(
        &mut self,
        at_us: u64,
        kind: &'static str,
        numbers: &[u64],
        text: impl FnOnce() -> String,
    ) {
        self.gathered.extend_from_slice(&at_us.to_le_bytes());
        self.gathered.extend_from_slice(kind.as_bytes());
        for number in numbers {
            self.gathered.extend_from_slice(&number.to_le_bytes());
        }
        if self.gathered.len() >= GATHERED * 8 {
            self.hasher.update(&self.gathered);
            self.gathered.clear();
        }
        let bound = match self.wanted {
            Trace::HashOnly => return,
            Trace::Tail(0) => return,
            Trace::Tail(lines) => lines,
            Trace::Full => usize::MAX,
        };
        if self.lines.len() >= bound {
            self.lines.pop_front();
        }
        self.lines.push_back(line(at_us, kind, &text()));
    }

    /// The hash in lowercase hexadecimal, and the lines that were kept.
    pub(crate) fn finish(mut self) -> (String, Vec<String>) {
        self.hasher.update(&self.gathered);
        (
            self.hasher.finalize().to_hex().to_string(),
            self.lines.into(),
        )
    }
}

fn line(at_us: u64, kind: &str, text: &str) -> String {
    let mut line = String::new();
    let (seconds, micros) = (at_us / 1_000_000, at_us % 1_000_000);
    // Writing to a string does not fail.
    let _ = write!(line, "{seconds:>6}.{micros:06}  {kind:<12} {text}");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(wanted: Trace, second: u64) -> (String, Vec<String>) {
        let mut tracer = Tracer::new(wanted);
        tracer.note(1, "input", &[7], || "one".to_owned());
        tracer.note(2_500_000, "output", &[second], || "two".to_owned());
        tracer.finish()
    }

    #[test]
    fn the_hash_covers_every_number_whatever_is_kept_as_text() {
        assert_eq!(traced(Trace::Full, 3).0, traced(Trace::HashOnly, 3).0);
        assert_ne!(traced(Trace::HashOnly, 3).0, traced(Trace::HashOnly, 4).0);
    }

    #[test]
    fn a_tail_keeps_the_last_lines() {
        let (_, lines) = traced(Trace::Tail(1), 3);
        assert_eq!(lines, ["     2.500000  output       two"]);
        assert_eq!(traced(Trace::Full, 3).1.len(), 2);
    }
}
