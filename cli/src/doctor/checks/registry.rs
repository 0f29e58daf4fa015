//! Whether the registry, where one is configured, is of use.

use super::Judgement;
use crate::doctor::evidence::{Answer, Evidence};
use crate::doctor::finding::Finding;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let Answer::Said(status, _) = &evidence.node else {
        return Judgement::new("not asked: no node runs", None);
    };
    let missing = status
        .warnings
        .iter()
        .filter(|warning| warning.contains("was built without it"))
        .map(|warning| {
            Finding::wrong(
                "registry_not_built",
                warning,
                "use such a build, or take [firebase] out of peerage.toml and FIREBASE_URL out of the environment",
            )
        });
    let Some(registry) = &status.registry else {
        return Judgement::new("no registry", missing);
    };
    let seen = format!("{} members at {}", registry.members, registry.url);
    let of_no_use = registry.fault.as_ref().map(|fault| {
        Finding::wrong(
            "registry_of_no_use",
            format!(
                "the registry {} failed {} times in a row: {fault}",
                registry.url, registry.failures
            ),
            "correct [firebase] in peerage.toml or renew its token; until then members are found by every other way",
        )
    });
    let foreign = (registry.foreign > 0).then(|| {
        Finding::notice(
            "registry_foreign_records",
            format!(
                "{} records in the registry are no member's word, and are passed over",
                registry.foreign
            ),
            "clocks more than 15 minutes apart, former members and other meshes leave such records; remove the old ones in Firebase",
        )
    });
    Judgement::new(seen, missing.chain(of_no_use).chain(foreign))
}

#[cfg(test)]
mod tests {
    use peerage_node::gateway::frontend::rest::registry::RegistryStatus;

    use super::super::names;
    use super::*;

    #[test]
    fn a_registry_that_refuses_is_found_and_one_that_is_not_configured_is_not_missed() {
        let evidence = Evidence::healthy().running(|status, _| {
            status.registry = Some(RegistryStatus {
                url: "https://mesh.example".to_owned(),
                id: None,
                succeeded: None,
                fault: Some("it refuses (401 or 403)".to_owned()),
                failures: 3,
                members: 0,
                expired: 0,
                foreign: 2,
            });
        });
        let judged = check(&evidence);
        assert_eq!(
            names(&judged),
            ["registry_of_no_use", "registry_foreign_records"]
        );
        let evidence = Evidence::healthy().running(|_, _| {});
        assert!(check(&evidence).findings.is_empty());
    }

    #[test]
    fn a_registry_that_this_program_cannot_ask_is_found() {
        let evidence = Evidence::healthy().running(|status, _| {
            status.warnings.push(
                "the registry https://h is not asked: this program was built without it; build one that does"
                    .to_owned(),
            );
        });
        assert_eq!(names(&check(&evidence)), ["registry_not_built"]);
    }
}
