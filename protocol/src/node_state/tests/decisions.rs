//! Decisions between machines: proposed, voted on, proved, logged once, and kept.

use super::*;
use crate::consensus::book::Standing;
use crate::consensus::electorate::{Elector, Electorate, Voter};
use crate::consensus::item::DecisionItem;
use crate::consensus::proof::Proof;
use crate::consensus::proposal::{Choice, PROPOSAL_VERSION, ProposalBody, ProposalId};
use crate::consensus::tally::Ballots;
use crate::consensus::threshold::Threshold;
use crate::consensus::vote::Vote;
use crate::log::Lane;
use crate::node_state::{Electors, ProposalDraft, ProposeError, VoteError};

const YES: Choice = Choice(1);

impl Machine {
    fn draft(&self, threshold: Threshold) -> ProposalDraft {
        ProposalDraft {
            agent: "coder".parse().unwrap(),
            nonce: [7; 16],
            question: "Merge it?".to_owned(),
            options: vec!["yes".to_owned(), "no".to_owned()],
            electors: Electors::Nodes,
            weights: Vec::new(),
            per_node: 1,
            threshold,
            lifetime: 60 * MINUTE,
        }
    }

    /// Hands in one input; what the request is answered with, and all outputs.
    fn request(&mut self, input: impl FnOnce(RequestId) -> Input) -> (Reply, Vec<Output>) {
        self.requests += 1;
        let asked = RequestId(self.requests);
        let outputs = self.tell(input(asked));
        let reply = outputs.iter().find_map(|output| match output {
            Output::Reply { request, reply } if *request == asked => Some(reply.clone()),
            _ => None,
        });
        (reply.unwrap(), outputs)
    }

    fn propose(&mut self, draft: ProposalDraft) -> (Result<ProposalId, ProposeError>, Vec<Output>) {
        match self.request(|request| Input::Propose { request, draft }) {
            (Reply::Proposed(proposed), outputs) => (proposed, outputs),
            other => panic!("not an answer: {other:?}"),
        }
    }

    fn vote(
        &mut self,
        agent: &str,
        proposal: ProposalId,
        choice: Choice,
    ) -> (Result<(), VoteError>, Vec<Output>) {
        let agent = agent.parse().unwrap();
        let voted = self.request(|request| Input::Vote {
            request,
            agent,
            proposal,
            choice,
        });
        match voted {
            (Reply::Voted(voted), outputs) => (voted, outputs),
            other => panic!("not an answer: {other:?}"),
        }
    }

    fn standing(&self, id: ProposalId) -> &Arc<Standing> {
        &self.state.proposals()[&id]
    }

    fn decided(&self, id: ProposalId) -> Option<Choice> {
        let known = self.state.proposals().get(&id)?;
        known.decision().map(|proof| proof.choice())
    }

    /// How many proofs stand in its log.
    fn proofs(&self) -> usize {
        let entries = self.records.iter().filter_map(|write| match write {
            Write::Append(entry) => Some(entry),
            _ => None,
        });
        let items = entries.flat_map(|entry| entry.items());
        let proofs =
            items.filter(|item| matches!(DecisionItem::decode(item), Ok(DecisionItem::Decided(_))));
        proofs.count()
    }

    /// Starts anew with what was persisted, the entries that are recalled included.
    fn restart_recalling(&mut self) {
        let entries: Vec<_> = self
            .records
            .iter()
            .filter_map(|write| match write {
                Write::Append(entry) if Lane::RECALLED.contains(&entry.chain().lane) => {
                    Some(entry.clone())
                }
                _ => None,
            })
            .collect();
        self.restart();
        self.tell(Input::Recalled { entries });
        self.tell(Input::LogSeed { seed: [77; 32] });
    }
}

/// Three machines, the first linked with the two others.
fn three() -> (Machine, Machine, Machine) {
    let mut desk = Machine::founder(1).seeded(1);
    let mut laptop = Machine::new(2).seeded(2);
    let mut server = Machine::new(3).seeded(3);
    laptop.join(&mut desk, "laptop");
    server.join(&mut desk, "server");
    link(&mut desk, &mut laptop);
    link(&mut desk, &mut server);
    (desk, laptop, server)
}

