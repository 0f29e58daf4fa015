//! Who is here: accused by watchers, cleared by a record of its own.

use super::*;
use crate::presence::accusation::Accusation;

impl Machine {
    fn away(&self) -> Vec<NodeId> {
        self.state.away().keys().copied().collect()
    }

    fn sequence_of(&self, node: NodeId) -> u64 {
        let roster = self.state.roster().unwrap();
        roster.known(node).unwrap().record().unwrap().sequence
    }

    fn key(&self) -> Arc<dyn Signer> {
        self.state.keys.node.clone()
    }

    /// Lets time pass until nothing is due within it any more.
    fn wait(&mut self, time: Duration) -> Vec<Output> {
        let until = self.now.monotonic + time;
        let mut outputs = Vec::new();
        while let Some(next) = self.state.next_deadline().filter(|next| *next <= until) {
            let step = next.since(self.now.monotonic) + Duration::from_millis(1);
            self.pass(step);
            outputs.extend(self.tell(Input::Wake));
        }
        outputs
    }
}

const QUITE_A_WHILE: Duration = Duration::from_secs(10);

/// A founder and a member, linked, that know each other's records.
fn two() -> (Machine, Machine) {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    link(&mut founder, &mut laptop);
    (founder, laptop)
}

fn accused(outputs: &[Output]) -> Vec<NodeId> {
    let told = outputs.iter().filter_map(|output| match output {
        Output::Publish(said) => Some(said.accusations.iter().map(|one| one.accused)),
        _ => None,
    });
    told.flatten().collect()
}

#[test]
fn who_does_not_link_again_is_accused_and_then_away() {
    let (mut founder, laptop) = two();
    founder.tell(Input::LinkDown { node: laptop.me() });
    assert!(founder.away().is_empty());
    let outputs = founder.wait(QUITE_A_WHILE);
    assert_eq!(accused(&outputs), [laptop.me()]);
    assert_eq!(founder.away(), [laptop.me()]);
}

#[test]
fn who_links_again_in_time_is_not_accused() {
    let (mut founder, laptop) = two();
    founder.tell(Input::LinkDown { node: laptop.me() });
    founder.pass(Duration::from_millis(300));
    founder.tell(Input::LinkUp {
        node: laptop.me(),
        address: None,
    });
    let outputs = founder.wait(QUITE_A_WHILE);
    assert!(accused(&outputs).is_empty());
    assert!(founder.away().is_empty());
}

#[test]
fn who_hears_that_it_is_accused_says_so_and_is_here_again() {
    let (mut founder, mut laptop) = two();
    founder.tell(Input::LinkDown { node: laptop.me() });
    founder.wait(QUITE_A_WHILE);
    let before = founder.sequence_of(laptop.me());
    laptop.pass(QUITE_A_WHILE);
    laptop.tell(Input::LinkDown { node: founder.me() });
    link(&mut founder, &mut laptop);
    assert!(founder.away().is_empty());
    assert!(founder.sequence_of(laptop.me()) > before);
}

/// A founder, a member that has fallen silent, and what its watchers say of it, the nearest first.
fn accused_by_watchers() -> (Machine, NodeId, Vec<Announcement>) {
    let mut founder = Machine::founder(1);
    let mut members: Vec<Machine> = (2..7).map(Machine::new).collect();
    for member in &mut members {
        member.join(&mut founder, "node");
        link(&mut founder, member);
    }
    let silent = members.pop().unwrap().me();
    let (mesh, incarnation) = (founder.own().body().mesh, founder.sequence_of(silent));
    members.sort_by_key(|member| crate::presence::distance(silent, member.me()));
    let accusation = |by: &Machine| Accusation::sign(&*by.key(), mesh, silent, incarnation);
    let accusations = members.iter().map(accusation);
    let told = accusations.map(|one| Announcement::accusing(&[Arc::new(one)]));
    (founder, silent, told.collect())
}

impl Machine {
    fn hear(&mut self, from: NodeId, announcement: &Announcement) {
        let announcement = announcement.clone();
        self.tell(Input::Announced { from, announcement });
    }
}

#[test]
fn one_watcher_of_three_is_not_enough_and_two_are() {
    let (mut founder, silent, told) = accused_by_watchers();
    let from = told[0].accusations[0].accuser;
    founder.hear(from, &told[0]);
    founder.wait(QUITE_A_WHILE);
    assert!(founder.away().is_empty());
    founder.hear(from, &told[1]);
    founder.wait(QUITE_A_WHILE);
    assert_eq!(founder.away(), [silent]);
}

#[test]
fn whoever_wakes_from_a_stall_gives_those_it_suspected_time_to_answer() {
    let (mut founder, silent, told) = accused_by_watchers();
    let from = told[0].accusations[0].accuser;
    told[..2].iter().for_each(|word| founder.hear(from, word));
    founder.pass(QUITE_A_WHILE * 3);
    founder.tell(Input::Wake);
    founder.wait(Duration::from_secs(4));
    assert!(founder.away().is_empty());
    founder.wait(QUITE_A_WHILE);
    assert_eq!(founder.away(), [silent]);
}

#[test]
fn who_stops_is_away_at_once_by_its_own_word_alone() {
    let (mut founder, mut laptop) = two();
    let outputs = laptop.tell(Input::Stopping {
        request: RequestId(9),
    });
    let outputs = outputs.into_iter().map(|output| (true, output)).collect();
    exchange(&mut laptop, &mut founder, outputs);
    assert_eq!(founder.away(), [laptop.me()]);
}

#[test]
fn who_leaves_the_mesh_takes_nobody_for_away_any_more() {
    let (founder, mut laptop) = two();
    laptop.tell(Input::LinkDown { node: founder.me() });
    laptop.wait(QUITE_A_WHILE);
    assert_eq!(laptop.away(), [founder.me()]);
    let outputs = laptop.tell(Input::Leave {
        request: RequestId(9),
    });
    let cleared =
        |output: &Output| matches!(output, Output::PublishPresence(away) if away.is_empty());
    assert!(outputs.iter().any(cleared), "{outputs:?}");
}

#[test]
fn an_accusation_by_no_member_or_of_another_time_counts_for_nothing() {
    let (mut founder, laptop) = two();
    let (mesh, present) = (founder.own().body().mesh, founder.sequence_of(laptop.me()));
    let stranger = SigningKey::from_bytes(&[77; 32]);
    let by_stranger = Accusation::sign(&stranger, mesh, laptop.me(), present);
    let stale = Accusation::sign(&*laptop.key(), mesh, laptop.me(), present - 1);
    for accusation in [by_stranger, stale] {
        let announcement = Announcement::accusing(&[Arc::new(accusation)]);
        let from = laptop.me();
        founder.tell(Input::Announced { from, announcement });
        founder.wait(QUITE_A_WHILE);
        assert!(founder.away().is_empty());
    }
}
