//! Inviting, admitting, renewing, leaving.

use super::*;

#[test]
fn a_ticket_is_on_disk_as_used_before_the_certificate_leaves() {
    let (mut founder, joiner) = (Machine::founder(1), Machine::new(2));
    let ticket = founder.invite(1);
    let proof = ticket
        .secret
        .prove(ticket.id, &founder.transcript(joiner.me()));
    let claim = Claim::Redeem {
        ticket: ticket.id,
        proof,
        name: "laptop".parse().unwrap(),
    };
    let transcript = founder.transcript(joiner.me());
    let outputs = founder.tell(Input::Judge {
        request: RequestId(99),
        transcript,
        claim,
        place: String::new(),
    });
    let persisted = outputs.iter().position(|output| {
        matches!(output, Output::Persist(writes) if writes.iter().any(|write| {
            matches!(write, Write::Put(Record::Ticket(record)) if record.redeemed.len() == 1)
        }))
    });
    let replied = outputs
        .iter()
        .position(|output| matches!(output, Output::Reply { .. }));
    assert!(persisted.unwrap() < replied.unwrap());
}

#[test]
fn the_same_joiner_gets_the_same_certificate_and_a_second_joiner_none() {
    let (mut founder, one, two) = (Machine::founder(1), Machine::new(2), Machine::new(3));
    let ticket = founder.invite(1);
    let (_, first) = issued(founder.redeem(&ticket, &one, "laptop"));
    let (_, again) = issued(founder.redeem(&ticket, &one, "laptop"));
    assert_eq!(first, again);
    let second = founder.redeem(&ticket, &two, "laptop");
    assert_eq!(second, Verdict::spoken(Refusal::TicketUsed));
}

#[test]
fn a_ticket_shown_again_brings_the_certificate_that_was_given_last() {
    let (mut founder, laptop) = (Machine::founder(1), Machine::new(2));
    let (first, second) = (founder.invite(1), founder.invite(1));
    let (_, early) = issued(founder.redeem(&first, &laptop, "laptop"));
    let (_, late) = issued(founder.redeem(&second, &laptop, "laptop"));
    assert!(late.body().expires > early.body().expires);
    let (_, again) = issued(founder.redeem(&first, &laptop, "laptop"));
    assert_eq!(again, late);
}

#[test]
fn an_expired_ticket_is_refused_by_name_and_a_wrong_proof_learns_nothing() {
    let (mut founder, joiner) = (Machine::founder(1), Machine::new(2));
    let ticket = founder.invite(1);
    let mut guessed = ticket.clone();
    guessed.secret = TicketSecret([0; 32]);
    let refused = founder.redeem(&guessed, &joiner, "laptop");
    assert_eq!(refused, Verdict::silent(Refusal::UnknownTicket));
    founder.pass(16 * MINUTE);
    let refused = founder.redeem(&ticket, &joiner, "laptop");
    assert_eq!(refused, Verdict::spoken(Refusal::TicketExpired));
}

#[test]
fn a_ticket_that_is_taken_back_admits_nobody_not_even_after_a_restart() {
    let (mut founder, joiner) = (Machine::founder(1), Machine::new(2));
    let (kept, withdrawn) = (founder.invite(1), founder.invite(1));
    let id = withdrawn.id;
    let done = founder.ask(|request| Input::WithdrawTicket { request, id });
    assert!(matches!(done, Reply::Withdrawn(true)), "{done:?}");
    founder.restart();
    let open = founder.ask(|request| Input::Tickets { request });
    assert!(
        matches!(&open, Reply::Tickets(open) if *open == [kept]),
        "{open:?}"
    );
    let refused = founder.redeem(&withdrawn, &joiner, "laptop");
    assert_eq!(refused, Verdict::spoken(Refusal::TicketExpired));
    let id = TicketId([77; 16]);
    let unknown = founder.ask(|request| Input::WithdrawTicket { request, id });
    assert!(matches!(unknown, Reply::Withdrawn(false)), "{unknown:?}");
}

#[test]
fn a_ticket_that_is_used_up_is_not_open() {
    let (mut founder, joiner) = (Machine::founder(1), Machine::new(2));
    let ticket = founder.invite(1);
    issued(founder.redeem(&ticket, &joiner, "laptop"));
    let open = founder.ask(|request| Input::Tickets { request });
    assert!(
        matches!(&open, Reply::Tickets(open) if open.is_empty()),
        "{open:?}"
    );
}

