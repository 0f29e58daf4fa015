//! Announcements, manifests and what is listed because of them.

use super::*;

#[test]
fn linked_members_list_what_is_shared_and_nothing_else() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    founder.offer("files", true);
    laptop.offer("secrets", false);
    link(&mut founder, &mut laptop);
    assert_eq!(laptop.listed(), ["secrets__read", "founder__files__read"]);
    assert_eq!(founder.listed(), ["files__read"]);
}

#[test]
fn tools_of_a_lost_member_go_and_come_back_under_the_same_names() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    founder.offer("files", true);
    link(&mut founder, &mut laptop);
    let node = founder.me();
    laptop.tell(Input::LinkDown { node });
    assert_eq!(laptop.listed(), [] as [String; 0]);
    laptop.tell(Input::LinkUp {
        node,
        address: None,
    });
    assert_eq!(laptop.listed(), ["founder__files__read"]);
}

#[test]
fn a_change_of_the_shared_tools_is_announced_and_fetched() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    link(&mut founder, &mut laptop);
    let outputs = founder.offer("files", true);
    let outputs = outputs.into_iter().map(|output| (true, output)).collect();
    exchange(&mut founder, &mut laptop, outputs);
    assert_eq!(laptop.listed(), ["founder__files__read"]);
    let outputs = founder.offer("files", false);
    let outputs = outputs.into_iter().map(|output| (true, output)).collect();
    exchange(&mut founder, &mut laptop, outputs);
    assert_eq!(laptop.listed(), [] as [String; 0]);
}

#[test]
fn members_learn_of_each_other_through_a_third_and_dial() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    let mut tower = Machine::new(3);
    laptop.join(&mut founder, "laptop");
    tower.join(&mut founder, "tower");
    let node = tower.me();
    founder.tell(Input::Sighted {
        node,
        addresses: vec!["/ip4/127.0.0.1/tcp/9".to_owned()],
        source: Source::Announcement,
    });
    link(&mut founder, &mut laptop);
    assert!(laptop.state.roster().unwrap().member(node).is_some());
    assert_eq!(laptop.state.addresses(node), ["/ip4/127.0.0.1/tcp/9"]);
}

#[test]
fn an_announced_certificate_that_does_not_verify_is_not_taken() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    let foreign = Machine::founder(7);
    let from = founder.me();
    let announcement = Announcement {
        addresses: Vec::new(),
        manifest: founder.state.manifest().hash,
        members: vec![crate::wire::announcement::AnnouncedMember {
            chain: Arc::new(foreign.own()),
            addresses: Vec::new(),
        }],
        leaving: false,
    };
    laptop.tell(Input::LinkUp {
        node: from,
        address: None,
    });
    laptop.tell(Input::Announced { from, announcement });
    assert!(
        laptop
            .state
            .roster()
            .unwrap()
            .member(foreign.me())
            .is_none()
    );
}

#[test]
fn a_manifest_other_than_the_announced_one_is_not_taken() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    link(&mut founder, &mut laptop);
    let mut liar = Machine::new(9);
    liar.offer("evil", true);
    let bytes = liar.state.manifest().bytes.clone();
    let from = founder.me();
    laptop.tell(Input::ManifestFetched { from, bytes });
    assert_eq!(laptop.listed(), [] as [String; 0]);
}
