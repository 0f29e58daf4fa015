//! The stdio child: reads what is there, answers it, and writes the answers together.

use std::io::{self, BufRead, BufReader, BufWriter, Write};

use super::answers::Answers;

/// Room for some large answers.
const BUFFER_BYTES: usize = 1 << 20;

/// Answers until standard input ends.
pub fn run() -> io::Result<()> {
    let answers = Answers::new();
    let mut input = BufReader::with_capacity(BUFFER_BYTES, io::stdin().lock());
    let mut output = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return output.flush();
        }
        if let Some(answer) = answers.to(&line) {
            output.write_all(&answer.head)?;
            output.write_all(&answer.tail)?;
            output.write_all(b"\n")?;
        }
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
    }
}
