//! The answers to the lists, rendered once for each catalog: local tools in full, remote ones within a budget; prompts,
//! resources and templates in full, since no client puts them all before a model.

use bytes::Bytes;
use peerage_protocol::catalog::library::{Item, Items};
use peerage_protocol::catalog::snapshot::{Catalog, Entry, Provider};
use peerage_protocol::limits::{LISTED_REMOTE_BYTES_MAX, LISTED_REMOTE_TOOLS_MAX};
use serde_json::value::RawValue;

use super::backend::builtin;
use super::backend::upstream::ListKind;
use super::mcp::splice::{Params, replace_member};
use crate::config::choices::{ToolList, ToolNames};

/// Items on one page.
const PAGE_ITEMS_MAX: usize = 1_000;
/// Bytes of definitions after which a page is full.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// Every page of one catalog's list.
#[derive(Clone, Debug)]
pub struct Listing {
    pages: Vec<Bytes>,
}

/// The lists of every kind.
#[derive(Clone, Debug)]
pub struct Listings {
    tools: Listing,
    prompts: Listing,
    resources: Listing,
    templates: Listing,
}

impl Listings {
    /// Renders what of `catalog` comes from providers that `shown` lets through.
    pub fn render(
        catalog: &Catalog,
        style: ListStyle,
        own: OwnOffers,
        shown: impl Fn(&Provider) -> bool,
    ) -> Self {
        let library = catalog.library();
        let items = |kind, own: &[&str], items| Listing::of_items(kind, own, items, style, &shown);
        Self {
            tools: Listing::render(catalog, style, &own.tools, |entry| shown(&entry.provider)),
            prompts: items(ListKind::Prompts, &own.prompts, library.prompts()),
            resources: items(ListKind::Resources, &own.resources, library.resources()),
            templates: items(ListKind::Templates, &own.templates, library.templates()),
        }
    }

    /// The list of this kind.
    pub const fn of(&self, kind: ListKind) -> &Listing {
        match kind {
            ListKind::Tools => &self.tools,
            ListKind::Prompts => &self.prompts,
            ListKind::Resources => &self.resources,
            ListKind::Templates => &self.templates,
        }
    }
}

/// What the node itself offers, as raw definitions; it comes after what servers offer in each list, which is what a client looks for.
#[derive(Clone, Debug, Default)]
pub struct OwnOffers {
    /// Tools.
    pub tools: Vec<&'static str>,
    /// Prompts.
    pub prompts: Vec<&'static str>,
    /// Resources.
    pub resources: Vec<&'static str>,
    /// Templates of resources.
    pub templates: Vec<&'static str>,
}

/// How the owner wants tools listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListStyle {
    /// Qualified names, or plain ones where they mean one tool.
    pub names: ToolNames,
    /// Within the budget, or in full.
    pub list: ToolList,
}

impl Listing {
    /// Renders the list of those entries of `catalog` that `shown` lets through. A definition that is not a JSON object with a name is left out: it came from
    /// elsewhere and would break the whole list.
    pub fn render(
        catalog: &Catalog,
        style: ListStyle,
        own: &[&str],
        shown: impl Fn(&Entry) -> bool,
    ) -> Self {
        let mut pages = Pages::default();
        let mut budget = Budget::new(style.list);
        let mut left_out = false;
        for entry in catalog.reachable().filter(|entry| shown(entry)) {
            let Some(definition) = definition_as_listed(catalog, entry, style.names) else {
                tracing::debug!(tool = %entry.name, "a tool's definition is not a JSON object; it is not listed");
                continue;
            };
            if budget.has_room(entry, definition.len()) {
                pages.push(&definition);
            } else {
                left_out = true;
            }
        }
        pages.push_all(own);
        if left_out {
            for definition in builtin::catalog::definitions() {
                pages.push(definition.as_bytes());
            }
        }
        pages.finish(ListKind::Tools.member())
    }

    fn of_items(
        kind: ListKind,
        own: &[&str],
        items: &Items,
        style: ListStyle,
        shown: impl Fn(&Provider) -> bool,
    ) -> Self {
        let mut pages = Pages::default();
        for item in items.reachable().filter(|item| shown(&item.provider)) {
            match item_as_listed(kind, items, item, style.names) {
                Some(definition) => pages.push(&definition),
                None => {
                    tracing::debug!(name = %item.name, "a definition is not a JSON object; it is not listed");
                }
            }
        }
        pages.push_all(own);
        pages.finish(kind.member())
    }

    /// The page that `cursor` names; `None` when there is none such.
    pub fn page(&self, cursor: Option<&str>) -> Option<Bytes> {
        let number = match cursor {
            None => 0,
            Some(cursor) => cursor.parse::<usize>().ok()?,
        };
        self.pages.get(number).cloned()
    }
}

