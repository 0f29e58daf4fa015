//! Inputs and outputs in a few words, for people who read a trace.

use peerage_protocol::id::NodeId;
use peerage_protocol::log::entry::Entry;
use peerage_protocol::membership::admission::Verdict;
use peerage_protocol::membership::member::Member;
use peerage_protocol::node_state::{Input, Output, Reply};
use peerage_protocol::wire::announcement::Announcement;

use super::kinds::{input_kind, output_kind};

/// Members of an announcement that are named one by one.
const NAMED_MAX: usize = 4;

/// Says what nodes are called.
pub(crate) type Called<'a> = &'a dyn Fn(NodeId) -> String;

/// An input in a few words.
pub(crate) fn input(input: &Input, called: Called<'_>) -> String {
    let about = match input {
        Input::Judge { transcript, .. } => called(transcript.dialer),
        Input::Admitted { listener, .. }
        | Input::Certified { listener, .. }
        | Input::Rotated { listener, .. } => called(*listener),
        Input::RenewalAsked { from, .. }
        | Input::RenameAsked { from, .. }
        | Input::Renewed { from, .. }
        | Input::ReconcileAsked { from, .. }
        | Input::ReconcileFailed { from }
        | Input::ManifestFetched { from, .. }
        | Input::LogAsked { from, .. }
        | Input::LogTold { from, .. }
        | Input::ManifestUnavailable { from } => called(*from),
        Input::HoldDirect { authors } => format!("{} members", authors.len()),
        Input::Append { lane, items, .. } => format!("{} items to {lane}", items.len()),
        Input::Task { order, .. } => format!("{order:?}"),
        Input::AgentsActive { agents } => format!("{agents:?}"),
        Input::Propose { draft, .. } => draft.question.clone(),
        Input::Vote {
            proposal, choice, ..
        } => format!("{} on {proposal:?}", choice.0),
        Input::EntriesTold { from, told, .. } => {
            let count = told.as_ref().map_or(0, |told| told.entries.len());
            format!("{count} by {}", called(*from))
        }
        Input::EntriesPushed { from, entries } => {
            format!("{} by {}", entries.len(), called(*from))
        }
        Input::PushAnswered { to } => called(*to),
        Input::LogSwept(swept) => format!("{} chains", swept.len()),
        Input::LookedUp { theirs, .. } => entry(theirs, called),
        Input::ManifestsAsked { from, asked, .. } => {
            format!("{} by {}", asked.hashes.len(), called(*from))
        }
        Input::ManifestsTold { asked, told } => {
            format!("{} of {}", told.manifests.len(), asked.hashes.len())
        }
        Input::Revoke { subject: node, .. }
        | Input::DialAddresses { node, .. }
        | Input::Sighted { node, .. }
        | Input::LinkUp { node, .. }
        | Input::LinkDown { node }
        | Input::DialAgain { node }
        | Input::LinkWanted { node } => called(*node),
        Input::DialFailed { node, refused } => {
            format!(
                "{}{}",
                called(*node),
                if *refused { ", refused" } else { "" }
            )
        }
        Input::Announced { from, announcement }
        | Input::Carried { from, announcement }
        | Input::Gossiped {
            from, announcement, ..
        }
        | Input::Reconciled { from, announcement } => {
            format!("from {}: {}", called(*from), told(announcement, called))
        }
        Input::LocalServers { servers } => format!("{} servers", servers.len()),
        Input::LocalAgents { agents } => format!("{} agents", agents.len()),
        Input::Listening { addresses } => addresses.join(" "),
        Input::AddressesFailed { node, addresses } => {
            format!("{}: {}", called(*node), addresses.join(" "))
        }
        Input::Found { .. }
        | Input::NetworkChanged
        | Input::AddressesAsked { .. }
        | Input::Invite { .. }
        | Input::Tickets { .. }
        | Input::WithdrawTicket { .. }
        | Input::OpenRequests { .. }
        | Input::Requests { .. }
        | Input::Approve { .. }
        | Input::RotateOwn { .. }
        | Input::Rename { .. }
        | Input::MessageKey { .. }
        | Input::Region { .. }
        | Input::Leave { .. }
        | Input::Stopping { .. }
        | Input::TaskUnheard { .. }
        | Input::Recalled { .. }
        | Input::LogSeed { .. }
        | Input::DiskRoom { .. }
        | Input::PublishFailed
        | Input::Wake => String::new(),
    };
    format!("{} {about}", input_kind(input))
}

