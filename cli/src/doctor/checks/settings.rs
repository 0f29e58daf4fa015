//! Whether `peerage.toml` can be read, and whether every key in it means something.

use super::Judgement;
use crate::doctor::evidence::{Evidence, FileReading};
use crate::doctor::finding::Finding;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let broken = match &evidence.settings {
        FileReading::Broken(why) => Some(Finding::wrong(
            "settings_broken",
            why,
            "correct that line; what it may say is in the README under \"The home\"",
        )),
        _ => None,
    };
    let unknown = evidence.unknown_settings.iter().map(|place| {
        Finding::notice(
            "settings_unknown_key",
            format!("peerage.toml, {place}: nobody here knows this key, so it does nothing"),
            "check its spelling, or remove it",
        )
    });
    let seen = match &evidence.settings {
        FileReading::Absent => "no peerage.toml: what is built in holds".to_owned(),
        FileReading::Fine(seen) => seen.clone(),
        FileReading::Broken(_) => "peerage.toml".to_owned(),
    };
    Judgement::new(seen, broken.into_iter().chain(unknown))
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn a_broken_file_and_an_unknown_key_are_found() {
        let evidence = Evidence {
            settings: FileReading::Broken("peerage.toml, line 3: expected =".to_owned()),
            unknown_settings: vec!["line 1, key \"http.prot\"".to_owned()],
            ..Evidence::healthy()
        };
        let judged = check(&evidence);
        assert_eq!(names(&judged), ["settings_broken", "settings_unknown_key"]);
        assert!(judged.findings[0].what.contains("line 3"));
    }
}
