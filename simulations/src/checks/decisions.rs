//! Decisions prove themselves: each has a valid proof, none is taken back, no two contradict each other, and votes are
//! counted as the electorate was frozen.

use std::collections::BTreeMap;
use std::sync::Arc;

use peerage_protocol::consensus::book::{Proposals, Standing};
use peerage_protocol::consensus::electorate::Voter;
use peerage_protocol::consensus::proposal::{Choice, ProposalId};
use peerage_protocol::signature::Ed25519;

use super::{Check, Finding, Observation, View};

/// What each node has shown, and what was decided by whom first.
#[derive(Default)]
pub(crate) struct Decisions {
    shown: BTreeMap<(usize, ProposalId), Arc<Standing>>,
    decided: BTreeMap<ProposalId, (Choice, usize)>,
}

impl Check for Decisions {
    fn name(&self) -> &'static str {
        "decisions"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        match seen {
            Observation::Left { node } => {
                self.shown.retain(|(at, _), _| at != node);
                Ok(())
            }
            Observation::ProposalsPublished { node, proposals } => {
                self.published(*node, proposals, view)
            }
            _ => Ok(()),
        }
    }
}

impl Decisions {
    fn published(
        &mut self,
        node: usize,
        proposals: &Proposals,
        view: &View<'_>,
    ) -> Result<(), Finding> {
        for (id, standing) in proposals {
            let before = self.shown.insert((node, *id), standing.clone());
            if before
                .as_ref()
                .is_some_and(|before| Arc::ptr_eq(before, standing))
            {
                continue;
            }
            let wrong = counted_wrongly(standing)
                .or_else(|| proved_wrongly(standing, before.as_deref()))
                .or_else(|| taken_back(standing, before.as_deref(), view, node))
                .or_else(|| self.contradicted(node, standing, view));
            if let Some(what) = wrong {
                let question = &standing.body().question;
                let what = format!("of {question:?} it {what}");
                return Err(Finding { node, what });
            }
        }
        Ok(())
    }

    /// Two outcomes are decided, although fewer voted twice than two quorums share.
    fn contradicted(
        &mut self,
        node: usize,
        standing: &Standing,
        view: &View<'_>,
    ) -> Option<String> {
        let id = standing.id();
        let choice = standing.decision()?.choice();
        let (first, by) = *self.decided.entry(id).or_insert((choice, node));
        let liars = view.truth.double_voters.iter();
        let liars = liars.filter(|(on, _)| *on == id).count() as u64;
        let body = standing.body();
        let borne = 2 * body.needed() - body.electorate.total();
        let (name, called) = (body.name_of(choice), view.called(by));
        (first != choice && liars < borne).then(|| {
            format!(
                "decided {name}, and {called} decided {}, with {liars} double voters of {borne}",
                body.name_of(first)
            )
        })
    }
}

/// Counts again, by itself: each listed voter once, and whoever signed two votes not at all.
fn counted_wrongly(standing: &Standing) -> Option<String> {
    let body = standing.body();
    let mut choices: BTreeMap<&Voter, Vec<Choice>> = BTreeMap::new();
    for vote in standing.ballots().all() {
        let known = choices.entry(&vote.voter).or_default();
        if !known.contains(&vote.choice) {
            known.push(vote.choice);
        }
    }
    let mut weights = vec![0; body.outcomes()];
    for elector in &body.electorate.electors {
        if let Some([choice]) = choices.get(&elector.voter).map(Vec::as_slice)
            && let Some(weight) = weights.get_mut(usize::from(choice.0))
        {
            *weight += u64::from(elector.weight);
        }
    }
    let shown = standing.tally().weights;
    (shown != weights).then(|| format!("counts {shown:?} where the votes come to {weights:?}"))
}

fn proved_wrongly(standing: &Standing, before: Option<&Standing>) -> Option<String> {
    let proof = standing.decision()?;
    let known = before.and_then(|before| before.decision());
    if known.is_some_and(|known| Arc::ptr_eq(known, proof)) {
        return None;
    }
    let refused = proof.verify(standing.body().mesh, &Ed25519).err()?;
    let name = standing.body().name_of(proof.choice());
    Some(format!("decided {name}, which is not proved: {refused}"))
}

/// Who was put back to an old backup has forgotten what it decided since.
fn taken_back(
    standing: &Standing,
    before: Option<&Standing>,
    view: &View<'_>,
    node: usize,
) -> Option<String> {
    let decided = before?.decision()?.choice();
    let now = standing.decision().map(|proof| proof.choice());
    let kept = now == Some(decided) || view.truth.restored.contains(&node);
    let name = standing.body().name_of(decided);
    (!kept).then(|| format!("had decided {name}, and shows {now:?} now"))
}