/// The tool's own definition with the name it goes by here; every other byte is its server's.
fn definition_as_listed(catalog: &Catalog, entry: &Entry, names: ToolNames) -> Option<Bytes> {
    let _valid: &RawValue = serde_json::from_str(&entry.definition).ok()?;
    let raw = Bytes::copy_from_slice(entry.definition.as_bytes());
    let mut definition = Params::scan(raw).ok()?;
    definition.name()?;
    definition.set_name(listed_name(catalog, entry, names));
    Some(definition.to_bytes())
}

/// The same for a prompt, which is named like a tool, and for a resource or a template, which keeps its URI where that
/// means it alone.
fn item_as_listed(kind: ListKind, items: &Items, item: &Item, names: ToolNames) -> Option<Bytes> {
    let _valid: &RawValue = serde_json::from_str(&item.definition).ok()?;
    let raw = Bytes::copy_from_slice(item.definition.as_bytes());
    let (member, shown) = match (kind, names) {
        (ListKind::Resources, _) => ("uri", items.shown(item)),
        (ListKind::Templates, _) => ("uriTemplate", items.shown(item)),
        (_, ToolNames::Plain) => ("name", items.shown(item)),
        (_, ToolNames::Qualified) => ("name", item.name.as_str()),
    };
    match shown == &*item.key {
        true => Some(raw),
        false => replace_member(&raw, member, shown),
    }
}

fn listed_name<'a>(catalog: &Catalog, entry: &'a Entry, names: ToolNames) -> &'a str {
    let plain = || {
        let meant = catalog.plain(&entry.tool)?;
        (meant.name == entry.name).then_some(&*entry.tool)
    };
    match names {
        ToolNames::Qualified => &entry.name,
        ToolNames::Plain => plain().unwrap_or(&entry.name),
    }
}

/// What is left for tools of other nodes.
struct Budget {
    tools: usize,
    bytes: usize,
}

impl Budget {
    fn new(list: ToolList) -> Self {
        match list {
            ToolList::Budgeted => Self {
                tools: LISTED_REMOTE_TOOLS_MAX,
                bytes: LISTED_REMOTE_BYTES_MAX,
            },
            ToolList::Full => Self {
                tools: usize::MAX,
                bytes: usize::MAX,
            },
        }
    }

    /// Once a remote tool does not fit, none after it does: the list stays a prefix of the stable order.
    fn has_room(&mut self, entry: &Entry, bytes: usize) -> bool {
        if matches!(entry.provider, Provider::Local { .. }) {
            return true;
        }
        if self.tools == 0 || self.bytes < bytes {
            (self.tools, self.bytes) = (0, 0);
            return false;
        }
        self.tools -= 1;
        self.bytes -= bytes;
        true
    }
}

#[derive(Default)]
struct Pages {
    full: Vec<Vec<u8>>,
    page: Vec<u8>,
    on_page: usize,
}

impl Pages {
    fn push_all(&mut self, definitions: &[&str]) {
        for definition in definitions {
            self.push(definition.as_bytes());
        }
    }

    fn push(&mut self, definition: &[u8]) {
        if self.on_page >= PAGE_ITEMS_MAX || self.page.len() >= PAGE_BYTES_MAX {
            self.full.push(std::mem::take(&mut self.page));
            self.on_page = 0;
        }
        if self.on_page > 0 {
            self.page.push(b',');
        }
        self.page.extend_from_slice(definition);
        self.on_page += 1;
    }

