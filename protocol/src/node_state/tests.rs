//! What a node decides, told as short stories between a few machines without any network.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;

use super::*;
use crate::catalog::manifest::ToolEntry;
use crate::catalog::snapshot::LocalServer;
use crate::id::NodeName;
use crate::limits::{CERTIFICATE_LIFETIME, CLOCK_LEEWAY};
use crate::membership::admission::{Claim, Refusal, Verdict};
use crate::membership::certificate::{CertificateChain, Role};
use crate::membership::issuer::{Invitation, TicketRecord};
use crate::membership::ticket::{TicketId, TicketSecret, Transcript};
use crate::signature::Ed25519;
use crate::time::Timestamp;
use crate::wire::announcement::Announcement;

const MINUTE: Duration = Duration::from_secs(60);

struct Machine {
    state: NodeState,
    now: Now,
    records: Vec<Write>,
    requests: u64,
}

impl Machine {
    fn new(key: u8) -> Self {
        let now = Now {
            wall: Timestamp(1_800_000_000_000),
            monotonic: Monotonic(0),
        };
        let keys = Keys {
            node: Arc::new(SigningKey::from_bytes(&[key; 32])),
            root: None,
            verifier: Arc::new(Ed25519),
        };
        Self {
            state: NodeState::new(now, keys, []),
            now,
            records: Vec::new(),
            requests: 0,
        }
    }

    fn founder(key: u8) -> Self {
        let mut machine = Self::new(key);
        let root = Arc::new(SigningKey::from_bytes(&[key + 100; 32]));
        let name = "founder".parse().unwrap();
        machine.ask(|request| Input::Found {
            request,
            root,
            name,
        });
        machine
    }

    fn me(&self) -> NodeId {
        self.state.me()
    }

    fn pass(&mut self, time: Duration) {
        self.now.wall = self.now.wall + time;
        self.now.monotonic = self.now.monotonic + time;
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        self.state.handle(self.now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| self.state.poll_output()).collect();
        for output in &outputs {
            if let Output::Persist(writes) = output {
                self.records.extend(writes.iter().cloned());
            }
        }
        outputs
    }

    fn ask(&mut self, input: impl FnOnce(RequestId) -> Input) -> Reply {
        self.requests += 1;
        let asked = RequestId(self.requests);
        let reply = self
            .tell(input(asked))
            .into_iter()
            .find_map(|output| match output {
                Output::Reply { request, reply } if request == asked => Some(reply),
                _ => None,
            });
        reply.unwrap()
    }

    fn invite(&mut self, uses: u32) -> TicketRecord {
        let id = self.requests as u8;
        let invitation = Invitation {
            id: TicketId([id; 16]),
            secret: TicketSecret([9; 32]),
            lifetime: 15 * MINUTE,
            uses,
            role: Role::Member,
        };
        match self.ask(|request| Input::Invite {
            request,
            invitation,
        }) {
            Reply::Invited(Ok(record)) => record,
            other => panic!("no ticket: {other:?}"),
        }
    }

    fn transcript(&self, dialer: NodeId) -> Transcript {
        Transcript {
            dialer,
            listener: self.me(),
            dialer_nonce: [1; 32],
            listener_nonce: [2; 32],
        }
    }

    fn judge(&mut self, dialer: NodeId, claim: Claim) -> Verdict {
        let transcript = self.transcript(dialer);
        match self.ask(|request| Input::Judge {
            request,
            transcript,
            claim,
        }) {
            Reply::Verdict(verdict) => verdict,
            other => panic!("no verdict: {other:?}"),
        }
    }

    fn redeem(&mut self, ticket: &TicketRecord, joiner: &Machine, name: &str) -> Verdict {
        let proof = ticket
            .secret
            .prove(ticket.id, &self.transcript(joiner.me()));
        let claim = Claim::Redeem {
            ticket: ticket.id,
            proof,
            name: name.parse().unwrap(),
        };
        self.judge(joiner.me(), claim)
    }