/// Carries what `from` wants told to each of the others.
fn tell_both(from: &mut Machine, others: [&mut Machine; 2], outputs: Vec<Output>) {
    for other in others {
        let outputs = outputs.iter().cloned();
        exchange(from, other, outputs.map(|output| (true, output)).collect());
    }
}

#[test]
fn what_a_majority_of_the_nodes_votes_for_is_decided_on_each_with_one_proof_in_the_log() {
    let (mut desk, mut laptop, mut server) = three();
    let (proposed, outputs) = desk.propose(desk.draft(Threshold::Majority));
    let id = proposed.unwrap();
    tell_both(&mut desk, [&mut laptop, &mut server], outputs);
    assert_eq!(laptop.standing(id).body().electorate.electors.len(), 3);
    let (voted, outputs) = laptop.vote("reviewer", id, YES);
    assert_eq!((voted, laptop.decided(id)), (Ok(()), None));
    exchange(
        &mut laptop,
        &mut desk,
        outputs.into_iter().map(|o| (true, o)).collect(),
    );
    let (voted, outputs) = desk.vote("coder", id, YES);
    assert_eq!((voted, desk.decided(id)), (Ok(()), Some(YES)));
    tell_both(&mut desk, [&mut laptop, &mut server], outputs);
    let outputs = desk.tell(Input::Wake);
    tell_both(&mut desk, [&mut laptop, &mut server], outputs);
    for machine in [&desk, &laptop, &server] {
        assert_eq!((machine.decided(id), machine.proofs()), (Some(YES), 1));
        let proof = machine.standing(id).decision().unwrap();
        let mesh = machine.state.roster().unwrap().mesh;
        assert!(proof.verify(mesh, &Ed25519).is_ok());
    }
    laptop.pass(2 * MINUTE);
    laptop.tell(Input::Wake);
    assert_eq!(laptop.proofs(), 1, "the proposer has logged it already");
}

#[test]
fn the_reply_to_a_vote_comes_after_it_is_on_disk_and_shown() {
    let mut desk = Machine::founder(1).seeded(1);
    let (proposed, _) = desk.propose(desk.draft(Threshold::Majority));
    let (_, outputs) = desk.vote("coder", proposed.unwrap(), YES);
    let place = |wanted: fn(&Output) -> bool| outputs.iter().position(wanted).unwrap();
    let persisted = place(|output| matches!(output, Output::Persist(_)));
    let shown = place(|output| matches!(output, Output::PublishProposals(_)));
    let answered = place(|output| matches!(output, Output::Reply { .. }));
    assert!(persisted < shown && shown < answered);
    let decisions = outputs[..shown].iter().filter(|output| {
        let Output::Persist(writes) = output else {
            return false;
        };
        let decision = |write: &Write| matches!(write, Write::Put(Record::Decision(_)));
        writes.iter().any(decision)
    });
    assert_eq!(
        decisions.count(),
        1,
        "a decision is kept before it is shown"
    );
}

#[test]
fn a_vote_is_final_and_saying_it_again_changes_nothing() {
    let mut desk = Machine::founder(1).seeded(1);
    let id = desk.propose(desk.draft(Threshold::Majority)).0.unwrap();
    desk.vote("coder", id, YES).0.unwrap();
    assert_eq!(desk.vote("coder", id, YES).0, Ok(()));
    let refused = desk.vote("another", id, Choice::REJECTED).0;
    let before = "yes".to_owned();
    assert_eq!(refused, Err(VoteError::Final { before }));
    desk.restart_recalling();
    let refused = desk.vote("coder", id, Choice::REJECTED).0;
    assert!(matches!(refused, Err(VoteError::Final { .. })));
}

