//! A call's errors on their way between two nodes.

use peerage_protocol::id::NodeName;
use peerage_protocol::wire::failure::{Failure, FailureKind};

use super::call::CallError;

/// What a peer is told about `error`.
pub fn to_wire(error: CallError) -> Failure {
    let about = |kind, subject, detail| Failure {
        subject,
        detail,
        ..Failure::new(kind)
    };
    let none = String::new;
    match error {
        CallError::UnknownTool { name } => about(FailureKind::UnknownTool, name, none()),
        CallError::UnknownPrompt { name } => about(FailureKind::UnknownPrompt, name, none()),
        CallError::UnknownResource { uri } => about(FailureKind::UnknownResource, uri, none()),
        CallError::AmbiguousTool { name, candidates } => Failure {
            candidates,
            ..about(FailureKind::AmbiguousTool, name, none())
        },
        CallError::UnknownMethod { method } => about(FailureKind::UnknownMethod, method, none()),
        CallError::InvalidParams { what } => about(FailureKind::InvalidParams, none(), what),
        CallError::UpstreamDown { server, why } => about(FailureKind::UpstreamDown, server, why),
        CallError::PeerUnreachable { node, why } => about(FailureKind::PeerUnreachable, node, why),
        CallError::Busy { what } => about(FailureKind::Busy, none(), what),
        CallError::DeadlineExceeded { target } => {
            about(FailureKind::DeadlineExceeded, target, none())
        }
        CallError::Loop => Failure::new(FailureKind::Loop),
        CallError::TooLarge { what, limit } => Failure {
            limit: limit as u64,
            ..about(FailureKind::TooLarge, what, none())
        },
    }
}

/// What the caller is told about `failure`, which the node called `node` reported.
pub fn from_wire(failure: Failure, node: &NodeName) -> CallError {
    let Failure {
        kind,
        subject,
        detail,
        candidates,
        limit,
    } = failure;
    match kind {
        FailureKind::UnknownTool => CallError::UnknownTool { name: subject },
        FailureKind::UnknownPrompt => CallError::UnknownPrompt { name: subject },
        FailureKind::UnknownResource => CallError::UnknownResource { uri: subject },
        FailureKind::AmbiguousTool => CallError::AmbiguousTool {
            name: subject,
            candidates,
        },
        FailureKind::UnknownMethod => CallError::UnknownMethod { method: subject },
        FailureKind::InvalidParams => CallError::InvalidParams { what: detail },
        FailureKind::UpstreamDown => CallError::UpstreamDown {
            server: format!("{subject} on {node}"),
            why: detail,
        },
        FailureKind::PeerUnreachable => CallError::PeerUnreachable {
            node: subject,
            why: detail,
        },
        FailureKind::Busy => CallError::Busy {
            what: format!("{detail} on {node}"),
        },
        FailureKind::DeadlineExceeded => CallError::DeadlineExceeded {
            target: format!("{subject} on {node}"),
        },
        FailureKind::Loop => CallError::Loop,
        FailureKind::TooLarge => CallError::TooLarge {
            what: subject,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        },
        FailureKind::Other(kind) => CallError::PeerUnreachable {
            node: node.to_string(),
            why: format!("it failed in a way this version does not know: {kind} {detail}"),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn text() -> String {
        "files".to_owned()
    }

    fn every_error() -> Vec<CallError> {
        vec![
            CallError::UnknownTool { name: text() },
            CallError::UnknownPrompt { name: text() },
            CallError::UnknownResource { uri: text() },
            CallError::AmbiguousTool {
                name: text(),
                candidates: vec![text()],
            },
            CallError::UnknownMethod { method: text() },
            CallError::InvalidParams { what: text() },
            CallError::UpstreamDown {
                server: text(),
                why: text(),
            },
            CallError::PeerUnreachable {
                node: text(),
                why: text(),
            },
            CallError::Busy { what: text() },
            CallError::DeadlineExceeded { target: text() },
            CallError::Loop,
            CallError::TooLarge {
                what: text(),
                limit: 7,
            },
        ]
    }

    #[test]
    fn every_error_keeps_its_kind_between_two_nodes() {
        for error in every_error() {
            let bytes = to_wire(error.clone()).encode();
            let failure = Failure::decode(&bytes).unwrap();
            assert_eq!(String::from(failure.kind.clone()), error.kind());
            let heard = from_wire(failure, &"laptop".parse().unwrap());
            assert_eq!(heard.kind(), error.kind());
            assert!(heard.to_string().contains("files") || heard == CallError::Loop);
        }
    }

    #[test]
    fn a_failure_of_a_later_version_names_the_node_and_the_kind() {
        let later = Failure::new(FailureKind::Other("haunted".to_owned()));
        let heard = from_wire(later, &"laptop".parse().unwrap()).to_string();
        assert!(
            heard.contains("laptop") && heard.contains("haunted"),
            "{heard}"
        );
    }
}
