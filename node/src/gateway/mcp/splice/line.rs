//! One JSON message on one line, for transports that frame by line.

use std::borrow::Cow;

/// `json` with raw CR and LF as spaces; borrowed where there is none.
///
/// In valid JSON both occur only between tokens, so the meaning stays.
pub fn line(json: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', json).is_none() {
        return Cow::Borrowed(json);
    }
    let mut owned = json.to_vec();
    for byte in &mut owned {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    Cow::Owned(owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::arbitrary::json;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_on_one_line_is_borrowed() {
        assert!(matches!(line(b"{\"a\":\"\\n\"}"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn pretty_json_on_one_line_means_the_same(value in json()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap().replace('\n', "\r\n");
            let line = line(pretty.as_bytes());
            prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
            prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&line).unwrap(), value);
        }
    }
}
