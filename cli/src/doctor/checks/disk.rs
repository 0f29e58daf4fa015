//! Whether there is room for what the node must write.

use super::Judgement;
use crate::doctor::evidence::Evidence;
use crate::doctor::finding::Finding;

/// A node that cannot write stops; a database, its backup and two logs fit into this.
const FREE_BYTES_MIN: u64 = 100 * 1024 * 1024;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let Some((free, total)) = evidence.disk else {
        return Judgement::new("the system does not say", None);
    };
    let full = (free < FREE_BYTES_MIN).then(|| {
        Finding::wrong(
            "disk_full",
            format!(
                "only {} are free where the home lies; a node that cannot write stops",
                mebibytes(free)
            ),
            "make room there, or move the home and name it with --home DIR",
        )
    });
    Judgement::new(
        format!("{} free of {}", mebibytes(free), mebibytes(total)),
        full,
    )
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn a_disk_without_room_is_found() {
        let evidence = Evidence {
            disk: Some((1_000_000, 100_000_000_000)),
            ..Evidence::healthy()
        };
        assert_eq!(names(&check(&evidence)), ["disk_full"]);
    }
}
