//! One action in one sentence.

use super::Names;
use crate::action::{Action, Attempt, Direction, Misbehaviour, Needed, TaskDeed, WriteUnderWay};
use crate::amounts::{digits, plural, time};
use crate::plan::ServerPlan;

/// What `action` does, in a sentence without its time.
pub fn sentence(action: &Action, names: &Names) -> String {
    match action {
        Action::Crash {
            node,
            before_output,
            write,
            down_us,
        } => format!(
            "{} crashes {}; a write under way is {}; it is back after {}",
            names.name(*node),
            moment(*before_output),
            fate(*write),
            us(*down_us)
        ),
        Action::RestoreBackup {
            node,
            age_us,
            down_us,
        } => format!(
            "{} stops, and starts after {} with what its disk held {} earlier",
            names.name(*node),
            us(*down_us),
            us(*age_us)
        ),
        Action::Pause { node, for_us } => {
            format!("{} stalls for {}", names.name(*node), us(*for_us))
        }
        Action::JumpClock { node, by_ms } => format!(
            "the clock of {} jumps {} by {}",
            names.name(*node),
            if *by_ms < 0 { "back" } else { "forward" },
            us(by_ms.unsigned_abs().saturating_mul(1_000))
        ),
        Action::Leave { node } => format!("{} leaves the mesh", names.name(*node)),
        Action::Revoke { node, by } => format!(
            "{} is put out of the mesh by {}",
            names.name(*node),
            names.name(*by)
        ),
        Action::Join { node, inviter } => format!(
            "{} is invited by {} and joins",
            names.name(*node),
            names.name(*inviter)
        ),
        Action::AskIn { node, admin } => format!(
            "{} asks {} to be let in, and its words are typed there",
            names.name(*node),
            names.name(*admin)
        ),
        Action::Rotate { node } => format!("{} gets another key", names.name(*node)),
        Action::Move { node } => format!("{} gets another address", names.name(*node)),
        Action::SetServers { node, servers } => {
            format!("{} now has {}", names.name(*node), offered(servers))
        }
        network @ (Action::Partition { .. } | Action::CutWay { .. } | Action::Degrade { .. }) => {
            network_fault(network, names)
        }
        other => of_tickets_and_wrongdoers(other, names),
    }
}

fn network_fault(action: &Action, names: &Names) -> String {
    match action {
        Action::Partition {
            side,
            direction,
            for_us,
        } => {
            let cut = match direction {
                Direction::Both => "are cut off from all others",
                Direction::Inbound => "hear nothing from the others",
                Direction::Outbound => "are not heard by the others",
            };
            format!("{} {cut} for {}", names.list(side), us(*for_us))
        }
        Action::CutWay { for_us, .. } => format!(
            "the way between two linked nodes of different regions is cut for {}",
            us(*for_us)
        ),
        Action::Degrade {
            nodes,
            loss,
            duplicate,
            reorder,
            latency_factor,
            for_us,
        } => {
            let whose = match nodes.is_empty() {
                true => "everyone".to_owned(),
                false => names.list(nodes),
            };
            format!(
                "the network of {whose} is worse for {}: {} % lost, {} % twice, {} % out of order, latency × {}",
                us(*for_us),
                digits(loss * 100.0),
                digits(duplicate * 100.0),
                digits(reorder * 100.0),
                digits(*latency_factor)
            )
        }
        other => other.kind().to_owned(),
    }
}

fn of_tickets_and_wrongdoers(action: &Action, names: &Names) -> String {
    match action {
        Action::Invite {
            node,
            ticket,
            uses,
            lifetime_us,
        } => format!(
            "{} makes ticket {} for {}, valid for {}",
            names.name(*node),
            ticket.0,
            plural(u64::from(*uses), "node"),
            us(*lifetime_us)
        ),
        Action::Redeem { node, ticket } => {
            format!("{} redeems ticket {}", names.name(*node), ticket.0)
        }
        Action::Stranger { attempt, target } => {
            format!(
                "a stranger knocks at {} with {}",
                names.name(*target),
                shown(*attempt)
            )
        }
        Action::Misbehave { node, how, for_us } => {
            format!(
                "{} {} for {}",
                names.name(*node),
                conduct(*how),
                us(*for_us)
            )
        }
        Action::Append {
            node, to, items, ..
        } => {
            let items = plural(u64::from(*items), "item");
            let whom = to.map_or("everybody".to_owned(), |to| names.name(to));
            format!("{} puts {items} for {whom} into its log", names.name(*node))
        }
        Action::Task { node, race, deed } => {
            format!("{} {} task {}", names.name(*node), done(*deed), race.0)
        }
        other => of_votes(other, names),
    }
}

