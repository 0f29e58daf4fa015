//! Putting somebody out: written first, told to all, in force wherever it is known.

use super::*;
use crate::membership::revocation::Revocation;
use crate::node_state::RevokeError;

impl Machine {
    fn revoke(&mut self, subject: NodeId) -> Result<Arc<Revocation>, RevokeError> {
        match self.ask(|request| Input::Revoke {
            request,
            subject,
            spare_issued_before: None,
        }) {
            Reply::Revoked(revoked) => revoked,
            other => panic!("no answer: {other:?}"),
        }
    }

    fn enter(&mut self, guest: &Machine, digest: u64) -> Verdict {
        let chain = guest.own();
        let claim = Claim::Member {
            chain,
            revocations: digest,
        };
        self.judge(guest.me(), claim)
    }

    fn knows(&self, other: &Machine) -> bool {
        self.state.roster().unwrap().member(other.me()).is_some()
    }
}

/// Links two machines anew, some time after whatever they said before.
fn meet_again(one: &mut Machine, other: &mut Machine) {
    for machine in [&mut *one, &mut *other] {
        machine.pass(MINUTE);
    }
    let (a, b) = (one.me(), other.me());
    one.tell(Input::LinkDown { node: b });
    other.tell(Input::LinkDown { node: a });
    link(one, other);
}

/// A founder and two members, all linked with the founder.
fn three() -> (Machine, Machine, Machine) {
    let (mut founder, mut desk, mut laptop) =
        (Machine::founder(1), Machine::new(2), Machine::new(3));
    desk.join(&mut founder, "desk");
    laptop.join(&mut founder, "laptop");
    link(&mut founder, &mut laptop);
    link(&mut founder, &mut desk);
    (founder, desk, laptop)
}

#[test]
fn a_revocation_is_on_disk_then_in_the_roster_then_links_end_then_it_is_told() {
    let (mut founder, _, laptop) = three();
    let subject = laptop.me();
    let outputs = founder.tell(Input::Revoke {
        request: RequestId(99),
        subject,
        spare_issued_before: None,
    });
    let at = |wanted: fn(&Output) -> bool| outputs.iter().position(wanted).unwrap();
    let written = at(|output| {
        matches!(output, Output::Persist(writes) if writes.iter().any(
        |write| matches!(write, Write::Put(Record::Revocation(_)))))
    });
    let published = at(|output| matches!(output, Output::PublishRoster(Some(_))));
    let cut = outputs
        .iter()
        .rposition(|output| matches!(output, Output::Disconnect { node } if *node == subject));
    let told = at(|output| matches!(output, Output::Publish(said) if said.revocations.len() == 1));
    let answered = at(|output| matches!(output, Output::Reply { .. }));
    assert!(written < published && published < cut.unwrap());
    assert!(cut.unwrap() < told && told < answered, "{outputs:?}");
    assert!(!founder.knows(&laptop));
}

#[test]
fn who_is_put_out_enters_nowhere_where_it_is_known_and_is_told_so() {
    let (mut founder, mut desk, laptop) = three();
    assert!(desk.knows(&laptop));
    founder.revoke(laptop.me()).unwrap();
    assert_eq!(
        founder.enter(&laptop, 0),
        Verdict::refused(Refusal::Revoked)
    );
    meet_again(&mut founder, &mut desk);
    assert!(!desk.knows(&laptop));
    assert_eq!(desk.enter(&laptop, 0), Verdict::refused(Refusal::Revoked));
    desk.restart();
    assert!(!desk.knows(&laptop));
    assert_eq!(desk.enter(&laptop, 0), Verdict::refused(Refusal::Revoked));
}

#[test]
fn gossip_of_a_revocation_cuts_the_link_and_is_passed_on_once() {
    let (mut founder, mut desk, laptop) = three();
    desk.tell(Input::LinkUp {
        node: laptop.me(),
        address: None,
    });
    let revocation = founder.revoke(laptop.me()).unwrap();
    let announcement = Announcement::telling([&revocation], [], 32 * 1024);
    let gossip = |from| Input::Gossiped {
        request: RequestId(7),
        from,
        announcement: announcement.clone(),
    };
    let outputs = desk.tell(gossip(founder.me()));
    let cut =
        |output: &Output| matches!(output, Output::Disconnect { node } if *node == laptop.me());
    assert!(outputs.iter().any(cut), "{outputs:?}");
    let judged = |outputs: &[Output]| {
        outputs.iter().find_map(|output| match output {
            Output::Reply {
                reply: Reply::Gossiped(judgement),
                ..
            } => Some(*judgement),
            _ => None,
        })
    };
    assert_eq!(judged(&outputs), Some(Judgement::Accept));
    let again = desk.tell(gossip(founder.me()));
    assert_eq!(judged(&again), Some(Judgement::Ignore));
    let from_outside = desk.tell(gossip(laptop.me()));
    assert_eq!(judged(&from_outside), Some(Judgement::Ignore));
}

