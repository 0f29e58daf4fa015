//! What `peerage mcp` carries: against an endpoint played by the test, named by `MCP_ENDPOINT`.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures::{StreamExt, stream};
use http::{HeaderMap, Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// What the endpoint has seen, and how many sessions it opened.
#[derive(Clone, Default)]
struct Played(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    requests: Vec<(Method, HeaderMap, String)>,
    sessions: usize,
    forgets: bool,
}

impl Played {
    async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/mcp", any(answer))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn seen(&self, wanted: &str) -> Option<(Method, HeaderMap, String)> {
        let seen = self.0.lock().unwrap();
        seen.requests
            .iter()
            .find(|(_, _, body)| body.contains(wanted))
            .cloned()
    }
}

async fn answer(State(played): State<Played>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let message: Value = serde_json::from_str(&text).unwrap_or_default();
    let mut seen = played.0.lock().unwrap();
    seen.requests
        .push((head.method.clone(), head.headers.clone(), text));
    let current = format!("s{}", seen.sessions);
    let session = head
        .headers
        .get("mcp-session-id")
        .map(|id| id.to_str().unwrap().to_owned());
    if session.as_ref().is_some_and(|session| *session != current)
        || std::mem::take(&mut seen.forgets)
    {
        let gone = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "no such session"}});
        return (StatusCode::NOT_FOUND, axum::Json(gone)).into_response();
    }
    match (head.method, message["method"].as_str()) {
        (Method::GET, _) => {
            let first = stream::once(async {
                Ok::<_, std::io::Error>(event(
                    &json!({"jsonrpc": "2.0", "id": "from-server", "method": "roots/list"}),
                ))
            });
            let stays = Body::from_stream(first.chain(stream::pending()));
            ([("content-type", "text/event-stream")], stays).into_response()
        }
        (Method::POST, Some("initialize")) => {
            seen.sessions += 1;
            let id = format!("s{}", seen.sessions);
            let result = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "p", "version": "1"}});
            let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
            ([("mcp-session-id", id)], axum::Json(answer)).into_response()
        }
        (Method::POST, Some("tools/call")) => {
            let progress = event(
                &json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}),
            );
            let answer = event(&json!({"jsonrpc": "2.0", "id": message["id"], "result": {}}));
            ([("content-type", "text/event-stream")], progress + &answer).into_response()
        }
        (Method::POST, Some("pretty")) => {
            let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": {"a": [1.0]}});
            (
                [("content-type", "application/json")],
                format!("{answer:#}\r\n"),
            )
                .into_response()
        }
        (Method::POST, Some("busy")) => {
            (StatusCode::SERVICE_UNAVAILABLE, "not now").into_response()
        }
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

fn event(message: &Value) -> String {
    format!(": a comment\nevent: message\ndata: {message}\n\n")
}

struct Proxy {
    child: Child,
    to: Option<ChildStdin>,
    from: Lines<BufReader<ChildStdout>>,
    _home: tempfile::TempDir,
}

impl Proxy {
    fn start(endpoint: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_peerage"))
            .arg("--home")
            .arg(home.path())
            .args(["mcp", "--as", "mine"])
            .env("MCP_ENDPOINT", endpoint)
            .env("PEERAGE_TOKEN", "given")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let to = child.stdin.take();
        let from = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            to,
            from,
            _home: home,
        }
    }

    async fn send(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.to
            .as_mut()
            .unwrap()
            .write_all(line.as_bytes())
            .await
            .unwrap();
    }

    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.from.next_line()).await.unwrap();
        line.unwrap().unwrap()
    }

    async fn open(&mut self) {
        self.send(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#).await;
        assert!(self.line().await.contains("\"id\":0"));
        self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        let asked = self.line().await;
        assert!(asked.contains("from-server"), "{asked}");
    }
}

async fn wait_seen(played: &Played, wanted: &str) -> (Method, HeaderMap, String) {
    let look = async {
        loop {
            match played.seen(wanted) {
                Some(seen) => return seen,
                None => tokio::task::yield_now().await,
            }
        }
    };
    timeout(PATIENCE, look).await.unwrap()
}

