//! Whether the bootstrap file can be read, and whether anyone answers at its addresses.

use super::Judgement;
use crate::doctor::evidence::{Evidence, FileReading, Knock, Whose};
use crate::doctor::finding::Finding;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let broken = match &evidence.bootstrap {
        FileReading::Broken(why) => Some(Finding::wrong(
            "bootstrap_broken",
            why,
            "correct it, or take bootstrap out of [discovery] in peerage.toml",
        )),
        _ => None,
    };
    let bad = evidence.bad_bootstrap_entries.iter().map(|entry| {
        Finding::wrong(
            "bootstrap_bad_entry",
            format!("{entry}; the entry is skipped"),
            "write it as /ip4/ADDRESS/udp/PORT/quic-v1/p2p/NODE, as peerage status shows it there",
        )
    });
    let silent = evidence
        .knocks
        .iter()
        .filter(|knock| knock.whose == Whose::Bootstrap)
        .filter_map(unreachable);
    let seen = match &evidence.bootstrap {
        FileReading::Absent => "no bootstrap file".to_owned(),
        FileReading::Fine(seen) => seen.clone(),
        FileReading::Broken(_) => "the bootstrap file".to_owned(),
    };
    Judgement::new(seen, broken.into_iter().chain(bad).chain(silent))
}

fn unreachable(knock: &Knock) -> Option<Finding> {
    let why = knock.outcome.as_ref().err()?;
    Some(Finding::wrong(
        "bootstrap_unreachable",
        format!("nobody answers at {}: {why}", knock.address),
        "see that the node there runs and its port is open, or remove the line",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn a_bad_line_and_a_silent_address_are_found() {
        let evidence = Evidence {
            bootstrap: FileReading::Fine("1 address".to_owned()),
            bad_bootstrap_entries: vec![
                "bootstrap file, line 5: \"nowhere\" is not a multiaddress".to_owned(),
            ],
            knocks: vec![Knock {
                whose: Whose::Bootstrap,
                address: "/ip4/192.0.2.1/tcp/1".to_owned(),
                outcome: Err("refused".to_owned()),
            }],
            ..Evidence::healthy()
        };
        assert_eq!(
            names(&check(&evidence)),
            ["bootstrap_bad_entry", "bootstrap_unreachable"]
        );
        let broken = Evidence {
            bootstrap: FileReading::Broken("not TOML".to_owned()),
            ..Evidence::healthy()
        };
        assert_eq!(names(&check(&broken)), ["bootstrap_broken"]);
    }
}