/// An output in a few words.
pub(crate) fn output(output: &Output, called: Called<'_>) -> String {
    let about = match output {
        Output::Persist(writes) => format!("{} writes", writes.len()),
        Output::PublishRoster(roster) => match roster {
            Some(roster) => format!("of {} others", roster.len()),
            None => "of nobody".to_owned(),
        },
        Output::PublishPresence(away) => {
            let away = away.keys().map(|node| called(*node));
            format!("away: {}", away.collect::<Vec<_>>().join(" "))
        }
        Output::PublishCatalog(catalog) => {
            let (all, reachable) = (catalog.entries().count(), catalog.reachable().count());
            format!("of {all} tools, {reachable} reachable")
        }
        Output::PublishManifest(manifest) => format!("{:?}", manifest.hash),
        Output::ManifestRefused(error) => error.to_string(),
        Output::Reply { reply, .. } => replied(reply),
        Output::Dial { node, addresses } => format!("{} at {}", called(*node), addresses.join(" ")),
        Output::Disconnect { node } | Output::Release { node } | Output::Seek { node } => {
            called(*node)
        }
        Output::Provide(_) => String::new(),
        Output::Publish(announcement) => told(announcement, called),
        Output::Carry { to, announcement } => {
            let to: Vec<String> = to.iter().map(|to| called(*to)).collect();
            format!("{} to {}", told(announcement, called), to.join(" "))
        }
        Output::Reconcile { to, .. } => called(*to),
        Output::Goodbye { to, .. } => to
            .iter()
            .map(|to| called(*to))
            .collect::<Vec<_>>()
            .join(" "),
        Output::FetchManifest { from, hash } => format!("{hash:?} from {}", called(*from)),
        Output::AskManifests { from, asked } => {
            format!("{} from {}", asked.hashes.len(), called(*from))
        }
        Output::RequestRenewal { from } => called(*from),
        Output::PublishProposals(proposals) => {
            let decided = proposals
                .values()
                .filter(|known| known.decision().is_some());
            format!("{} decided of {}", decided.count(), proposals.len())
        }
        Output::Applied(entries) => match &entries[..] {
            [one] => entry(one, called),
            entries => format!("{} entries", entries.len()),
        },
        Output::TasksChanged { changed, forgotten } => {
            format!("{} and {} forgotten", changed.len(), forgotten.len())
        }
        Output::SweepLog(sweeps) => format!("{} chains", sweeps.len()),
        Output::LookUp { theirs } => entry(theirs, called),
        Output::AskLog { to, .. } | Output::PushEntries { to, .. } => called(*to),
        Output::AskEntries { from, asked } => {
            format!("{} ranges from {}", asked.ranges.len(), called(*from))
        }
    };
    format!("{} {about}", output_kind(output))
}

