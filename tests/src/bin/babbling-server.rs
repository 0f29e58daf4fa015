//! An MCP server that sends broken messages before every answer to a call, over standard input and output, or over
//! HTTP (`babbling-server http`, which prints its URL when it listens). The call's `seed` says how they are broken.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use peerage_tests::mutation::Choices;
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("http") {
        return serve_http();
    }
    let mut stdout = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let Ok(request) = serde_json::from_str::<Value>(&line?) else {
            continue;
        };
        let Some(answer) = answer(&request) else {
            continue;
        };
        for broken in babble(&request, &answer) {
            stdout.write_all(&broken)?;
            stdout.write_all(b"\n")?;
        }
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}

fn answer(request: &Value) -> Option<Value> {
    let id = request.get("id")?;
    let result = match request["method"].as_str()? {
        "initialize" => json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "babbling", "version": "1"},
        }),
        "tools/list" => json!({"tools": [{"name": "babble", "inputSchema": {"type": "object"}}]}),
        "tools/call" => json!({"content": [{"type": "text", "text": "at last"}]}),
        _ => {
            let error = json!({"code": -32601, "message": "Method not found"});
            return Some(json!({"jsonrpc": "2.0", "id": id, "error": error}));
        }
    };
    Some(json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

/// What comes before the answer to a call: messages like a server's, each broken.
fn babble(request: &Value, answer: &Value) -> Vec<Vec<u8>> {
    let Some(seed) = request["params"]["arguments"]["seed"].as_u64() else {
        return Vec::new();
    };
    let mut choices = Choices::from_seed(seed);
    let token = &request["params"]["_meta"]["progressToken"];
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
        "params": {"progressToken": token, "progress": 1}});
    let question = json!({"jsonrpc": "2.0", "id": "q", "method": "sampling/createMessage",
        "params": {"messages": [], "maxTokens": 1}});
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    let honest = [progress, question, changed, answer.clone()].map(|message| message.to_string());
    let honest: Vec<&[u8]> = honest.iter().map(String::as_bytes).collect();
    (0..8)
        .map(|_| {
            let message = choices.one_of(&honest);
            choices.mutate(message)
        })
        .collect()
}

fn serve_http() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}/mcp", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        // A client that has gone away needs no answer.
        thread::spawn(move || serve_connection(stream));
    }
    Ok(())
}

/// One request a connection: a broken stream can be followed by nothing that is understood.
fn serve_connection(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    let mut method = String::new();
    reader.read_line(&mut method)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().unwrap_or(0);
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(answer) = answer(&request) else {
        let status = if method.starts_with("POST") {
            "202 Accepted"
        } else {
            "405 Method Not Allowed"
        };
        return write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    };
    let events = babble(&request, &answer);
    let kind = if events.is_empty() {
        "application/json"
    } else {
        "text/event-stream"
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n"
    )?;
    for broken in &events {
        stream.write_all(b"event: message\ndata: ")?;
        stream.write_all(broken)?;
        stream.write_all(b"\n\n")?;
    }
    match events.is_empty() {
        true => write!(stream, "{answer}"),
        false => write!(stream, "data: {answer}\n\n"),
    }
}
