//! Letting in without a ticket: by words, within a window, on disk before it can be collected.

use super::*;
use crate::id::Hash;
use crate::membership::join_request::{Opening, RequestWords};
use crate::membership::member::Member;
use crate::membership::peer_record::PeerRecord;
use crate::wire::announcement::ANNOUNCEMENT_BYTES_MAX;

const MEMBER: Role = Role::Member;

impl Machine {
    fn open(&mut self, window: Option<Duration>) -> Result<WaitingRequests, RequestsError> {
        match self.ask(|request| Input::OpenRequests { request, window }) {
            Reply::Requests(waiting) => waiting,
            other => panic!("no requests: {other:?}"),
        }
    }

    fn ask_in(&mut self, joiner: NodeId, opening: Opening) -> (Verdict, RequestWords) {
        let transcript = Transcript {
            dialer_nonce: opening.commitment(),
            ..self.transcript(joiner)
        };
        let name = "laptop".parse().unwrap();
        let verdict = self.ask(|request| Input::Judge {
            request,
            transcript,
            claim: Claim::Ask { opening, name },
            place: "192.0.2.9".to_owned(),
        });
        match verdict {
            Reply::Verdict(verdict) => (verdict, opening.words(&transcript)),
            other => panic!("no verdict: {other:?}"),
        }
    }

    fn approve(
        &mut self,
        words: RequestWords,
        certificate_lifetime: Option<Duration>,
    ) -> Result<Arc<CertificateChain>, RequestsError> {
        match self.ask(|request| Input::Approve {
            request,
            words,
            grant: MEMBER.into(),
            certificate_lifetime,
        }) {
            Reply::Approved(approved) => approved,
            other => panic!("no approval: {other:?}"),
        }
    }
}

#[test]
fn whoever_shows_the_approved_words_gets_a_certificate_that_is_on_disk() {
    let (mut founder, joiner) = (Machine::founder(1), Machine::new(2));
    founder.open(Some(MINUTE)).unwrap();
    let (verdict, words) = founder.ask_in(joiner.me(), Opening([7; 32]));
    assert_eq!(verdict, Verdict::spoken(Refusal::Pending));
    let waits = founder.judge(joiner.me(), Claim::Collect);
    assert_eq!(waits, Verdict::spoken(Refusal::Pending));
    let given = founder.approve(words, None).unwrap();
    founder.restart();
    let (_, collected) = issued(founder.judge(joiner.me(), Claim::Collect));
    assert_eq!(collected, given);
    assert_eq!(collected.body().subject, joiner.me());
    assert_eq!(collected.body().role, MEMBER);
}

#[test]
fn without_a_window_a_stranger_is_told_nothing() {
    let (mut founder, stranger) = (Machine::founder(1), Machine::new(2));
    for _ in 0..2 {
        let (verdict, _) = founder.ask_in(stranger.me(), Opening([7; 32]));
        assert!(
            matches!(verdict, Verdict::Refuse { tell: false, .. }),
            "{verdict:?}"
        );
        let verdict = founder.judge(stranger.me(), Claim::Collect);
        assert!(
            matches!(verdict, Verdict::Refuse { tell: false, .. }),
            "{verdict:?}"
        );
        founder.open(Some(MINUTE)).unwrap();
        founder.pass(MINUTE);
    }
}

#[test]
fn an_opening_that_was_not_committed_to_is_not_heard() {
    let (mut founder, stranger) = (Machine::founder(1), Machine::new(2));
    founder.open(Some(MINUTE)).unwrap();
    let name = "laptop".parse().unwrap();
    let opening = Opening([7; 32]);
    let verdict = founder.judge(stranger.me(), Claim::Ask { opening, name });
    assert!(
        matches!(verdict, Verdict::Refuse { tell: false, .. }),
        "{verdict:?}"
    );
    assert!(founder.open(Some(MINUTE)).unwrap().waiting.is_empty());
}

