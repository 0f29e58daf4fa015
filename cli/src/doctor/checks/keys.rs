//! Whether the keys can be used, and whether they belong to what the database says.

use super::Judgement;
use crate::doctor::evidence::{DatabaseFacts, Evidence, KeyFacts};
use crate::doctor::finding::Finding;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let seen = match (&evidence.identity, &evidence.root) {
        (KeyFacts::Of(_), KeyFacts::Of(_)) => {
            "the node's key, and the root key of a mesh: keep a copy of it"
        }
        (KeyFacts::Of(_), _) => "the node's key",
        _ => "none yet; the first start makes one",
    };
    Judgement::new(
        seen,
        [identity(evidence), root(evidence)].into_iter().flatten(),
    )
}

fn identity(evidence: &Evidence) -> Option<Finding> {
    let subject = match &evidence.database {
        DatabaseFacts::Read {
            membership: Some((_, certificate)),
            ..
        } => Some(certificate.subject),
        _ => None,
    };
    let restore = "restore the home: peerage restore FILE, or start anew with another --home DIR and a new ticket";
    match (&evidence.identity, subject) {
        (KeyFacts::Unusable(why), _) => Some(Finding::wrong("key_unusable", why, restore)),
        (KeyFacts::Missing, Some(subject)) => Some(Finding::wrong(
            "key_missing",
            format!("identity.key is gone, but the database is that of node {subject}"),
            restore,
        )),
        (KeyFacts::Of(key), Some(subject)) if key != subject.public_key() => Some(Finding::wrong(
            "key_of_another_node",
            format!(
                "identity.key is not the key of {subject}, whose certificate the database holds"
            ),
            format!("put the right key back; {restore}"),
        )),
        _ => None,
    }
}

fn root(evidence: &Evidence) -> Option<Finding> {
    let mesh = match &evidence.database {
        DatabaseFacts::Read { membership, .. } => membership.as_ref().map(|(mesh, _)| *mesh),
        _ => None,
    };
    match (&evidence.root, mesh) {
        (KeyFacts::Unusable(why), _) => Some(Finding::wrong(
            "root_key_unusable",
            why,
            "restore root.key from its copy; without it only the admins that exist can let nodes in",
        )),
        (KeyFacts::Of(key), Some(mesh)) if key != mesh.public_key() => Some(Finding::wrong(
            "root_key_of_another_mesh",
            format!("root.key is not that of the mesh {mesh}, to which this node belongs"),
            "move root.key to where you keep keys, then: peerage restart",
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::names;
    use super::*;

    fn member() -> Evidence {
        let evidence = Evidence::healthy();
        let day = Duration::from_secs(86_400);
        let certificate = evidence.certificate(day, day * 13);
        evidence.member(certificate)
    }

    #[test]
    fn a_key_that_matches_is_fine() {
        assert_eq!(names(&check(&member())), Vec::<&str>::new());
    }

    #[test]
    fn a_missing_a_foreign_and_a_damaged_key_are_told_apart() {
        let with = |identity| {
            names(&check(&Evidence {
                identity,
                ..member()
            }))
        };
        assert_eq!(with(KeyFacts::Missing), ["key_missing"]);
        assert_eq!(with(KeyFacts::Of([7; 32])), ["key_of_another_node"]);
        assert_eq!(
            with(KeyFacts::Unusable("3 bytes".to_owned())),
            ["key_unusable"]
        );
    }

    #[test]
    fn a_root_key_of_another_mesh_is_found() {
        let with = |root| names(&check(&Evidence { root, ..member() }));
        assert_eq!(with(KeyFacts::Of([9; 32])), Vec::<&str>::new());
        assert_eq!(with(KeyFacts::Of([7; 32])), ["root_key_of_another_mesh"]);
        assert_eq!(
            with(KeyFacts::Unusable("open".to_owned())),
            ["root_key_unusable"]
        );
    }
}
