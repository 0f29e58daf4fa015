//! Finds the line of each key in a JSON text, so that an error can say where to look.
//!
//! serde_json tells the line of a syntax error but forgets the lines of what it read well. This scanner runs over
//! text that serde_json has already accepted; on any other text it stops early and knows fewer lines.

use std::collections::BTreeMap;

/// The lines on which the keys of a JSON text stand.
#[derive(Debug, Default)]
pub(super) struct KeyLines {
    lines: BTreeMap<Vec<String>, usize>,
    duplicates: Vec<(Vec<String>, usize)>,
}

impl KeyLines {
    /// Scans the text. Elements of arrays have their index, in digits, for a key.
    pub(super) fn of(text: &str) -> Self {
        let mut scanner = Scanner {
            rest: text.as_bytes(),
            line: 1,
            path: Vec::new(),
            found: Self::default(),
        };
        scanner.value();
        scanner.found
    }

    /// The line of the key at `path`, or of the nearest key above it; 1 when there is none.
    pub(super) fn line(&self, path: &[&str]) -> usize {
        let owned: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        (1..=owned.len())
            .rev()
            .find_map(|length| self.lines.get(&owned[..length]).copied())
            .unwrap_or(1)
    }

    /// Keys that occur a second time in their object, with the line of the second.
    pub(super) fn duplicates(&self) -> &[(Vec<String>, usize)] {
        &self.duplicates
    }
}

struct Scanner<'a> {
    rest: &'a [u8],
    line: usize,
    path: Vec<String>,
    found: KeyLines,
}

/// As deep as serde_json reads.
const DEPTH_MAX: usize = 128;

impl Scanner<'_> {
    fn value(&mut self) -> Option<()> {
        if self.path.len() > DEPTH_MAX {
            return None;
        }
        self.white_space();
        match self.rest.first()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(drop),
            _ => self.scalar(),
        }
    }

    fn object(&mut self) -> Option<()> {
        self.advance()?;
        loop {
            self.white_space();
            match self.rest.first()? {
                b'}' => return self.advance(),
                b',' => self.advance()?,
                _ => self.member()?,
            }
        }
    }

    fn member(&mut self) -> Option<()> {
        let line = self.line;
        let key = self.string()?;
        self.path.push(key);
        if self.found.lines.insert(self.path.clone(), line).is_some() {
            self.found.duplicates.push((self.path.clone(), line));
        }
        self.white_space();
        if self.rest.first()? != &b':' {
            return None;
        }
        self.advance()?;
        self.value()?;
        self.path.pop();
        Some(())
    }

    fn array(&mut self) -> Option<()> {
        self.advance()?;
        for index in 0.. {
            self.white_space();
            if self.rest.first()? == &b',' {
                self.advance()?;
                self.white_space();
            }
            if self.rest.first()? == &b']' {
                break;
            }
            self.path.push(index.to_string());
            self.found.lines.insert(self.path.clone(), self.line);
            self.value()?;
            self.path.pop();
        }
        self.advance()
    }

    /// Reads a string with its escapes resolved by serde_json.
    fn string(&mut self) -> Option<String> {
        let mut escaped = false;
        let inside = self.rest.get(1..)?.iter().position(|byte| {
            let closes = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            closes
        })?;
        let (raw, rest) = self.rest.split_at(inside + 2);
        self.rest = rest;
        serde_json::from_slice(raw).ok()
    }

    fn scalar(&mut self) -> Option<()> {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b",]}".contains(byte);
        let length = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        if length == 0 {
            return None;
        }
        self.rest = &self.rest[length..];
        Some(())
    }

    fn white_space(&mut self) {
        while let Some(byte) = self.rest.first().filter(|byte| byte.is_ascii_whitespace()) {
            self.line += usize::from(*byte == b'\n');
            self.rest = &self.rest[1..];
        }
    }

    fn advance(&mut self) -> Option<()> {
        self.rest = self.rest.get(1..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str =
        "{\n \"a\": {\n  \"b\\n\": [1,\n {\"c\": null}],\n  \"d\": \"}\"\n },\n \"a\": 2\n}";

    #[test]
    fn keys_are_found_on_their_lines() {
        let lines = KeyLines::of(TEXT);
        assert_eq!(lines.line(&["a", "b\n"]), 3);
        assert_eq!(lines.line(&["a", "b\n", "1", "c"]), 4);
        assert_eq!(lines.line(&["a", "d"]), 5);
    }

    #[test]
    fn a_missing_key_has_the_line_of_its_parent() {
        let lines = KeyLines::of(TEXT);
        assert_eq!(lines.line(&["a", "d", "nothing"]), 5);
        assert_eq!(lines.line(&["nothing"]), 1);
    }

    #[test]
    fn a_key_that_occurs_twice_is_noted_on_its_second_line() {
        let expected = [(vec!["a".to_owned()], 7)];
        assert_eq!(KeyLines::of(TEXT).duplicates(), expected);
    }

    proptest! {
        #[test]
        fn any_text_is_scanned_without_a_panic(text in r#"[\[\]{}",:\\a1 \n]{0,200}"#) {
            KeyLines::of(&text);
        }
    }
}