#[tokio::test]
async fn requests_of_the_server_reach_the_client_and_its_answers_the_server_untouched() {
    let played = Played::default();
    let mut proxy = Proxy::start(&played.listen().await);
    proxy.open().await;
    let answer = r#"{"jsonrpc":"2.0","id":"from-server","result":{"roots":[ 1.50 ]}}"#;
    proxy.send(answer).await;
    let (_, headers, body) = wait_seen(&played, "roots\":").await;
    assert_eq!(body, answer);
    assert_eq!(headers["mcp-session-id"], "s1");
    assert_eq!(headers["mcp-protocol-version"], "2025-06-18");
    assert_eq!(headers["authorization"], "Bearer given");
}

#[tokio::test]
async fn progress_comes_before_its_answer_and_ids_stay_as_they_are_written() {
    let played = Played::default();
    let mut proxy = Proxy::start(&played.listen().await);
    proxy.open().await;
    proxy
        .send(r#"{"jsonrpc":"2.0","id":"ü","method":"tools/call","params":{"name":"t"}}"#)
        .await;
    assert!(proxy.line().await.contains("notifications/progress"));
    assert!(proxy.line().await.contains(r#""id":"ü""#));
}

#[tokio::test]
async fn an_answer_of_several_lines_is_one_line_to_the_client() {
    let played = Played::default();
    let mut proxy = Proxy::start(&played.listen().await);
    proxy.open().await;
    proxy
        .send(r#"{"jsonrpc":"2.0","id":7,"method":"pretty"}"#)
        .await;
    let answer: Value = serde_json::from_str(&proxy.line().await).unwrap();
    assert_eq!(answer["result"], json!({"a": [1.0]}));
}

#[tokio::test]
async fn a_refusal_that_names_no_request_is_given_under_the_requests_own_id() {
    let played = Played::default();
    let mut proxy = Proxy::start(&played.listen().await);
    proxy.open().await;
    proxy
        .send(r#"{"jsonrpc":"2.0","id":8,"method":"busy"}"#)
        .await;
    let answer: Value = serde_json::from_str(&proxy.line().await).unwrap();
    assert_eq!(answer["id"], 8);
    assert!(
        answer["error"]["message"].as_str().unwrap().contains("503"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_session_that_the_server_forgot_is_opened_again_unseen_and_the_request_sent_there() {
    let played = Played::default();
    let mut proxy = Proxy::start(&played.listen().await);
    proxy.open().await;
    played.0.lock().unwrap().forgets = true;
    proxy
        .send(r#"{"jsonrpc":"2.0","id":9,"method":"pretty"}"#)
        .await;
    loop {
        // The new session's stream asks again, and says that lists may have changed; the answer comes once.
        let message: Value = serde_json::from_str(&proxy.line().await).unwrap();
        assert_ne!(
            message["id"], 0,
            "the second initialize is not the client's to see"
        );
        if message["id"] == 9 {
            break;
        }
    }
    assert_eq!(played.0.lock().unwrap().sessions, 2);
}

async fn ends_its_session_after(end: impl FnOnce(&mut Proxy)) {
    let played = Played::default();
    let mut proxy = Proxy::start(&played.listen().await);
    proxy.open().await;
    end(&mut proxy);
    let ended = timeout(PATIENCE, proxy.child.wait())
        .await
        .unwrap()
        .unwrap();
    assert!(ended.success());
    let seen = played.0.lock().unwrap();
    let (method, headers, _) = seen.requests.last().unwrap();
    assert_eq!(
        (method, &headers["mcp-session-id"]),
        (&Method::DELETE, &"s1".parse().unwrap())
    );
}

#[tokio::test]
async fn the_end_of_the_input_ends_the_session_and_the_proxy() {
    ends_its_session_after(|proxy| proxy.to = None).await;
}

#[tokio::test]
async fn a_signal_ends_the_session_and_the_proxy() {
    ends_its_session_after(|proxy| {
        let pid = i32::try_from(proxy.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_node_that_cannot_start_is_told_with_the_last_lines_of_its_log() {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(home.path().join("peerage.toml"), "name = \"NOT A NAME\"\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_peerage"))
        .arg("--home")
        .arg(home.path())
        .arg("mcp")
        .env_remove("MCP_ENDPOINT")
        .stdin(Stdio::null())
        .output();
    let output = timeout(PATIENCE, output).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("peerage.log") && said.contains("peerage.toml"),
        "{said}"
    );
    assert!(output.stdout.is_empty(), "standard output is for MCP alone");
}
