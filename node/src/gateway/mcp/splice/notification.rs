//! The progress token in a whole `notifications/progress` message.

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
