//! Keeps web pages out: `Origin` must be loopback, and `Host` a name that this node goes by (DNS rebinding).

use http::header::{HOST, ORIGIN};
use http::request::Parts;

use super::refusal::HttpRefusal;

/// Names of the loopback interface.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Refuses a request whose `Origin` or `Host` is foreign. No `Origin` is fine: only browsers must send it.
pub(super) fn check(head: &Parts, allowed_hosts: &[String]) -> Result<(), HttpRefusal> {
    for origin in head.headers.get_all(ORIGIN) {
        if !origin.to_str().is_ok_and(is_loopback_origin) {
            return Err(HttpRefusal::Origin);
        }
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        (None, _) => head.uri.authority().map(|authority| authority.as_str()),
        (Some(_), Some(_)) => None,
    };
    match host.and_then(without_port) {
        Some(name) if is_loopback(name) || is_allowed(name, allowed_hosts) => Ok(()),
        _ => Err(HttpRefusal::Host),
    }
}

fn is_loopback_origin(origin: &str) -> bool {
    let authority = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    authority.and_then(without_port).is_some_and(is_loopback)
}

fn is_loopback(name: &str) -> bool {
    LOOPBACK
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

fn is_allowed(name: &str, allowed_hosts: &[String]) -> bool {
    let allowed = |known: &String| known.eq_ignore_ascii_case(name);
    allowed_hosts.iter().any(allowed)
}

/// `host` of `host[:port]`; brackets of an IPv6 address stay.
fn without_port(authority: &str) -> Option<&str> {
    let port_at = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (name, port) = authority.split_at(port_at);
    match port.strip_prefix(':') {
        None => port.is_empty().then_some(name),
        Some(digits) => digits.parse::<u16>().is_ok().then_some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_panics_and_what_passes_begins_with_a_loopback_name(text: String, tail in "[]:0-9a-z.@/]{0,8}") {
            for origin in [text.clone(), format!("http://{text}"), format!("http://localhost{tail}"), format!("http://[::1]{tail}")] {
                if is_loopback_origin(&origin) {
                    let authority = origin.split_once("://").map(|(_, authority)| authority);
                    let name = authority.and_then(without_port);
                    prop_assert!(name.is_some_and(is_loopback), "{origin}");
                    prop_assert!(!origin.contains('@') && origin.matches('/').count() == 2, "{origin}");
                }
            }
        }
    }

    #[test]
    fn loopback_origins_of_any_port_pass_and_no_others() {
        for origin in [
            "http://localhost",
            "http://localhost:6274",
            "https://127.0.0.1:1",
            "http://[::1]:8080",
        ] {
            assert!(is_loopback_origin(origin), "{origin}");
        }
        for origin in [
            "null",
            "http://evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example:80",
            "http://localhost:80:80",
            "http://localhost/",
            "http://user@localhost",
            "file://localhost",
            "http://[::1]evil",
            "",
        ] {
            assert!(!is_loopback_origin(origin), "{origin}");
        }
    }

    #[test]
    fn a_host_is_compared_without_its_port() {
        assert_eq!(without_port("localhost:8080"), Some("localhost"));
        assert_eq!(without_port("[::1]:8080"), Some("[::1]"));
        assert_eq!(without_port("[::1]"), Some("[::1]"));
        assert_eq!(without_port("localhost:port"), None);
        assert_eq!(without_port("localhost:99999"), None);
    }
}
