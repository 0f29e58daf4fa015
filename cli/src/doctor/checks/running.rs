//! Whether the node that holds the home answers, and whether it is of this version.

use super::Judgement;
use crate::doctor::evidence::{Answer, Evidence};
use crate::doctor::finding::Finding;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let pid = evidence.holder.as_ref().and_then(|holder| holder.pid);
    let process = pid.map_or_else(|| "of unknown number".to_owned(), |pid| pid.to_string());
    match (&evidence.node, &evidence.holder) {
        (Answer::NoNode, None) => {
            Judgement::new("none runs; start one with: peerage up --background", None)
        }
        (Answer::NoNode, Some(_)) => Judgement::new(
            format!("process {process} holds the home"),
            [Finding::wrong(
                "socket_gone",
                format!(
                    "process {process} holds the home, but its control socket cannot be reached"
                ),
                "wait if it is just starting; else: peerage restart",
            )],
        ),
        (Answer::Silent(why), _) => Judgement::new(
            "something answers on the control socket",
            [Finding::wrong(
                "node_silent",
                format!("the node (process {process}) does not answer: {why}"),
                format!("peerage restart; if it does not stop: kill -9 {process}"),
            )],
        ),
        (Answer::Said(status, _), holder) => {
            let held = match holder {
                Some(_) => None,
                None => Some(Finding::wrong(
                    "lock_lost",
                    "a node answers, but does not hold the lock of its home: peerage.lock was replaced",
                    "end every node on this home, then start one: peerage up --background",
                )),
            };
            let seen = format!(
                "{} {} runs as process {process}",
                status.name, status.version
            );
            Judgement::new(
                seen,
                held.into_iter()
                    .chain(version(evidence.version, &status.version)),
            )
        }
    }
}

fn version(ours: &str, running: &str) -> Option<Finding> {
    (ours != running).then(|| {
        Finding::notice(
            "version_differs",
            format!("the running node is of version {running}, this program of {ours}"),
            "run the installed one: peerage restart",
        )
    })
}

#[cfg(test)]
mod tests {
    use peerage_node::home::Holder;

    use super::super::names;
    use super::*;

    #[test]
    fn a_node_that_answers_is_fine_and_one_of_another_version_is_told() {
        assert_eq!(
            names(&check(&Evidence::healthy().running(|_, _| {}))),
            Vec::<&str>::new()
        );
        let older = Evidence::healthy().running(|status, _| status.version = "0.0.9".to_owned());
        assert_eq!(names(&check(&older)), ["version_differs"]);
    }

    #[test]
    fn a_node_that_holds_the_home_but_cannot_be_asked_is_found() {
        let held = |node| Evidence {
            holder: Some(Holder {
                pid: Some(7),
                http: None,
            }),
            node,
            ..Evidence::healthy()
        };
        assert_eq!(names(&check(&held(Answer::NoNode))), ["socket_gone"]);
        let silent = check(&held(Answer::Silent("no answer in 5s".to_owned())));
        assert_eq!(names(&silent), ["node_silent"]);
        assert!(silent.findings[0].mend.contains("kill -9 7"));
    }

    #[test]
    fn a_node_without_its_lock_is_found() {
        let evidence = Evidence {
            holder: None,
            ..Evidence::healthy().running(|_, _| {})
        };
        assert_eq!(names(&check(&evidence)), ["lock_lost"]);
    }
}