fn replied(reply: &Reply) -> String {
    match reply {
        Reply::Founded(founded) => format!("founded: {}", founded.is_ok()),
        Reply::Invited(invited) => format!("invited: {}", invited.is_ok()),
        Reply::Tickets(tickets) => format!("{} tickets", tickets.len()),
        Reply::Requests(waiting) => {
            let waiting = waiting.as_ref().map_or(0, |waiting| waiting.waiting.len());
            format!("{waiting} wait")
        }
        Reply::Approved(approved) => format!("approved: {}", approved.is_ok()),
        Reply::DialAddresses(addresses) => addresses.join(" "),
        Reply::Withdrawn(was_there) => format!("withdrawn: {was_there}"),
        Reply::Verdict(Verdict::Admit { .. }) => "admitted".to_owned(),
        Reply::Verdict(Verdict::Issue { issued, .. }) => {
            format!("issued to {}", issued.body().name)
        }
        Reply::Verdict(Verdict::Refuse { reason, .. }) => format!("refused: {reason}"),
        Reply::Taken(Ok(())) => "taken".to_owned(),
        Reply::Taken(Err(refusal)) => format!("not taken: {refusal}"),
        Reply::Renamed(renamed) => format!("renamed: {}", renamed.is_ok()),
        Reply::Renewal(renewal) => format!("renewed: {}", renewal.is_ok()),
        Reply::Revoked(revoked) => format!("revoked: {}", revoked.is_ok()),
        Reply::Addresses(known) => format!("addresses of {} nodes", known.len()),
        Reply::Stopping => "stopping".to_owned(),
        Reply::Left(left) => format!("left: {}", left.is_some()),
        Reply::Gossiped(judgement) => format!("{judgement:?}"),
        Reply::Manifests(Ok(told)) => format!("told of {}", told.manifests.len()),
        Reply::Manifests(Err(refusal)) => format!("not told: {refusal}"),
        Reply::Appended(Ok(appended)) => format!("no. {}", appended.sequence),
        Reply::Appended(Err(refused)) => format!("not appended: {refused}"),
        Reply::Task(Ok(task)) => format!("task {:?}: {:?}", task.id, task.phase),
        Reply::Task(Err(refused)) => format!("no task: {refused}"),
        Reply::Proposed(Ok(id)) => format!("proposed {id:?}"),
        Reply::Proposed(Err(refused)) => format!("not proposed: {refused}"),
        Reply::Voted(Ok(())) => "voted".to_owned(),
        Reply::Voted(Err(refused)) => format!("not voted: {refused}"),
        Reply::LogTold(Ok(told)) => {
            format!("differs: {}, {} heads", told.differs, told.heads.len())
        }
        Reply::LogTold(Err(refusal)) => format!("not told: {refusal}"),
        Reply::Reconciled(Ok(announcement)) => format!("told of {}", announcement.members.len()),
        Reply::Reconciled(Err(refusal)) => format!("not told: {refusal}"),
    }
}

fn entry(entry: &Entry, called: Called<'_>) -> String {
    let chain = entry.chain();
    let author = called(chain.author);
    format!(
        "{author} {:?} {} no. {}",
        chain.epoch,
        chain.lane,
        entry.sequence()
    )
}

fn told(announcement: &Announcement, called: Called<'_>) -> String {
    let named = announcement.members.iter().take(NAMED_MAX);
    let mut named: Vec<String> = named.map(|member| named_member(member, called)).collect();
    let out = announcement.revocations.iter();
    named.extend(out.map(|revocation| format!("{}, who is out", called(revocation.body.subject))));
    let accused = announcement.accusations.iter();
    named.extend(accused.map(|one| {
        format!(
            "{}, who is silent by {}",
            called(one.accused),
            called(one.accuser)
        )
    }));
    if !announcement.entries.is_empty() {
        named.push(format!("{} entries", announcement.entries.len()));
    }
    if !announcement.forks.is_empty() {
        named.push(format!("{} forks", announcement.forks.len()));
    }
    match announcement.members.len().saturating_sub(NAMED_MAX) {
        0 => named.join(", "),
        others => format!("{} and {others} others", named.join(", ")),
    }
}

fn named_member(member: &Member, called: Called<'_>) -> String {
    let about = match member.record() {
        Some(record) if record.leaving => ", who leaves".to_owned(),
        Some(record) => format!(" no. {} offering {:?}", record.sequence, record.manifest),
        None => String::new(),
    };
    format!("{}{about}", called(member.node()))
}
