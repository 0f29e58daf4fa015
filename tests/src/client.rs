//! rmcp as an independent MCP client of a node.

use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ProtocolVersion, ReadResourceRequestParams,
    ResourceUpdatedNotificationParam, SubscribeRequestParams,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt, NotificationContext, RunningService, ServiceError,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, RoleClient, ServiceExt};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::node::Peerage;

/// Which half of MCP's history the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// A session, opened by `initialize`.
    Legacy,
    /// 2026-07-28: every request stands alone.
    Modern,
}

/// An MCP client that is connected.
pub struct Client {
    running: RunningService<RoleClient, Listening>,
    changes: mpsc::UnboundedReceiver<()>,
    updates: mpsc::UnboundedReceiver<String>,
}

/// Passes on that the list of tools, or a resource, has changed.
struct Listening {
    lists: mpsc::UnboundedSender<()>,
    resources: mpsc::UnboundedSender<String>,
}

impl Listening {
    fn new() -> (
        Self,
        mpsc::UnboundedReceiver<()>,
        mpsc::UnboundedReceiver<String>,
    ) {
        let (lists, changes) = mpsc::unbounded_channel();
        let (resources, updates) = mpsc::unbounded_channel();
        (Self { lists, resources }, changes, updates)
    }
}

impl ClientHandler for Listening {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        // The test may have ended.
        let _ = self.lists.send(());
    }

    async fn on_resource_updated(
        &self,
        updated: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let _ = self.resources.send(updated.uri);
    }
}

impl Client {
    /// Connects to the MCP endpoint of `node` as its guest.
    pub async fn connect(node: &Peerage, era: Era) -> Self {
        let transport = StreamableHttpClientTransport::from_uri(node.ready().http.as_str());
        let (listening, changes, updates) = Listening::new();
        let running = match era {
            Era::Legacy => listening.serve(transport).await,
            Era::Modern => {
                let mode = ClientLifecycleMode::Discover {
                    preferred_versions: vec![ProtocolVersion::V_2026_07_28],
                };
                listening.serve_with_lifecycle(transport, mode).await
            }
        };
        let running = running.expect("the client connects");
        Self {
            running,
            changes,
            updates,
        }
    }

    /// Connects with a bearer token; the error says what the node answered.
    pub async fn connect_with_token(node: &Peerage, token: &str) -> Result<Self, String> {
        let config = StreamableHttpClientTransportConfig::with_uri(node.ready().http.as_str())
            .auth_header(token);
        let transport = StreamableHttpClientTransport::from_config(config);
        let (listening, changes, updates) = Listening::new();
        let running = listening.serve(transport).await;
        let running = running.map_err(|error| error.to_string())?;
        Ok(Self {
            running,
            changes,
            updates,
        })
    }

    /// Waits until the node says that the list of tools has changed, for at most `patience`.
    pub async fn wait_for_change(&mut self, patience: Duration) {
        tokio::time::timeout(patience, self.changes.recv())
            .await
            .expect("the node tells of a change");
    }

    /// Connects as the agent `name` of `node`, with a fresh token.
    pub async fn connect_agent(node: &Peerage, name: &str) -> Self {
        let made = node.cli(&["token", "create", name, "--json"]).await;
        let made = made.done().json();
        let token = made["token"].as_str().expect("a token is text");
        let connected = Self::connect_with_token(node, token).await;
        connected.expect("the node knows the token")
    }

    /// Subscribes to a resource, as a legacy client.
    #[expect(deprecated, reason = "the method of the legacy era is what is asked")]
    pub async fn subscribe(&self, uri: &str) {
        let subscribed = self.running.subscribe(SubscribeRequestParams::new(uri));
        subscribed.await.expect("the resource can be followed");
    }

    /// Waits until the node says that the resource `uri` has changed, for at most `patience`.
    pub async fn wait_for_update(&mut self, uri: &str, patience: Duration) {
        let told = async { while self.updates.recv().await.is_some_and(|told| told != uri) {} };
        let told = tokio::time::timeout(patience, told).await;
        told.expect("the node tells of an update");
    }

    /// Reads a resource that is JSON.
    pub async fn read(&self, uri: &str) -> Value {
        let read = self
            .running
            .read_resource(ReadResourceRequestParams::new(uri));
        let read = read.await.expect("the resource can be read");
        let read = serde_json::to_value(&read).expect("a result is JSON");
        let text = read["contents"][0]["text"]
            .as_str()
            .expect("a text resource");
        serde_json::from_str(text).expect("the resource is JSON")
    }

    /// Calls a tool that answers with a structure, which must be no error.
    pub async fn ask(&self, name: &str, arguments: Value) -> Value {
        let result = self.call(name, arguments).await.expect("an answer");
        assert_ne!(result.is_error, Some(true), "{result:?}");
        result
            .structured_content
            .expect("the tool answers with a structure")
    }

    /// The names of all tools, over all pages.
    pub async fn tool_names(&self) -> Vec<String> {
        let tools = self
            .running
            .list_all_tools()
            .await
            .expect("tools are listed");
        tools
            .into_iter()
            .map(|tool| tool.name.into_owned())
            .collect()
    }

    /// Calls a tool with `arguments`, a JSON object.
    pub async fn call(&self, name: &str, arguments: Value) -> Result<CallToolResult, ServiceError> {
        let Value::Object(arguments) = arguments else {
            panic!("arguments are a JSON object");
        };
        let request = CallToolRequestParams::new(name.to_owned()).with_arguments(arguments);
        self.running.call_tool(request).await
    }
}

/// The text of a result's first block.
pub fn text_of(result: &CallToolResult) -> &str {
    let first = result.content.first().and_then(|block| block.as_text());
    &first.expect("the result begins with text").text
}
