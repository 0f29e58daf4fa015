//! Progress tokens: ours upstream, the caller's on the way back.

use bytes::Bytes;

use super::outgoing::on_one_line;
use crate::gateway::mcp::splice::{notification_token, progress_token_of};

/// The method of a progress notification.
pub(crate) const PROGRESS: &str = "notifications/progress";

/// Our token in a whole progress notification; `None` where it is missing, occurs twice or is none of ours.
pub(crate) fn our_token(message: &[u8]) -> Option<u64> {
    let token = progress_token_of(message).ok()??;
    std::str::from_utf8(token).ok()?.parse().ok()
}

/// `message` with the caller's raw token, on one line.
pub(crate) fn for_caller(message: &Bytes, callers: &[u8]) -> Option<Bytes> {
    Some(on_one_line(notification_token(message, callers).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn our_token_is_found_and_the_callers_put_in_its_place() {
        let message = Bytes::from_static(
            b"{\"method\":\"notifications/progress\",\n\"params\":{\"progressToken\" : 12 ,\"message\":\"12\"}}",
        );
        assert_eq!(our_token(&message), Some(12));
        assert_eq!(
            for_caller(&message, b"\"caller\"").unwrap(),
            &b"{\"method\":\"notifications/progress\", \"params\":{\"progressToken\" : \"caller\" ,\"message\":\"12\"}}"[..]
        );
    }

    #[test]
    fn a_token_of_another_kind_is_none_of_ours() {
        for token in ["\"12\"", "1.5", "-1", "null"] {
            let message = format!(r#"{{"params":{{"progressToken":{token}}}}}"#);
            assert_eq!(our_token(message.as_bytes()), None, "{token}");
        }
    }
}
