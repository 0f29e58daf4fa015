//! The name of a node whose owner gave none: its machine's, made to fit.

use peerage_protocol::id::{NodeName, SHORT_NAME_MAX};

/// The first label of the machine's host name, made to fit.
pub fn default_node_name() -> NodeName {
    let machine = rustix::system::uname();
    name_from_host(&machine.nodename().to_string_lossy())
}

/// Lower case; what is not allowed becomes one dash; at most 20 characters; `node` when nothing is left.
fn name_from_host(host: &str) -> NodeName {
    let label = host.split('.').next().unwrap_or_default();
    let mut name = String::new();
    for character in label.chars().map(|c| c.to_ascii_lowercase()) {
        match character {
            'a'..='z' | '0'..='9' => name.push(character),
            _ if name.is_empty() || name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    name.truncate(SHORT_NAME_MAX);
    let fitting = name.trim_end_matches('-');
    fitting.parse().unwrap_or_else(|_| fallback())
}

fn fallback() -> NodeName {
    "node".parse().expect("these four letters are a name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_host_name_is_made_to_fit() {
        let cases = [
            ("desk", "desk"),
            ("Annas-MacBook-Pro.local", "annas-macbook-pro"),
            ("__web__01", "web-01"),
            ("a-host-name-that-is-far-too-long", "a-host-name-that-is"),
            ("büro", "b-ro"),
            ("", "node"),
            ("...", "node"),
        ];
        for (host, name) in cases {
            assert_eq!(name_from_host(host).to_string(), name, "{host}");
        }
    }

    proptest! {
        #[test]
        fn any_host_name_becomes_a_name(host in "\\PC{0,64}") {
            name_from_host(&host);
        }
    }
}
