//! Tools, as a client sees them.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Client, ClientError};

/// Pages of one list that are read.
const PAGES_MAX: usize = 1_000;

/// One tool.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    /// The name to call it by.
    pub name: String,
    /// What it does, in the words of its server.
    pub description: Option<String>,
    /// The JSON Schema of its arguments.
    pub input_schema: Value,
}

/// What a tool answered.
#[derive(Clone, Debug)]
pub struct ToolResult {
    raw: Box<RawValue>,
    is_error: bool,
    texts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    tools: Vec<Tool>,
    next_cursor: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Outcome {
    is_error: bool,
    content: Vec<Block>,
}

#[derive(Deserialize)]
struct Block {
    text: Option<String>,
}

impl ToolResult {
    /// Whether the tool says that it failed; then its content says why.
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// All blocks of text, one a line; empty where there is none.
    pub fn text(&self) -> String {
        self.texts.join("\n")
    }

    /// The whole result, byte by byte as the tool gave it.
    pub fn raw(&self) -> &RawValue {
        &self.raw
    }
}

impl Client {
    /// The tools that the endpoint lists, over all pages.
    pub async fn tools(&self) -> Result<Vec<Tool>, ClientError> {
        let mut tools = Vec::new();
        let mut params = json!({});
        for _ in 0..PAGES_MAX {
            let result = self.request("tools/list", params).await?;
            let page: Page = read(&result)?;
            tools.extend(page.tools);
            match page.next_cursor {
                Some(cursor) => params = json!({"cursor": cursor}),
                None => break,
            }
        }
        Ok(tools)
    }

    /// Calls a tool; `arguments` is a JSON object. It is not called again when the connection is lost.
    pub async fn call_tool(&self, name: &str, arguments: Value) -> Result<ToolResult, ClientError> {
        let params = json!({"name": name, "arguments": arguments});
        let raw = self.request("tools/call", params).await?;
        let outcome: Outcome = read(&raw)?;
        let texts = outcome.content.into_iter().filter_map(|block| block.text);
        Ok(ToolResult {
            is_error: outcome.is_error,
            texts: texts.collect(),
            raw,
        })
    }
}

fn read<'a, T: Deserialize<'a>>(result: &'a RawValue) -> Result<T, ClientError> {
    serde_json::from_str(result.get()).map_err(|error| ClientError::NotMcp {
        status: 200,
        detail: error.to_string(),
    })
}
