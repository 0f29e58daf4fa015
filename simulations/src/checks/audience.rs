//! Nobody lists a tool that its owner never shared, least of all a private one.

use peerage_protocol::catalog::snapshot::{Catalog, Provider};

use super::sampling::Sampling;
use super::{Check, Finding, Observation, View};
use crate::world::misbehaviour::UNANNOUNCED_SERVER;

#[derive(Default)]
pub(super) struct Audience {
    sampling: Sampling,
}

impl Check for Audience {
    fn name(&self) -> &'static str {
        "audience"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        let Observation::CatalogPublished { node, catalog } = seen else {
            return Ok(());
        };
        if !self.sampling.includes(catalog) {
            return Ok(());
        }
        check(*node, catalog, view)
    }
}

fn check(node: usize, catalog: &Catalog, view: &View<'_>) -> Result<(), Finding> {
    for entry in catalog.entries() {
        let Provider::Peer {
            node: owner,
            server,
            ..
        } = &entry.provider
        else {
            continue;
        };
        let place = (view.place)(*owner);
        // Of what a liar offers, anything is true that it announced.
        let announced = server.as_str() != UNANNOUNCED_SERVER;
        let fine = place.is_some_and(|place| {
            (view.truth.liars.contains(&place) && announced)
                || view
                    .truth
                    .ever_shared(place, server.as_str(), &entry.tool, &entry.definition)
        });
        if !fine {
            let (here, owner) = (view.called(node), view.called_by_id(*owner));
            return Err(Finding {
                node,
                what: format!("{here} lists {}, which {owner} never shared", entry.name),
            });
        }
    }
    Ok(())
}
