//! A legacy stdio MCP server for tests that talks back: it reports progress, logs, asks its client, announces updates of
//! a resource, and hears what its client tells it.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// The one resource.
const NOTE: &str = "note://a";

/// What the threads of all calls share.
#[derive(Default)]
struct Heard {
    /// Answers of the client, by the id of our request.
    answers: HashMap<String, Value>,
    cancelled: HashSet<String>,
    /// The level that was set last.
    level: Option<String>,
    /// How often the client's roots have changed.
    roots_changed: u64,
    subscribed: HashSet<String>,
}

#[derive(Default)]
struct Server {
    heard: Mutex<Heard>,
    news: Condvar,
}

fn main() -> io::Result<()> {
    let server = Arc::new(Server::default());
    for line in io::stdin().lock().lines() {
        let Ok(message) = serde_json::from_str::<Value>(&line?) else {
            continue;
        };
        let server = server.clone();
        match message["method"].as_str() {
            None => server.hear(|heard| {
                heard.answers.insert(message["id"].to_string(), message);
            }),
            Some("notifications/cancelled") => server.hear(|heard| {
                heard
                    .cancelled
                    .insert(message["params"]["requestId"].to_string());
            }),
            Some("notifications/roots/list_changed") => {
                server.hear(|heard| heard.roots_changed += 1);
            }
            Some(_) => drop(thread::spawn(move || server.answer(&message))),
        }
    }
    Ok(())
}

fn say(message: &Value) {
    let mut stdout = io::stdout().lock();
    // A reader that has gone away needs no answer.
    let _ = writeln!(stdout, "{message}").and_then(|()| stdout.flush());
}

fn text(text: impl Into<String>) -> Value {
    json!({"content": [{"type": "text", "text": text.into()}]})
}

fn task(id: &Value, status: &str) -> Value {
    let time = "2026-01-01T00:00:00Z";
    json!({"taskId": id, "status": status, "createdAt": time, "lastUpdatedAt": time, "ttl": null})
}

impl Server {
    fn hear(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        self.news.notify_all();
    }

    /// Waits until `found` finds something in what was heard.
    fn wait<T>(&self, found: impl Fn(&Heard) -> Option<T>) -> T {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = found(&heard) {
                return found;
            }
            heard = self
                .news
                .wait(heard)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn answer(&self, request: &Value) {
        let Some(id) = request.get("id") else {
            return;
        };
        let params = &request["params"];
        let result = match request["method"].as_str() {
            Some("initialize") => json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}, "logging": {}, "resources": {"subscribe": true},
                    "tasks": {"cancel": {}, "requests": {"tools": {"call": {}}}}},
                "serverInfo": {"name": "asking", "version": "1"},
            }),
            Some("tools/list") => {
                let names = [
                    "count",
                    "elicit",
                    "sample",
                    "hold",
                    "cancelled",
                    "withdraw",
                    "log",
                    "roots",
                    "touch",
                    "later",
                ];
                let tool = |name| json!({"name": name, "inputSchema": {"type": "object"}});
                json!({"tools": names.map(tool)})
            }
            Some("tools/call") => self.call(id, params),
            Some("tasks/get") => task(&params["taskId"], "completed"),
            Some("tasks/cancel") => task(&params["taskId"], "cancelled"),
            Some("tasks/result") => {
                let mut result = text(params["taskId"].as_str().unwrap_or_default());
                let related = json!({"taskId": params["taskId"]});
                result["_meta"] = json!({"io.modelcontextprotocol/related-task": related});
                result
            }
            Some("resources/list") => json!({"resources": [{"uri": NOTE, "name": "note"}]}),
            Some("resources/read") => {
                let part = format!("{NOTE}#part");
                json!({"contents": [{"uri": params["uri"], "text": "a"}, {"uri": part, "text": "b"}]})
            }
            Some("logging/setLevel") => {
                self.hear(|heard| heard.level = params["level"].as_str().map(str::to_owned));
                json!({})
            }
            Some(method @ ("resources/subscribe" | "resources/unsubscribe")) => {
                let uri = params["uri"].as_str().unwrap_or_default().to_owned();
                self.hear(|heard| match method {
                    "resources/subscribe" => drop(heard.subscribed.insert(uri)),
                    _ => drop(heard.subscribed.remove(&uri)),
                });
                json!({})
            }
            _ => {
                let error = json!({"code": -32601, "message": "Method not found"});
                return say(&json!({"jsonrpc": "2.0", "id": id, "error": error}));
            }
        };
        say(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
    }

    fn call(&self, id: &Value, params: &Value) -> Value {
        let arguments = &params["arguments"];
        match params["name"].as_str() {
            Some("count") => {
                let token = &params["_meta"]["progressToken"];
                for step in 0..arguments["steps"].as_u64().unwrap_or_default() {
                    let params = json!({"progressToken": token, "progress": step, "message": arguments["who"]});
                    say(
                        &json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}),
                    );
                    // So that the calls of all callers mix.
                    thread::sleep(Duration::from_millis(1));
                }
                text(arguments["who"].as_str().unwrap_or_default())
            }
            Some("elicit") => {
                let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
                let params = json!({"message": arguments["who"], "requestedSchema": schema});
                self.ask(id, "elicitation/create", &params)
            }
            Some("sample") => {
                let content = json!({"type": "text", "text": arguments["who"]});
                let params =
                    json!({"messages": [{"role": "user", "content": content}], "maxTokens": 5});
                self.ask(id, "sampling/createMessage", &params)
            }
            Some("withdraw") => {
                let params =
                    json!({"message": arguments["who"], "requestedSchema": {"type": "object"}});
                let asked = json!({"jsonrpc": "2.0", "id": "back", "method": "elicitation/create", "params": params});
                say(&asked);
                let params = json!({"requestId": "back", "reason": "never mind"});
                say(
                    &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}),
                );
                text("taken back")
            }
            Some("log") => {
                for level in ["debug", "info", "error"] {
                    let params = json!({"level": level, "data": arguments["who"]});
                    say(
                        &json!({"jsonrpc": "2.0", "method": "notifications/message", "params": params}),
                    );
                }
                let level = self.wait(|heard| Some(heard.level.clone()));
                text(level.unwrap_or_default())
            }
            Some("roots") => {
                let changed = self.wait(|heard| Some(heard.roots_changed));
                let roots = self.ask(id, "roots/list", &json!({}));
                json!({"content": roots["content"], "changed": changed})
            }
            Some("touch") => {
                let is_followed = self.wait(|heard| Some(heard.subscribed.contains(NOTE)));
                if is_followed {
                    say(
                        &json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": NOTE}}),
                    );
                }
                text(is_followed.to_string())
            }
            Some("later") if params["task"].is_object() => {
                json!({"task": task(&json!("a:1"), "working")})
            }
            Some("hold") => {
                let call = id.to_string();
                self.wait(|heard| heard.cancelled.contains(&call).then_some(()));
                text("cancelled")
            }
            Some("cancelled") => {
                let wanted = arguments["wanted"].as_u64().unwrap_or_default();
                self.wait(|heard| (heard.cancelled.len() as u64 >= wanted).then_some(()));
                text("all")
            }
            _ => text("no such tool"),
        }
    }

    fn ask(&self, call: &Value, method: &str, params: &Value) -> Value {
        let id = json!(format!("ask-{call}"));
        say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let answer = self.wait(|heard| heard.answers.get(&id.to_string()).cloned());
        match answer.get("error") {
            Some(error) => text(error["message"].as_str().unwrap_or_default()),
            None => text(answer["result"].to_string()),
        }
    }
}
