//! Reads off a failed dial what control must know: refused is not unreachable.

use libp2p::Multiaddr;
use libp2p::core::transport::TransportError;
use libp2p::swarm::DialError;

use super::event::DialFailure;
use super::gate::GateError;
use super::peer_id::without_node;
use super::transport::{ConnectError, reason};

/// What became of a dial; `None` when there was none, because a link stands already, or this node gave it up.
pub(super) fn dial_failure(error: &DialError) -> Option<DialFailure> {
    match error {
        DialError::DialPeerConditionFalse(_) | DialError::Aborted => None,
        DialError::Transport(attempts) => Some(of_attempts(attempts)),
        DialError::Denied { cause } => Some(unreachable(cause.to_string())),
        DialError::NoAddresses => Some(unreachable("no address of it is known".to_owned())),
        DialError::LocalPeerId { .. } => Some(unreachable("it is this node itself".to_owned())),
        DialError::WrongPeerId { obtained, address } => Some(unreachable(format!(
            "another node, {obtained}, answers at {address}"
        ))),
    }
}

/// The addresses at which a dial found nobody, or somebody else. One at which a gate answered is none of them.
pub(super) fn failed_addresses(error: &DialError) -> Vec<Multiaddr> {
    match error {
        DialError::Transport(attempts) => unanswered(attempts),
        DialError::WrongPeerId { address, .. } | DialError::LocalPeerId { address } => {
            vec![without_node(address.clone())]
        }
        DialError::DialPeerConditionFalse(_)
        | DialError::Aborted
        | DialError::Denied { .. }
        | DialError::NoAddresses => Vec::new(),
    }
}

/// The same of attempts beside one that brought a link.
pub(super) fn unanswered(attempts: &[Attempt]) -> Vec<Multiaddr> {
    let unanswered = attempts
        .iter()
        .filter(|attempt| at_the_gate(attempt).is_none());
    unanswered
        .map(|(address, _)| without_node(address.clone()))
        .collect()
}

fn unreachable(why: String) -> DialFailure {
    DialFailure::Unreachable { why }
}

type Attempt = (Multiaddr, TransportError<std::io::Error>);

/// What a gate said counts more than any address on which nobody answered.
fn of_attempts(attempts: &[Attempt]) -> DialFailure {
    let mut said: Vec<_> = attempts.iter().filter_map(at_the_gate).collect();
    said.sort_by_key(|failure| !matches!(failure, DialFailure::Issued));
    let each = |(address, error): &Attempt| format!("{address}: {}", reason(error));
    let nobody = || unreachable(attempts.iter().map(each).collect::<Vec<_>>().join("; "));
    said.into_iter().next().unwrap_or_else(nobody)
}

fn at_the_gate((_, error): &Attempt) -> Option<DialFailure> {
    match gate_error(error)? {
        GateError::Issued => Some(DialFailure::Issued),
        GateError::Refused { refusal } => Some(DialFailure::Refused(refusal.clone())),
        GateError::Distrusted { refusal } => Some(DialFailure::Distrusted(refusal.clone())),
        GateError::NothingToShow => Some(DialFailure::NothingToShow),
        GateError::NotEd25519 { .. }
        | GateError::TurnedAway { .. }
        | GateError::OutOfPlace { .. }
        | GateError::Deadline { .. }
        | GateError::Dawdled
        | GateError::Codec(_)
        | GateError::Connection(_)
        | GateError::Randomness(_) => None,
    }
}

fn gate_error(error: &TransportError<std::io::Error>) -> Option<&GateError> {
    let TransportError::Other(error) = error else {
        return None;
    };
    match error.get_ref()?.downcast_ref()? {
        ConnectError::Gate(error) => Some(error),
        ConnectError::Channel(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::net::gatekeeper::Refusal;

    fn attempt(error: ConnectError) -> Attempt {
        let address = "/ip4/192.0.2.1/tcp/1".parse().unwrap();
        (address, TransportError::Other(std::io::Error::other(error)))
    }

    fn nobody() -> Attempt {
        let timed_out = std::io::ErrorKind::TimedOut.into();
        attempt(ConnectError::Channel(timed_out))
    }

    #[test]
    fn a_refusal_at_one_address_is_a_refusal_whatever_the_others_did() {
        let refusal = Refusal::TicketUsed;
        let refused = attempt(ConnectError::Gate(GateError::Refused {
            refusal: refusal.clone(),
        }));
        let error = DialError::Transport(vec![nobody(), refused]);
        assert_eq!(dial_failure(&error), Some(DialFailure::Refused(refusal)));
    }

    #[test]
    fn an_issued_certificate_counts_more_than_a_later_refusal() {
        let refusal = Refusal::TicketUsed;
        let refused = attempt(ConnectError::Gate(GateError::Refused { refusal }));
        let issued = attempt(ConnectError::Gate(GateError::Issued));
        let error = DialError::Transport(vec![refused, issued]);
        assert_eq!(dial_failure(&error), Some(DialFailure::Issued));
    }

    #[test]
    fn addresses_failed_where_nobody_answered_and_not_where_a_gate_did() {
        let refusal = Refusal::TicketUsed;
        let refused = attempt(ConnectError::Gate(GateError::Refused { refusal }));
        let error = DialError::Transport(vec![refused, nobody()]);
        assert_eq!(failed_addresses(&error), [nobody().0]);
    }

    #[test]
    fn nobody_there_is_unreachable_and_names_each_address() {
        let failure = dial_failure(&DialError::Transport(vec![nobody()]));
        let Some(DialFailure::Unreachable { why }) = failure else {
            panic!("{failure:?}");
        };
        assert!(why.contains("/ip4/192.0.2.1/tcp/1"), "{why}");
    }
}
