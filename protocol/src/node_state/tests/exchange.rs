//! What members tell each other, and what is listed because of it.

use super::*;
use crate::id::Hash;
use crate::membership::member::Member;
use crate::membership::peer_record::PeerRecord;

/// A founder and two that it has let in; nobody is linked.
fn three() -> [Machine; 3] {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    let mut tower = Machine::new(3);
    laptop.join(&mut founder, "laptop");
    tower.join(&mut founder, "tower");
    [founder, laptop, tower]
}

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
fn after_a_restart_the_tools_of_others_are_fetched_again_though_they_say_nothing_new() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    founder.offer("files", true);
    link(&mut founder, &mut laptop);
    laptop.pass(Duration::from_secs(2));
    laptop.tell(Input::Wake);
    laptop.restart();
    assert_eq!(laptop.listed(), [] as [String; 0]);
    link(&mut founder, &mut laptop);
    assert_eq!(laptop.listed(), ["founder__files__read"]);
}

#[test]
fn a_change_of_the_shared_tools_is_announced_and_fetched() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    link(&mut founder, &mut laptop);
    // Each has just told of itself, and tells again after a second.
    founder.pass(Duration::from_secs(1));
    let outputs = founder.offer("files", true);
    let outputs = outputs.into_iter().map(|output| (true, output)).collect();
    exchange(&mut founder, &mut laptop, outputs);
    assert_eq!(laptop.listed(), ["founder__files__read"]);
    founder.pass(Duration::from_secs(1));
    let outputs = founder.offer("files", false);
    let outputs = outputs.into_iter().map(|output| (true, output)).collect();
    exchange(&mut founder, &mut laptop, outputs);
    assert_eq!(laptop.listed(), [] as [String; 0]);
}

#[test]
fn members_learn_of_each_other_through_a_third_and_dial() {
    let [mut founder, mut laptop, mut tower] = three();
    tower.tell(Input::Listening {
        addresses: vec!["/ip4/127.0.0.1/tcp/9".to_owned()],
    });
    link(&mut founder, &mut tower);
    link(&mut founder, &mut laptop);
    let node = tower.me();
    assert!(laptop.state.roster().unwrap().member(node).is_some());
    assert_eq!(laptop.state.addresses(node), ["/ip4/127.0.0.1/tcp/9"]);
    let dialed = laptop.tell(Input::Wake);
    let again = |output: &Output| matches!(output, Output::Dial { .. });
    assert!(!dialed.iter().any(again), "once was enough");
}

/// What `machine` answers to news of `member` that its linked founder passes on.
fn judged(machine: &mut Machine, from: NodeId, member: Member) -> Judgement {
    let announcement = Announcement {
        members: vec![Arc::new(member)],
        ..Announcement::default()
    };
    match machine.ask(|request| Input::Gossiped {
        request,
        from,
        announcement,
    }) {
        Reply::Gossiped(judgement) => judgement,
        other => panic!("no judgement: {other:?}"),
    }
}

fn record(key: &SigningKey, chain: &CertificateChain, sequence: u64) -> PeerRecord {
    let addresses = vec![format!("/ip4/127.0.0.1/tcp/{sequence}")];
    PeerRecord::sign(key, chain, sequence, addresses, Hash::of(b""), false)
}

#[test]
fn news_of_a_member_is_passed_on_once_and_a_forgery_never() {
    let [founder, mut laptop, tower] = three();
    let (from, key, chain) = (
        founder.me(),
        SigningKey::from_bytes(&[3; 32]),
        Arc::new(tower.own()),
    );
    let member = |record| Member::new(chain.clone(), Some(record));
    let news = member(record(&key, &chain, 5));
    assert_eq!(judged(&mut laptop, from, news.clone()), Judgement::Accept);
    assert_eq!(judged(&mut laptop, from, news), Judgement::Ignore);
    let older = member(record(&key, &chain, 4));
    assert_eq!(judged(&mut laptop, from, older), Judgement::Ignore);
    let forged = member(record(&SigningKey::from_bytes(&[9; 32]), &chain, 6));
    assert_eq!(judged(&mut laptop, from, forged), Judgement::Reject);
    let foreign = Arc::new(Machine::founder(7).own());
    let foreign = Member::new(
        foreign.clone(),
        Some(record(&SigningKey::from_bytes(&[7; 32]), &foreign, 1)),
    );
    assert_eq!(judged(&mut laptop, from, foreign), Judgement::Reject);
    assert_eq!(laptop.state.addresses(tower.me()), ["/ip4/127.0.0.1/tcp/5"]);
}

