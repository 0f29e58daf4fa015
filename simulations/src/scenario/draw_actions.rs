//! Draws what is done to the nodes of a plan, and when.

use std::ops::Range;

use super::draw_nodes::{NAMESAKE, servers};
use super::settings::Settings;
use crate::action::{
    Action, Attempt, Direction, Misbehaviour, Needed, RaceNumber, TaskDeed, TimedAction,
    WriteUnderWay,
};
use crate::plan::{NodeNumber, NodePlan, TicketNumber};
use crate::randomness::Randomness;

const SECOND_US: u64 = 1_000_000;
/// Between the last join and the first fault.
const CALM_US: u64 = 2 * SECOND_US;
/// How long a mesh stays cut into halves: longer than it takes to notice.
const HALVED_FOR_US: u64 = 30 * SECOND_US;

/// Everything that is done, in order of time. The first node, which founded the mesh, never leaves.
pub(super) fn actions(settings: &Settings, nodes: &[NodePlan], seed: u64) -> Vec<TimedAction> {
    let mut draw = Draw {
        randomness: Randomness::new(seed, "actions"),
        numbers: nodes.iter().map(|node| node.number).collect(),
        from_us: nodes
            .iter()
            .filter_map(|node| node.joins_at_us)
            .max()
            .unwrap_or(0)
            + CALM_US,
        for_us: settings.faults_for_seconds.saturating_mul(SECOND_US),
        tickets: 0,
        races: 0,
        actions: Vec::new(),
    };
    let mix = &settings.mix;
    draw.for_nodes(mix.crash, Draw::crash);
    draw.for_nodes(mix.restore_backup, Draw::restore_backup);
    draw.for_nodes(mix.pause, Draw::pause);
    draw.for_nodes(mix.jump_clock, Draw::jump_clock);
    draw.for_nodes(mix.leave, Draw::leave);
    draw.for_nodes(mix.r#move, Draw::change_address);
    draw.for_nodes(mix.change_tools, Draw::change_tools);
    draw.for_nodes(mix.ticket, Draw::ticket);
    draw.for_nodes(mix.stranger, Draw::stranger);
    draw.for_nodes(mix.misbehave, Draw::misbehave);
    draw.for_nodes(mix.revoke, Draw::revoke);
    draw.for_nodes(mix.long_crash, Draw::long_crash);
    draw.stall_together(mix.stall);
    let (partitions, degradations) = (draw.times(mix.partition), draw.times(mix.degrade));
    (0..partitions).for_each(|_| draw.partition());
    (0..degradations).for_each(|_| draw.degrade());
    // By themselves, so that all else is drawn as it is without them.
    draw.randomness = Randomness::new(seed, "appends");
    draw.for_nodes(mix.append, Draw::append);
    draw.for_nodes(mix.contradict, |draw, node| {
        draw.push(Action::Contradict { node })
    });
    draw.randomness = Randomness::new(seed, "letters");
    draw.for_nodes(mix.letter, |draw, node| draw.letters(node, 1..3, 0..2_000));
    draw.for_nodes(mix.flood, |draw, node| {
        draw.letters(node, 80..120, 40_000..48_000);
    });
    draw.randomness = Randomness::new(seed, "races");
    draw.for_nodes(mix.race, Draw::race);
    draw.for_nodes(mix.forgetful, Draw::forgetful_arbiter);
    draw.randomness = Randomness::new(seed, "forgeries");
    draw.for_nodes(mix.forge, |draw, node| {
        let (how, for_us) = (Misbehaviour::ForgeRecords, draw.span_us());
        draw.push(Action::Misbehave { node, how, for_us });
    });
    draw.randomness = Randomness::new(seed, "namesakes");
    let of = |wanted: fn(&NodePlan) -> bool| {
        let wanted = nodes.iter().filter(|node| wanted(node));
        wanted.map(|node| node.number).collect::<Vec<_>>()
    };
    let admins = of(|node| node.admin || node.joins_at_us.is_none());
    let namesakes = of(|node| !node.admin && node.joins_at_us.is_some() && node.name == NAMESAKE);
    draw.for_nodes(mix.namesakes, |draw, _| draw.namesakes(&admins, &namesakes));
    draw.randomness = Randomness::new(seed, "regions");
    let (ways, isolations) = (draw.times(mix.cut_way), draw.times(mix.isolate));
    (0..ways).for_each(|_| draw.cut_way());
    (0..isolations).for_each(|_| draw.isolate(nodes));
    draw.randomness = Randomness::new(seed, "votes");
    let proposals = draw.times(mix.propose);
    (0..proposals as u32).for_each(|proposal| draw.vote(proposal, mix.vote_twice));
    let cuts = draw.times(mix.long_partition);
    (0..cuts).for_each(|_| draw.long_partition());
    draw.randomness = Randomness::new(seed, "halves");
    (0..draw.times(mix.halve)).for_each(|_| draw.halve());
    draw.randomness = Randomness::new(seed, "words");
    draw.for_nodes(mix.ask_in, |draw, node| draw.ask_in(node, &admins));
    draw.randomness = Randomness::new(seed, "rotations");
    draw.for_nodes(mix.rotate, |draw, node| draw.push(Action::Rotate { node }));
    draw.randomness = Randomness::new(seed, "impostors");
    draw.for_nodes(mix.impostor, |draw, node| draw.impostor(node, &admins));
    draw.actions.sort_by_key(|timed| timed.at_us);
    draw.actions
}

struct Draw {
    randomness: Randomness,
    numbers: Vec<NodeNumber>,
    from_us: u64,
    for_us: u64,
    tickets: u32,
    races: u32,
    actions: Vec<TimedAction>,
}

impl Draw {
    /// As often as `amount` says on average.
    fn times(&mut self, amount: f64) -> u64 {
        amount as u64 + u64::from(self.randomness.chance(amount.fract()))
    }

    fn for_nodes(&mut self, amount: f64, draw: impl Fn(&mut Self, NodeNumber)) {
        let times = self.times(amount * self.numbers.len() as f64);
        for _ in 0..times {
            let node = self.any_node();
            draw(self, node);
        }
    }

    fn any_node(&mut self) -> NodeNumber {
        self.randomness
            .pick(&self.numbers)
            .copied()
            .unwrap_or_default()
    }

    fn moment_us(&mut self) -> u64 {
        self.from_us + self.randomness.below(self.for_us.max(1))
    }

    fn push(&mut self, action: Action) {
        let at_us = self.moment_us();
        self.push_at(at_us, action);
    }

    fn push_at(&mut self, at_us: u64, action: Action) {
        self.actions.push(TimedAction { at_us, action });
    }

    /// From 0.1 s to a minute, more often short than long.
    fn span_us(&mut self) -> u64 {
        let longest = 1_u64 << self.randomness.between(0, 9);
        SECOND_US / 10 * self.randomness.between(1, longest).min(600)
    }

    fn crash(&mut self, node: NodeNumber) {
        let writes = [
            WriteUnderWay::Lost,
            WriteUnderWay::Torn,
            WriteUnderWay::Kept,
        ];
        let write = self
            .randomness
            .pick(&writes)
            .copied()
            .unwrap_or(WriteUnderWay::Lost);
        let before_output = self.randomness.below(24) as u32;
        let down_us = self.span_us();
        self.push(Action::Crash {
            node,
            before_output,
            write,
            down_us,
        });
    }

    /// A task for which two to four nodes race, and what they do about it in the half minute after.
    fn race(&mut self, creator: NodeNumber) {
        let race = RaceNumber(self.races);
        self.races += 1;
        let at_us = self.moment_us();
        let lease_ms = self.randomness.between(1_000, 8_000);
        let arbiters = match self.randomness.below(4) {
            0..=1 => 1,
            2 => 3,
            _ => 5,
        };
        let create = TaskDeed::Create { lease_ms, arbiters };
        self.task_at(at_us, creator, race, create);
        let count = self.randomness.between(2, 4) as usize;
        let racers = self.randomness.choose(&self.numbers, count);
        for node in &racers {
            let claim_us = at_us + SECOND_US + self.randomness.below(SECOND_US / 4);
            self.task_at(claim_us, *node, race, TaskDeed::Claim);
        }
        for _ in 0..self.randomness.between(4, 16) {
            let node = self.randomness.pick(&racers).copied().unwrap_or(creator);
            let later_us = at_us + SECOND_US + self.randomness.below(30 * SECOND_US);
            let deed = match self.randomness.below(10) {
                0..=3 => TaskDeed::Claim,
                4..=6 => TaskDeed::Work,
                7 => TaskDeed::Release,
                8 if self.randomness.below(6) == 0 => TaskDeed::Cancel,
                _ => TaskDeed::Complete,
            };
            self.task_at(later_us, node, race, deed);
        }
    }

    /// An arbiter is put back to before it gave a task away, and from then on reaches only a node that claims the task
    /// and has not heard of that, while the holder goes on.
    fn forgetful_arbiter(&mut self, arbiter: NodeNumber) {
        let others = self.numbers.iter().copied();
        let others: Vec<NodeNumber> = others.filter(|one| *one != arbiter).collect();
        let [holder, claimer] = self.randomness.choose(&others, 2)[..] else {
            return;
        };
        let race = RaceNumber(self.races);
        self.races += 1;
        let at_us = self.moment_us();
        let after_ms = |ms: u64| at_us + ms * SECOND_US / 1_000;
        let create = TaskDeed::Create {
            lease_ms: 30_000,
            arbiters: 1,
        };
        self.task_at(at_us, arbiter, race, create);
        self.cut_off(after_ms(1_000), vec![claimer], 1_600);
        self.task_at(after_ms(1_200), holder, race, TaskDeed::Claim);
        let forgets = Action::RestoreBackup {
            node: arbiter,
            age_us: 13 * SECOND_US / 10,
            down_us: 4 * SECOND_US / 10,
        };
        self.push_at(after_ms(2_400), forgets);
        self.cut_off(after_ms(2_500), vec![arbiter, claimer], 20_000);
        for claim in 2..10 {
            self.task_at(after_ms(2_000 * claim), claimer, race, TaskDeed::Claim);
        }
    }

    fn cut_off(&mut self, at_us: u64, side: Vec<NodeNumber>, for_ms: u64) {
        let action = Action::Partition {
            side,
            direction: Direction::Both,
            for_us: for_ms * SECOND_US / 1_000,
        };
        self.push_at(at_us, action);
    }

    fn task_at(&mut self, at_us: u64, node: NodeNumber, race: RaceNumber, deed: TaskDeed) {
        self.push_at(at_us, Action::Task { node, race, deed });
    }

    /// Down for longer than it takes to be noticed.
    fn long_crash(&mut self, node: NodeNumber) {
        let down_us = self.randomness.between(15, 40) * SECOND_US;
        self.push(Action::Crash {
            node,
            before_output: 0,
            write: WriteUnderWay::Lost,
            down_us,
        });
    }

    /// A share of all nodes stalls within the same second, each for up to five, which everybody is to bear with.
    fn stall_together(&mut self, share: f64) {
        let count = (share * self.numbers.len() as f64) as usize;
        let at_us = self.moment_us();
        for node in self.randomness.choose(&self.numbers, count) {
            let at_us = at_us + self.randomness.below(SECOND_US);
            let for_us = self.randomness.between(SECOND_US, 5 * SECOND_US);
            self.push_at(at_us, Action::Pause { node, for_us });
        }
    }

    fn restore_backup(&mut self, node: NodeNumber) {
        let mut age_us = self.randomness.between(SECOND_US, 60 * SECOND_US);
        let down_us = self.span_us();
        let at_us = self.moment_us();
        if self.numbers.first() == Some(&node) {
            // A founder without its mesh could let nobody in who comes later.
            age_us = age_us.min(at_us - SECOND_US);
        }
        self.push_at(
            at_us,
            Action::RestoreBackup {
                node,
                age_us,
                down_us,
            },
        );
    }

    fn pause(&mut self, node: NodeNumber) {
        let for_us = self.span_us();
        self.push(Action::Pause { node, for_us });
    }

    /// Up to five minutes forwards or backwards, and back again half the time.
    fn jump_clock(&mut self, node: NodeNumber) {
        let by_ms = self.randomness.between(0, 600_000) as i64 - 300_000;
        let at_us = self.moment_us();
        self.push_at(at_us, Action::JumpClock { node, by_ms });
        if self.randomness.chance(0.5) {
            let back_us = at_us + self.span_us();
            self.push_at(
                back_us,
                Action::JumpClock {
                    node,
                    by_ms: -by_ms,
                },
            );
        }
    }

    /// Leaves, and mostly comes back.
    fn leave(&mut self, node: NodeNumber) {
        let founder = self.numbers.first().copied().unwrap_or_default();
        if node == founder {
            return;
        }
        let at_us = self.moment_us();
        self.push_at(at_us, Action::Leave { node });
        if self.randomness.chance(0.7) {
            let back_us = at_us + self.span_us();
            let join = Action::Join {
                node,
                inviter: founder,
            };
            self.push_at(back_us, join);
        }
    }

    /// Leaves, and asks an admin to be let in again, sometimes while an impostor does.
    fn ask_in(&mut self, node: NodeNumber, admins: &[NodeNumber]) {
        let Some(admin) = self.randomness.pick(admins).copied() else {
            return;
        };
        // Who lets others in stays.
        if admins.contains(&node) {
            return;
        }
        let at_us = self.moment_us();
        self.push_at(at_us, Action::Leave { node });
        let asks_us = at_us + self.span_us();
        self.push_at(asks_us, Action::AskIn { node, admin });
        if self.randomness.chance(0.5) {
            let attempt = Attempt::StoodBetween;
            let target = admin;
            let at_us = asks_us + self.randomness.below(2 * SECOND_US);
            self.push_at(at_us, Action::Stranger { attempt, target });
        }
    }

    fn impostor(&mut self, node: NodeNumber, admins: &[NodeNumber]) {
        let admin = self.randomness.pick(admins).copied().unwrap_or_default();
        let (attempt, target) = match self.randomness.below(3) {
            0 => (Attempt::StoodBetween, admin),
            1 => (Attempt::ForgedRotation, admin),
            _ => (Attempt::ReplacedKey, node),
        };
        self.push(Action::Stranger { attempt, target });
    }

    /// By the founder, or by anybody, which counts for nothing where that one is no admin.
    fn revoke(&mut self, node: NodeNumber) {
        let founder = self.numbers.first().copied().unwrap_or_default();
        if node == founder {
            return;
        }
        let by = match self.randomness.chance(0.5) {
            true => founder,
            false => self.any_node(),
        };
        self.push(Action::Revoke { node, by });
    }

    /// The founder stays where it is: it hands out tickets that name its address.
    fn change_address(&mut self, node: NodeNumber) {
        if self.numbers.first() == Some(&node) {
            return;
        }
        self.push(Action::Move { node });
    }

    fn change_tools(&mut self, node: NodeNumber) {
        let shares = self.randomness.chance(0.7);
        let servers = servers(shares, &mut self.randomness);
        self.push(Action::SetServers { node, servers });
    }

    /// A ticket of one or two uses, redeemed more often than that by members that have left, some of it too late.
    fn ticket(&mut self, node: NodeNumber) {
        let founder = self.numbers.first().copied().unwrap_or_default();
        let ticket = TicketNumber(self.tickets);
        self.tickets += 1;
        let uses = self.randomness.between(1, 2) as u32;
        let lifetime_us = self.randomness.between(2 * SECOND_US, 30 * SECOND_US);
        let at_us = self.moment_us();
        let invite = Action::Invite {
            node: founder,
            ticket,
            uses,
            lifetime_us,
        };
        self.push_at(at_us, invite);
        let guests = self.randomness.between(1, 4);
        let mut guest = node;
        for _ in 0..guests {
            if guest != founder {
                self.push_at(at_us + SECOND_US / 2, Action::Leave { node: guest });
                let shown_us = at_us + SECOND_US + self.randomness.below(lifetime_us * 2);
                self.push_at(
                    shown_us,
                    Action::Redeem {
                        node: guest,
                        ticket,
                    },
                );
            }
            guest = self.any_node();
        }
    }

    fn stranger(&mut self, target: NodeNumber) {
        let attempts = [
            Attempt::OtherMesh,
            Attempt::SelfSigned,
            Attempt::AnothersCertificate,
            Attempt::IssuedByMember,
            Attempt::Forged,
            Attempt::Expired,
            Attempt::GuessedTicket,
            Attempt::AskedUninvited,
            Attempt::CollectedUnapproved,
            Attempt::ReplayedClaim,
            Attempt::Crowd,
        ];
        let attempt = self
            .randomness
            .pick(&attempts)
            .copied()
            .unwrap_or(Attempt::Forged);
        self.push(Action::Stranger { attempt, target });
    }

    fn misbehave(&mut self, node: NodeNumber) {
        let ways = [
            Misbehaviour::FloodAnnouncements,
            Misbehaviour::FloodQuestions,
            Misbehaviour::OtherBytes,
            Misbehaviour::OversizedManifest,
            Misbehaviour::Replay,
            Misbehaviour::Equivocate,
            Misbehaviour::InventMembers,
        ];
        let how = self
            .randomness
            .pick(&ways)
            .copied()
            .unwrap_or(Misbehaviour::Replay);
        let for_us = self.span_us();
        self.push(Action::Misbehave { node, how, for_us });
    }

    /// Mostly a few small items for everybody, sometimes many, large ones, or for one member.
    fn append(&mut self, node: NodeNumber) {
        let to = match self.randomness.chance(0.3) {
            true => Some(self.any_node()),
            false => None,
        };
        let lane = self.randomness.between(1, 4) as u8;
        let items = match self.randomness.chance(0.1) {
            true => self.randomness.between(10, 300) as u32,
            false => self.randomness.between(1, 3) as u32,
        };
        let bytes = match self.randomness.chance(0.05) {
            true => self.randomness.between(1_000, 60_000) as u32,
            false => self.randomness.between(0, 400) as u32,
        };
        self.push(Action::Append {
            node,
            lane,
            to,
            items,
            bytes,
        });
    }

    /// So many messages at once to an agent of one node, each with so many bytes.
    fn letters(&mut self, node: NodeNumber, items: Range<u64>, bytes: Range<u64>) {
        let to = Some(self.any_node());
        let items = self.randomness.between(items.start, items.end) as u32;
        let bytes = self.randomness.between(bytes.start, bytes.end) as u32;
        self.push(Action::Append {
            node,
            lane: 0,
            to,
            items,
            bytes,
        });
    }

    /// Two that ask for one name leave, and come back by two admins between which nothing passes.
    fn namesakes(&mut self, admins: &[NodeNumber], namesakes: &[NodeNumber]) {
        let admins = self.randomness.choose(admins, 2);
        let joining = self.randomness.choose(namesakes, 2);
        let (&[here, there], &[one, other]) = (&admins[..], &joining[..]) else {
            return;
        };
        let at_us = self.moment_us();
        for node in [one, other] {
            self.push_at(at_us, Action::Leave { node });
        }
        let cut_us = at_us + 2 * SECOND_US;
        let for_us = self.randomness.between(10, 20) * SECOND_US;
        let partition = Action::Partition {
            side: vec![here, one],
            direction: Direction::Both,
            for_us,
        };
        self.push_at(cut_us, partition);
        for (node, inviter) in [(one, here), (other, there)] {
            let at_us = cut_us + self.randomness.between(SECOND_US, 5 * SECOND_US);
            self.push_at(at_us, Action::Join { node, inviter });
        }
    }

    /// Everybody votes on a proposal, each at three moments, as whoever does not know it yet cannot; most for the same.
    fn vote(&mut self, proposal: u32, twice: f64) {
        let at_us = self.moment_us();
        let node = self.any_node();
        let needed = match self.randomness.chance(0.5) {
            true => Needed::Majority,
            false => Needed::TwoThirds,
        };
        let lifetime_us = self.randomness.between(5, 120) * SECOND_US;
        let propose = Action::Propose {
            node,
            proposal,
            needed,
            lifetime_us,
        };
        self.push_at(at_us, propose);
        let favourite = self.randomness.below(3) as u8;
        let favoured = 0.4 + 0.6 * self.randomness.unit();
        for node in self.numbers.clone() {
            let choice = match self.randomness.chance(favoured) {
                true => favourite,
                false => self.randomness.below(3) as u8,
            };
            for longest in [2, 20, 60] {
                let at_us = at_us + self.randomness.below(longest * SECOND_US);
                let vote = Action::Vote {
                    node,
                    proposal,
                    choice,
                };
                self.push_at(at_us, vote);
            }
        }
        for _ in 0..self.times(twice) {
            let node = self.any_node();
            let at_us = at_us + self.randomness.below(10 * SECOND_US);
            self.push_at(at_us, Action::VoteTwice { node, proposal });
        }
    }

    /// Half of the nodes are cut off for five minutes.
    fn long_partition(&mut self) {
        let side = self
            .randomness
            .choose(&self.numbers, self.numbers.len() / 2);
        self.push(Action::Partition {
            side,
            direction: Direction::Both,
            for_us: 300 * SECOND_US,
        });
    }

    fn partition(&mut self) {
        let size = self
            .randomness
            .between(1, (self.numbers.len() as u64 / 2).max(1)) as usize;
        let side = self.randomness.choose(&self.numbers, size);
        let directions = [
            Direction::Both,
            Direction::Both,
            Direction::Inbound,
            Direction::Outbound,
        ];
        let direction = self
            .randomness
            .pick(&directions)
            .copied()
            .unwrap_or(Direction::Both);
        let for_us = self.span_us();
        self.push(Action::Partition {
            side,
            direction,
            for_us,
        });
    }

    /// For longer than it takes to be noticed.
    fn cut_way(&mut self) {
        let draw = self.randomness.below(u64::from(u32::MAX)) as u32;
        let for_us = self.randomness.between(10, 40) * SECOND_US;
        self.push(Action::CutWay { draw, for_us });
    }

    fn isolate(&mut self, nodes: &[NodePlan]) {
        let Some(region) = self.randomness.pick(nodes).map(|node| node.region) else {
            return;
        };
        let inside = nodes.iter().filter(|node| node.region == region);
        let action = Action::Partition {
            side: inside.map(|node| node.number).collect(),
            direction: Direction::Both,
            for_us: 60 * SECOND_US,
        };
        self.push(action);
    }

    /// Half of all nodes are cut off from the other half.
    fn halve(&mut self) {
        let half = self.numbers.len() / 2;
        let side = self.randomness.choose(&self.numbers, half);
        self.push(Action::Partition {
            side,
            direction: Direction::Both,
            for_us: HALVED_FOR_US,
        });
    }

    fn degrade(&mut self) {
        let size = self.randomness.below(self.numbers.len() as u64) as usize;
        let nodes = self.randomness.choose(&self.numbers, size);
        let for_us = self.span_us();
        let action = Action::Degrade {
            nodes,
            loss: 0.3 * self.randomness.unit(),
            duplicate: 0.2 * self.randomness.unit(),
            reorder: 0.5 * self.randomness.unit(),
            latency_factor: 1.0 + 9.0 * self.randomness.unit(),
            for_us,
        };
        self.push(action);
    }
}
