//! What a notification is about: the token in a whole `notifications/progress`, the id in a whole
//! `notifications/cancelled`.

use bytes::Bytes;

use super::scan::{Span, members, whole};
use super::{SpliceError, once, write_edited};

/// The raw JSON of `params.progressToken` in a whole JSON-RPC message.
pub fn progress_token_of(message: &[u8]) -> Result<Option<&[u8]>, SpliceError> {
    Ok(find_token(message)?.map(|span| span.of(message)))
}

/// `message` with `params.progressToken` replaced by raw JSON; unchanged where it has none.
pub fn notification_token(message: &Bytes, token: &[u8]) -> Result<Bytes, SpliceError> {
    let Some(span) = find_token(message)? else {
        return Ok(message.clone());
    };
    let mut out = Vec::with_capacity(message.len() + token.len());
    write_edited(message, &[(span, token)], &mut out);
    Ok(out.into())
}

/// The raw JSON of `params.requestId` in a whole JSON-RPC message; `None` where it does not occur exactly once.
pub fn request_id_of(message: &[u8]) -> Option<&[u8]> {
    Some(find_request_id(message)?.of(message))
}

/// `message` with `params.requestId` replaced by raw JSON; `None` where it does not occur exactly once.
pub fn with_request_id(message: &Bytes, id: &str) -> Option<Bytes> {
    let span = find_request_id(message)?;
    let mut out = Vec::with_capacity(message.len() + id.len());
    write_edited(message, &[(span, id.as_bytes())], &mut out);
    Some(out.into())
}

fn find_request_id(message: &[u8]) -> Option<Span> {
    let params = find(message, whole(message), "message", "params", "params").ok()??;
    let path = "params.requestId";
    find(message, params, "params", "requestId", path).ok()?
}

fn find_token(message: &[u8]) -> Result<Option<Span>, SpliceError> {
    let Some(params) = find(message, whole(message), "message", "params", "params")? else {
        return Ok(None);
    };
    find(
        message,
        params,
        "params",
        "progressToken",
        "params.progressToken",
    )
}

fn find(
    bytes: &[u8],
    object: Span,
    object_path: &'static str,
    key: &str,
    path: &'static str,
) -> Result<Option<Span>, SpliceError> {
    let not_an_object = SpliceError::NotAnObject { path: object_path };
    let mut found = None;
    for member in members(bytes, object).ok_or(not_an_object.clone())? {
        let member = member.map_err(|_| not_an_object.clone())?;
        if member.is(bytes, key) {
            once(&mut found, member.value, path)?;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_token_is_replaced_and_nothing_else() {
        let sent = Bytes::from_static(
            br#"{"jsonrpc":"2.0", "params":{"progress":1.50,"progressToken" : "a"},"method":"notifications/progress"}"#,
        );
        assert_eq!(progress_token_of(&sent).unwrap(), Some(&b"\"a\""[..]));
        let written = notification_token(&sent, b"17").unwrap();
        let expected = String::from_utf8(sent.to_vec())
            .unwrap()
            .replace("\"a\"", "17");
        assert_eq!(written, expected.as_bytes());
    }

    #[test]
    fn two_tokens_are_refused() {
        let sent = Bytes::from_static(br#"{"params":{"progressToken":1,"progressToken":2}}"#);
        let path = "params.progressToken";
        let refused = notification_token(&sent, b"3").unwrap_err();
        assert_eq!(refused, SpliceError::Duplicate { path });
    }

    #[test]
    fn the_request_that_is_cancelled_is_named_anew_and_nothing_else_changes() {
        let sent = Bytes::from_static(
            br#"{"method":"notifications/cancelled","params":{"requestId" : "s-1","reason":"r"}}"#,
        );
        assert_eq!(request_id_of(&sent), Some(&b"\"s-1\""[..]));
        let written = with_request_id(&sent, "4").unwrap();
        let expected = String::from_utf8(sent.to_vec())
            .unwrap()
            .replace("\"s-1\"", "4");
        assert_eq!(written, expected.as_bytes());
        let twice = Bytes::from_static(br#"{"params":{"requestId":1,"requestId":2}}"#);
        assert_eq!(with_request_id(&twice, "4"), None);
    }

    #[test]
    fn a_message_without_token_stays_as_it_is() {
        let sent = Bytes::from_static(br#"{"method":"notifications/message","params":{}}"#);
        assert_eq!(notification_token(&sent, b"3").unwrap(), sent);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = notification_token(&bytes.into(), b"1");
        }
    }
}
