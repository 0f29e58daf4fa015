//! Whether a second node lives by the same key: on this machine, or anywhere, as a member tells that hears both.

use super::Judgement;
use crate::doctor::evidence::{Answer, Evidence};
use crate::doctor::finding::Finding;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let seen = match &evidence.node {
        Answer::Said(status, _) if status.connected > 0 => {
            "looked for on this machine, and linked members asked"
        }
        _ => "looked for on this machine; no member is linked that could tell of others",
    };
    let twins = evidence.twins.iter().map(|(pid, home)| {
        Finding::wrong(
            "identity_copied",
            format!("process {pid} runs a node with the same key on {}: members cannot tell the two apart", home.display()),
            format!(
                "keep one: peerage down --home '{0}', then delete '{0}' and give that node a new home and a ticket",
                home.display()
            ),
        )
    });
    Judgement::new(seen, twins.chain(elsewhere(evidence)))
}

/// On this machine it was found already, with its home.
fn elsewhere(evidence: &Evidence) -> Option<Finding> {
    let Answer::Said(status, _) = &evidence.node else {
        return None;
    };
    let copy = status.copy.as_ref().filter(|_| evidence.twins.is_empty())?;
    Some(Finding::wrong(
        "identity_live_twice",
        format!(
            "{} hears two live nodes with this key: this one, and one on {}",
            copy.told_by, copy.place
        ),
        "keep one: stop the other with peerage down and delete its home; a node moves with peerage backup and \
         peerage restore, and another machine joins with a ticket of its own",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;
    use peerage_node::gateway::frontend::rest::api::CopyStatus;

    #[test]
    fn a_copied_home_is_found() {
        let evidence = Evidence {
            twins: vec![(7, "/copy".into())],
            ..Evidence::healthy()
        };
        assert_eq!(names(&check(&evidence)), ["identity_copied"]);
    }

    #[test]
    fn a_copy_that_a_member_hears_is_found() {
        let evidence = Evidence::healthy().running(|status, _| {
            status.copy = Some(CopyStatus {
                place: "oldlaptop, process 7".to_owned(),
                told_by: "shed".to_owned(),
            });
        });
        let judged = check(&evidence);
        assert_eq!(names(&judged), ["identity_live_twice"]);
        assert!(judged.findings[0].what.contains("oldlaptop, process 7"));
    }
}
