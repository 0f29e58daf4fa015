//! Whether anybody but the owner can read what is in the home, and whether the program runs with more rights than it
//! should.

use super::Judgement;
use crate::doctor::evidence::{Evidence, FileFacts};
use crate::doctor::finding::Finding;

/// Set-user-id and set-group-id.
const SET_ID: u32 = 0o6000;
/// Everything that anybody but the owner may do.
const OTHERS: u32 = 0o077;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let Some(folder) = &evidence.folder else {
        let seen = format!(
            "no home at {} yet; the first command makes it",
            evidence.home.display()
        );
        return Judgement::new(seen, setuid(evidence));
    };
    let mut findings = Vec::from_iter(setuid(evidence));
    findings.extend(whose(folder, evidence.user));
    findings.extend(open_folder(folder));
    for file in &evidence.files {
        findings.extend(whose(file, evidence.user));
        findings.extend(open_file(file));
    }
    let seen = format!(
        "{} and {} files in it",
        evidence.home.display(),
        evidence.files.len()
    );
    Judgement::new(seen, findings)
}

fn setuid(evidence: &Evidence) -> Option<Finding> {
    let program = evidence.program.as_ref()?;
    (program.mode & SET_ID != 0).then(|| {
        Finding::wrong(
            "program_setuid",
            format!(
                "{} runs with the rights of its owner, whoever starts it",
                program.path.display()
            ),
            format!("chmod ug-s '{}'", program.path.display()),
        )
    })
}

fn whose(file: &FileFacts, user: u32) -> Option<Finding> {
    (file.owner != user).then(|| {
        Finding::wrong(
            "not_ours",
            format!(
                "{} belongs to another user (id {})",
                file.path.display(),
                file.owner
            ),
            format!("as root: chown {user} '{}'", file.path.display()),
        )
    })
}

fn open_folder(folder: &FileFacts) -> Option<Finding> {
    (folder.mode & OTHERS != 0).then(|| {
        Finding::wrong(
            "home_open",
            format!(
                "other users may enter {} (mode {:03o})",
                folder.path.display(),
                folder.mode
            ),
            format!("chmod 700 '{}'", folder.path.display()),
        )
    })
}

fn open_file(file: &FileFacts) -> Option<Finding> {
    (file.mode & (OTHERS | SET_ID) != 0).then(|| {
        let mend = format!("chmod 600 '{}'", file.path.display());
        let more = match file.path.extension().is_some_and(|end| end == "key") {
            true => "; whoever may have read the key can be this node: found or join a mesh anew if in doubt",
            false => "",
        };
        Finding::wrong(
            "file_open",
            format!("other users may use {} (mode {:03o})", file.path.display(), file.mode),
            mend + more,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;
    use peerage_protocol::time::Timestamp;

    fn file(path: &str, owner: u32, mode: u32) -> FileFacts {
        FileFacts {
            path: path.into(),
            owner,
            mode,
            modified: Timestamp(0),
        }
    }

    fn judged(folder: FileFacts, files: Vec<FileFacts>) -> Judgement {
        check(&Evidence {
            folder: Some(folder),
            files,
            ..Evidence::healthy()
        })
    }

    #[test]
    fn a_closed_home_is_fine() {
        let judged = judged(
            file("/h", 1_000, 0o700),
            vec![file("/h/mcp.json", 1_000, 0o600)],
        );
        assert_eq!(names(&judged), Vec::<&str>::new());
    }

    #[test]
    fn an_open_home_and_an_open_key_are_found_with_the_command_that_closes_them() {
        let judged = judged(
            file("/h", 1_000, 0o755),
            vec![file("/h/identity.key", 1_000, 0o644)],
        );
        assert_eq!(names(&judged), ["home_open", "file_open"]);
        assert_eq!(judged.findings[0].mend, "chmod 700 '/h'");
        assert!(
            judged.findings[1]
                .mend
                .contains("whoever may have read the key")
        );
    }

    #[test]
    fn what_belongs_to_another_is_found() {
        assert_eq!(
            names(&judged(file("/h", 0, 0o700), Vec::new())),
            ["not_ours"]
        );
    }

    #[test]
    fn a_program_with_borrowed_rights_is_found() {
        let evidence = Evidence {
            program: Some(file("/usr/bin/peerage", 0, 0o4755)),
            ..Evidence::healthy()
        };
        assert_eq!(names(&check(&evidence)), ["program_setuid"]);
    }
}