    fn finish(mut self, member: &str) -> Listing {
        self.full.push(self.page);
        let last = self.full.len() - 1;
        let wrap = |(number, items): (usize, Vec<u8>)| {
            let mut page = Vec::with_capacity(items.len() + 48);
            page.extend_from_slice(format!("{{\"{member}\":[").as_bytes());
            page.extend_from_slice(&items);
            page.push(b']');
            if number < last {
                page.extend_from_slice(format!(r#","nextCursor":"{}""#, number + 1).as_bytes());
            }
            page.push(b'}');
            Bytes::from(page)
        };
        Listing {
            pages: self.full.into_iter().enumerate().map(wrap).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use peerage_protocol::catalog::manifest::{Manifest, ServerManifest, ToolEntry};
    use peerage_protocol::catalog::shelf::Shelf;
    use peerage_protocol::catalog::snapshot::{LocalServer, MemberOffer};
    use peerage_protocol::id::NodeId;
    use serde_json::Value;

    use super::*;

    const BUDGETED: ListStyle = ListStyle {
        names: ToolNames::Qualified,
        list: ToolList::Budgeted,
    };

    fn tools(count: usize) -> Vec<ToolEntry> {
        let tool = |number: usize| ToolEntry {
            name: format!("tool{number}").into(),
            definition: format!(
                r#"{{ "inputSchema":{{"x":1e400}},"name":"tool{number}", "odd":[ ] }}"#
            )
            .into(),
        };
        (0..count).map(tool).collect()
    }

    fn catalog(local: usize, remote: usize) -> Catalog {
        let files = LocalServer {
            name: "files".parse().unwrap(),
            share: false,
            tools: tools(local),
            shelf: Shelf::default(),
        };
        let manifest = Manifest::new(vec![ServerManifest {
            name: "far".parse().unwrap(),
            tools: tools(remote),
            shelf: Shelf::default(),
        }]);
        let laptop = MemberOffer {
            node: NodeId::from_public_key([1; 32]),
            node_name: "laptop".parse().unwrap(),
            manifest: Arc::new(manifest),
            reachable: true,
            near: true,
        };
        Catalog::build(vec![files], vec![laptop])
    }

    fn names(listing: &Listing) -> Vec<String> {
        let mut names = Vec::new();
        let mut cursor = None;
        loop {
            let page = listing.page(cursor.as_deref()).unwrap();
            let page: Value =
                serde_json::from_str(&String::from_utf8_lossy(&page).replace("1e400", "1"))
                    .unwrap();
            for tool in page["tools"].as_array().unwrap() {
                names.push(tool["name"].as_str().unwrap().to_owned());
            }
            match page["nextCursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return names,
            }
        }
    }

    #[test]
    fn everything_but_the_name_is_the_servers_own_bytes() {
        let listing = Listing::render(&catalog(1, 0), BUDGETED, &[], |_| true);
        let expected =
            r#"{"tools":[{ "inputSchema":{"x":1e400},"name":"files__tool0", "odd":[ ] }]}"#;
        assert_eq!(listing.page(None).unwrap(), expected);
    }

    #[test]
    fn remote_tools_beyond_the_budget_are_left_to_the_meta_tools() {
        let listing = Listing::render(&catalog(200, 200), BUDGETED, &[], |_| true);
        let names = names(&listing);
        assert_eq!(names.len(), 200 + LISTED_REMOTE_TOOLS_MAX + 3);
        assert_eq!(names.last().unwrap(), "tool_call");
        assert_eq!(names[200], "laptop__far__tool0");
    }

    #[test]
    fn a_list_that_fits_has_no_meta_tools() {
        let names = names(&Listing::render(&catalog(2, 2), BUDGETED, &[], |_| true));
        let expected = [
            "files__tool0",
            "files__tool1",
            "laptop__far__tool0",
            "laptop__far__tool1",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn what_the_node_itself_offers_comes_last() {
        let own = [r#"{"name":"agent_list"}"#];
        let listed = names(&Listing::render(&catalog(1, 0), BUDGETED, &own, |_| true));
        assert_eq!(listed, ["files__tool0", "agent_list"]);
    }

    #[test]
    fn thousands_of_tools_come_in_pages_without_a_gap() {
        let style = ListStyle {
            list: ToolList::Full,
            ..BUDGETED
        };
        let listing = Listing::render(&catalog(3_500, 3_500), style, &[], |_| true);
        assert!(listing.page(Some("6")).is_some());
        let names = names(&listing);
        assert_eq!(names.len(), 7_000);
        assert_eq!(names[6_999], "laptop__far__tool3499");
    }

    #[test]
    fn a_cursor_that_was_never_given_out_names_no_page() {
        let listing = Listing::render(&catalog(1, 0), BUDGETED, &[], |_| true);
        for cursor in ["1", "x", "", "-1", "99999999999999999999"] {
            assert_eq!(listing.page(Some(cursor)), None);
        }
    }

    #[test]
    fn plain_names_are_used_where_they_mean_one_tool() {
        let style = ListStyle {
            names: ToolNames::Plain,
            ..BUDGETED
        };
        let listed = names(&Listing::render(&catalog(1, 2), style, &[], |_| true));
        assert_eq!(listed, ["tool0", "laptop__far__tool0", "tool1"]);
    }

    #[test]
    fn a_definition_that_is_no_json_object_does_not_break_the_list() {
        let mut broken = tools(2);
        broken[0].definition = "{\"name\":\"tool0\"".into();
        let files = LocalServer {
            name: "files".parse().unwrap(),
            share: false,
            tools: broken,
            shelf: Shelf::default(),
        };
        let catalog = Catalog::build(vec![files], vec![]);
        assert_eq!(
            names(&Listing::render(&catalog, BUDGETED, &[], |_| true)),
            ["files__tool1"]
        );
    }
}
