//! What a node decides, told as short stories between a few machines without any network.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;

use super::*;
use crate::catalog::manifest::ToolEntry;
use crate::catalog::shelf::Shelf;
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
use crate::wire::log::{EntriesAsked, EntriesTold, LogAsked, LogTold};
use crate::wire::manifests::{ManifestsAsked, ManifestsTold};
use crate::wire::summary::Summary;

const MINUTE: Duration = Duration::from_secs(60);

mod answering;
mod decisions;
mod exchange;
mod gate;
mod log;
mod presence;
mod receipts;
mod regions;
mod requests;
mod revocation;
mod rotation;
mod sparing;
mod task_registers;
mod tasks;

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

    /// Starts anew with what was persisted.
    fn restart(&mut self) {
        let mut kept = std::collections::BTreeMap::new();
        for write in &self.records {
            match write {
                Write::Put(record) => {
                    kept.insert(record.key(), record.clone());
                }
                Write::Delete(key) => {
                    kept.remove(key);
                }
                Write::Append(_) | Write::Prune { .. } => {}
                Write::Clear => kept.clear(),
            }
        }
        self.state = NodeState::new(self.now, self.state.keys.clone(), kept.into_values());
        self.tell(Input::Wake);
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
        self.invite_as(uses, Role::Member)
    }

    fn invite_as(&mut self, uses: u32, role: Role) -> TicketRecord {
        let id = self.requests as u8;
        let invitation = Invitation {
            id: TicketId([id; 16]),
            secret: TicketSecret([9; 32]),
            lifetime: 15 * MINUTE,
            uses,
            grant: role.into(),
            certificate_lifetime: None,
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
            place: String::new(),
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
        self.join_as(issuer, name, Role::Member);
    }

    fn join_as(&mut self, issuer: &mut Machine, name: &str, role: Role) {
        let ticket = issuer.invite_as(1, role);
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
            shelf: Shelf::default(),
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

/// Carries gossip, questions and manifests between two linked machines until both are still.
fn exchange(one: &mut Machine, other: &mut Machine, mut outputs: Vec<(bool, Output)>) {
    while let Some((from_one, output)) = outputs.pop() {
        let (from, to) = if from_one {
            (&mut *one, &mut *other)
        } else {
            (&mut *other, &mut *one)
        };
        let followed = carry(from, to, output);
        outputs.extend(
            followed
                .into_iter()
                .map(|(by_sender, output)| (by_sender == from_one, output)),
        );
    }
}

/// What the two ends do next because of what `from` wants done; `true` is the sender.
fn carry(from: &mut Machine, to: &mut Machine, output: Output) -> Vec<(bool, Output)> {
    let (sender, receiver) = (from.me(), to.me());
    let at = |by_sender: bool, outputs: Vec<Output>| -> Vec<(bool, Output)> {
        outputs
            .into_iter()
            .map(|output| (by_sender, output))
            .collect()
    };
    match output {
        Output::Publish(announcement) => {
            let announcement = Announcement::decode(&announcement.encode()).unwrap();
            at(
                false,
                to.tell(Input::Gossiped {
                    request: RequestId(0),
                    from: sender,
                    announcement,
                }),
            )
        }
        Output::Carry {
            to: whom,
            announcement,
        } if whom.contains(&receiver) => {
            let announcement = Announcement::decode(&announcement.encode()).unwrap();
            at(
                false,
                to.tell(Input::Carried {
                    from: sender,
                    announcement,
                }),
            )
        }
        Output::Goodbye { announcement, .. } => {
            let announcement = Announcement::clone(&announcement);
            at(
                false,
                to.tell(Input::Announced {
                    from: sender,
                    announcement,
                }),
            )
        }
        Output::Reconcile { to: whom, summary } if whom == receiver => {
            let summary = Summary::decode(&summary.encode()).unwrap();
            let mut outputs = to.tell(Input::ReconcileAsked {
                request: RequestId(0),
                from: sender,
                summary,
            });
            let answered = outputs
                .iter()
                .position(|output| matches!(output, Output::Reply { .. }));
            let Output::Reply {
                reply: Reply::Reconciled(Ok(answer)),
                ..
            } = outputs.remove(answered.unwrap())
            else {
                panic!("no answer: {outputs:?}");
            };
            let announcement = Announcement::decode(&answer.encode()).unwrap();
            let mut followed = at(false, outputs);
            followed.extend(at(
                true,
                from.tell(Input::Reconciled {
                    from: receiver,
                    announcement,
                }),
            ));
            followed
        }
        Output::AskManifests { from: whom, asked } if whom == receiver => {
            let mut outputs = to.tell(Input::ManifestsAsked {
                request: RequestId(0),
                from: sender,
                asked: ManifestsAsked::decode(&asked.encode()).unwrap(),
            });
            let is_answer = |output: &Output| matches!(output, Output::Reply { .. });
            let Some(answered) = outputs.iter().position(is_answer) else {
                return at(false, outputs);
            };
            let Output::Reply {
                reply: Reply::Manifests(Ok(told)),
                ..
            } = outputs.remove(answered)
            else {
                panic!("no answer: {outputs:?}");
            };
            let told = ManifestsTold::decode(&told.encode()).unwrap();
            let mut followed = at(false, outputs);
            followed.extend(at(true, from.tell(Input::ManifestsTold { asked, told })));
            followed
        }
        Output::AskLog { to: whom, asked } if whom == receiver => {
            let asked = LogAsked::decode(&asked.encode()).unwrap();
            let mut outputs = to.tell(Input::LogAsked {
                request: RequestId(0),
                from: sender,
                asked: asked.clone(),
            });
            let is_answer = |output: &Output| matches!(output, Output::Reply { .. });
            let answered = outputs.iter().position(is_answer).unwrap();
            let Output::Reply {
                reply: Reply::LogTold(Ok(told)),
                ..
            } = outputs.remove(answered)
            else {
                panic!("no answer: {outputs:?}");
            };
            let told = Some(LogTold::decode(&told.encode()).unwrap());
            let mut followed = at(false, outputs);
            let from_them = receiver;
            let input = Input::LogTold {
                from: from_them,
                asked,
                told,
            };
            followed.extend(at(true, from.tell(input)));
            followed
        }
        Output::AskEntries { from: whom, asked } if whom == receiver => {
            let told = to.kept_entries(&EntriesAsked::decode(&asked.encode()).unwrap());
            let told = EntriesTold::decode(&told.encode()).unwrap();
            let mesh = from.state.roster().unwrap().mesh;
            let input = Input::EntriesTold {
                from: receiver,
                asked,
                told: Some(told.open(mesh, &Ed25519).unwrap()),
            };
            at(true, from.tell(input))
        }
        Output::PushEntries { to: whom, entries } if whom == receiver => {
            let pushed = Input::EntriesPushed {
                from: sender,
                entries,
            };
            let mut followed = at(false, to.tell(pushed));
            followed.extend(at(true, from.tell(Input::PushAnswered { to: whom })));
            followed
        }
        Output::LookUp { theirs } => {
            let ours = from.kept_entry(theirs.chain(), theirs.sequence());
            at(true, from.tell(Input::LookedUp { theirs, ours }))
        }
        Output::FetchManifest { from: whom, hash } if whom == receiver => {
            let manifest = to.state.manifest().clone();
            assert_eq!(manifest.hash, hash);
            let bytes = manifest.bytes.clone();
            at(
                true,
                from.tell(Input::ManifestFetched { from: whom, bytes }),
            )
        }
        _ => Vec::new(),
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
