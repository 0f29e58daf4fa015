//! That nodes do not ask and say more than others need.

use super::*;
use crate::id::Hash;
use crate::membership::member::Member;
use crate::membership::peer_record::PeerRecord;
use crate::node_state::record::RecordKey;

/// What a machine does once some time has passed.
fn after(machine: &mut Machine, time: Duration) -> Vec<Output> {
    machine.pass(time);
    machine.tell(Input::Wake)
}

fn published(outputs: &[Output]) -> Vec<NodeId> {
    let announced = outputs.iter().filter_map(|output| match output {
        Output::Publish(announcement) => Some(&announcement.members),
        _ => None,
    });
    announced.flatten().map(|member| member.node()).collect()
}

/// `machine` lets the other in.
fn meet(machine: &mut Machine, other: &Machine) {
    let chain = other.own();
    let verdict = machine.judge(
        other.me(),
        Claim::Member {
            chain,
            revocations: 0,
        },
    );
    assert!(matches!(verdict, Verdict::Admit { .. }), "{verdict:?}");
}

/// A founder that shares a server, linked to a laptop that is linked to a tower.
fn chain_of_three() -> [Machine; 3] {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    let mut tower = Machine::new(3);
    laptop.join(&mut founder, "laptop");
    tower.join(&mut founder, "tower");
    founder.offer("files", true);
    link(&mut founder, &mut laptop);
    after(&mut laptop, Duration::from_secs(2));
    meet(&mut laptop, &tower);
    meet(&mut tower, &laptop);
    link(&mut laptop, &mut tower);
    [founder, laptop, tower]
}

#[test]
fn a_manifest_is_had_of_whoever_told_of_it_where_there_is_no_link_to_its_node() {
    let [founder, mut laptop, mut tower] = chain_of_three();
    assert!(tower.state.catalog().is_empty());
    let asked = after(&mut tower, Duration::from_millis(300));
    let outputs = asked.into_iter().map(|output| (true, output)).collect();
    exchange(&mut tower, &mut laptop, outputs);
    let entries: Vec<String> = tower
        .state
        .catalog()
        .entries()
        .map(|e| e.name.clone())
        .collect();
    assert_eq!(entries, ["founder__files__read"]);
    assert_ne!(founder.state.manifest().hash, tower.state.manifest().hash);
}

#[test]
fn a_link_is_made_for_a_manifest_that_no_linked_member_has() {
    let [founder, laptop, mut tower] = chain_of_three();
    let mut asked = 0;
    for _ in 0..20 {
        let outputs = after(&mut tower, Duration::from_secs(8));
        for output in outputs {
            match output {
                Output::AskManifests {
                    from,
                    asked: hashes,
                } => {
                    assert_eq!(from, laptop.me());
                    asked += 1;
                    let told = Default::default();
                    tower.tell(Input::ManifestsTold {
                        asked: hashes,
                        told,
                    });
                }
                Output::FetchManifest { .. } => panic!("there is no link"),
                _ => {}
            }
        }
    }
    assert_eq!(asked, 3, "after that its own node is asked");
    assert!(tower.state.links.is_known(founder.me()));
}

#[test]
fn who_is_asked_for_a_manifest_that_is_on_its_way_waits_for_it() {
    let [founder, mut laptop, mut tower] = chain_of_three();
    let hash = founder.state.manifest().hash;
    let question = |hash| ManifestsAsked { hashes: vec![hash] };
    let (from, request) = (laptop.me(), RequestId(77));
    let asked = |request, hash| Input::ManifestsAsked {
        request,
        from,
        asked: question(hash),
    };
    let is_answer = |output: &Output, count: usize| matches!(output, Output::Reply { reply: Reply::Manifests(Ok(told)), .. } if told.manifests.len() == count);
    let unknown = tower.tell(asked(request, Hash::of(b"another")));
    assert!(unknown.iter().any(|output| is_answer(output, 0)));
    let waits = tower.tell(asked(request, hash));
    assert!(
        !waits
            .iter()
            .any(|output| matches!(output, Output::Reply { .. }))
    );
    let asks = after(&mut tower, Duration::from_millis(300));
    let mut answered = false;
    for output in asks {
        if let Output::AskManifests { asked, .. } = output {
            let told = laptop.ask(|request| Input::ManifestsAsked {
                request,
                from: tower.me(),
                asked: question(asked.hashes[0]),
            });
            let Reply::Manifests(Ok(told)) = told else {
                panic!("no answer");
            };
            let outputs = tower.tell(Input::ManifestsTold { asked, told });
            answered = outputs.iter().any(|output| is_answer(output, 1));
        }
    }
    assert!(answered);
    let late = laptop.tell(Input::Wake);
    assert!(
        !late
            .iter()
            .any(|output| matches!(output, Output::Reply { .. }))
    );
}

#[test]
fn a_stranger_is_told_no_manifest() {
    let [founder, mut laptop, _] = chain_of_three();
    let hash = founder.state.manifest().hash;
    let told = laptop.ask(|request| Input::ManifestsAsked {
        request,
        from: Machine::new(9).me(),
        asked: ManifestsAsked { hashes: vec![hash] },
    });
    assert!(
        matches!(told, Reply::Manifests(Err(Refusal::OtherMesh))),
        "{told:?}"
    );
}

