//! What inputs and outputs are called in traces and statistics.

use peerage_protocol::node_state::{Input, Output};

/// The name of an input's kind.
pub(crate) const fn input_kind(input: &Input) -> &'static str {
    match input {
        Input::Found { .. } => "Found",
        Input::Invite { .. } => "Invite",
        Input::Tickets { .. } => "Tickets",
        Input::WithdrawTicket { .. } => "WithdrawTicket",
        Input::Judge { .. } => "Judge",
        Input::Admitted { .. } => "Admitted",
        Input::Certified { .. } => "Certified",
        Input::Rename { .. } => "Rename",
        Input::RenameAsked { .. } => "RenameAsked",
        Input::RenewalAsked { .. } => "RenewalAsked",
        Input::Renewed { .. } => "Renewed",
        Input::Revoke { .. } => "Revoke",
        Input::Stopping { .. } => "Stopping",
        Input::Leave { .. } => "Leave",
        Input::Sighted { .. } => "Sighted",
        Input::LinkUp { .. } => "LinkUp",
        Input::LinkDown { .. } => "LinkDown",
        Input::DialFailed { .. } => "DialFailed",
        Input::AddressesFailed { .. } => "AddressesFailed",
        Input::NetworkChanged => "NetworkChanged",
        Input::AddressesAsked { .. } => "AddressesAsked",
        Input::DialAgain { .. } => "DialAgain",
        Input::Listening { .. } => "Listening",
        Input::LocalServers { .. } => "LocalServers",
        Input::Announced { .. } => "Announced",
        Input::Gossiped { .. } => "Gossiped",
        Input::PublishFailed => "PublishFailed",
        Input::ReconcileAsked { .. } => "ReconcileAsked",
        Input::Reconciled { .. } => "Reconciled",
        Input::ReconcileFailed { .. } => "ReconcileFailed",
        Input::LinkWanted { .. } => "LinkWanted",
        Input::ManifestFetched { .. } => "ManifestFetched",
        Input::ManifestUnavailable { .. } => "ManifestUnavailable",
        Input::ManifestsAsked { .. } => "ManifestsAsked",
        Input::ManifestsTold { .. } => "ManifestsTold",
        Input::Wake => "Wake",
    }
}

/// The name of an output's kind.
pub(crate) const fn output_kind(output: &Output) -> &'static str {
    match output {
        Output::Persist(_) => "Persist",
        Output::PublishRoster(_) => "PublishRoster",
        Output::PublishPresence(_) => "PublishPresence",
        Output::PublishCatalog(_) => "PublishCatalog",
        Output::PublishManifest(_) => "PublishManifest",
        Output::ManifestRefused(_) => "ManifestRefused",
        Output::Reply { .. } => "Reply",
        Output::Dial { .. } => "Dial",
        Output::Provide(_) => "Provide",
        Output::Seek { .. } => "Seek",
        Output::Disconnect { .. } => "Disconnect",
        Output::Release { .. } => "Release",
        Output::Publish(_) => "Publish",
        Output::Reconcile { .. } => "Reconcile",
        Output::Goodbye { .. } => "Goodbye",
        Output::FetchManifest { .. } => "FetchManifest",
        Output::AskManifests { .. } => "AskManifests",
        Output::RequestRenewal { .. } => "RequestRenewal",
    }
}