#[test]
fn two_votes_handed_in_together_are_not_two_signatures() {
    let mut desk = Machine::founder(1).seeded(1);
    let id = desk.propose(desk.draft(Threshold::Majority)).0.unwrap();
    for (request, choice) in [(900, YES), (901, Choice::REJECTED)] {
        let input = Input::Vote {
            request: RequestId(request),
            agent: "coder".parse().unwrap(),
            proposal: id,
            choice,
        };
        desk.state.handle(desk.now, input);
    }
    desk.tell(Input::Wake);
    assert!(desk.standing(id).evidence().is_empty());
    assert_eq!(desk.decided(id), Some(YES));
}

#[test]
fn only_who_is_listed_votes_and_only_before_the_deadline() {
    let mut desk = Machine::founder(1).seeded(1);
    let mut draft = desk.draft(Threshold::Majority);
    draft.electors = Electors::Named(vec![Voter {
        node: desk.me(),
        agent: Some("coder".parse().unwrap()),
    }]);
    let id = desk.propose(draft).0.unwrap();
    let refused = desk.vote("another", id, YES).0;
    assert!(matches!(refused, Err(VoteError::NotListed { .. })));
    assert_eq!(
        desk.vote("coder", id, Choice(9)).0,
        Err(VoteError::NoSuchOutcome)
    );
    desk.pass(61 * MINUTE);
    assert_eq!(desk.vote("coder", id, YES).0, Err(VoteError::TooLate));
    assert_eq!(desk.decided(id), None, "a deadline decides nothing");
    let other = ProposalId([3; 32].into());
    assert_eq!(desk.vote("coder", other, YES).0, Err(VoteError::Unknown));
}

#[test]
fn whoever_is_no_member_is_in_no_electorate() {
    let (mut desk, ..) = three();
    let mut draft = desk.draft(Threshold::Majority);
    let stranger = Voter {
        node: Machine::new(50).me(),
        agent: None,
    };
    draft.electors = Electors::Named(vec![stranger.clone()]);
    let refused = desk.propose(draft).0;
    assert_eq!(refused, Err(ProposeError::NoVote { voter: stranger }));
}

#[test]
fn whoever_signs_two_votes_counts_for_nobody_and_is_named() {
    let (mut desk, mut laptop, mut server) = three();
    let (proposed, outputs) = desk.propose(desk.draft(Threshold::Majority));
    let id = proposed.unwrap();
    tell_both(&mut desk, [&mut laptop, &mut server], outputs);
    let mesh = desk.state.roster().unwrap().mesh;
    let voter = Voter {
        node: server.me(),
        agent: None,
    };
    let items = [YES, Choice(2)].map(|choice| {
        let vote = Vote::sign(mesh, id, voter.clone(), choice, &*server.state.keys.node);
        DecisionItem::Voted(vote).encode()
    });
    let outputs = server.tell(Input::Append {
        request: RequestId(500),
        lane: Lane::DECISIONS,
        items: items.to_vec(),
    });
    exchange(
        &mut server,
        &mut desk,
        outputs.into_iter().map(|o| (true, o)).collect(),
    );
    desk.vote("coder", id, YES).0.unwrap();
    let standing = desk.standing(id);
    assert_eq!(
        (standing.tally().weights, standing.tally().void),
        (vec![0, 1, 0], 1)
    );
    assert_eq!(desk.decided(id), None, "one of three is no majority");
    let evidence = standing.evidence();
    assert_eq!(evidence.len(), 1);
    assert!(evidence[0].one.voter == voter && evidence[0].proves(mesh, &Ed25519));
}

