//! Direct messages are for their two ends: nobody else is given their entries but the recipient's mailboxes, and their
//! words stand in no entry, on no disk and on no wire.

use peerage_protocol::id::NodeId;
use peerage_protocol::log::chain_id::{ChainId, Lane};
use peerage_protocol::log::direct::mailboxes;

use super::{Check, Finding, Observation, View};
use crate::world::letters::WORDS;

pub(super) struct Secrecy;

impl Check for Secrecy {
    fn name(&self) -> &'static str {
        "secrecy"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        match seen {
            Observation::Applied { node, entry } if !entry.chain().lane.is_public() => {
                shows_nothing(*node, entry.sealed().body.as_deref(), "keeps", view)?;
                let me = view.machines[*node].id;
                is_meant_for(*node, me, entry.chain(), view)
            }
            Observation::EntrySent {
                node,
                to,
                chain,
                body,
            } if !chain.lane.is_public() => {
                shows_nothing(*node, *body, "sends", view)?;
                match to {
                    Some(to) => is_meant_for(*node, *to, *chain, view),
                    None => finding(*node, format!("{} gossips {chain}", view.called(*node))),
                }
            }
            _ => Ok(()),
        }
    }
}

fn shows_nothing(
    node: usize,
    body: Option<&[u8]>,
    does: &str,
    view: &View<'_>,
) -> Result<(), Finding> {
    let shows = body.is_some_and(shows_words);
    match shows {
        true => finding(
            node,
            format!(
                "{} {does} a direct message that anybody can read",
                view.called(node)
            ),
        ),
        false => Ok(()),
    }
}

/// Whether the words of a direct message stand in these bytes.
pub(crate) fn shows_words(bytes: &[u8]) -> bool {
    let words = WORDS.as_bytes();
    // The first letter alone is looked for before all of them are: bodies are long.
    let begins = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == words[0]);
    begins
        .into_iter()
        .any(|(at, _)| bytes[at..].starts_with(words))
}

/// Whether `holder` is an end of the chain or a mailbox of its recipient, as far as `node` knows who is a member.
fn is_meant_for(
    node: usize,
    holder: NodeId,
    chain: ChainId,
    view: &View<'_>,
) -> Result<(), Finding> {
    let Lane::Direct(recipient) = chain.lane else {
        return Ok(());
    };
    let process = view.machines[node].process.as_ref();
    let Some(roster) = process.and_then(|process| process.roster.as_ref()) else {
        return Ok(());
    };
    let is_end = holder == chain.author || holder == recipient;
    match is_end || mailboxes(roster, recipient).contains(&holder) {
        true => Ok(()),
        false => finding(
            node,
            format!(
                "{} has {chain}, which is not for it",
                view.called_by_id(holder)
            ),
        ),
    }
}

fn finding(node: usize, what: String) -> Result<(), Finding> {
    Err(Finding { node, what })
}
