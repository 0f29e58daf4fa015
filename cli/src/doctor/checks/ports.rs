//! Whether the ports that the next start needs are free.

use super::Judgement;
use crate::doctor::evidence::{Answer, Evidence, TakenPort};
use crate::doctor::finding::Finding;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let seen = match &evidence.node {
        Answer::Said(status, _) => format!("the node answers at {}", status.http.join(" and ")),
        _ => "those of peerage.toml, as the next start will need them".to_owned(),
    };
    Judgement::new(seen, evidence.taken_ports.iter().map(taken))
}

fn taken(port: &TakenPort) -> Finding {
    let by = match &port.process {
        Some((pid, name)) => format!("by {name} (process {pid})"),
        None => format!("by a process that this user may not see ({})", port.why),
    };
    let other = match port.purpose {
        "gateway" => "choose another: port under [http] in peerage.toml, or peerage up --http auto",
        _ => {
            "choose another: port under [mesh] in peerage.toml; tickets and addresses made before name the old one"
        }
    };
    Finding::wrong(
        "port_taken",
        format!(
            "{}, which the {} needs, is taken {by}",
            port.address, port.purpose
        ),
        format!("end that process, or {other}"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn a_taken_port_names_who_has_it() {
        let evidence = Evidence {
            taken_ports: vec![TakenPort {
                address: "127.0.0.1:8080".to_owned(),
                purpose: "gateway",
                process: Some((42, "python3".to_owned())),
                why: "address in use".to_owned(),
            }],
            ..Evidence::healthy()
        };
        let judged = check(&evidence);
        assert_eq!(names(&judged), ["port_taken"]);
        assert!(judged.findings[0].what.contains("by python3 (process 42)"));
    }
}
