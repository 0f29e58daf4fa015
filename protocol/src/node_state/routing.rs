//! Which part takes which input.

use super::gate::Certified;
use super::hearing::Told;
use super::requesting::Approval;
use super::{Input, NodeState, Reply};
use crate::time::Now;

impl NodeState {
    pub(super) fn route(&mut self, now: Now, input: Input) {
        match input {
            Input::Found {
                request,
                root,
                name,
            } => self.found(now, request, root, name),
            Input::Invite {
                request,
                invitation,
            } => self.invite(now, request, invitation),
            Input::Tickets { request } => self.tickets(now, request),
            Input::WithdrawTicket { request, id } => self.withdraw_ticket(now, request, id),
            Input::Judge {
                request,
                transcript,
                claim,
                place,
            } => self.judge(now, request, &transcript, claim, &place),
            Input::OpenRequests { request, window } => self.open_requests(now, request, window),
            Input::Requests { request } => self.tell_requests(now, request),
            Input::Approve {
                request,
                words,
                grant,
                certificate_lifetime,
            } => {
                let approval = Approval {
                    words,
                    grant,
                    certificate_lifetime,
                };
                self.approve(now, request, approval);
            }
            Input::Admitted {
                request,
                listener,
                chain,
                revocations,
            } => self.admitted(now, request, listener, chain, &revocations),
            Input::Certified {
                request,
                mesh,
                listener,
                theirs,
                issued,
                addresses,
            } => {
                let certified = Certified {
                    mesh,
                    listener,
                    theirs,
                    issued,
                    addresses,
                };
                self.certified(now, request, certified);
            }
            Input::RotateOwn { request, rotation } => self.rotate_own(now, request, &rotation),
            Input::Rotated {
                request,
                listener,
                theirs,
                new,
                issued,
            } => self.rotated(now, request, listener, theirs, (new, issued)),
            Input::DialAddresses { request, node } => {
                let addresses = self.addresses(node);
                self.reply(request, Reply::DialAddresses(addresses));
            }
            Input::Rename { request, name } => self.rename(now, request, name),
            Input::RenameAsked {
                request,
                from,
                name,
            } => self.rename_asked(now, request, from, name),
            Input::RenewalAsked { request, from } => self.renewal_asked(now, request, from),
            Input::Renewed { from, chain } => self.renewed(now, from, chain),
            Input::Revoke {
                request,
                subject,
                spare_issued_before,
            } => self.revoke(now, request, subject, spare_issued_before),
            Input::Leave { request } => self.leave(now, request),
            Input::Sighted {
                node,
                addresses,
                source,
            } => self.sighted(now, node, addresses, source),
            Input::LinkUp { node, address } => self.link_up(now, node, address),
            Input::LinkDown { node } => self.link_down(now, node),
            Input::DialFailed { node, refused } => self.dial_failed(now, node, refused),
            Input::AddressesFailed { node, addresses } => {
                self.addresses_failed(now, node, &addresses);
            }
            Input::NetworkChanged => self.network_changed(now),
            Input::AddressesAsked { request } => self.addresses_asked(request),
            Input::DialAgain { node } => self.links.dial_again(now.monotonic, node),
            Input::Listening { addresses } => self.listens(now, addresses),
            Input::LocalServers { servers } => {
                self.offers.set_local(servers);
                self.own.offers();
            }
            Input::LocalAgents { agents } => self.own.set_agents(agents),
            Input::MessageKey { key } => self.own.set_message_key(key),
            Input::Region { region } => self.set_region(region),
            Input::Carried { from, announcement } => self.carried(now, from, announcement),
            Input::Announced { from, announcement } => {
                self.take_announced(now, from, &announcement, Told::AsNews);
            }
            Input::Gossiped {
                request,
                from,
                announcement,
            } => self.gossiped(now, request, from, announcement),
            Input::PublishFailed => self.own.publish_failed(),
            Input::ReconcileAsked {
                request,
                from,
                summary,
            } => self.reconcile_asked(now, request, from, &summary),
            Input::Reconciled { from, announcement } => self.reconciled(now, from, &announcement),
            Input::ReconcileFailed { from } => {
                self.reconciliation.ended(now.monotonic, from, true);
            }
            Input::LinkWanted { node } => self.link_wanted(now, node),
            Input::ManifestFetched { from, bytes } => self.manifest_fetched(now, from, &bytes),
            Input::ManifestUnavailable { from } => {
                self.manifests.fetch_failed(now.monotonic, from);
            }
            Input::ManifestsAsked {
                request,
                from,
                asked,
            } => self.manifests_asked(now, request, from, asked),
            Input::ManifestsTold { asked, told } => self.manifests_told(now, &asked, &told),
            Input::Stopping { request } => self.stopping(request),
            Input::Recalled { entries } => self.recalled(now, &entries),
            Input::LogSeed { seed } => self.log.own.set_seed(seed),
            Input::DiskRoom { full } => self.log.disk_full = full,
            Input::HoldDirect { authors } => self.hold_direct(now, authors),
            Input::Append {
                request,
                lane,
                items,
            } => self.append_asked(now, request, lane, items),
            Input::Task { request, order } => self.task_ordered(now, request, order),
            Input::TaskUnheard { request } => self.task_unheard(now, request),
            Input::AgentsActive { agents } => self.agents_active(now, &agents),
            Input::Propose { request, draft } => self.propose(now, request, draft),
            Input::Vote {
                request,
                agent,
                proposal,
                choice,
            } => self.vote(now, request, agent, proposal, choice),
            Input::LogAsked {
                request,
                from,
                asked,
            } => self.log_asked(now, request, from, &asked),
            Input::LogTold { from, asked, told } => self.log_told(now, from, &asked, told),
            Input::EntriesTold { from, asked, told } => {
                self.entries_told(now, from, &asked, told.as_ref());
            }
            Input::PushAnswered { to } => self.push_answered(to),
            Input::EntriesPushed { from, entries } => self.entries_pushed(now, from, &entries),
            Input::LogSwept(swept) => self.log_swept(&swept),
            Input::LookedUp { theirs, ours } => self.looked_up(&theirs, ours.as_ref()),
            Input::Wake => {}
        }
    }
}
