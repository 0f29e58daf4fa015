//! A stdio MCP server for tests, small enough to have no faults of its own: `read_file`, `fail` and `wait`.

use std::io::{self, BufRead, Write};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

fn main() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let Ok(request) = serde_json::from_str::<Value>(&line?) else {
            continue;
        };
        // Each in its own thread, so that a slow call holds up no other.
        thread::spawn(move || answer(&request));
    }
    Ok(())
}

fn answer(request: &Value) {
    let Some(id) = request.get("id") else {
        return;
    };
    let response = match result(request) {
        Some(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        None => {
            let error = json!({"code": -32601, "message": "Method not found"});
            json!({"jsonrpc": "2.0", "id": id, "error": error})
        }
    };
    let mut stdout = io::stdout().lock();
    // A reader that has gone away needs no answer.
    let _ = writeln!(stdout, "{response}").and_then(|()| stdout.flush());
}

fn result(request: &Value) -> Option<Value> {
    let params = &request["params"];
    match request["method"].as_str()? {
        "initialize" => Some(json!({
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "toy", "version": "1"},
        })),
        "ping" => Some(json!({})),
        "tools/list" => Some(json!({"tools": tools()})),
        "tools/call" => Some(call(params["name"].as_str()?, &params["arguments"])),
        _ => None,
    }
}

fn tools() -> Value {
    let tool = |name: &str, description: &str, properties: Value| {
        json!({
            "name": name,
            "description": description,
            "inputSchema": {"type": "object", "properties": properties},
        })
    };
    let mut read_file = tool(
        "read_file",
        "Reads a text file.",
        json!({"path": {"type": "string"}}),
    );
    read_file["annotations"] = json!({"readOnlyHint": true});
    json!([
        read_file,
        tool("fail", "Reports an error.", json!({})),
        tool(
            "wait",
            "Answers late.",
            json!({"seconds": {"type": "number"}})
        ),
    ])
}

fn call(name: &str, arguments: &Value) -> Value {
    match name {
        "read_file" => {
            match std::fs::read_to_string(arguments["path"].as_str().unwrap_or_default()) {
                Ok(text) => text_result(&text, false),
                Err(error) => text_result(&error.to_string(), true),
            }
        }
        "wait" => {
            let seconds = arguments["seconds"]
                .as_f64()
                .unwrap_or(0.0)
                .clamp(0.0, 600.0);
            if let Some(begun) = arguments["begun"].as_str() {
                let _ = std::fs::write(begun, "");
            }
            thread::sleep(Duration::from_secs_f64(seconds));
            text_result("waited", false)
        }
        "fail" => text_result("it failed, as asked", true),
        _ => text_result("unknown tool", true),
    }
}

fn text_result(text: &str, is_error: bool) -> Value {
    json!({"content": [{"type": "text", "text": text}], "isError": is_error})
}