#[test]
fn the_founder_renames_itself_and_a_member_is_renamed_by_it() {
    let (mut founder, mut member) = (Machine::founder(1), Machine::new(2));
    founder.pass(MINUTE);
    let name = |name: &str| name.parse::<NodeName>().unwrap();
    let done = founder.ask(|request| Input::Rename {
        request,
        name: name("desk"),
    });
    assert!(matches!(done, Reply::Renamed(Ok(Rename::Done))), "{done:?}");
    assert_eq!(
        founder.state.roster().unwrap().own.body().name,
        name("desk")
    );

    let from = member.me();
    let ticket = founder.invite(1);
    issued(founder.redeem(&ticket, &member, "laptop"));
    let mut ask = |wanted: &str| {
        founder.pass(MINUTE);
        founder.ask(|request| Input::RenameAsked {
            request,
            from,
            name: name(wanted),
        })
    };
    let taken = ask("desk");
    assert!(
        matches!(taken, Reply::Renewal(Err(Refusal::NameTaken { .. }))),
        "{taken:?}"
    );
    let Reply::Renewal(Ok(chain)) = ask("shed") else {
        panic!("no certificate");
    };
    assert_eq!(
        (chain.body().subject, &chain.body().name),
        (from, &name("shed"))
    );
    // Without a mesh there is no name in one.
    let alone = member.ask(|request| Input::Rename {
        request,
        name: name("shed"),
    });
    assert!(
        matches!(alone, Reply::Renamed(Err(Refusal::NoMesh))),
        "{alone:?}"
    );
}

#[test]
fn a_name_that_is_taken_gets_a_number() {
    let mut founder = Machine::founder(1);
    let ticket = founder.invite(3);
    let mut name = |key| -> NodeName {
        let (_, issued) = issued(founder.redeem(&ticket, &Machine::new(key), "laptop"));
        issued.body().name.clone()
    };
    let names: Vec<String> = [2, 3, 4].map(|key| name(key).to_string()).to_vec();
    assert_eq!(names, ["laptop", "laptop-2", "laptop-3"]);
}

#[test]
fn a_ticket_survives_a_restart_with_its_uses_counted() {
    let (mut founder, one, two) = (Machine::founder(1), Machine::new(2), Machine::new(3));
    let ticket = founder.invite(1);
    issued(founder.redeem(&ticket, &one, "laptop"));
    founder.restart();
    assert!(founder.state.roster().unwrap().member(one.me()).is_some());
    let second = founder.redeem(&ticket, &two, "laptop");
    assert_eq!(second, Verdict::spoken(Refusal::TicketUsed));
}

#[test]
fn a_joiner_that_starts_again_at_once_still_knows_whom_to_dial() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    laptop.restart();
    let roster = laptop.state.roster().unwrap();
    assert!(roster.member(founder.me()).is_some());
    assert_eq!(laptop.state.addresses(founder.me()).len(), 1);
}

#[test]
fn strangers_other_meshes_stolen_and_expired_certificates_are_refused() {
    let (mut founder, mut member) = (Machine::founder(1), Machine::new(2));
    member.join(&mut founder, "laptop");
    let chain = member.own();
    let admitted = founder.judge(
        member.me(),
        Claim::Member {
            chain: chain.clone(),
            revocations: 0,
        },
    );
    assert!(matches!(admitted, Verdict::Admit { .. }));

    let thief = Machine::new(3);
    let stolen = founder.judge(
        thief.me(),
        Claim::Member {
            chain: chain.clone(),
            revocations: 0,
        },
    );
    assert!(
        matches!(
            stolen,
            Verdict::Refuse {
                reason: Refusal::Certificate { .. },
                tell: false
            }
        ),
        "{stolen:?}"
    );

    let foreign = Machine::founder(4);
    let foreign = founder.judge(
        foreign.me(),
        Claim::Member {
            chain: foreign.own(),
            revocations: 0,
        },
    );
    assert_eq!(foreign, Verdict::silent(Refusal::OtherMesh));

    founder.pass(CERTIFICATE_LIFETIME + CLOCK_LEEWAY);
    let expired = founder.judge(
        member.me(),
        Claim::Member {
            chain,
            revocations: 0,
        },
    );
    assert_eq!(expired, Verdict::silent(Refusal::Expired));
}

