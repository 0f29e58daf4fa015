//! Gathers the pages of an upstream's `tools/list` into one bounded list.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::Bytes;
use peerage_protocol::limits::{MANIFEST_BYTES_MAX, MANIFEST_TOOLS_MAX};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::outgoing::on_one_line;
use super::upstream::ToolDefinition;

/// Pages that are followed; with fewer tools than this a page, an upstream is not meant for models.
const PAGES_MAX: usize = 1_000;

/// The pages read so far.
#[derive(Debug, Default)]
pub(crate) struct ToolList {
    tools: Vec<ToolDefinition>,
    names: HashSet<String>,
    cursors: HashSet<String>,
    bytes: usize,
    nameless: usize,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
    #[serde(borrow, rename = "nextCursor")]
    next: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

impl ToolList {
    /// Adds the raw `result` of one page; the cursor of the next, if there is one that was not asked before.
    pub(crate) fn add_page(&mut self, result: &[u8]) -> Result<Option<String>, ToolListError> {
        let page: Page<'_> = serde_json::from_slice(result).map_err(|_| ToolListError::NotAPage)?;
        for tool in page.tools {
            match usable_name(tool) {
                Some(name) => self.add_tool(name, tool)?,
                None => self.nameless += 1,
            }
        }
        let Some(next) = page.next.map(Cow::into_owned) else {
            return Ok(None);
        };
        if self.cursors.len() + 1 >= PAGES_MAX {
            return Err(ToolListError::TooManyPages);
        }
        Ok(self.cursors.insert(next.clone()).then_some(next))
    }

    fn add_tool(&mut self, name: String, raw: &RawValue) -> Result<(), ToolListError> {
        if !self.names.insert(name.clone()) {
            return Ok(());
        }
        self.bytes += raw.get().len();
        if self.tools.len() >= MANIFEST_TOOLS_MAX || self.bytes > MANIFEST_BYTES_MAX {
            return Err(ToolListError::TooLarge);
        }
        self.tools.push(ToolDefinition {
            name,
            definition: on_one_line(Bytes::copy_from_slice(raw.get().as_bytes())),
        });
        Ok(())
    }

    /// Tools that were left out because nobody could call them: without a name, or with one that is empty or no text.
    pub(crate) fn nameless(&self) -> usize {
        self.nameless
    }

    /// The whole list, in the upstream's order; of two tools with one name the first.
    pub(crate) fn into_tools(self) -> Vec<ToolDefinition> {
        self.tools
    }
}

fn usable_name(tool: &RawValue) -> Option<String> {
    let named: Named<'_> = serde_json::from_str(tool.get()).ok()?;
    Some(named.name.into_owned()).filter(|name| !name.is_empty())
}

/// Why an upstream's list of tools is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ToolListError {
    /// Not a result of `tools/list`.
    #[error("its answer to tools/list is not a list of tools")]
    NotAPage,
    /// More than a manifest may hold.
    #[error(
        "its list has more than {MANIFEST_TOOLS_MAX} tools or {MANIFEST_BYTES_MAX} bytes; split the server"
    )]
    TooLarge,
    /// A list without end.
    #[error("its list has more than {PAGES_MAX} pages")]
    TooManyPages,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pages_are_joined_in_order_and_definitions_kept_verbatim_on_one_line() {
        let mut list = ToolList::default();
        let first = b"{\"tools\":[{\"name\":\"a\",\n\"x-own\" : 1.50}],\"nextCursor\":\"2\"}";
        assert_eq!(list.add_page(first), Ok(Some("2".to_owned())));
        assert_eq!(
            list.add_page(br#"{"tools":[{"name":"b"},{"name":"a","late":1}]}"#),
            Ok(None)
        );
        let tools = list.into_tools();
        assert_eq!(
            tools[0].definition,
            Bytes::from_static(b"{\"name\":\"a\", \"x-own\" : 1.50}")
        );
        assert_eq!(
            tools.iter().map(|tool| &tool.name[..]).collect::<Vec<_>>(),
            ["a", "b"]
        );
    }

    #[test]
    fn tools_without_a_usable_name_are_counted_and_the_others_stay() {
        let mut list = ToolList::default();
        let page = br#"{"tools":[{"name":"a"},{"title":"t"},{"name":5},{"name":null},{"name":""},"x",{"name":"b"}]}"#;
        assert_eq!(list.add_page(page), Ok(None));
        assert_eq!(list.nameless(), 5);
        let names: Vec<_> = list
            .into_tools()
            .into_iter()
            .map(|tool| tool.name)
            .collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn a_cursor_that_comes_again_ends_the_list() {
        let mut list = ToolList::default();
        assert!(
            list.add_page(br#"{"tools":[],"nextCursor":""}"#)
                .unwrap()
                .is_some()
        );
        assert_eq!(list.add_page(br#"{"tools":[],"nextCursor":""}"#), Ok(None));
    }

    #[test]
    fn a_list_beyond_its_bounds_is_refused() {
        let mut list = ToolList::default();
        let page: Vec<_> = (0..=MANIFEST_TOOLS_MAX)
            .map(|n| format!(r#"{{"name":"{n}"}}"#))
            .collect();
        let page = format!(r#"{{"tools":[{}]}}"#, page.join(","));
        assert_eq!(list.add_page(page.as_bytes()), Err(ToolListError::TooLarge));
        let mut endless = ToolList::default();
        let last = (0..PAGES_MAX)
            .map(|n| endless.add_page(format!(r#"{{"tools":[],"nextCursor":"{n}"}}"#).as_bytes()))
            .find(Result::is_err);
        assert_eq!(last, Some(Err(ToolListError::TooManyPages)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ToolList::default().add_page(&bytes);
        }
    }
}
