//! Joining without a ticket: a node asks an admin, somebody compares the words and types them, the node fetches its
//! certificate; and whoever stands between the two.

use std::time::Duration;

use peerage_protocol::id::NodeId;
use peerage_protocol::membership::admission::Claim;
use peerage_protocol::membership::certificate::Role;
use peerage_protocol::membership::join_request::{Opening, RequestWords};
use peerage_protocol::membership::ticket::Transcript;
use peerage_protocol::node_state::Input;

use super::World;
use super::errands::Wish;
use super::event::{Boot, Event};
use super::machine::Request;
use super::strangers::stranger_name;
use crate::action::Attempt;
use crate::plan::NodeNumber;

/// For how long an admin's owner has requests heard.
const WINDOW: Duration = Duration::from_secs(60);
/// Somebody takes this long to read the words at one machine and type them at the other.
const CARRY_WORDS_US: u64 = 2_000_000;
/// A node whose words were shown asks for its certificate this often.
const COLLECT_EVERY_US: u64 = 1_000_000;
/// It asks for so long; then somebody has it ask to be let in anew.
const COLLECT_FOR_US: u64 = 20_000_000;

impl World {
    /// An action has a node ask the admin `admin` until it is let in.
    pub(crate) fn begin_asking(&mut self, node: usize, admin: NodeNumber) {
        let process = self.machines[node].process.as_ref();
        let member = process.is_some_and(|process| process.roster.is_some());
        let Some(admin) = self.by_number.get(&admin).copied() else {
            return;
        };
        if member || admin == node {
            return;
        }
        let join = &mut self.machines[node].join;
        join.asks = Some(admin);
        join.wanted_since_us = Some(self.now_us);
        join.again = true;
        join.ticket = None;
        self.join(node);
    }

    /// Asks, once the admin's owner has opened a window.
    pub(crate) fn ask_in(&mut self, node: usize, admin: usize) {
        let machine = &self.machines[node];
        let Some(process) = &machine.process else {
            return;
        };
        let Ok(name) = machine.plan.name.parse() else {
            return;
        };
        if process.errand.is_some() || process.collects_until_us > self.now_us {
            return;
        }
        self.open_window(admin);
        let opening = Opening(self.randomness.bytes());
        self.run_errand(node, admin, Wish::Ask { opening, name });
    }

    fn open_window(&mut self, admin: usize) {
        self.ask(admin, Request::OpenRequests, |request| {
            Input::OpenRequests {
                request,
                window: Some(WINDOW),
            }
        });
    }

    /// The request is heard: both machines show these words.
    pub(crate) fn words_shown(&mut self, node: usize, admin: usize, words: RequestWords) {
        let now_us = self.now_us;
        if let Some(process) = &mut self.machines[node].process {
            process.collects_until_us = now_us + COLLECT_FOR_US;
        }
        let event = Event::WordsCarried { node, admin, words };
        self.queue.schedule(now_us + CARRY_WORDS_US, event);
        self.collect_later(node);
    }

    /// Somebody types the words of `node` at the admin's machine.
    pub(crate) fn words_carried(&mut self, node: usize, admin: usize, words: RequestWords) {
        let role = match self.machines[node].plan.admin {
            true => Role::Admin,
            false => Role::Member,
        };
        self.type_words(admin, Some(node), words, role);
    }

    fn type_words(&mut self, admin: usize, asker: Option<usize>, words: RequestWords, role: Role) {
        self.ask(admin, Request::Approve { asker }, |request| {
            Input::Approve {
                request,
                words,
                grant: role.into(),
                certificate_lifetime: None,
            }
        });
    }

    pub(crate) fn collect_later(&mut self, node: usize) {
        let boot = self.machines[node].boots;
        let at_us = self.now_us + COLLECT_EVERY_US;
        self.queue.schedule(at_us, Event::Collect { node, boot });
    }

    /// Asks for the certificate, unless it is here or will not come any more.
    pub(crate) fn collect(&mut self, node: usize, boot: Boot) {
        let machine = &self.machines[node];
        let process = machine.process.as_ref();
        let Some(process) = process.filter(|process| process.boot == boot) else {
            return;
        };
        let waits = process.roster.is_none() && process.collects_until_us > self.now_us;
        let (Some(admin), true) = (machine.join.asks, waits) else {
            return;
        };
        match process.errand {
            Some(_) => self.collect_later(node),
            None => self.run_errand(node, admin, Wish::Collect),
        }
    }

    /// The admin knows nothing of the request any more: somebody has the node ask anew.
    pub(crate) fn not_granted(&mut self, node: usize) {
        if let Some(process) = &mut self.machines[node].process {
            process.collects_until_us = 0;
        }
    }

    /// A stranger asks to be let in at `target` as if it were another, and is the node that the other asks: the words
    /// that the other shows are typed at `target`, and the stranger comes for its certificate.
    pub(crate) fn stand_between(&mut self, stranger: NodeId, target: usize) {
        let listener = self.machines[target].id;
        let [opening, victims] = [(); 2].map(|()| Opening(self.randomness.bytes()));
        let handshake = |dialer, listener, opening: &Opening, listener_nonce| Transcript {
            dialer,
            listener,
            dialer_nonce: opening.commitment(),
            listener_nonce,
        };
        let nonce = self.randomness.bytes();
        let asked = handshake(stranger, listener, &opening, nonce);
        // The victim is a node that nobody else meets.
        let victim = NodeId::from_public_key(self.randomness.bytes());
        let words = victims.words(&handshake(victim, stranger, &victims, nonce));
        let name = stranger_name();
        if self.precheck(target, stranger, &Claim::Collect).is_err() {
            return;
        }
        self.open_window(target);
        self.judge_between(target, asked, Claim::Ask { opening, name });
        self.type_words(target, None, words, Role::Member);
        self.judge_between(target, asked, Claim::Collect);
    }

    fn judge_between(&mut self, target: usize, transcript: Transcript, claim: Claim) {
        let attempt = Attempt::StoodBetween;
        self.ask(target, Request::JudgeStranger { attempt }, |request| {
            Input::Judge {
                request,
                transcript,
                claim,
                place: "between".to_owned(),
            }
        });
    }
}
