//! Edits a closed list of members in raw JSON and copies every other byte.
//!
//! Nothing here builds a document: a scan says where members lie, an edit is a place and its replacement, and
//! writing copies what lies between. Huge integers, escapes, member order and white space survive as they came.

mod contents;
mod line;
mod notification;
mod params;
mod removal;
mod result;
mod scan;
mod task_ids;

#[cfg(test)]
mod arbitrary;

pub use contents::with_content_uris;
pub use line::line;
pub use notification::{notification_token, progress_token_of, request_id_of, with_request_id};
pub use params::{Params, Reference};
pub use removal::without_meta_members;
pub use result::{CacheHint, CacheScope, result_for};
pub use task_ids::{is_task, task_id_of, with_task_ids};

use bytes::Bytes;

use scan::{Span, members, whole};

/// Why raw JSON cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpliceError {
    /// Not an object where one is needed.
    #[error("{path} must be an object")]
    NotAnObject {
        /// Where.
        path: &'static str,
    },
    /// A member that occurs twice would let two readers see two requests.
    #[error("{path} occurs twice")]
    Duplicate {
        /// Which.
        path: &'static str,
    },
}

/// `object` with the string `text` for its member `key`; `None` where that member does not occur exactly once.
pub fn replace_member(object: &[u8], key: &'static str, text: &str) -> Option<Bytes> {
    let mut found = None;
    for member in members(object, whole(object))? {
        let member = member.ok()?;
        if member.is(object, key) {
            once(&mut found, member.value, key).ok()?;
        }
    }
    let json = serde_json::to_vec(text).ok()?;
    let mut out = Vec::with_capacity(object.len() + json.len());
    write_edited(object, &[(found?, &json)], &mut out);
    Some(out.into())
}

/// Appends `raw` to `out` with each span replaced; `edits` are in ascending order and do not overlap.
fn write_edited(raw: &[u8], edits: &[(Span, &[u8])], out: &mut Vec<u8>) {
    let mut copied = 0;
    for (span, replacement) in edits {
        out.extend_from_slice(&raw[copied..span.start]);
        out.extend_from_slice(replacement);
        copied = span.end;
    }
    out.extend_from_slice(&raw[copied..]);
}

/// Fills `slot`, unless it is filled already.
fn once(slot: &mut Option<Span>, span: Span, path: &'static str) -> Result<(), SpliceError> {
    match slot.replace(span) {
        None => Ok(()),
        Some(_) => Err(SpliceError::Duplicate { path }),
    }
}
