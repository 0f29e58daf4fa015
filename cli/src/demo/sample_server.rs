//! The MCP server that the demonstration shares: a notebook with two tools, kept in one file.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Bytes of a request that are read; a longer one ends the server.
const REQUEST_BYTES_MAX: u64 = 1024 * 1024;

/// Bytes of the notebook; a note beyond them is refused.
const NOTES_BYTES_MAX: u64 = 1024 * 1024;

/// Answers on standard output what is asked on standard input, until that ends.
pub fn serve_notes(folder: &Path) -> io::Result<()> {
    let notebook = Notebook {
        file: folder.join("notes.txt"),
    };
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input
            .by_ref()
            .take(REQUEST_BYTES_MAX)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if let Some(answer) = notebook.answer(&line) {
            let mut output = io::stdout().lock();
            writeln!(output, "{answer}")?;
            output.flush()?;
        }
    }
}

struct Notebook {
    file: PathBuf,
}

impl Notebook {
    /// The answer to one message; notifications and what is no message have none.
    fn answer(&self, line: &[u8]) -> Option<Value> {
        let request: Value = serde_json::from_slice(line).ok()?;
        let id = request.get("id")?;
        Some(match self.result(&request) {
            Some(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            None => {
                let error = json!({"code": -32601, "message": "Method not found"});
                json!({"jsonrpc": "2.0", "id": id, "error": error})
            }
        })
    }

    fn result(&self, request: &Value) -> Option<Value> {
        let params = &request["params"];
        match request["method"].as_str()? {
            "initialize" => Some(json!({
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "notes", "version": env!("CARGO_PKG_VERSION")},
            })),
            "ping" => Some(json!({})),
            "tools/list" => Some(json!({"tools": tools()})),
            "tools/call" => Some(self.call(params)),
            _ => None,
        }
    }

    fn call(&self, params: &Value) -> Value {
        let outcome = match params["name"].as_str() {
            Some("add_note") => self.add(&params["arguments"]["text"]),
            Some("read_notes") => self.read(),
            _ => Err(io::Error::other("there is no such tool")),
        };
        let (text, is_error) = match outcome {
            Ok(text) => (text, false),
            Err(error) => (error.to_string(), true),
        };
        json!({"content": [{"type": "text", "text": text}], "isError": is_error})
    }

    fn add(&self, text: &Value) -> io::Result<String> {
        let text = text
            .as_str()
            .ok_or_else(|| io::Error::other("give the note as text"))?;
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.file)?;
        if file.metadata()?.len() + text.len() as u64 > NOTES_BYTES_MAX {
            return Err(io::Error::other("the notebook is full"));
        }
        writeln!(file, "{}", text.replace(['\n', '\r'], " "))?;
        Ok("noted".to_owned())
    }

    fn read(&self) -> io::Result<String> {
        match fs::read_to_string(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            read => read,
        }
    }
}

fn tools() -> Value {
    json!([
        {
            "name": "add_note",
            "description": "Adds a line to the notebook.",
            "inputSchema": {
                "type": "object",
                "properties": {"text": {"type": "string", "description": "The note"}},
                "required": ["text"],
            },
        },
        {
            "name": "read_notes",
            "description": "Reads the whole notebook.",
            "inputSchema": {"type": "object", "properties": {}},
            "annotations": {"readOnlyHint": true},
        },
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn asked(notebook: &Notebook, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let answer = notebook.answer(request.to_string().as_bytes()).unwrap();
        assert_eq!(answer["id"], 7);
        answer
    }

    fn notebook() -> (tempfile::TempDir, Notebook) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.txt");
        (folder, Notebook { file })
    }

    #[test]
    fn what_was_noted_is_read_back() {
        let (_folder, notebook) = notebook();
        let call = |name: &str, arguments: Value| {
            let params = json!({"name": name, "arguments": arguments});
            asked(&notebook, "tools/call", params)["result"]["content"][0]["text"].clone()
        };
        assert_eq!(call("read_notes", json!({})), "");
        call("add_note", json!({"text": "one"}));
        call("add_note", json!({"text": "two\nlines"}));
        assert_eq!(call("read_notes", json!({})), "one\ntwo lines\n");
    }

    #[test]
    fn a_note_that_is_no_text_is_an_error_of_the_tool() {
        let (_folder, notebook) = notebook();
        let params = json!({"name": "add_note", "arguments": {"text": 1}});
        assert_eq!(
            asked(&notebook, "tools/call", params)["result"]["isError"],
            true
        );
    }

    #[test]
    fn an_unknown_method_is_refused_and_a_notification_is_not_answered() {
        let (_folder, notebook) = notebook();
        let refused = asked(&notebook, "server/discover", json!({}));
        assert_eq!(refused["error"]["code"], -32601);
        let notification = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert_eq!(notebook.answer(notification), None);
        assert_eq!(notebook.answer(b"noise"), None);
    }
}
