//! Which request a message answers that cannot be read as a whole.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Our id in an answer that is not readable: not UTF-8, not JSON after some point, or with the wrong members.
///
/// A message with a method is no answer: its id is not one of ours. Where the text breaks off before that is certain,
/// a `result` or an `error` must have been seen.
pub(crate) fn spoiled_answer(message: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(message);
    let mut seen = Seen::default();
    let mut source = serde_json::Deserializer::from_str(&text);
    let whole = source.deserialize_map(&mut seen).is_ok();
    let answer = !seen.method && (whole || seen.answer);
    seen.id.filter(|_| answer && !seen.ids_differ)
}

/// The members of an envelope, as far as it could be read.
#[derive(Debug, Default)]
struct Seen {
    id: Option<u64>,
    ids_differ: bool,
    method: bool,
    answer: bool,
}

impl Seen {
    fn note_id(&mut self, id: Option<u64>) {
        self.ids_differ |= id.is_none() || self.id.is_some_and(|before| Some(before) != id);
        self.id = id;
    }
}

impl<'de> Visitor<'de> for &mut Seen {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "id" => {
                    let id: &'de RawValue = map.next_value()?;
                    self.note_id(id.get().parse().ok());
                    continue;
                }
                "method" => self.method = true,
                "result" | "error" => self.answer = true,
                _ => {}
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_request_is_found_whatever_spoils_its_answer() {
        for message in [
            &b"{\"id\":7,\"result\":{\"text\":\"\xff\"}}"[..],
            b"{\"result\":\"\xff\",\"id\":7}",
            br#"{"id":7,"result":{},"result":{}}"#,
            br#"{"id":7,"id":7,"result":{}}"#,
            br#"{"id":7,"result":{},"error":{}}"#,
            br#"{"id":7,"result":{"x":NaN}}"#,
            br#"{"id":7,"result":{"#,
            br#"{"jsonrpc":"2.0","id":7}"#,
        ] {
            assert_eq!(
                spoiled_answer(message),
                Some(7),
                "{}",
                message.escape_ascii()
            );
        }
    }

    #[test]
    fn what_is_no_answer_to_one_request_of_ours_ends_none() {
        for message in [
            &b"{\"id\":7,\"method\":\"ping\",\"params\":\"\xff\"}"[..],
            br#"{"id":7,"params":NaN,"method":"ping"}"#,
            br#"{"id":7,"id":8,"result":{}}"#,
            br#"{"id":7,"id":"7","result":{}}"#,
            br#"{"id":"7","result":NaN}"#,
            br#"{"params":{"id":7}}"#,
            br#"[{"id":7,"result":{}}]"#,
            b"listening on port 7",
        ] {
            assert_eq!(spoiled_answer(message), None, "{}", message.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_searched(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = spoiled_answer(&bytes);
        }
    }
}
