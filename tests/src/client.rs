//! rmcp as an independent MCP client of a node.

use std::time::Duration;

use rmcp::model::{CallToolRequestParams, CallToolResult, ProtocolVersion};
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
}

/// Passes on that the list of tools has changed.
struct Listening(mpsc::UnboundedSender<()>);

impl ClientHandler for Listening {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        // The test may have ended.
        let _ = self.0.send(());
    }
}

impl Client {
    /// Connects to the MCP endpoint of `node` as its guest.
    pub async fn connect(node: &Peerage, era: Era) -> Self {
        let transport = StreamableHttpClientTransport::from_uri(node.ready().http.as_str());
        let (told, changes) = mpsc::unbounded_channel();
        let running = match era {
            Era::Legacy => Listening(told).serve(transport).await,
            Era::Modern => {
                let mode = ClientLifecycleMode::Discover {
                    preferred_versions: vec![ProtocolVersion::V_2026_07_28],
                };
                Listening(told).serve_with_lifecycle(transport, mode).await
            }
        };
        let running = running.expect("the client connects");
        Self { running, changes }
    }

    /// Connects with a bearer token; the error says what the node answered.
    pub async fn connect_with_token(node: &Peerage, token: &str) -> Result<Self, String> {
        let config = StreamableHttpClientTransportConfig::with_uri(node.ready().http.as_str())
            .auth_header(token);
        let transport = StreamableHttpClientTransport::from_config(config);
        let (told, changes) = mpsc::unbounded_channel();
        let running = Listening(told).serve(transport).await;
        let running = running.map_err(|error| error.to_string())?;
        Ok(Self { running, changes })
    }

    /// Waits until the node says that the list of tools has changed, for at most `patience`.
    pub async fn wait_for_change(&mut self, patience: Duration) {
        tokio::time::timeout(patience, self.changes.recv())
            .await
            .expect("the node tells of a change");
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
