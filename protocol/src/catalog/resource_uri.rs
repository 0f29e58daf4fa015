//! The URI that a resource goes by where its own is not enough: two servers may offer the same one.
//!
//! `peerage://SERVER/URI` is a resource of this node's server, `peerage://SERVER.NODE/URI` one of another node's.
//! Names hold no dot and no slash, so the qualified form is unmistakable, and what follows the first slash after them
//! is the server's own URI, byte by byte. A template is qualified in the same way.

use crate::catalog::snapshot::Provider;

/// What every qualified URI begins with.
pub const QUALIFIED_SCHEME: &str = "peerage://";

/// The URI or template `own` of `provider`, so that no other provider's is the same.
pub fn qualified_uri(provider: &Provider, own: &str) -> String {
    match provider {
        Provider::Local { server } => format!("{QUALIFIED_SCHEME}{server}/{own}"),
        Provider::Peer {
            node_name, server, ..
        } => format!("{QUALIFIED_SCHEME}{server}.{node_name}/{own}"),
    }
}

/// The authority of a qualified URI (`SERVER` or `SERVER.NODE`) and the server's own URI.
pub fn split_qualified(uri: &str) -> Option<(&str, &str)> {
    uri.strip_prefix(QUALIFIED_SCHEME)?.split_once('/')
}

/// The authority by which `provider` is named in qualified URIs.
pub fn authority(provider: &Provider) -> String {
    match provider {
        Provider::Local { server } => server.to_string(),
        Provider::Peer {
            node_name, server, ..
        } => format!("{server}.{node_name}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::id::NodeId;

    fn remote() -> Provider {
        Provider::Peer {
            node: NodeId::from_public_key([1; 32]),
            node_name: "laptop".parse().unwrap(),
            server: "files".parse().unwrap(),
        }
    }

    proptest! {
        #[test]
        fn every_uri_comes_back_from_its_qualified_form(own in "\\PC*") {
            let local = Provider::Local { server: "files".parse().unwrap() };
            for provider in [local, remote()] {
                let qualified = qualified_uri(&provider, &own);
                let (owner, back) = split_qualified(&qualified).unwrap();
                prop_assert_eq!(owner, authority(&provider));
                prop_assert_eq!(back, &own);
            }
        }
    }

    #[test]
    fn a_resource_of_another_node_names_it() {
        let qualified = qualified_uri(&remote(), "file:///a?b#c");
        assert_eq!(qualified, "peerage://files.laptop/file:///a?b#c");
    }
}
