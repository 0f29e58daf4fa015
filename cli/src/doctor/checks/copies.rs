//! Whether a second node lives by the same key. Seen are nodes of this user on this machine; a copy elsewhere cannot be
//! told from the node itself yet.

use super::Judgement;
use crate::doctor::evidence::Evidence;
use crate::doctor::finding::Finding;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let seen =
        "looked for on this machine; a copy of this home on another machine cannot be seen yet";
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
    Judgement::new(seen, twins)
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn a_copied_home_is_found() {
        let evidence = Evidence {
            twins: vec![(7, "/copy".into())],
            ..Evidence::healthy()
        };
        assert_eq!(names(&check(&evidence)), ["identity_copied"]);
    }
}
