//! A small client of the MCP endpoint of this machine, for programs that call tools.
//!
//! It finds the endpoint (`MCP_ENDPOINT` first, then the node of this home; where asked a scan, then the registry), says who calls by the token of an agent,
//! and finds the endpoint again after it moved or restarted. Requests that meet nobody wait, at most 256 of them and
//! for at most [`Options::patience`]. A request is sent again only when it certainly was not sent before: one whose
//! connection broke afterwards ends with [`ClientError::Lost`], for it may have run. Dropping the future of a request
//! cancels it at the node too.
//!
//! It speaks the stateless era of MCP (2026-07-28), so that nothing has to be set up again after a restart.
//!
//! ```no_run
//! use peerage::client::{Client, Options};
//! use serde_json::json;
//!
//! # async fn example() -> Result<(), peerage::client::ClientError> {
//! let client = Client::connect(Options {
//!     agent: Some("night-watch".to_owned()),
//!     ..Options::default()
//! })
//! .await?;
//! for tool in client.tools().await? {
//!     println!("{}", tool.name);
//! }
//! let result = client
//!     .call_tool("desk__files__read_text_file", json!({"path": "/notes/todo.md"}))
//!     .await?;
//! println!("{}", result.text());
//! # Ok(())
//! # }
//! ```

pub(crate) mod courier;
pub(crate) mod endpoint;
pub(crate) mod error;
pub(crate) mod identity;
pub(crate) mod message;
mod neighbours;
mod registry;
pub(crate) mod search;
mod tools;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, Response};
use hyper::body::Incoming;
use peerage_node::config::environment::{Environment, ProcessEnvironment};
use peerage_node::gateway::backend::http::body::{self, BodyError, ContentKind, EventStream};
use peerage_node::gateway::mcp::era::{CAPABILITIES_KEY, MODERN_VERSION, VERSION_KEY};
use peerage_node::home::Home;
use peerage_protocol::limits::BODY_BYTES_MAX;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

pub use endpoint::{ENDPOINT_VARIABLE, Endpoint, Source};
pub use error::ClientError;
pub use identity::TOKEN_VARIABLE;
pub use search::{Found, Outcome, Search, Step};
pub use tools::{Tool, ToolResult};

use courier::{Courier, Destination, Parcel};
use message::Head;

/// How long a request waits for an endpoint that is away, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a client goes, and who it is.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node's folder; `PEERAGE_HOME`, else the platform's data folder, where it is not given.
    pub home: Option<PathBuf>,
    /// The endpoint, instead of looking for it.
    pub endpoint: Option<String>,
    /// A token, for an endpoint that is not this home's node; `PEERAGE_TOKEN` where it is not given.
    pub token: Option<String>,
    /// The agent that calls, 1 to 20 of a-z, 0-9 and -: its token is minted by this home's node on first use. A guest
    /// without one.
    pub agent: Option<String>,
    /// Where else to look when this home has no node: then the endpoint is found once, at the start, and `token` is what it is
    /// told. Its home and `MCP_ENDPOINT` are looked at first.
    pub search: Option<Search>,
    /// How long a request may wait while nobody answers.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            home: None,
            endpoint: None,
            token: None,
            agent: None,
            search: None,
            patience: PATIENCE,
        }
    }
}

/// A client of one endpoint. Requests may be made from many tasks at once.
pub struct Client {
    courier: Courier,
    ids: AtomicU64,
}

/// The endpoint that a client on this machine should use, by `MCP_ENDPOINT` or by the node on `home`.
pub async fn find_endpoint(home: Option<PathBuf>) -> Result<Endpoint, ClientError> {
    Search::of(home)?.run().await.endpoint
}

impl Client {
    /// Finds the endpoint and asks it what it speaks, waiting as long as requests do.
    pub async fn connect(mut options: Options) -> Result<Self, ClientError> {
        if let (None, Some(search)) = (&options.endpoint, options.search.take()) {
            let found = search.run().await.endpoint?;
            // Its own node may move, and is found again.
            options.endpoint = (found.source != Source::Node).then_some(found.url);
        }
        let patience = options.patience;
        let client = Self {
            courier: Courier::new(destination(options, &ProcessEnvironment)?, patience)?,
            ids: AtomicU64::new(0),
        };
        client.request("server/discover", json!({})).await?;
        Ok(client)
    }

    /// Makes any request of MCP: `params` without `_meta`, which is added. Gives the raw result.
    pub async fn request(&self, method: &str, params: Value) -> Result<Box<RawValue>, ClientError> {
        let Value::Object(params) = params else {
            return Err(ClientError::ParamsNotAnObject);
        };
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let message = json!({
            "jsonrpc": "2.0",
            "id": id,
            "method": method,
            "params": with_meta(params),
        })
        .to_string();
        let head = Head::of_all(message.as_bytes()).pop().unwrap_or_default();
        let parcel = Parcel {
            method: Method::POST,
            headers: head.modern_headers(),
            body: message.into(),
        };
        read_answer(self.courier.deliver(&parcel).await?).await
    }
}

