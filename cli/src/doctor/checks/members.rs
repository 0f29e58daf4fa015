//! Which members can be reached, over which of their addresses.

use super::Judgement;
use crate::doctor::evidence::{Answer, Evidence, Knock, Whose};
use crate::doctor::finding::Finding;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let Answer::Said(_, nodes) = &evidence.node else {
        return Judgement::new("not asked: no node runs", None);
    };
    let linked: Vec<String> = nodes
        .iter()
        .filter(|node| node.state == "connected")
        .map(|node| match node.addresses.first() {
            Some(address) => format!("{} over {address}", node.name),
            None => node.name.clone(),
        })
        .collect();
    let apart = nodes
        .iter()
        .filter(|node| !matches!(node.state.as_str(), "self" | "connected"))
        .map(|node| not_linked(evidence, &node.name));
    let seen = match linked.as_slice() {
        [] => "no other member is linked".to_owned(),
        linked => format!("linked with {}", linked.join(", ")),
    };
    Judgement::new(seen, apart)
}

fn not_linked(evidence: &Evidence, name: &str) -> Finding {
    let whose = Whose::Member(name.to_owned());
    let knocks: Vec<&Knock> = evidence
        .knocks
        .iter()
        .filter(|knock| knock.whose == whose)
        .collect();
    let told: Vec<String> = knocks.iter().map(|knock| path(knock)).collect();
    if knocks.iter().any(|knock| knock.outcome.is_ok()) {
        return Finding::wrong(
            "member_not_linked",
            format!(
                "{name} is not linked, though something answers: {}",
                told.join("; ")
            ),
            format!(
                "see why in peerage logs; look at {name} with: peerage doctor there (its clock, its certificate)"
            ),
        );
    }
    let what = match told.as_slice() {
        [] => format!("{name} is not linked, and none of its addresses is known"),
        told => format!("{name} cannot be reached: {}", told.join("; ")),
    };
    Finding::notice(
        "member_unreachable",
        what,
        format!(
            "if {name} runs: see that its firewall lets UDP and TCP through, or name its address in the bootstrap file"
        ),
    )
}

fn path(knock: &Knock) -> String {
    match &knock.outcome {
        Ok(took) => format!("{} answers in {} ms", knock.address, took.as_millis()),
        Err(why) => format!("{} ({why})", knock.address),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use peerage_node::gateway::frontend::rest::api::NodeStatus;

    use super::super::names;
    use super::*;

    fn with(outcome: Option<Result<Duration, String>>) -> Judgement {
        let evidence = Evidence::healthy().running(|_, nodes| {
            nodes.push(NodeStatus {
                node: "12D3KooW".to_owned(),
                name: "shed".to_owned(),
                region: None,
                role: None,
                state: "unreachable".to_owned(),
                addresses: Vec::new(),
                tools: 0,
                round_trip_micros: None,
                clock_ahead_ms: None,
                version: None,
                last_seen: None,
                path: None,
                away_since: None,
            });
        });
        let knock = outcome.map(|outcome| Knock {
            whose: Whose::Member("shed".to_owned()),
            address: "/ip4/192.0.2.1/tcp/1".to_owned(),
            outcome,
        });
        check(&Evidence {
            knocks: Vec::from_iter(knock),
            ..evidence
        })
    }

    #[test]
    fn a_member_that_is_away_is_told_path_by_path() {
        let judged = with(Some(Err("refused".to_owned())));
        assert_eq!(names(&judged), ["member_unreachable"]);
        assert!(
            judged.findings[0]
                .what
                .contains("/ip4/192.0.2.1/tcp/1 (refused)")
        );
        assert_eq!(names(&with(None)), ["member_unreachable"]);
    }

    #[test]
    fn a_member_that_answers_but_is_not_linked_is_wrong() {
        let judged = with(Some(Ok(Duration::from_millis(3))));
        assert_eq!(names(&judged), ["member_not_linked"]);
    }
}