    /// Redeems a fresh ticket of `issuer` for this machine.
    fn join(&mut self, issuer: &mut Machine, name: &str) {
        let ticket = issuer.invite(1);
        let (own, issued) = issued(issuer.redeem(&ticket, self, name));
        let (mesh, listener) = (own.body().mesh, issuer.me());
        let taken = self.ask(|request| Input::Certified {
            request,
            mesh,
            listener,
            theirs: CertificateChain::clone(&own),
            issued: CertificateChain::clone(&issued),
            addresses: vec!["/ip4/127.0.0.1/tcp/1".to_owned()],
        });
        assert!(matches!(taken, Reply::Taken(Ok(()))), "{taken:?}");
    }

    fn own(&self) -> CertificateChain {
        CertificateChain::clone(&self.state.roster().unwrap().own)
    }

    fn offer(&mut self, server: &str, share: bool) -> Vec<Output> {
        let tool = ToolEntry {
            name: "read".into(),
            definition: r#"{"name":"read"}"#.into(),
        };
        let servers = vec![LocalServer {
            name: server.parse().unwrap(),
            share,
            tools: vec![tool],
        }];
        self.tell(Input::LocalServers { servers })
    }

    fn listed(&self) -> Vec<String> {
        let catalog = self.state.catalog();
        catalog
            .reachable()
            .map(|entry| entry.name.clone())
            .collect()
    }
}

/// Carries announcements and manifests between two linked machines until both are still.
fn exchange(one: &mut Machine, other: &mut Machine, mut outputs: Vec<(bool, Output)>) {
    while let Some((from_one, output)) = outputs.pop() {
        let (from, to) = if from_one {
            (&mut *one, &mut *other)
        } else {
            (&mut *other, &mut *one)
        };
        let sender = from.me();
        let (receiver_is_one, followed) = match output {
            Output::Announce {
                to: whom,
                announcement,
            } if whom == to.me() => {
                let bytes = announcement.encode();
                let announcement = Announcement::decode(&bytes).unwrap();
                (
                    !from_one,
                    to.tell(Input::Announced {
                        from: sender,
                        announcement,
                    }),
                )
            }
            Output::FetchManifest { from: whom, hash } if whom == to.me() => {
                let manifest = to.state.manifest().clone();
                assert_eq!(manifest.hash, hash);
                let bytes = manifest.bytes.clone();
                (
                    from_one,
                    from.tell(Input::ManifestFetched { from: whom, bytes }),
                )
            }
            _ => continue,
        };
        outputs.extend(followed.into_iter().map(|output| (receiver_is_one, output)));
    }
}

fn link(one: &mut Machine, other: &mut Machine) {
    let (a, b) = (one.me(), other.me());
    let mut outputs: Vec<(bool, Output)> = Vec::new();
    let up = |node| Input::LinkUp {
        node,
        address: None,
    };
    outputs.extend(one.tell(up(b)).into_iter().map(|output| (true, output)));
    outputs.extend(other.tell(up(a)).into_iter().map(|output| (false, output)));
    exchange(one, other, outputs);
}

fn issued(verdict: Verdict) -> (Arc<CertificateChain>, Arc<CertificateChain>) {
    match verdict {
        Verdict::Issue { own, issued } => (own, issued),
        other => panic!("no certificate: {other:?}"),
    }
}

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
    let mut kept = std::collections::BTreeMap::new();
    for write in &founder.records {
        if let Write::Put(record) = write {
            kept.insert(record.key(), record.clone());
        }
    }
    founder.state = NodeState::new(founder.now, founder.state.keys.clone(), kept.into_values());
    founder.tell(Input::Wake);
    assert!(founder.state.roster().unwrap().member(one.me()).is_some());
    let second = founder.redeem(&ticket, &two, "laptop");
    assert_eq!(second, Verdict::spoken(Refusal::TicketUsed));
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
        },
    );
    assert!(matches!(admitted, Verdict::Admit { .. }));

    let thief = Machine::new(3);
    let stolen = founder.judge(
        thief.me(),
        Claim::Member {
            chain: chain.clone(),
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
        },
    );
    assert_eq!(foreign, Verdict::silent(Refusal::OtherMesh));

    founder.pass(CERTIFICATE_LIFETIME + CLOCK_LEEWAY);
    let expired = founder.judge(member.me(), Claim::Member { chain });
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
    let refused = founder.judge(member.me(), Claim::Member { chain });
    assert!(matches!(
        refused,
        Verdict::Refuse {
            reason: Refusal::Certificate { .. },
            ..
        }
    ));
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
