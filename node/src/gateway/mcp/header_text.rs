//! Text in a header of the modern era: as it is, or in base64 where HTTP would not carry it unchanged (SEP-2243).

use std::borrow::Cow;

use data_encoding::BASE64;
use http::HeaderValue;

/// `text` as a header value, in the form `=?base64?…?=` where HTTP would not carry it unchanged.
pub fn encode(text: &str) -> Option<HeaderValue> {
    let printable = text.bytes().all(|byte| (0x20..=0x7E).contains(&byte));
    let trimmed = text.trim_matches([' ', '\t']) == text;
    let looks_encoded = text.starts_with("=?base64?") && text.ends_with("?=");
    let encoded = if printable && trimmed && !looks_encoded {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("=?base64?{}?=", BASE64.encode(text.as_bytes())))
    };
    HeaderValue::from_str(&encoded).ok()
}

/// The text of a header value: literal, or in canonical base64 between `=?base64?` and `?=`.
pub fn decode(value: &str) -> Option<Cow<'_, str>> {
    let wrapped = value.strip_prefix("=?base64?");
    match wrapped.and_then(|rest| rest.strip_suffix("?=")) {
        None => Some(Cow::Borrowed(value)),
        Some(payload) => {
            let bytes = BASE64.decode(payload.as_bytes()).ok()?;
            String::from_utf8(bytes).ok().map(Cow::Owned)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_go_as_they_are_and_others_encoded() {
        assert_eq!(encode("read_file").unwrap(), "read_file");
        assert_eq!(encode("größe").unwrap(), "=?base64?Z3LDtsOfZQ==?=");
        assert_eq!(encode(" x").unwrap(), "=?base64?IHg=?=");
        assert_eq!(
            encode("=?base64?eA==?=").unwrap(),
            "=?base64?PT9iYXNlNjQ/ZUE9PT89?="
        );
    }

    proptest! {
        #[test]
        fn every_text_fits_a_header_and_is_read_back(text in any::<String>()) {
            let value = encode(&text).unwrap();
            let read = decode(value.to_str().unwrap());
            prop_assert_eq!(read.as_deref(), Some(text.as_str()));
        }

        #[test]
        fn no_header_panics_and_plain_text_stands_for_itself(value: String) {
            if !value.starts_with("=?base64?") {
                prop_assert_eq!(decode(&value), Some(Cow::Borrowed(value.as_str())));
            }
            let wrapped = format!("=?base64?{}?=", BASE64.encode(value.as_bytes()));
            prop_assert_eq!(decode(&wrapped), Some(Cow::Borrowed(value.as_str())));
            let _ = decode(&format!("=?base64?{value}?="));
        }
    }
}