#[test]
fn what_a_newcomer_is_told_in_parts_it_does_not_pass_on_and_what_it_is_told_later_it_does() {
    let [mut founder, mut laptop, tower] = three();
    link(&mut founder, &mut laptop);
    let (key, chain) = (SigningKey::from_bytes(&[3; 32]), Arc::new(tower.own()));
    let mut passed_on = |sequence, more| {
        let member = Member::new(chain.clone(), Some(record(&key, &chain, sequence)));
        let announcement = Announcement {
            members: vec![Arc::new(member)],
            more,
            ..Announcement::default()
        };
        let from = founder.me();
        let mut outputs = laptop.tell(Input::Reconciled { from, announcement });
        laptop.pass(Duration::from_secs(2));
        outputs.extend(laptop.tell(Input::Wake));
        let mut told = outputs.iter().filter_map(|output| match output {
            Output::Publish(told) => told.members.first(),
            _ => None,
        });
        told.any(|member| member.node() == tower.me())
    };
    passed_on(5, false);
    assert!(!passed_on(6, true), "a part");
    assert!(!passed_on(7, false), "the rest");
    assert!(passed_on(8, false), "news");
}

#[test]
fn a_member_that_changes_its_mind_all_the_time_is_heard_now_and_then() {
    let [founder, mut laptop, tower] = three();
    let (from, key, chain) = (
        founder.me(),
        SigningKey::from_bytes(&[3; 32]),
        Arc::new(tower.own()),
    );
    let mut passed_on = 0;
    for sequence in 0..1_000 {
        let news = Member::new(chain.clone(), Some(record(&key, &chain, sequence)));
        passed_on += usize::from(judged(&mut laptop, from, news) == Judgement::Accept);
        laptop.pass(Duration::from_millis(10));
    }
    assert!((20..=24).contains(&passed_on), "{passed_on} in ten seconds");
}

#[test]
fn of_two_records_of_one_sequence_everybody_takes_the_same() {
    let chain = Arc::new(Machine::founder(1).own());
    let key = SigningKey::from_bytes(&[1; 32]);
    let mut other = record(&key, &chain, 5);
    other = PeerRecord::sign(&key, &chain, 5, Vec::new(), other.manifest, false);
    let one = Member::new(chain.clone(), Some(record(&key, &chain, 5)));
    let other = Member::new(chain, Some(other));
    assert_ne!(one.supersedes(&other), other.supersedes(&one));
}

#[test]
fn whoever_has_left_is_not_brought_back_by_anybody() {
    let [mut founder, mut laptop, mut tower] = three();
    link(&mut founder, &mut laptop);
    link(&mut founder, &mut tower);
    let (gone, certificate) = (laptop.me(), laptop.own());
    let before = tower.state.roster().unwrap().known(gone).cloned().unwrap();
    let goodbye = laptop.tell(Input::Leave {
        request: RequestId(9),
    });
    let goodbye = goodbye.into_iter().map(|output| (true, output)).collect();
    exchange(&mut laptop, &mut founder, goodbye);
    assert!(founder.state.roster().unwrap().member(gone).is_none());
    let from = tower.me();
    assert_eq!(
        judged(&mut founder, from, Member::clone(&before)),
        Judgement::Ignore
    );
    let chain = certificate;
    for claim in [
        Claim::Member {
            chain: chain.clone(),
            revocations: 0,
        },
        Claim::Renew { chain },
    ] {
        let refused = founder.judge(gone, claim);
        assert_eq!(refused, Verdict::silent(Refusal::Left));
    }
    laptop.join(&mut founder, "laptop");
    assert!(founder.state.roster().unwrap().member(gone).is_some());
}

#[test]
fn a_node_that_forgot_what_it_said_says_something_later() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    let from = founder.me();
    let (key, chain) = (SigningKey::from_bytes(&[2; 32]), Arc::new(laptop.own()));
    let ahead = laptop.now.wall.0 + 1_000_000;
    let said_before = Member::new(chain.clone(), Some(record(&key, &chain, ahead)));
    judged(&mut founder, from, said_before.clone());
    judged(&mut laptop, from, said_before);
    link(&mut founder, &mut laptop);
    let known = founder.state.roster().unwrap().known(laptop.me()).cloned();
    assert_eq!(known.unwrap().record().unwrap().sequence, ahead + 1);
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

#[test]
fn a_node_that_forgot_its_renewed_certificate_takes_it_from_whoever_tells_of_it() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    founder.pass(Duration::from_secs(8 * 24 * 60 * 60));
    laptop.now = founder.now;
    let node = laptop.me();
    let renewed = match founder.ask(|request| Input::RenewalAsked {
        request,
        from: node,
    }) {
        Reply::Renewal(Ok(chain)) => chain,
        other => panic!("no certificate: {other:?}"),
    };
    assert_ne!(laptop.own(), *renewed);
    let key = SigningKey::from_bytes(&[2; 32]);
    let forged = record(&SigningKey::from_bytes(&[9; 32]), &renewed, 5);
    let forged = Member::new(renewed.clone(), Some(forged));
    assert_eq!(judged(&mut laptop, founder.me(), forged), Judgement::Reject);
    assert_ne!(laptop.own(), *renewed);
    let said = Member::new(renewed.clone(), Some(record(&key, &renewed, 5)));
    judged(&mut laptop, founder.me(), said);
    assert_eq!(laptop.own(), *renewed);
}