#[test]
fn an_expired_member_may_renew_at_an_admin_and_nowhere_else() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    let mut tower = Machine::new(3);
    laptop.join(&mut founder, "laptop");
    tower.join(&mut founder, "tower");
    founder.pass(CERTIFICATE_LIFETIME + CLOCK_LEEWAY);
    tower.pass(CERTIFICATE_LIFETIME + CLOCK_LEEWAY);
    let chain = laptop.own();
    let at_member = tower.judge(
        laptop.me(),
        Claim::Renew {
            chain: chain.clone(),
        },
    );
    assert_eq!(at_member, Verdict::silent(Refusal::NotAnIssuer));
    founder.tell(Input::Wake);
    let (_, fresh) = issued(founder.judge(laptop.me(), Claim::Renew { chain }));
    assert_eq!(fresh.body().name, laptop.own().body().name);
    assert!(fresh.body().expires > laptop.own().body().expires);
}

#[test]
fn a_certificate_whose_signature_or_role_was_altered_is_refused() {
    let (mut founder, mut member) = (Machine::founder(1), Machine::new(2));
    member.join(&mut founder, "laptop");
    let mut chain = member.own();
    chain.certificate.body.role = Role::Admin;
    let refused = founder.judge(
        member.me(),
        Claim::Member {
            chain,
            revocations: 0,
        },
    );
    assert!(matches!(
        refused,
        Verdict::Refuse {
            reason: Refusal::Certificate { .. },
            ..
        }
    ));
}

#[test]
fn a_certificate_is_renewed_at_half_life_without_a_hand() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    link(&mut founder, &mut laptop);
    let half = CERTIFICATE_LIFETIME / 2 + MINUTE;
    founder.pass(half);
    laptop.pass(half);
    founder.tell(Input::Wake);
    assert!(
        founder.own().body().not_before == founder.now.wall,
        "the founder renews itself"
    );
    let asked = laptop.tell(Input::Wake);
    let from = founder.me();
    let asks =
        |output: &Output| matches!(output, Output::RequestRenewal { from: whom } if *whom == from);
    assert!(asked.iter().any(asks));
    let node = laptop.me();
    let renewal = founder.ask(|request| Input::RenewalAsked {
        request,
        from: node,
    });
    let Reply::Renewal(Ok(chain)) = renewal else {
        panic!("not renewed: {renewal:?}");
    };
    let chain = CertificateChain::clone(&chain);
    laptop.tell(Input::Renewed { from, chain });
    assert_eq!(laptop.own().body().not_before, laptop.now.wall);
}

#[test]
fn whoever_leaves_is_forgotten_and_forgets() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    link(&mut founder, &mut laptop);
    let outputs = laptop.tell(Input::Leave {
        request: RequestId(7),
    });
    let outputs = outputs.into_iter().map(|output| (false, output)).collect();
    let node = laptop.me();
    exchange(&mut founder, &mut laptop, outputs);
    assert!(founder.state.roster().unwrap().member(node).is_none());
    assert!(laptop.state.roster().is_none());
    assert!(laptop.records.contains(&Write::Clear));
}

#[test]
fn a_member_in_a_mesh_does_not_take_a_certificate_of_another() {
    let (mut founder, mut other) = (Machine::founder(1), Machine::founder(4));
    let mut laptop = Machine::new(2);
    laptop.join(&mut founder, "laptop");
    let ticket = other.invite(1);
    let (own, issued) = issued(other.redeem(&ticket, &laptop, "laptop"));
    let (mesh, listener) = (own.body().mesh, other.me());
    let taken = laptop.ask(|request| Input::Certified {
        request,
        mesh,
        listener,
        theirs: CertificateChain::clone(&own),
        issued: CertificateChain::clone(&issued),
        addresses: Vec::new(),
    });
    assert!(matches!(taken, Reply::Taken(Err(Refusal::OtherMesh))));
}

/// Whom `machine` asks for a fresh certificate at half its life.
fn asked_for_renewal(machine: &mut Machine) -> Vec<NodeId> {
    asked_for_renewal_after(machine, CERTIFICATE_LIFETIME / 2 + MINUTE)
}

fn asked_for_renewal_after(machine: &mut Machine, time: Duration) -> Vec<NodeId> {
    machine.pass(time);
    let outputs = machine.tell(Input::Wake);
    let asked = outputs.into_iter().filter_map(|output| match output {
        Output::RequestRenewal { from } => Some(from),
        _ => None,
    });
    asked.collect()
}

