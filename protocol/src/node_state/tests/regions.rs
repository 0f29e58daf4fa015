//! Regions: news is gossiped within each and carried across once.

use super::*;
use crate::id::RegionName;

impl Machine {
    fn is_in(&mut self, region: &str) {
        let region = Some(region.parse().unwrap());
        self.tell(Input::Region { region });
    }

    fn region_of(&self, node: NodeId) -> Option<RegionName> {
        let roster = self.state.roster().unwrap();
        roster.known(node).unwrap().region().cloned()
    }

    /// Offers a server, and tells of it once that is not too soon.
    fn offer_in_time(&mut self, server: &str) -> Vec<Output> {
        self.pass(2 * MINUTE);
        let mut outputs = self.offer(server, true);
        self.pass(MINUTE);
        outputs.extend(self.tell(Input::Wake));
        outputs
    }
}

/// What is gossiped of `node`.
fn published(outputs: &[Output], node: NodeId) -> Vec<&Announcement> {
    let said = outputs.iter().filter_map(|output| match output {
        Output::Publish(said) if is_of(said, node) => Some(&**said),
        _ => None,
    });
    said.collect()
}

fn is_of(said: &Announcement, node: NodeId) -> bool {
    said.members.iter().any(|member| member.node() == node)
}

/// What is carried of `node`, and to whom.
fn carried(outputs: &[Output], node: NodeId) -> Vec<(&[NodeId], &Announcement)> {
    let said = outputs.iter().filter_map(|output| match output {
        Output::Carry { to, announcement } if is_of(announcement, node) => {
            Some((&to[..], &**announcement))
        }
        _ => None,
    });
    said.collect()
}

/// A founder and a desk in one region, a rack in another; the founder is linked to both, and holds a link between the
/// regions.
fn three() -> (Machine, Machine, Machine) {
    let holds = |(founder, _, rack): &(Machine, Machine, Machine)| {
        let across =
            |one: &Machine, other: &Machine| one.state.topology.across().contains(&other.me());
        across(founder, rack) && across(rack, founder)
    };
    (4..40).map(three_with).find(holds).unwrap()
}

fn three_with(desk: u8) -> (Machine, Machine, Machine) {
    let mut founder = Machine::founder(1);
    let (mut desk, mut rack) = (Machine::new(desk), Machine::new(3));
    founder.is_in("eu-west");
    desk.is_in("eu-west");
    rack.is_in("us-east");
    desk.join(&mut founder, "desk");
    rack.join(&mut founder, "rack");
    link(&mut founder, &mut desk);
    link(&mut founder, &mut rack);
    (founder, desk, rack)
}

#[test]
fn members_say_where_they_are_and_that_they_are_somewhere_else() {
    let (mut founder, desk, mut rack) = three();
    assert_eq!(
        founder.region_of(desk.me()),
        Some("eu-west".parse().unwrap())
    );
    assert_eq!(
        founder.region_of(rack.me()),
        Some("us-east".parse().unwrap())
    );
    rack.pass(MINUTE);
    let region = Some("eu-west".parse().unwrap());
    let outputs = rack.tell(Input::Region { region });
    let outputs = outputs.into_iter().map(|output| (false, output)).collect();
    exchange(&mut founder, &mut rack, outputs);
    assert_eq!(
        founder.region_of(rack.me()),
        Some("eu-west".parse().unwrap())
    );
    let outputs = founder.offer_in_time("fs");
    assert!(carried(&outputs, founder.me()).is_empty());
    assert_eq!(published(&outputs, founder.me()).len(), 1);
}

#[test]
fn news_is_gossiped_in_its_region_and_carried_to_the_other() {
    let (mut founder, _, mut rack) = three();
    let mut shelf = Machine::new(50);
    shelf.is_in("us-east");
    shelf.join(&mut founder, "shelf");
    link(&mut founder, &mut shelf);
    let (from, node) = (founder.me(), shelf.me());
    let member = founder.state.roster().unwrap().known(node).cloned();
    let announcement = Announcement::of(member, 10_000);
    rack.tell(Input::Announced { from, announcement });
    let address = None;
    rack.tell(Input::LinkUp { node, address });
    let outputs = founder.offer_in_time("fs");
    assert_eq!(published(&outputs, founder.me()).len(), 1);
    let [(to, news)] = carried(&outputs, founder.me())[..] else {
        panic!("carried once: {outputs:?}");
    };
    let elsewhere = [rack.me(), shelf.me()];
    assert!(!to.is_empty() && to.iter().all(|node| elsewhere.contains(node)));
    let announcement = news.clone();
    let outputs = rack.tell(Input::Carried { from, announcement });
    let [told] = published(&outputs, founder.me())[..] else {
        panic!("gossiped once: {outputs:?}");
    };
    assert!(told.carried);
    assert_eq!(told.members, news.members);
    assert!(carried(&outputs, founder.me()).is_empty());
}