#[test]
fn a_decision_stands_after_a_start_and_when_a_double_vote_comes_to_light() {
    let (mut desk, mut laptop, mut server) = three();
    let (proposed, outputs) = desk.propose(desk.draft(Threshold::Majority));
    let id = proposed.unwrap();
    tell_both(&mut desk, [&mut laptop, &mut server], outputs);
    let (_, outputs) = laptop.vote("reviewer", id, YES);
    exchange(
        &mut laptop,
        &mut desk,
        outputs.into_iter().map(|o| (true, o)).collect(),
    );
    desk.vote("coder", id, YES).0.unwrap();
    let proof = desk.standing(id).decision().unwrap().clone();
    let mesh = desk.state.roster().unwrap().mesh;
    let voter = Voter {
        node: laptop.me(),
        agent: None,
    };
    let vote = Vote::sign(mesh, id, voter, Choice::REJECTED, &*laptop.state.keys.node);
    let outputs = laptop.tell(Input::Append {
        request: RequestId(500),
        lane: Lane::DECISIONS,
        items: vec![DecisionItem::Voted(vote).encode()],
    });
    exchange(
        &mut laptop,
        &mut desk,
        outputs.into_iter().map(|o| (true, o)).collect(),
    );
    let check = |desk: &Machine| {
        let standing = desk.standing(id);
        assert_eq!(standing.evidence().len(), 1);
        assert_eq!(standing.decision(), Some(&proof));
        assert_eq!(
            standing.tally().outcome(),
            None,
            "by the votes alone it would not be decided"
        );
    };
    check(&desk);
    desk.restart_recalling();
    check(&desk);
}

#[test]
fn where_the_proposer_is_gone_another_logs_the_proof() {
    let (mut desk, mut laptop, _) = three();
    let mut draft = desk.draft(Threshold::Majority);
    draft.electors = Electors::Named(vec![Voter {
        node: laptop.me(),
        agent: None,
    }]);
    let (proposed, outputs) = desk.propose(draft);
    let id = proposed.unwrap();
    let told = outputs.into_iter().map(|output| (true, output));
    exchange(&mut desk, &mut laptop, told.collect());
    let (voted, vote) = laptop.vote("reviewer", id, YES);
    assert_eq!(voted, Ok(()));
    assert_eq!((laptop.decided(id), laptop.proofs()), (Some(YES), 0));
    laptop.pass(MINUTE);
    let proof = laptop.tell(Input::Wake);
    assert_eq!(laptop.proofs(), 1);
    for outputs in [vote, proof] {
        let told = outputs.into_iter().map(|output| (true, output));
        exchange(&mut laptop, &mut desk, told.collect());
    }
    assert_eq!(desk.decided(id), Some(YES));
    // If the vote came before the proof, the proposer has proved it as well.
    assert!((1..=2).contains(&desk.proofs()), "{}", desk.proofs());
}

#[test]
fn a_proof_of_a_proposal_that_is_dated_into_the_future_is_not_taken_either() {
    let (mut desk, mut laptop, _) = three();
    let mesh = desk.state.roster().unwrap().mesh;
    let voter = Voter {
        node: laptop.me(),
        agent: None,
    };
    let (voter_of, weight) = (voter.clone(), 1);
    let elector = Elector {
        voter: voter_of,
        weight,
    };
    let draft = laptop.draft(Threshold::Majority);
    let body = ProposalBody {
        version: PROPOSAL_VERSION,
        mesh,
        nonce: draft.nonce,
        node: laptop.me(),
        agent: draft.agent,
        question: draft.question,
        options: draft.options,
        electorate: Electorate::new(1, vec![elector]).unwrap(),
        threshold: draft.threshold,
        proposed: laptop.now.wall + 60 * MINUTE,
        lifetime: 60,
    };
    let key = laptop.state.keys.node.clone();
    let (id, proposal) = (body.id(), Arc::new(body.sign(&*key)));
    let mut ballots = Ballots::default();
    ballots.add(Vote::sign(mesh, id, voter, YES, &*key));
    let certificate = Arc::new(laptop.own());
    let proof = Proof::build(&proposal, YES, &ballots, |_| Some(certificate.clone())).unwrap();
    assert!(proof.verify(mesh, &Ed25519).is_ok());
    let outputs = laptop.tell(Input::Append {
        request: RequestId(500),
        lane: Lane::DECISIONS,
        items: vec![DecisionItem::Decided(proof.into()).encode()],
    });
    let told = outputs.into_iter().map(|output| (true, output));
    exchange(&mut laptop, &mut desk, told.collect());
    assert!(desk.state.proposals().is_empty());
}
