//! Another key for a node: the new one is the old one everywhere, and the old one nobody.

use super::*;
use crate::membership::rotation::Rotation;

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

fn rotation(machine: &Machine, new: u8) -> Rotation {
    let mesh = machine.state.roster().unwrap().mesh;
    Rotation::sign(mesh, &*machine.state.keys.node, &key(new))
}

fn claim(machine: &Machine, rotation: &Rotation) -> Claim {
    Claim::Rotate {
        chain: machine.own(),
        rotation: Box::new(rotation.clone()),
    }
}

fn names(machine: &Machine) -> Vec<String> {
    let roster = machine.state.roster().unwrap();
    let members = roster.members();
    members
        .map(|(_, chain)| chain.body().name.to_string())
        .collect()
}

#[test]
fn the_new_key_has_the_name_and_the_role_and_the_old_one_is_put_out_in_the_same_write() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    let rotation = rotation(&laptop, 9);
    let asked = claim(&laptop, &rotation);
    let before = founder.records.len();
    let (_, given) = issued(founder.judge(laptop.me(), asked.clone()));
    assert_eq!(given.body().subject, rotation.new);
    assert_eq!(given.body().name, laptop.own().body().name);
    assert_eq!(given.body().replaces, Some(laptop.me()));
    let written = &founder.records[before..];
    let of = |wanted: fn(&Record) -> bool| {
        written
            .iter()
            .any(|write| matches!(write, Write::Put(record) if wanted(record)))
    };
    assert!(of(|record| matches!(record, Record::Revocation(_))));
    assert!(of(|record| matches!(record, Record::Member(_))));
    let chain = laptop.own();
    let old = founder.judge(laptop.me(), Claim::Renew { chain });
    assert_eq!(old, Verdict::spoken(Refusal::Revoked));
    // The answer was lost: either key is given the same certificate, after a restart too.
    founder.restart();
    for dialer in [laptop.me(), rotation.new] {
        let (_, again) = issued(founder.judge(dialer, asked.clone()));
        assert_eq!(again, given);
    }
    assert_eq!(names(&founder), ["laptop"]);
}

#[test]
fn nobody_else_replaces_a_key() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    let good = rotation(&laptop, 9);
    let stranger = Machine::new(7);
    let refused = founder.judge(stranger.me(), claim(&laptop, &good));
    assert!(matches!(refused, Verdict::Refuse { tell: false, .. }));
    let forged = Rotation {
        old_signature: good.new_signature,
        ..good
    };
    let refused = founder.judge(laptop.me(), claim(&laptop, &forged));
    assert!(matches!(refused, Verdict::Refuse { tell: false, .. }));
    assert_eq!(names(&founder), ["laptop"]);
}

#[test]
fn members_follow_the_new_key_before_they_hear_that_the_old_one_is_out() {
    let (mut founder, mut laptop, mut desk) =
        (Machine::founder(1), Machine::new(2), Machine::new(3));
    laptop.join(&mut founder, "laptop");
    desk.join(&mut founder, "desk");
    link(&mut desk, &mut laptop);
    let rotation = rotation(&laptop, 9);
    let (_, given) = issued(founder.judge(laptop.me(), claim(&laptop, &rotation)));
    let chain = CertificateChain::clone(&given);
    let shown = Claim::Member {
        chain,
        revocations: 0,
    };
    let admitted = desk.judge(rotation.new, shown);
    assert!(matches!(admitted, Verdict::Admit { .. }), "{admitted:?}");
    let roster = desk.state.roster().unwrap();
    assert!(roster.member(rotation.new).is_some());
    assert!(roster.member(laptop.me()).is_none());
    let chain = laptop.own();
    let old = Claim::Member {
        chain,
        revocations: 0,
    };
    let refused = desk.judge(laptop.me(), old);
    assert!(matches!(refused, Verdict::Refuse { .. }), "{refused:?}");
}

#[test]
fn whom_an_admin_has_put_out_stays_out_when_the_admin_has_another_key() {
    let (mut founder, mut admin) = (Machine::founder(1), Machine::new(2));
    let (mut lost, mut desk) = (Machine::new(3), Machine::new(4));
    admin.join_as(&mut founder, "admin", Role::Admin);
    lost.join(&mut founder, "lost");
    desk.join(&mut admin, "desk");
    link(&mut admin, &mut founder);
    let (subject, chain) = (lost.me(), lost.own());
    let revoked = admin.ask(|request| Input::Revoke {
        request,
        subject,
        spare_issued_before: None,
    });
    let Reply::Revoked(Ok(revocation)) = revoked else {
        panic!("{revoked:?}");
    };
    let told = Announcement {
        revocations: vec![revocation],
        ..Announcement::default()
    };
    founder.ask(|request| Input::Gossiped {
        request,
        from: admin.me(),
        announcement: told,
    });
    let out = |founder: &Machine| {
        let revocations = founder.state.roster().unwrap().revocations();
        revocations.check_node(subject).is_err()
    };
    assert!(out(&founder));
    let rotation = rotation(&admin, 9);
    issued(founder.judge(admin.me(), claim(&admin, &rotation)));
    assert!(out(&founder));
    let back = Claim::Member {
        chain,
        revocations: 0,
    };
    let refused = founder.judge(subject, back);
    assert_eq!(refused, Verdict::spoken(Refusal::Revoked));
}

#[test]
fn an_admin_does_not_take_the_place_of_one_nearer_to_the_root() {
    let (mut founder, mut admin) = (Machine::founder(1), Machine::new(2));
    admin.join_as(&mut founder, "admin", Role::Admin);
    let rotation = rotation(&founder, 9);
    let refused = admin.judge(founder.me(), claim(&founder, &rotation));
    assert!(
        matches!(refused, Verdict::Refuse { tell: true, .. }),
        "{refused:?}"
    );
    assert!(admin.state.roster().unwrap().member(founder.me()).is_some());
}

#[test]
fn the_holder_of_the_root_replaces_its_own_key_and_what_it_issued_stays_good() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    let rotation = rotation(&founder, 9);
    let taken = founder.ask(|request| Input::RotateOwn { request, rotation });
    assert!(matches!(taken, Reply::Taken(Ok(()))), "{taken:?}");
    let old = founder.me();
    founder.state.keys.node = Arc::new(key(9));
    founder.restart();
    let new = founder.me();
    assert_ne!(new, old);
    let roster = founder.state.roster().unwrap();
    assert_eq!(roster.own.body().subject, new);
    assert!(roster.revocations().check_node(old).is_err());
    assert!(roster.member(laptop.me()).is_some());
    let chain = founder.own();
    let admitted = laptop.judge(
        new,
        Claim::Member {
            chain,
            revocations: 0,
        },
    );
    assert!(matches!(admitted, Verdict::Admit { .. }), "{admitted:?}");
    assert_eq!(names(&laptop), ["founder"]);
}