#[test]
fn admins_are_renewed_by_those_nearer_to_the_root_so_that_chains_do_not_grow() {
    let mut founder = Machine::founder(1);
    let (mut tower, mut laptop) = (Machine::new(2), Machine::new(3));
    tower.join_as(&mut founder, "tower", Role::Admin);
    laptop.join_as(&mut tower, "laptop", Role::Admin);
    link(&mut tower, &mut laptop);
    assert_eq!(asked_for_renewal(&mut laptop), [tower.me()]);
    assert_eq!(asked_for_renewal(&mut tower), [] as [NodeId; 0]);
}

#[test]
fn an_admin_whose_own_certificate_has_expired_issues_nothing() {
    let mut founder = Machine::founder(1);
    let mut tower = Machine::new(2);
    tower.join_as(&mut founder, "tower", Role::Admin);
    let ticket = tower.invite(1);
    tower.pass(CERTIFICATE_LIFETIME + CLOCK_LEEWAY);
    let refused = tower.redeem(&ticket, &Machine::new(3), "laptop");
    assert_eq!(refused, Verdict::silent(Refusal::NotAnIssuer));
}

/// A founder, an admin, and a member of each: both members were given the same name.
fn twins() -> [Machine; 4] {
    let mut founder = Machine::founder(1);
    let mut tower = Machine::new(2);
    tower.join_as(&mut founder, "tower", Role::Admin);
    let (mut early, mut late) = (Machine::new(3), Machine::new(4));
    early.join(&mut founder, "twin");
    late.pass(Duration::from_millis(1));
    tower.pass(Duration::from_millis(1));
    late.join(&mut tower, "twin");
    [founder, tower, early, late]
}

fn admitted(judge: &mut Machine, one: &Machine) {
    let (chain, revocations) = (one.own(), 0);
    let verdict = judge.judge(one.me(), Claim::Member { chain, revocations });
    assert!(matches!(verdict, Verdict::Admit { .. }), "{verdict:?}");
}

#[test]
fn of_two_with_one_name_both_are_let_in_and_the_first_known_keeps_it() {
    let [mut founder, mut tower, early, late] = twins();
    let twin: NodeName = "twin".parse().unwrap();
    admitted(&mut founder, &late);
    admitted(&mut tower, &early);
    for (judge, first, second) in [(&founder, &early, &late), (&tower, &late, &early)] {
        let roster = judge.state.roster().unwrap();
        assert_eq!(roster.named(&twin), Some(first.me()));
        let other = roster.name_of(second.me()).unwrap();
        assert!(other.as_str().starts_with("twin-"), "{other}");
        assert_eq!(roster.named(&other), Some(second.me()));
    }
}

#[test]
fn who_was_given_a_name_later_than_another_asks_for_a_new_one_at_once() {
    let [mut founder, _, mut early, mut late] = twins();
    admitted(&mut founder, &late);
    admitted(&mut late, &founder);
    admitted(&mut late, &early);
    link(&mut late, &mut founder);
    link(&mut early, &mut founder);
    let soon = Duration::from_secs(5);
    assert_eq!(asked_for_renewal_after(&mut late, soon), [founder.me()]);
    let early_asked = asked_for_renewal_after(&mut early, soon);
    assert_eq!(early_asked, [] as [NodeId; 0]);
    let ask = |founder: &mut Machine, from: NodeId| match founder
        .ask(|request| Input::RenewalAsked { request, from })
    {
        Reply::Renewal(Ok(chain)) => chain,
        other => panic!("not renewed: {other:?}"),
    };
    let renewed = ask(&mut founder, late.me());
    assert_eq!(renewed.body().name.as_str(), "twin-2");
    let (from, chain) = (founder.me(), (*renewed).clone());
    let outputs = late.tell(Input::Renewed { from, chain });
    let told = outputs.into_iter().map(|output| (true, output));
    exchange(&mut late, &mut founder, told.collect());
    assert_eq!(late.own(), *renewed);
    assert_eq!(ask(&mut founder, late.me()), renewed);
    assert_eq!(*ask(&mut founder, early.me()), early.own());
}

#[test]
fn asking_for_renewal_again_and_again_is_answered_with_the_same_certificate() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    let from = laptop.me();
    let mut ask = || match founder.ask(|request| Input::RenewalAsked { request, from }) {
        Reply::Renewal(Ok(chain)) => chain,
        other => panic!("not renewed: {other:?}"),
    };
    assert_eq!(ask(), ask());
    assert_eq!(*ask(), laptop.own());
}
