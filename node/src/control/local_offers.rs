//! What this node's own upstreams offer, gathered into one list for control.

use std::collections::BTreeMap;
use std::time::Duration;

use peerage_protocol::catalog::manifest::ToolEntry;
use peerage_protocol::catalog::shelf::{Shelf, ShelfItem};
use peerage_protocol::catalog::snapshot::LocalServer;
use peerage_protocol::id::ServerName;
use peerage_protocol::node_state::Input;

use tokio::time::Instant;

use crate::gateway::backend::upstream::{
    Definition, ListChanges, Offer, UpstreamChange, UpstreamEvent,
};

/// Announcements of one server, without a change that can be seen, that the mesh hears of...
const REVISIONS_MAX: usize = 20;
/// ...within this time.
const REVISIONS_WITHIN: Duration = Duration::from_secs(60);

/// Something that changes what this node offers.
#[derive(Clone, Debug)]
pub enum OfferChange {
    /// At one upstream.
    Upstream(UpstreamEvent),
    /// The configuration: every upstream, and whether it is shared.
    Configured(BTreeMap<ServerName, bool>),
}

/// What the configured upstreams offer, as each last listed it.
#[derive(Debug, Default)]
pub struct LocalOffers {
    shares: BTreeMap<ServerName, bool>,
    offers: BTreeMap<ServerName, (Vec<ToolEntry>, Shelf)>,
    revised: BTreeMap<ServerName, Vec<Instant>>,
}

impl LocalOffers {
    /// Takes a change and says what control is to hear. Tools of a server that is not configured wait until it is.
    pub fn take(&mut self, change: OfferChange) -> Input {
        match change {
            OfferChange::Configured(shares) => {
                self.offers.retain(|server, _| shares.contains_key(server));
                self.revised.retain(|server, _| shares.contains_key(server));
                self.shares = shares;
            }
            OfferChange::Upstream(UpstreamEvent { server, change }) => match change {
                UpstreamChange::Offer(offer, announced) => self.replace(server, offer, announced),
                UpstreamChange::Removed => {
                    self.offers.remove(&server);
                }
            },
        }
        Input::LocalServers {
            servers: self.servers(),
        }
    }

    /// What was announced and cannot be seen is counted, so that it is known elsewhere too; a server that announces
    /// without end is not listened to for a while.
    fn replace(&mut self, server: ServerName, offer: Offer, announced: ListChanges) {
        let (tools, mut shelf) = sorted(offer);
        if let Some((known_tools, known)) = self.offers.get(&server) {
            shelf.revisions = known.revisions;
            let is_the_same = tools == *known_tools && shelf == *known;
            if is_the_same && announced.any() && self.may_revise(&server) {
                shelf.revisions.tools += u64::from(announced.tools);
                shelf.revisions.prompts += u64::from(announced.prompts);
                shelf.revisions.resources += u64::from(announced.resources);
            }
        }
        self.offers.insert(server, (tools, shelf));
    }

    fn may_revise(&mut self, server: &ServerName) -> bool {
        let now = Instant::now();
        let revised = self.revised.entry(server.clone()).or_default();
        revised.retain(|then| now.duration_since(*then) < REVISIONS_WITHIN);
        let may = revised.len() < REVISIONS_MAX;
        if may {
            revised.push(now);
        }
        may
    }

    fn servers(&self) -> Vec<LocalServer> {
        let server = |(name, share): (&ServerName, &bool)| {
            let (tools, shelf) = self.offers.get(name).cloned().unwrap_or_default();
            LocalServer {
                name: name.clone(),
                share: *share,
                tools,
                shelf,
            }
        };
        self.shares.iter().map(server).collect()
    }
}

fn sorted(offer: Offer) -> (Vec<ToolEntry>, Shelf) {
    let items = |listed: Vec<Definition>| listed.into_iter().filter_map(as_item).collect();
    let shelf = Shelf {
        prompts: items(offer.prompts),
        resources: items(offer.resources),
        templates: items(offer.templates),
        ..Shelf::default()
    };
    (
        offer.tools.into_iter().filter_map(as_entry).collect(),
        shelf,
    )
}

/// JSON is UTF-8 by its grammar; an upstream that sends anything else offers nothing by it.
fn as_entry(tool: Definition) -> Option<ToolEntry> {
    let definition = std::str::from_utf8(&tool.definition).ok()?;
    Some(ToolEntry {
        name: tool.name.into(),
        definition: definition.into(),
    })
}

fn as_item(item: Definition) -> Option<ShelfItem> {
    let definition = std::str::from_utf8(&item.definition).ok()?;
    Some(ShelfItem {
        key: item.name.into(),
        definition: definition.into(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn tools(server: &str, names: &[&str]) -> OfferChange {
        let definition = |name: &&str| Definition {
            name: (*name).to_owned(),
            definition: format!(r#"{{"name":"{name}"}}"#).into(),
        };
        OfferChange::Upstream(UpstreamEvent {
            server: server.parse().unwrap(),
            change: UpstreamChange::Offer(
                Offer {
                    tools: names.iter().map(definition).collect(),
                    ..Offer::default()
                },
                ListChanges::default(),
            ),
        })
    }

    fn offered(input: Input) -> Vec<(String, bool, usize)> {
        let Input::LocalServers { servers } = input else {
            panic!("control hears of servers");
        };
        let row =
            |server: &LocalServer| (server.name.to_string(), server.share, server.tools.len());
        servers.iter().map(row).collect()
    }

    #[test]
    fn a_server_is_offered_with_its_tools_until_it_is_no_longer_configured() {
        let mut offers = LocalOffers::default();
        let name: ServerName = "files".parse().unwrap();
        let configured = OfferChange::Configured([(name, true)].into());
        assert_eq!(
            offered(offers.take(configured)),
            [("files".to_owned(), true, 0)]
        );
        let listed = offered(offers.take(tools("files", &["read", "write"])));
        assert_eq!(listed, [("files".to_owned(), true, 2)]);
        let emptied = offered(offers.take(OfferChange::Configured(BTreeMap::new())));
        assert_eq!(emptied, []);
    }

    #[test]
    fn an_announced_change_that_cannot_be_seen_is_counted_but_not_without_end() {
        let mut offers = LocalOffers::default();
        let files: ServerName = "files".parse().unwrap();
        offers.take(OfferChange::Configured([(files.clone(), true)].into()));
        let mut announce = || {
            let announced = ListChanges {
                prompts: true,
                ..ListChanges::default()
            };
            let change = UpstreamChange::Offer(Offer::default(), announced);
            let server = files.clone();
            let change = OfferChange::Upstream(UpstreamEvent { server, change });
            let Input::LocalServers { servers } = offers.take(change) else {
                panic!("control hears of servers");
            };
            servers[0].shelf.revisions
        };
        assert!(announce().are_none(), "the first list is news by itself");
        let revisions = announce();
        assert_eq!((revisions.prompts, revisions.tools), (1, 0));
        let counted = (0..2 * REVISIONS_MAX).map(|_| announce().prompts).max();
        assert_eq!(counted, Some(REVISIONS_MAX as u64));
    }

    #[test]
    fn tools_of_a_server_nobody_configured_are_not_offered() {
        let mut offers = LocalOffers::default();
        assert_eq!(offered(offers.take(tools("ghost", &["boo"]))), []);
    }
}
