//! Gathers the pages of one of an upstream's lists: tools, prompts, resources or templates of resources.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::Bytes;
use peerage_protocol::limits::{ITEM_KEY_BYTES_MAX, MANIFEST_BYTES_MAX, MANIFEST_TOOLS_MAX};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::outgoing::on_one_line;
use super::upstream::{Definition, ListKind};

/// Pages that are followed; with fewer items than this a page, an upstream is not meant for models.
const PAGES_MAX: usize = 1_000;

/// The pages read so far.
#[derive(Debug)]
pub(crate) struct OfferList {
    kind: ListKind,
    items: Vec<Definition>,
    names: HashSet<String>,
    cursors: HashSet<String>,
    bytes: usize,
    nameless: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    #[serde(borrow)]
    tools: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    prompts: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    resources: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    resource_templates: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    next_cursor: Option<Cow<'a, str>>,
}

impl<'a> Page<'a> {
    fn items(&mut self, kind: ListKind) -> Option<Vec<&'a RawValue>> {
        match kind {
            ListKind::Tools => self.tools.take(),
            ListKind::Prompts => self.prompts.take(),
            ListKind::Resources => self.resources.take(),
            ListKind::Templates => self.resource_templates.take(),
        }
    }
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Located<'a> {
    #[serde(borrow)]
    uri: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Templated<'a> {
    #[serde(borrow)]
    uri_template: Cow<'a, str>,
}

impl OfferList {
    /// No pages yet.
    pub(crate) fn new(kind: ListKind) -> Self {
        Self {
            kind,
            items: Vec::new(),
            names: HashSet::new(),
            cursors: HashSet::new(),
            bytes: 0,
            nameless: 0,
        }
    }

    /// Adds the raw `result` of one page; the cursor of the next, if there is one that was not asked before.
    pub(crate) fn add_page(&mut self, result: &[u8]) -> Result<Option<String>, OfferListError> {
        let not_a_page = OfferListError::NotAPage {
            method: self.kind.method(),
        };
        let mut page: Page<'_> = serde_json::from_slice(result).map_err(|_| not_a_page.clone())?;
        for item in page.items(self.kind).ok_or(not_a_page)? {
            match usable_name(self.kind, item) {
                Some(name) => self.add(name, item)?,
                None => self.nameless += 1,
            }
        }
        let Some(next) = page.next_cursor.map(Cow::into_owned) else {
            return Ok(None);
        };
        if self.cursors.len() + 1 >= PAGES_MAX {
            return Err(OfferListError::TooManyPages);
        }
        Ok(self.cursors.insert(next.clone()).then_some(next))
    }

    fn add(&mut self, name: String, raw: &RawValue) -> Result<(), OfferListError> {
        if !self.names.insert(name.clone()) {
            return Ok(());
        }
        self.bytes += raw.get().len();
        if self.items.len() >= MANIFEST_TOOLS_MAX || self.bytes > MANIFEST_BYTES_MAX {
            return Err(OfferListError::TooLarge);
        }
        self.items.push(Definition {
            name,
            definition: on_one_line(Bytes::copy_from_slice(raw.get().as_bytes())),
        });
        Ok(())
    }

    /// Items that were left out because nobody could ask for them: without a name, or with one that is empty or no text.
    pub(crate) fn nameless(&self) -> usize {
        self.nameless
    }

    /// The whole list, in the upstream's order; of two items with one name the first.
    pub(crate) fn into_items(self) -> Vec<Definition> {
        self.items
    }
}

fn usable_name(kind: ListKind, item: &RawValue) -> Option<String> {
    let raw = item.get();
    let name = match kind {
        ListKind::Tools | ListKind::Prompts => serde_json::from_str::<Named<'_>>(raw).ok()?.name,
        ListKind::Resources => serde_json::from_str::<Located<'_>>(raw).ok()?.uri,
        ListKind::Templates => {
            serde_json::from_str::<Templated<'_>>(raw)
                .ok()?
                .uri_template
        }
    };
    let too_long = kind != ListKind::Tools && name.len() > ITEM_KEY_BYTES_MAX;
    Some(name.into_owned()).filter(|name| !name.is_empty() && !too_long)
}

/// Why an upstream's list is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OfferListError {
    /// Not a result of the method.
    #[error("its answer to {method} is not such a list")]
    NotAPage {
        /// What was asked.
        method: &'static str,
    },
    /// More than a manifest may hold.
    #[error(
        "its list has more than {MANIFEST_TOOLS_MAX} items or {MANIFEST_BYTES_MAX} bytes; split the server"
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
        let mut list = OfferList::new(ListKind::Tools);
        let first = b"{\"tools\":[{\"name\":\"a\",\n\"x-own\" : 1.50}],\"nextCursor\":\"2\"}";
        assert_eq!(list.add_page(first), Ok(Some("2".to_owned())));
        assert_eq!(
            list.add_page(br#"{"tools":[{"name":"b"},{"name":"a","late":1}]}"#),
            Ok(None)
        );
        let tools = list.into_items();
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
        let mut list = OfferList::new(ListKind::Tools);
        let page = br#"{"tools":[{"name":"a"},{"title":"t"},{"name":5},{"name":null},{"name":""},"x",{"name":"b"}]}"#;
        assert_eq!(list.add_page(page), Ok(None));
        assert_eq!(list.nameless(), 5);
        let names: Vec<_> = list
            .into_items()
            .into_iter()
            .map(|tool| tool.name)
            .collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn a_cursor_that_comes_again_ends_the_list() {
        let mut list = OfferList::new(ListKind::Tools);
        assert!(
            list.add_page(br#"{"tools":[],"nextCursor":""}"#)
                .unwrap()
                .is_some()
        );
        assert_eq!(list.add_page(br#"{"tools":[],"nextCursor":""}"#), Ok(None));
    }

    #[test]
    fn a_list_beyond_its_bounds_is_refused() {
        let mut list = OfferList::new(ListKind::Tools);
        let page: Vec<_> = (0..=MANIFEST_TOOLS_MAX)
            .map(|n| format!(r#"{{"name":"{n}"}}"#))
            .collect();
        let page = format!(r#"{{"tools":[{}]}}"#, page.join(","));
        assert_eq!(
            list.add_page(page.as_bytes()),
            Err(OfferListError::TooLarge)
        );
        let mut endless = OfferList::new(ListKind::Tools);
        let last = (0..PAGES_MAX)
            .map(|n| endless.add_page(format!(r#"{{"tools":[],"nextCursor":"{n}"}}"#).as_bytes()))
            .find(Result::is_err);
        assert_eq!(last, Some(Err(OfferListError::TooManyPages)));
    }

    #[test]
    fn resources_go_by_their_uris_and_templates_by_themselves() {
        let named = |kind, page: &str| {
            let mut list = OfferList::new(kind);
            list.add_page(page.as_bytes()).unwrap();
            list.into_items().remove(0).name
        };
        let resource = r#"{"resources":[{"name":"n","uri":"a:1"}]}"#;
        assert_eq!(named(ListKind::Resources, resource), "a:1");
        let template = r#"{"resourceTemplates":[{"name":"n","uriTemplate":"a:{x}"}]}"#;
        assert_eq!(named(ListKind::Templates, template), "a:{x}");
        let other = OfferList::new(ListKind::Prompts).add_page(template.as_bytes());
        assert_eq!(
            other,
            Err(OfferListError::NotAPage {
                method: "prompts/list"
            })
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = OfferList::new(ListKind::Tools).add_page(&bytes);
        }
    }
}
