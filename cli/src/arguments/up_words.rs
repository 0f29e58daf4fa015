//! The flags of `up` as words again, so that a node can be started elsewhere or later with the same ones.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use peerage_node::config::http_addresses::HttpAddresses;

use super::{Arguments, Command, Up};

impl Up {
    /// The words after `peerage up` that mean the same wherever they are typed: a relative path is meant from `folder`.
    pub fn words(&self, folder: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        let mut add = |flag: &str, value: OsString| words.extend([flag.into(), value]);
        if let Some(name) = &self.name {
            add("--name", name.to_string().into());
        }
        if let Some(http) = &self.http {
            add("--http", http_word(http).into());
        }
        for address in &self.listen {
            add("--listen", address.into());
        }
        if let Some(bootstrap) = &self.bootstrap {
            add("--bootstrap", folder.join(bootstrap).into());
        }
        if let Some(level) = self.log {
            add("--log", level.as_str().into());
        }
        if self.no_mdns {
            words.push("--no-mdns".into());
        }
        words
    }

    /// The flags in the command line of a running node; `None` when it is none of `up`.
    pub fn of_command_line(command_line: &[OsString]) -> Option<Self> {
        match Arguments::read(command_line).ok()?.command {
            Command::Up(up) => Some(up),
            _ => None,
        }
    }
}

impl Arguments {
    /// The home that the command line of a running node names; `None` when it is none of `up`, or names none.
    pub fn home_of_up(command_line: &[OsString]) -> Option<PathBuf> {
        let arguments = Self::read(command_line).ok()?;
        arguments
            .home
            .filter(|_| matches!(arguments.command, Command::Up(_)))
    }
}

fn http_word(http: &HttpAddresses) -> String {
    match http.addresses() {
        [only] => only.to_string(),
        [first, ..] if first.port() != 0 => format!("localhost:{}", first.port()),
        _ => "auto".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(line: &str) -> Up {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        Up::of_command_line(&words).unwrap()
    }

    #[test]
    fn words_of_every_flag_are_read_back_as_the_same_flags() {
        for http in ["auto", "localhost:81", "0.0.0.0:80", "[::1]:8080"] {
            let line = format!(
                "peerage up --name n --http {http} --listen a --listen b --bootstrap /f --log debug --no-mdns"
            );
            let words = read(&line).words(Path::new("/work"));
            let again: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
            let again = read(&format!("peerage up {}", again.join(" ")));
            assert_eq!(words, again.words(Path::new("/elsewhere")));
            assert_eq!(again.http.unwrap().to_owned(), http.parse().unwrap());
        }
    }

    #[test]
    fn a_relative_path_is_meant_from_where_it_was_typed() {
        let words = read("peerage up --bootstrap peers.toml").words(Path::new("/work"));
        assert_eq!(words, ["--bootstrap", "/work/peers.toml"]);
    }

    #[test]
    fn another_command_has_no_flags_of_up() {
        let words = ["peerage", "status"].map(OsString::from);
        assert!(Up::of_command_line(&words).is_none());
    }
}
