//! What a node knows of another never becomes older, and does not change oftener than a member may change.
//!
//! At each step of a node one of the others is looked at, in turn, and one of those that misbehave.

use peerage_protocol::id::NodeId;
use peerage_protocol::membership::member::Member;
use rustc_hash::FxHashMap;

use super::{Check, Finding, Observation, View};

/// Time in which changes are counted, in microseconds.
const WINDOW_US: u64 = 5_000_000;
/// Changes that one node may see of another in that time: a member may change twice a second, a few times at once, and
/// reconciliations bring what was left out.
const CHANGES_MAX: u32 = 40;

/// What nodes were last seen to know of each other.
#[derive(Default)]
pub(crate) struct Records {
    /// By who knows, then by whom it knows of.
    seen: FxHashMap<usize, FxHashMap<NodeId, Seen>>,
    steps: usize,
}

/// How late something is: certificates first, then goodbyes, then records.
type Age = (u64, Option<(bool, u64)>);

struct Seen {
    age: Age,
    window_us: u64,
    changes: u32,
}

impl Check for Records {
    fn name(&self) -> &'static str {
        "records"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        match seen {
            Observation::Booted { node }
            | Observation::Entered { node }
            | Observation::Left { node } => {
                self.seen.remove(node);
                Ok(())
            }
            Observation::Stepped { node, .. } => {
                self.steps = self.steps.wrapping_add(1);
                let any = self.steps % view.machines.len();
                let liars = &view.truth.liars;
                let liar = liars.iter().nth(self.steps % liars.len().max(1));
                self.look(*node, any, view)?;
                liar.map_or(Ok(()), |liar| self.look(*node, *liar, view))
            }
            _ => Ok(()),
        }
    }
}

impl Records {
    fn look(&mut self, node: usize, other: usize, view: &View<'_>) -> Result<(), Finding> {
        let subject = view.machines[other].id;
        let process = view.machines[node].process.as_ref();
        let roster = process.and_then(|process| process.state.roster());
        let Some(member) = roster.and_then(|roster| roster.known(subject)) else {
            self.seen.entry(node).or_default().remove(&subject);
            return Ok(());
        };
        let age = age_of(member);
        let now_us = view.now_us;
        let seen = self.seen.entry(node).or_default();
        let seen = seen.entry(subject).or_insert(Seen {
            age,
            window_us: now_us,
            changes: 0,
        });
        let before = std::mem::replace(&mut seen.age, age);
        if now_us - seen.window_us > WINDOW_US {
            (seen.window_us, seen.changes) = (now_us, 0);
        }
        seen.changes += u32::from(age != before);
        let changes = seen.changes;
        // A certificate that was never taken gives way to what its holder says under an earlier one.
        let older = age < before && age.1.is_some() == before.1.is_some();
        if !older && changes <= CHANGES_MAX {
            return Ok(());
        }
        let (here, there) = (view.called(node), view.called(other));
        let what = if older {
            format!("{here} knew something later of {there} than it does now")
        } else {
            format!("{here} saw {there} change {CHANGES_MAX} times within five seconds")
        };
        Err(Finding { node, what })
    }
}

fn age_of(member: &Member) -> Age {
    let record = member.record();
    let expires = member.chain().body().expires.0;
    (
        expires,
        record.map(|record| (record.leaving, record.sequence)),
    )
}
