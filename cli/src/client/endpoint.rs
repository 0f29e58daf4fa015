//! Finds the endpoint that a client on this machine should use.

use std::fmt;

use peerage_node::config::environment::Environment;
use peerage_node::gateway::frontend::rest::api::StatusResponse;
use peerage_node::home::Home;
use serde::Serialize;

use super::error::ClientError;
use crate::socket;

/// The variable that names an endpoint before any other source does.
pub const ENDPOINT_VARIABLE: &str = "MCP_ENDPOINT";

/// Where MCP is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// The URL of streamable HTTP.
    pub url: String,
    /// How it was found.
    pub source: Source,
}

/// How an endpoint was found, the one that wins first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Whoever asks named it.
    Given,
    /// The variable [`ENDPOINT_VARIABLE`].
    Environment,
    /// The node on this home, over loopback. It said so itself over its socket, which only its owner answers.
    Node,
    /// A node that answered on a private network of this machine. Nobody vouches for it.
    Scan,
    /// The registry in Firebase. Nobody vouches for it but whoever gives out the tokens of the registry.
    Registry,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Given => "as given",
            Source::Environment => "from MCP_ENDPOINT",
            Source::Node => "this machine's node",
            Source::Scan => "a neighbour that a scan found",
            Source::Registry => "from the registry",
        })
    }
}

/// The endpoint that the environment names; `None` where it names none.
pub(crate) fn of_environment(environment: &dyn Environment) -> Option<Endpoint> {
    let named = environment.variable(ENDPOINT_VARIABLE)?;
    let url = named.trim();
    (!url.is_empty()).then(|| Endpoint {
        url: url.to_owned(),
        source: Source::Environment,
    })
}

/// The endpoint of the node that runs on `home`.
pub(crate) async fn of_node(home: &Home) -> Result<Endpoint, ClientError> {
    let asked = socket::Client::new(home.clone()).get("/v1/status").await;
    let status: StatusResponse = asked.map_err(ClientError::Node)?;
    let url = best(&status.http).ok_or(ClientError::NoEndpoint)?;
    Ok(Endpoint {
        url: url.to_owned(),
        source: Source::Node,
    })
}

/// A loopback address before any other: what stays on this machine, nobody else reads.
fn best(urls: &[String]) -> Option<&str> {
    let loopback = |url: &&String| {
        let begins = |host: &str| url.starts_with(&format!("http://{host}:"));
        ["127.0.0.1", "[::1]", "localhost"].into_iter().any(begins)
    };
    let best = urls.iter().find(loopback).or_else(|| urls.first())?;
    Some(best.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_variable_names_an_endpoint_unless_it_is_empty() {
        let of = |value: &str| {
            of_environment(&BTreeMap::from([(
                ENDPOINT_VARIABLE.to_owned(),
                value.to_owned(),
            )]))
        };
        assert_eq!(of(" http://h/mcp\n").unwrap().url, "http://h/mcp");
        assert_eq!(of(" "), None);
        assert_eq!(of_environment(&BTreeMap::new()), None);
    }

    #[test]
    fn loopback_wins_over_addresses_that_others_reach() {
        let urls = ["http://192.168.1.2:8080/mcp", "http://[::1]:8080/mcp"].map(str::to_owned);
        assert_eq!(best(&urls), Some("http://[::1]:8080/mcp"));
        assert_eq!(best(&urls[..1]), Some("http://192.168.1.2:8080/mcp"));
        assert_eq!(best(&[]), None);
    }
}
