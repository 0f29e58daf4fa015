//! The header that names what a modern request is about, `Mcp-Name`, and how text becomes a header (SEP-2243).

use std::borrow::Cow;

use data_encoding::BASE64;
use http::HeaderValue;
use serde::Deserialize;

use crate::gateway::call::Call;

#[derive(Deserialize)]
struct OfTask<'a> {
    #[serde(borrow, rename = "taskId")]
    task: Cow<'a, str>,
}

/// The value of `Mcp-Name` for `call`; `None` where its method has none, or its params do not say.
pub(crate) fn of_call(call: &Call) -> Option<HeaderValue> {
    match &*call.method {
        "tools/call" | "prompts/get" => value(&call.params.name()?),
        "resources/read" => value(&call.params.uri()?),
        "tasks/get" | "tasks/update" | "tasks/cancel" => {
            let params = call.params.to_bytes();
            let params: OfTask<'_> = serde_json::from_slice(&params).ok()?;
            value(&params.task)
        }
        _ => None,
    }
}

/// `text` as a header value, in the form `=?base64?…?=` where HTTP would not carry it unchanged.
pub(crate) fn value(text: &str) -> Option<HeaderValue> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_go_as_they_are_and_others_encoded() {
        assert_eq!(value("read_file").unwrap(), "read_file");
        assert_eq!(value("größe").unwrap(), "=?base64?Z3LDtsOfZQ==?=");
        assert_eq!(value(" x").unwrap(), "=?base64?IHg=?=");
        assert_eq!(
            value("=?base64?eA==?=").unwrap(),
            "=?base64?PT9iYXNlNjQ/ZUE9PT89?="
        );
    }

    proptest! {
        #[test]
        fn every_name_fits_a_header(name in any::<String>()) {
            prop_assert!(value(&name).is_some());
        }
    }
}