#[test]
fn who_hears_news_in_its_region_carries_it_unless_it_came_from_another() {
    let (_, mut desk, rack) = three();
    let outputs = desk.offer_in_time("fs");
    let news = published(&outputs, desk.me())[0].clone();
    for (came_from_another, to) in [(true, Vec::new()), (false, vec![rack.me()])] {
        let (mut founder, announcement) = (
            three().0,
            Announcement {
                carried: came_from_another,
                ..news.clone()
            },
        );
        founder.pass(10 * MINUTE);
        let outputs = founder.tell(Input::Gossiped {
            request: RequestId(9),
            from: desk.me(),
            announcement,
        });
        let whom: Vec<NodeId> = carried(&outputs, desk.me())
            .iter()
            .flat_map(|(to, _)| to.to_vec())
            .collect();
        assert_eq!(whom, to, "{outputs:?}");
    }
}

#[test]
fn who_is_alone_in_its_region_tells_the_others_only() {
    let (_, _, mut rack) = three();
    let outputs = rack.offer_in_time("fs");
    assert!(published(&outputs, rack.me()).is_empty());
    assert_eq!(carried(&outputs, rack.me()).len(), 1);
}

#[test]
fn what_a_member_of_the_own_region_carries_is_heard_and_not_gossiped() {
    let (mut founder, mut desk, _) = three();
    let outputs = desk.offer_in_time("fs");
    let announcement = published(&outputs, desk.me())[0].clone();
    let from = desk.me();
    founder.pass(10 * MINUTE);
    let outputs = founder.tell(Input::Carried { from, announcement });
    assert!(published(&outputs, desk.me()).is_empty() && carried(&outputs, desk.me()).is_empty());
    let outputs = founder.tell(Input::Wake);
    assert!(published(&outputs, desk.me()).is_empty() && carried(&outputs, desk.me()).is_empty());
}

/// A founder in `eu-west` that knows so many members in each of these regions.
fn founder_with(regions: &[(&str, u8)]) -> (Machine, Vec<(RegionName, NodeId)>) {
    let mut founder = Machine::founder(1);
    founder.is_in("eu-west");
    let mut known = Vec::new();
    for (region, count) in regions {
        for _ in 0..*count {
            let mut member = Machine::new(10 + known.len() as u8);
            member.is_in(region);
            member.join(&mut founder, "node");
            link(&mut founder, &mut member);
            known.push((region.parse().unwrap(), member.me()));
        }
    }
    for (region, node) in &known {
        assert_eq!(founder.region_of(*node).as_ref(), Some(region));
    }
    (founder, known)
}

#[test]
fn members_are_watched_over_in_their_own_region() {
    let (mut founder, known) = founder_with(&[("eu-west", 3), ("us-east", 5)]);
    let me = founder.me();
    for (region, watched) in &known {
        let mut watches = |node| {
            founder
                .state
                .is_watcher(*watched, node, crate::presence::WATCHERS)
        };
        let others = known.iter().filter(|(_, node)| node != watched);
        let watchers: Vec<_> = others.filter(|(_, node)| watches(*node)).collect();
        let founder_watches = usize::from(watches(me));
        assert!(watchers.iter().all(|(place, _)| place == region));
        assert_eq!(watchers.len() + founder_watches, 3);
        assert!(founder_watches == 0 || region.as_str() == "eu-west");
    }
}

#[test]
fn a_region_too_small_to_watch_over_its_own_borrows_watchers() {
    let (mut founder, known) = founder_with(&[("eu-west", 4), ("us-east", 2)]);
    let me = founder.me();
    let [.., (_, one), (_, other)] = &known[..] else {
        panic!("two in us-east");
    };
    let mut watches = |node| {
        founder
            .state
            .is_watcher(*one, node, crate::presence::WATCHERS)
    };
    assert!(watches(*other));
    let outside = known[..4].iter().map(|(_, node)| *node).chain([me]);
    assert_eq!(outside.filter(|node| watches(*node)).count(), 2);
}
