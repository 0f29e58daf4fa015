//! Whether the database is sound.

use super::Judgement;
use crate::doctor::evidence::{DatabaseFacts, Evidence};
use crate::doctor::finding::Finding;

const RESTORE: &str = "stop the node, put a backup back with: peerage restore FILE; or move peerage.db away and join again with a new ticket";

pub(super) fn check(evidence: &Evidence) -> Judgement {
    match &evidence.database {
        DatabaseFacts::Missing => Judgement::new("none yet; the first start makes it", None),
        DatabaseFacts::Unreadable(why) => Judgement::new(
            "peerage.db",
            [Finding::wrong(
                "database_unreadable",
                format!("peerage.db: {why}"),
                RESTORE,
            )],
        ),
        DatabaseFacts::Read { complaints, .. } if complaints.is_empty() => {
            Judgement::new("peerage.db, every page of it sound", None)
        }
        DatabaseFacts::Read { complaints, .. } => Judgement::new(
            "peerage.db",
            [Finding::wrong(
                "database_damaged",
                format!("peerage.db is damaged: {}", complaints.join("; ")),
                RESTORE,
            )],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn damage_is_found_whether_it_can_be_opened_or_not() {
        let with = |database| {
            names(&check(&Evidence {
                database,
                ..Evidence::healthy()
            }))
        };
        let unreadable = DatabaseFacts::Unreadable("file is not a database".to_owned());
        assert_eq!(with(unreadable), ["database_unreadable"]);
        let damaged = DatabaseFacts::Read {
            complaints: vec!["row 1 missing from index".to_owned()],
            membership: None,
        };
        assert_eq!(with(damaged), ["database_damaged"]);
    }
}