#[test]
fn a_forged_revocation_is_rejected_and_changes_nothing() {
    let (mut founder, mut desk, laptop) = three();
    let mut forged = Revocation::clone(&founder.revoke(laptop.me()).unwrap());
    forged.body.subject = founder.me();
    let announcement = Announcement::telling([&Arc::new(forged)], [], 32 * 1024);
    let outputs = desk.tell(Input::Gossiped {
        request: RequestId(7),
        from: founder.me(),
        announcement,
    });
    let rejected = |output: &Output| matches!(output, Output::Reply { reply: Reply::Gossiped(judgement), .. } if *judgement == Judgement::Reject);
    assert!(outputs.iter().any(rejected), "{outputs:?}");
    assert!(desk.knows(&founder) && desk.knows(&laptop));
}

#[test]
fn a_dialer_that_was_away_learns_at_the_gate_whom_it_may_not_trust() {
    let (mut founder, mut desk, laptop) = three();
    founder.revoke(laptop.me()).unwrap();
    let Verdict::Admit { own, revocations } = founder.enter(&desk, 0) else {
        panic!("a member is let in");
    };
    assert_eq!(revocations.len(), 1);
    let listener = founder.me();
    let taken = desk.ask(|request| Input::Admitted {
        request,
        listener,
        chain: CertificateChain::clone(&own),
        revocations,
    });
    assert!(matches!(taken, Reply::Taken(Ok(()))), "{taken:?}");
    assert!(!desk.knows(&laptop));
    let digest = desk.state.roster().unwrap().revocations().digest();
    let Verdict::Admit { revocations, .. } = founder.enter(&desk, digest) else {
        panic!("a member is let in");
    };
    assert!(revocations.is_empty());
}

#[test]
fn nobody_renews_readmits_or_repeats_what_was_put_out() {
    let (mut founder, mut desk, laptop) = three();
    founder.revoke(laptop.me()).unwrap();
    let claim = Claim::Renew {
        chain: laptop.own(),
    };
    let refused = founder.judge(laptop.me(), claim);
    assert_eq!(refused, Verdict::refused(Refusal::Revoked));
    let ticket = founder.invite(1);
    let refused = founder.redeem(&ticket, &laptop, "laptop");
    assert_eq!(refused, Verdict::refused(Refusal::Revoked));
    meet_again(&mut desk, &mut founder);
    assert!(!founder.knows(&laptop) && !desk.knows(&laptop));
    assert_eq!(
        founder.revoke(laptop.me()),
        Err(RevokeError::AlreadyRevoked)
    );
}

#[test]
fn who_may_not_revoke_is_told_why() {
    let (mut founder, mut desk, laptop) = three();
    assert_eq!(desk.revoke(laptop.me()), Err(RevokeError::NotAnAdmin));
    assert_eq!(founder.revoke(founder.me()), Err(RevokeError::Oneself));
    let mut admin = Machine::new(4);
    admin.join_as(&mut founder, "admin", Role::Admin);
    link(&mut admin, &mut founder);
    assert_eq!(
        admin.revoke(founder.me()),
        Err(RevokeError::NearerToTheRoot)
    );
    assert!(admin.revoke(laptop.me()).is_ok());
}

#[test]
fn who_hears_that_it_was_put_out_itself_ends_its_links_and_lets_nobody_in() {
    let (mut founder, desk, mut laptop) = three();
    let revocation = founder.revoke(laptop.me()).unwrap();
    let announcement = Announcement::telling([&revocation], [], 32 * 1024);
    let outputs = laptop.tell(Input::Announced {
        from: founder.me(),
        announcement,
    });
    let cut =
        |output: &Output| matches!(output, Output::Disconnect { node } if *node == founder.me());
    assert!(outputs.iter().any(cut), "{outputs:?}");
    assert!(matches!(
        laptop.enter(&desk, 0),
        Verdict::Refuse { tell: false, .. }
    ));
    let wall = laptop.now.wall;
    assert!(!laptop.state.roster().unwrap().admits(founder.me(), wall));
}

#[test]
fn members_of_a_revoked_admin_are_out_unless_they_are_spared() {
    for (spare, stays) in [(None, false), (Some(MINUTE), true)] {
        let (mut founder, mut admin, mut guest) =
            (Machine::founder(1), Machine::new(2), Machine::new(3));
        admin.join_as(&mut founder, "admin", Role::Admin);
        link(&mut founder, &mut admin);
        guest.join(&mut admin, "guest");
        link(&mut guest, &mut admin);
        meet_again(&mut admin, &mut founder);
        assert!(founder.knows(&guest));
        let (subject, wall) = (admin.me(), founder.now.wall);
        founder.ask(|request| Input::Revoke {
            request,
            subject,
            spare_issued_before: spare.map(|later| wall + later),
        });
        assert_eq!(founder.knows(&guest), stays);
        assert_eq!(
            matches!(founder.enter(&guest, 0), Verdict::Admit { .. }),
            stays
        );
    }
}
