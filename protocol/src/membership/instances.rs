//! Two live nodes with one key: a home that was copied. A node that only started again is not taken for it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::id::NodeId;
use crate::time::Monotonic;
use crate::wire::sounding::Instance;

/// How long an instance is remembered that is not heard again.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Most instances of one node that are remembered.
const INSTANCES_MAX: usize = 4;

/// Which instances of each member were heard of late.
#[derive(Clone, Debug, Default)]
pub struct Instances {
    heard: BTreeMap<NodeId, Vec<Heard>>,
}

#[derive(Clone, Debug)]
struct Heard {
    instance: Instance,
    place: String,
    last: Monotonic,
}

impl Instances {
    /// An instance of `node` was heard. Says where another one runs that is as alive: one that was heard since this
    /// one was heard before. One that has ended is never heard between two words of the one that came after it.
    pub fn heard(
        &mut self,
        now: Monotonic,
        node: NodeId,
        instance: Instance,
        place: &str,
    ) -> Option<String> {
        self.forget_silent(now);
        let all = self.heard.entry(node).or_default();
        let before = all.iter().position(|heard| heard.instance == instance);
        // The order of the list is that of their last words.
        let other = before.and_then(|at| all[at + 1..].last().map(|other| other.place.clone()));
        if let Some(at) = before {
            all.remove(at);
        }
        if all.len() >= INSTANCES_MAX {
            all.remove(0);
        }
        all.push(Heard {
            instance,
            place: place.to_owned(),
            last: now,
        });
        other
    }

    fn forget_silent(&mut self, now: Monotonic) {
        self.heard.retain(|_, all| {
            all.retain(|heard| now.since(heard.last) < REMEMBERED);
            !all.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Instance = Instance([1; 16]);
    const OTHER: Instance = Instance([2; 16]);

    /// Hears these instances of one node, a second apart, and says what each is told.
    fn told(order: &[Instance]) -> Vec<Option<String>> {
        let mut instances = Instances::default();
        let node = NodeId::from_public_key([9; 32]);
        let places = |instance: &Instance| format!("machine {}", instance.0[0]);
        let seconds = (0..).map(|second| Monotonic(second * 1_000));
        let heard = order.iter().zip(seconds);
        heard
            .map(|(instance, now)| instances.heard(now, node, *instance, &places(instance)))
            .collect()
    }

    #[test]
    fn two_that_take_turns_are_told_of_each_other() {
        let told = told(&[ONE, OTHER, ONE, OTHER]);
        let machine = |number| Some(format!("machine {number}"));
        assert_eq!(told, [None, None, machine(2), machine(1)]);
    }

    #[test]
    fn one_that_started_again_is_one() {
        assert_eq!(told(&[ONE, ONE, OTHER, OTHER, OTHER]), [const { None }; 5]);
    }

    #[test]
    fn one_that_is_not_heard_any_more_is_forgotten() {
        let mut instances = Instances::default();
        let node = NodeId::from_public_key([9; 32]);
        let start = Monotonic(0);
        instances.heard(start, node, ONE, "");
        instances.heard(start, node, OTHER, "");
        let later = start + REMEMBERED;
        assert_eq!(instances.heard(later, node, ONE, ""), None);
    }

    #[test]
    fn instances_of_one_node_are_bounded() {
        let mut instances = Instances::default();
        let node = NodeId::from_public_key([9; 32]);
        for number in 0..100 {
            instances.heard(Monotonic(0), node, Instance([number; 16]), "");
        }
        assert_eq!(instances.heard[&node].len(), INSTANCES_MAX);
    }
}