fn destination(
    options: Options,
    environment: &dyn Environment,
) -> Result<Destination, ClientError> {
    let given = options.endpoint.map(|url| Endpoint {
        url,
        source: Source::Given,
    });
    if let Some(endpoint) = given.or_else(|| endpoint::of_environment(environment)) {
        let token = options
            .token
            .or_else(|| environment.variable(TOKEN_VARIABLE));
        return Ok(Destination::Fixed { endpoint, token });
    }
    Ok(Destination::Node {
        home: Home::locate(options.home, environment)?,
        agent: options.agent.map(|agent| agent.parse()).transpose()?,
        revive: false,
    })
}

/// What every request of the stateless era says of its sender.
fn with_meta(mut params: Map<String, Value>) -> Map<String, Value> {
    let meta = json!({VERSION_KEY: MODERN_VERSION, CAPABILITIES_KEY: {}});
    params.insert("_meta".to_owned(), meta);
    params
}

async fn read_answer(response: Response<Incoming>) -> Result<Box<RawValue>, ClientError> {
    let status = response.status().as_u16();
    match ContentKind::of(response.headers()) {
        ContentKind::Events => {
            let mut events = EventStream::new(response);
            while let Some(message) = events.next().await? {
                let heads = Head::of_all(&message);
                // Progress and log messages come before it.
                if heads.iter().any(Head::is_response) {
                    return outcome(status, &message);
                }
            }
            Err(ClientError::Lost)
        }
        ContentKind::Json | ContentKind::Other => {
            let message = body::whole(response.into_body(), BODY_BYTES_MAX).await?;
            outcome(status, &message)
        }
    }
}

fn outcome(status: u16, message: &[u8]) -> Result<Box<RawValue>, ClientError> {
    #[derive(Deserialize)]
    struct Answer {
        result: Option<Box<RawValue>>,
        error: Option<RpcError>,
    }
    #[derive(Deserialize)]
    struct RpcError {
        code: i64,
        message: String,
    }
    let strange = |detail: String| ClientError::NotMcp { status, detail };
    let answer: Answer =
        serde_json::from_slice(message).map_err(|error| strange(error.to_string()))?;
    match (answer.result, answer.error) {
        (Some(result), None) => Ok(result),
        (_, Some(RpcError { code, message })) => Err(ClientError::Rpc { code, message }),
        (None, None) => Err(strange("it has neither a result nor an error".to_owned())),
    }
}

impl From<BodyError> for ClientError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLong { limit } => Self::TooLarge { limit },
            BodyError::Lost => Self::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::collections::BTreeMap;

    fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let variables = variables.iter();
        variables
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn at(url: &str) -> Options {
        Options {
            endpoint: Some(url.to_owned()),
            ..Options::default()
        }
    }

    #[test]
    fn what_is_given_wins_over_the_variable_and_the_variable_over_the_node() {
        let named = environment(&[("MCP_ENDPOINT", "http://e/mcp"), ("PEERAGE_TOKEN", "t")]);
        let Destination::Fixed { endpoint, token } =
            destination(at("http://g/mcp"), &named).unwrap()
        else {
            panic!("it was given");
        };
        assert_eq!(
            (endpoint.url.as_str(), token.as_deref()),
            ("http://g/mcp", Some("t"))
        );
        let of_variable = destination(Options::default(), &named).unwrap();
        assert!(
            matches!(of_variable, Destination::Fixed { endpoint, .. } if endpoint.url == "http://e/mcp")
        );
        let plain = environment(&[("PEERAGE_HOME", "/h")]);
        let of_node = destination(Options::default(), &plain).unwrap();
        assert!(
            matches!(of_node, Destination::Node { home, agent: None, revive: false } if home.root().ends_with("h"))
        );
    }

    #[test]
    fn an_answer_is_its_result_or_its_error() {
        let result = outcome(200, br#"{"id":1,"result":{"a": 1.0}}"#).unwrap();
        assert_eq!(result.get(), r#"{"a": 1.0}"#);
        let error = outcome(404, br#"{"id":1,"error":{"code":-32601,"message":"no"}}"#);
        assert!(matches!(error, Err(ClientError::Rpc { code: -32601, .. })));
        assert!(matches!(
            outcome(502, b"<html>"),
            Err(ClientError::NotMcp { status: 502, .. })
        ));
    }

    #[tokio::test]
    async fn nobody_at_the_endpoint_is_told_after_the_patience_and_as_never_sent() {
        let options = Options {
            patience: Duration::from_millis(100),
            // The discard port, where nothing listens on loopback.
            ..at("http://127.0.0.1:9/mcp")
        };
        let error = Client::connect(options).await.err().unwrap();
        assert!(matches!(error, ClientError::Away { .. }), "{error}");
        assert!(error.was_never_sent());
    }
}
