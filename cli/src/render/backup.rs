//! Backups: what is in the file, and what it means to have it twice.

use std::path::Path;

use super::counted;
use super::time::from_now;

/// What `peerage backup` says; `file` is absent when the backup went to standard output.
pub fn backed_up(node: &str, files: usize, file: Option<&Path>) -> String {
    let files = counted(files, "file");
    let place = match file {
        Some(file) => format!("{} holds the node {node} ({files}).\n", file.display()),
        None => format!("The node {node} was written out ({files}).\n"),
    };
    let warning = match file {
        Some(_) => {
            "It is not encrypted: whoever has it can be this node and read its secrets. To encrypt it, pipe it on:\n  \
             peerage backup - | age -p > FILE\n"
        }
        None => "It is as secret as the keys in it.\n",
    };
    format!("{place}{warning}Put it back, here or on another machine: peerage restore FILE\n")
}

/// What `peerage restore` says; times in milliseconds since the Unix epoch. What was there before is `aside` now.
pub fn restored(node: &str, made: u64, now: u64, home: &Path, aside: Option<&Path>) -> String {
    let aside =
        aside.map(|aside| format!("What was there before is in {} now.\n", aside.display()));
    format!(
        "{} is now the home of the node {node}, as it was {}.\n\
         Nowhere else may it run any more: on the machine it comes from, peerage down, and remove the home there.\n\
         Start it here: peerage up --background\n{}",
        home.display(),
        from_now(now, made),
        aside.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_says_that_it_is_a_secret_and_how_to_encrypt_it() {
        let said =
            [Some(Path::new("desk.backup")), None].map(|file| backed_up("12D3KooW", 5, file));
        insta::assert_snapshot!(said.concat());
    }

    #[test]
    fn a_restore_says_that_the_old_machine_must_not_run_it() {
        insta::assert_snapshot!(restored(
            "12D3KooW",
            0,
            7_200_000,
            Path::new("/home/me"),
            Some(Path::new("/home/me/aside"))
        ));
    }
}