#[test]
fn other_words_let_nobody_in_and_right_ones_only_once() {
    let (mut founder, joiner) = (Machine::founder(1), Machine::new(2));
    founder.open(Some(MINUTE)).unwrap();
    let (_, first) = founder.ask_in(joiner.me(), Opening([7; 32]));
    let (_, words) = founder.ask_in(joiner.me(), Opening([8; 32]));
    let refused = founder.approve(first, None).unwrap_err();
    assert_eq!(refused, RequestsError::UnknownWords { words: first });
    founder.approve(words, None).unwrap();
    assert!(founder.approve(words, None).is_err());
}

#[test]
fn only_an_admin_opens_a_window_and_only_for_an_hour() {
    let (mut founder, mut member) = (Machine::founder(1), Machine::new(2));
    member.join(&mut founder, "member");
    assert_eq!(member.open(Some(MINUTE)), Err(RequestsError::NotAnAdmin));
    assert_eq!(founder.open(Some(61 * MINUTE)), Err(RequestsError::Window));
    assert_eq!(
        founder.open(Some(Duration::ZERO)),
        Err(RequestsError::Window)
    );
    assert!(founder.open(Some(60 * MINUTE)).is_ok());
}

#[test]
fn a_certificate_of_seconds_ends_its_link_and_is_renewed_for_as_long() {
    let (mut founder, joiner) = (Machine::founder(1), Machine::new(2));
    founder.open(Some(MINUTE)).unwrap();
    let (_, words) = founder.ask_in(joiner.me(), Opening([7; 32]));
    let lifetime = Duration::from_secs(20);
    let given = founder.approve(words, Some(lifetime)).unwrap();
    assert_eq!(given.body().lifetime(), lifetime);
    let up = Input::LinkUp {
        node: joiner.me(),
        address: None,
    };
    founder.tell(up);
    let mut cut = false;
    for _ in 0..26 {
        founder.pass(Duration::from_secs(1));
        let outputs = founder.tell(Input::Wake);
        cut |= outputs
            .iter()
            .any(|output| matches!(output, Output::Disconnect { node } if *node == joiner.me()));
        let age = founder.now.wall.since(given.body().not_before);
        assert_eq!(cut, age >= lifetime + lifetime / 4, "after {age:?}");
    }
    let chain = CertificateChain::clone(&given);
    let (_, renewed) = issued(founder.judge(joiner.me(), Claim::Renew { chain }));
    assert_eq!(renewed.body().lifetime(), lifetime);
}

#[test]
fn whoever_comes_back_gets_what_was_approved_though_the_admin_did_not_hear_it_leave() {
    let (mut founder, mut laptop) = (Machine::founder(1), Machine::new(2));
    laptop.join(&mut founder, "laptop");
    let before = laptop.own();
    let member = PeerRecord::sign(
        &*laptop.state.keys.node,
        &before,
        7,
        Vec::new(),
        Hash::of(b""),
        false,
    );
    let member = Arc::new(Member::new(Arc::new(before.clone()), Some(member)));
    let mut desk = Machine::new(3);
    desk.join(&mut founder, "desk");
    let announcement = Announcement::of([member], ANNOUNCEMENT_BYTES_MAX);
    founder.ask(|request| Input::Gossiped {
        request,
        from: desk.me(),
        announcement,
    });
    let roster = founder.state.roster().unwrap();
    assert!(roster.known(laptop.me()).unwrap().record().is_some());
    founder.open(Some(MINUTE)).unwrap();
    let nobody_approved = founder.judge(laptop.me(), Claim::Collect);
    assert!(
        matches!(nobody_approved, Verdict::Refuse { tell: false, .. }),
        "{nobody_approved:?}"
    );
    let (_, words) = founder.ask_in(laptop.me(), Opening([7; 32]));
    let given = founder.approve(words, None).unwrap();
    assert_ne!(*given, before);
    let (_, collected) = issued(founder.judge(laptop.me(), Claim::Collect));
    assert_eq!(collected, given);
}
