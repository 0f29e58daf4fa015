//! Progress tokens: ours upstream, the caller's on the way back.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::outgoing::on_one_line;

/// The method of a progress notification.
pub(crate) const PROGRESS: &str = "notifications/progress";

#[derive(Deserialize)]
struct ProgressParams<'a> {
    #[serde(borrow, rename = "progressToken")]
    token: &'a RawValue,
}

/// The raw token in the `params` of a progress notification; `None` where it is missing or occurs twice.
pub(crate) fn token(params: &RawValue) -> Option<&RawValue> {
    let params: ProgressParams<'_> = serde_json::from_str(params.get()).ok()?;
    Some(params.token)
}

/// `message` with `callers` in the place of `token`, which was read from it; every other byte is kept, but line
/// breaks between tokens become spaces.
pub(crate) fn with_token(message: &Bytes, token: &RawValue, callers: &[u8]) -> Bytes {
    let token = message.slice_ref(token.get().as_bytes());
    let start = token.as_ptr() as usize - message.as_ptr() as usize;
    let end = start + token.len();
    let mut spliced = Vec::with_capacity(message.len() - token.len() + callers.len());
    spliced.extend_from_slice(&message[..start]);
    spliced.extend_from_slice(callers);
    spliced.extend_from_slice(&message[end..]);
    on_one_line(spliced.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::gateway::backend::incoming::Incoming;

    #[test]
    fn only_the_token_changes() {
        let message = Bytes::from_static(
            br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.50, "progressToken" : 12 ,"message":"12"}}"#,
        );
        let Ok(Incoming::Notification {
            params: Some(params),
            ..
        }) = Incoming::read(&message)
        else {
            panic!("not a notification");
        };
        let token = token(params).unwrap();
        assert_eq!(token.get(), "12");
        assert_eq!(
            with_token(&message, token, b"\"caller\""),
            Bytes::from_static(
                br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.50, "progressToken" : "caller" ,"message":"12"}}"#
            )
        );
    }

    #[test]
    fn two_tokens_are_none() {
        let params: &RawValue =
            serde_json::from_str(r#"{"progressToken":1,"progressToken":2}"#).unwrap();
        assert!(token(params).is_none());
    }
}
