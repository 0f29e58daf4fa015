//! How somebody who knows hardly anybody is told of everybody.

use super::*;
use crate::id::Hash;
use crate::membership::member::Member;
use crate::membership::peer_record::PeerRecord;
use crate::presence::distance;
use crate::topology::NEIGHBOURS;

const OTHERS: u8 = 150;

/// Somebody who was let in, and has said where it listens.
fn spoken(founder: &mut Machine, key: u8) -> Arc<Member> {
    let mut machine = Machine::new(key);
    machine.join(founder, &format!("node-{key}"));
    let chain = Arc::new(machine.own());
    let key = SigningKey::from_bytes(&[key; 32]);
    let addresses = vec![format!("/ip4/127.0.0.1/tcp/9/{}", "x".repeat(200))];
    let record = PeerRecord::sign(&key, &chain, 1, addresses, Hash::of(b""), false);
    Arc::new(Member::new(chain, Some(record)))
}

/// A founder and a tower that know many others, and a laptop that has just been let in and knows the two.
fn a_large_mesh() -> ([Machine; 3], Vec<NodeId>) {
    let mut founder = Machine::founder(1);
    let quarter = 1 << 62;
    let begins = |machine: &Machine| machine.me().leading_u64();
    let is_far = |other: &Machine| {
        let after = begins(other).wrapping_sub(begins(&founder));
        (quarter..3 * quarter).contains(&after)
    };
    let mut tower = (10..100).map(Machine::new).find(is_far).unwrap();
    let mut laptop = Machine::new(3);
    tower.join(&mut founder, "tower");
    link(&mut founder, &mut tower);
    let others: Vec<Arc<Member>> = (102..102 + OTHERS)
        .map(|key| spoken(&mut founder, key))
        .collect();
    let from = tower.me();
    let announcement = Announcement {
        members: others.clone(),
        ..Announcement::default()
    };
    founder.tell(Input::Reconciled {
        from,
        announcement: announcement.clone(),
    });
    let from = founder.me();
    tower.tell(Input::Reconciled { from, announcement });
    laptop.join(&mut founder, "laptop");
    let chain = laptop.own();
    for machine in [&mut founder, &mut tower] {
        let verdict = machine.judge(
            laptop.me(),
            Claim::Member {
                chain: chain.clone(),
                revocations: 0,
            },
        );
        assert!(matches!(verdict, Verdict::Admit { .. }), "{verdict:?}");
    }
    let others = others.iter().map(|member| member.node()).collect();
    ([founder, tower, laptop], others)
}

fn told(machine: &mut Machine, from: NodeId, summary: Summary) -> Announcement {
    let reply = machine.ask(|request| Input::ReconcileAsked {
        request,
        from,
        summary,
    });
    match reply {
        Reply::Reconciled(Ok(told)) => (*told).clone(),
        other => panic!("no answer: {other:?}"),
    }
}

#[test]
fn a_newcomer_is_told_first_whom_to_be_linked_to_and_another_part_of_the_rest_by_each() {
    let ([mut founder, mut tower, laptop], mut others) = a_large_mesh();
    others.sort_by_key(|other| distance(laptop.me(), *other));
    let parts = [&mut founder, &mut tower].map(|teller| {
        let part = told(teller, laptop.me(), laptop.state.digests.summary(1));
        let nodes: Vec<NodeId> = part.members.iter().map(|member| member.node()).collect();
        assert!(part.more && part.encode().len() < 64 * 1024);
        assert_eq!(nodes[0], teller.me(), "its own word first");
        let near = &nodes[1..=2 * NEIGHBOURS + 1];
        let neighbours = &others[..NEIGHBOURS];
        assert!(neighbours.iter().all(|other| near.contains(other)));
        assert_eq!(
            nodes
                .iter()
                .collect::<std::collections::BTreeSet<_>>()
                .len(),
            nodes.len()
        );
        nodes
    });
    let only_one = parts[1].iter().filter(|node| !parts[0].contains(node));
    assert!(only_one.count() > 20);
}

#[test]
fn the_rest_is_asked_of_another_where_there_is_one_and_of_the_same_a_moment_later() {
    let ([mut founder, mut tower, mut laptop], _) = a_large_mesh();
    let asks = |outputs: Vec<Output>| {
        let mut asked = outputs.into_iter().filter_map(|output| match output {
            Output::Reconcile { to, summary } => Some((to, (*summary).clone())),
            _ => None,
        });
        asked.next()
    };
    let up = |node| Input::LinkUp {
        node,
        address: None,
    };
    let me = laptop.me();
    let (to, summary) = asks(laptop.tell(up(founder.me()))).unwrap();
    let announcement = told(&mut founder, me, summary);
    let part = Input::Reconciled {
        from: to,
        announcement,
    };
    assert_eq!(asks(laptop.tell(part)), None, "another may be linked soon");
    let known = tower.state.own.member().unwrap().clone();
    let announcement = Announcement::of([known], 1 << 16);
    let from = founder.me();
    laptop.tell(Input::Announced { from, announcement });
    laptop.pass(Duration::from_millis(250));
    let (to, summary) = asks(laptop.tell(Input::Wake)).unwrap();
    assert_eq!(to, founder.me());
    let linked = asks(laptop.tell(up(tower.me())));
    assert_eq!(linked, None, "an answer is waited for");
    let mut announcement = told(&mut founder, me, summary);
    announcement.members.truncate(5);
    announcement.more = true;
    let part = Input::Reconciled {
        from: to,
        announcement,
    };
    let (from, _) = asks(laptop.tell(part)).unwrap();
    assert_eq!(from, tower.me());
    let announcement = Announcement::default();
    let nothing = Input::Reconciled { from, announcement };
    let mut next = asks(laptop.tell(nothing));
    let mut tellers = Vec::new();
    while let Some((from, summary)) = next {
        tellers.push(from);
        let teller = match from == tower.me() {
            true => &mut tower,
            false => &mut founder,
        };
        let announcement = told(teller, me, summary);
        next = asks(laptop.tell(Input::Reconciled { from, announcement }));
    }
    assert!(tellers.starts_with(&[founder.me(), tower.me()]));
    let known = laptop.state.roster().unwrap().len();
    assert_eq!(known, usize::from(OTHERS) + 2);
}
