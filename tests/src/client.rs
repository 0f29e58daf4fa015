//! rmcp as an independent MCP client of a node.

use rmcp::model::{CallToolRequestParams, CallToolResult, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RunningService, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{RoleClient, ServiceExt};
use serde_json::Value;

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
pub struct Client(RunningService<RoleClient, ()>);

impl Client {
    /// Connects to the MCP endpoint of `node`.
    pub async fn connect(node: &Peerage, era: Era) -> Self {
        let transport = StreamableHttpClientTransport::from_uri(node.ready().http.as_str());
        let running = match era {
            Era::Legacy => ().serve(transport).await,
            Era::Modern => {
                let mode = ClientLifecycleMode::Discover {
                    preferred_versions: vec![ProtocolVersion::V_2026_07_28],
                };
                ().serve_with_lifecycle(transport, mode).await
            }
        };
        Self(running.expect("the client connects"))
    }

    /// The names of all tools, over all pages.
    pub async fn tool_names(&self) -> Vec<String> {
        let tools = self.0.list_all_tools().await.expect("tools are listed");
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
        self.0.call_tool(request).await
    }
}

/// The text of a result's first block.
pub fn text_of(result: &CallToolResult) -> &str {
    let first = result.content.first().and_then(|block| block.as_text());
    &first.expect("the result begins with text").text
}