#[test]
fn a_node_that_starts_again_where_it_was_has_nothing_new_to_say() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    let listening = || Input::Listening {
        addresses: vec!["/ip4/127.0.0.1/tcp/9".to_owned()],
    };
    laptop.tell(listening());
    laptop.offer("files", true);
    after(&mut laptop, Duration::from_secs(2));
    after(&mut laptop, Duration::from_secs(2));
    let before = laptop.state.own.member().cloned().unwrap();
    laptop.pass(MINUTE);
    laptop.restart();
    assert_eq!(laptop.state.own.member(), Some(&before));
    laptop.tell(listening());
    laptop.offer("files", true);
    after(&mut laptop, Duration::from_secs(10));
    assert_eq!(laptop.state.own.member(), Some(&before));
    laptop.restart();
    laptop.tell(listening());
    after(&mut laptop, Duration::from_secs(10));
    assert_ne!(
        laptop.state.own.member(),
        Some(&before),
        "it offers nothing now"
    );
}

#[test]
fn news_that_a_question_brings_is_gossiped_unless_somebody_else_does() {
    for told_by_another in [false, true] {
        let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
        laptop.join(&mut founder, "laptop");
        let mut others: Vec<Machine> = (3..9).map(Machine::new).collect();
        for (number, other) in others.iter_mut().enumerate() {
            other.join(&mut founder, &format!("tower-{number}"));
        }
        let spoken = |machine: &Machine, key: u8| {
            let chain = Arc::new(machine.own());
            let key = SigningKey::from_bytes(&[key; 32]);
            let record = PeerRecord::sign(&key, &chain, 5, Vec::new(), Hash::of(b""), false);
            Arc::new(Member::new(chain, Some(record)))
        };
        let everybody = others.iter().zip(3..9).map(|(one, key)| spoken(one, key));
        let mut members: Vec<Arc<Member>> = everybody.collect();
        let (from, last) = (founder.me(), members.pop().unwrap());
        let announcement = |members| Announcement {
            members,
            ..Announcement::default()
        };
        laptop.tell(Input::Reconciled {
            from,
            announcement: announcement(members),
        });
        after(&mut laptop, Duration::from_secs(5));
        let told = laptop.tell(Input::Reconciled {
            from,
            announcement: announcement(vec![last.clone()]),
        });
        assert!(!published(&told).contains(&last.node()));
        if told_by_another {
            laptop.tell(Input::Gossiped {
                request: RequestId(1),
                from,
                announcement: announcement(vec![last.clone()]),
            });
        }
        let later = after(&mut laptop, Duration::from_secs(2));
        assert_eq!(published(&later).contains(&last.node()), !told_by_another);
    }
}

#[test]
fn a_goodbye_is_on_disk_before_it_is_passed_on() {
    let [founder, mut laptop, tower] = chain_of_three();
    let goodbye = {
        let chain = Arc::new(tower.own());
        let key = SigningKey::from_bytes(&[3; 32]);
        let sequence = u64::MAX;
        let record = PeerRecord::sign(&key, &chain, sequence, Vec::new(), Hash::of(b""), true);
        Arc::new(Member::new(chain, Some(record)))
    };
    let outputs = laptop.tell(Input::Gossiped {
        request: RequestId(1),
        from: founder.me(),
        announcement: Announcement {
            members: vec![goodbye],
            ..Announcement::default()
        },
    });
    let key = Some(RecordKey::Member(tower.me()));
    let written = outputs.iter().position(|output| match output {
        Output::Persist(writes) => writes.iter().any(|write| write.key() == key),
        _ => false,
    });
    let told = outputs
        .iter()
        .position(|output| matches!(output, Output::Reply { .. }));
    assert!(written.is_some() && written < told, "{outputs:?}");
}

#[test]
fn one_neighbour_is_asked_at_a_time_and_less_often_when_its_answers_bring_nothing() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    let mut towers: Vec<Machine> = (3..6).map(Machine::new).collect();
    let mut asked = Vec::new();
    for (number, tower) in towers.iter_mut().enumerate() {
        tower.join(&mut founder, &format!("tower-{number}"));
        meet(&mut laptop, tower);
        let (node, address) = (tower.me(), None);
        asked.extend(laptop.tell(Input::LinkUp { node, address }));
    }
    let is_question = |output: &&Output| matches!(output, Output::Reconcile { .. });
    assert_eq!(asked.iter().filter(is_question).count(), 1);
    for other in &towers[1..] {
        laptop.tell(Input::LinkDown { node: other.me() });
    }
    // The first never answers anything new: over a minute it is asked ever less often.
    let (from, silent) = (
        towers[0].me(),
        towers[0].state.roster().unwrap().own.clone(),
    );
    let known = Announcement {
        members: vec![Arc::new(Member::new(silent, None))],
        ..Announcement::default()
    };
    let mut questions = 0;
    for _ in 0..120 {
        let announcement = known.clone();
        laptop.tell(Input::Reconciled { from, announcement });
        laptop.state.reconciliation.ask(laptop.now.monotonic, from);
        let outputs = after(&mut laptop, Duration::from_millis(500));
        let of_it =
            |output: &&Output| matches!(output, Output::Reconcile { to, .. } if *to == from);
        questions += outputs.iter().filter(of_it).count();
    }
    assert!((2..10).contains(&questions), "{questions}");
}

#[test]
fn a_node_with_news_and_no_link_does_not_wake_without_end() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    link(&mut founder, &mut laptop);
    assert_eq!(published(&after(&mut founder, Duration::from_secs(2))), []);
    founder.tell(Input::LinkDown { node: laptop.me() });
    assert_eq!(published(&founder.offer("files", true)), []);
    for _ in 0..20 {
        let Some(deadline) = founder.state.next_deadline() else {
            break;
        };
        let wait = deadline.since(founder.now.monotonic);
        assert!(wait > Duration::ZERO);
        let outputs = after(&mut founder, wait);
        assert_eq!(published(&outputs), []);
    }
    let linked = Input::LinkUp {
        node: laptop.me(),
        address: None,
    };
    assert_eq!(published(&founder.tell(linked)), [founder.me()]);
}