fn of_votes(action: &Action, names: &Names) -> String {
    match action {
        Action::Propose {
            node,
            proposal,
            needed,
            lifetime_us,
        } => {
            let needed = match needed {
                Needed::Majority => "a majority",
                Needed::TwoThirds => "two thirds",
            };
            let (node, within) = (names.name(*node), us(*lifetime_us));
            format!(
                "{node} asks all nodes for proposal {proposal}, which {needed} decide, within {within}"
            )
        }
        Action::Vote {
            node,
            proposal,
            choice,
        } => {
            let node = names.name(*node);
            format!("{node} votes for outcome {choice} of proposal {proposal}")
        }
        Action::VoteTwice { node, proposal } => {
            let node = names.name(*node);
            format!("{node} signs two votes on proposal {proposal}, and one for nobody")
        }
        other => other.kind().to_owned(),
    }
}

const fn done(deed: TaskDeed) -> &'static str {
    match deed {
        TaskDeed::Create { .. } => "creates",
        TaskDeed::Claim => "claims",
        TaskDeed::Work => "works on",
        TaskDeed::Release => "gives back",
        TaskDeed::Complete => "completes",
    }
}

fn us(us: u64) -> String {
    time(us as f64)
}

fn moment(before_output: u32) -> String {
    match before_output {
        0 => "at once".to_owned(),
        outputs => format!("after {}", plural(u64::from(outputs), "more output")),
    }
}

const fn fate(write: WriteUnderWay) -> &'static str {
    match write {
        WriteUnderWay::Lost => "lost",
        WriteUnderWay::Torn => "torn",
        WriteUnderWay::Kept => "kept",
    }
}

fn offered(servers: &[ServerPlan]) -> String {
    let told = servers.iter().map(|server| {
        let access = if server.share { "shared" } else { "private" };
        let tools = plural(u64::from(server.tools), "tool");
        format!(
            "{} ({access}, {tools}, edition {})",
            server.name, server.edition
        )
    });
    let told: Vec<String> = told.collect();
    match told.is_empty() {
        true => "no servers".to_owned(),
        false => told.join(", "),
    }
}

const fn shown(attempt: Attempt) -> &'static str {
    match attempt {
        Attempt::OtherMesh => "a certificate of another mesh",
        Attempt::SelfSigned => "a certificate it signed for itself",
        Attempt::AnothersCertificate => "a member's certificate and another key",
        Attempt::IssuedByMember => "a certificate from a member who is no admin",
        Attempt::Forged => "a changed certificate",
        Attempt::Expired => "a certificate that ended long ago",
        Attempt::GuessedTicket => "a guessed ticket",
        Attempt::AskedUninvited => "a request that nobody invited",
        Attempt::CollectedUnapproved => "a question for a certificate that nobody approved",
        Attempt::ReplayedClaim => "a recorded claim of a ticket",
        Attempt::StoodBetween => "a request, between another and the admin that it asks",
        Attempt::ForgedRotation => "the wish for a member's place, which that did not sign",
        Attempt::ReplacedKey => "a key that was replaced",
        Attempt::Crowd => "a crowd of nodes of nobody's mesh",
    }
}

const fn conduct(how: Misbehaviour) -> &'static str {
    match how {
        Misbehaviour::FloodAnnouncements => "floods announcements",
        Misbehaviour::FloodQuestions => "floods questions",
        Misbehaviour::OtherBytes => "answers with bytes that do not have the hash",
        Misbehaviour::OversizedManifest => "offers tools over every bound",
        Misbehaviour::Replay => "tells old messages anew",
        Misbehaviour::Equivocate => "tells each neighbour something else",
        Misbehaviour::InventMembers => "tells of members that nobody admitted",
        Misbehaviour::ForgeRecords => "tells in the name of others what they did not say",
    }
}
