//! WebSocket clients on real sockets: who is let in, what they may say, and what is left when they are gone.

use futures::{SinkExt, StreamExt};
use http::{HeaderValue, Request, StatusCode};
use peerage_protocol::limits::BODY_BYTES_MAX;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::super::CONVERSATIONS_MAX;
use super::double::{SECOND_TOKEN, TOKEN, call, modern};
use super::sockets::Server;
use crate::identity::TokenId;

type Socket = WebSocketStream<TcpStream>;

/// A request to upgrade as a well-behaved client sends it, and `headers` over that.
fn request(server: &Server, headers: &[(&'static str, &str)]) -> Request<()> {
    let url = format!("ws://{}/mcp", server.address);
    let mut request = url.into_client_request().unwrap();
    let usual = [("sec-websocket-protocol", "mcp")];
    for (name, value) in usual.iter().chain(headers) {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().insert(*name, value);
    }
    request
}

async fn connect(server: &Server, request: Request<()>) -> Result<Socket, StatusCode> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    match client_async(request, stream).await {
        Ok((socket, response)) => {
            assert_eq!(response.headers()["sec-websocket-protocol"], "mcp");
            Ok(socket)
        }
        Err(Error::Http(response)) => Err(response.status()),
        Err(other) => panic!("{other}"),
    }
}

async fn open(server: &Server) -> Socket {
    connect(server, request(server, &[])).await.unwrap()
}

async fn say(socket: &mut Socket, message: &Value) {
    let text = Message::text(message.to_string());
    socket.send(text).await.unwrap();
}

async fn hear(socket: &mut Socket) -> Value {
    match socket.next().await.unwrap().unwrap() {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("not a message: {other:?}"),
    }
}

/// The code with which the node closes the connection.
async fn closed(socket: &mut Socket) -> CloseCode {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Close(Some(frame)) => return frame.code,
            Message::Close(None) => panic!("closed without a code"),
            _ => {}
        }
    }
}

async fn initialize(socket: &mut Socket) {
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let request = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    say(socket, &request).await;
    assert_eq!(
        hear(socket).await["result"]["protocolVersion"],
        "2025-11-25"
    );
}

#[tokio::test]
async fn only_clients_that_pass_the_door_get_a_socket() {
    let server = Server::start().await;
    for (headers, expected) in [
        ([("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        ([("host", "evil.example")], StatusCode::FORBIDDEN),
        (
            [("authorization", "Bearer wrong")],
            StatusCode::UNAUTHORIZED,
        ),
        (
            [("sec-websocket-protocol", "soap")],
            StatusCode::BAD_REQUEST,
        ),
        ([("sec-websocket-version", "8")], StatusCode::BAD_REQUEST),
    ] {
        let refused = connect(&server, request(&server, &headers)).await;
        assert_eq!(refused.unwrap_err(), expected, "{headers:?}");
    }
    let mut unnamed = request(&server, &[]);
    unnamed.headers_mut().remove("sec-websocket-protocol");
    let refused = connect(&server, unnamed).await;
    assert_eq!(refused.unwrap_err(), StatusCode::BAD_REQUEST);

    let headers = [
        ("origin", "http://localhost:5173"),
        ("authorization", "Bearer good-token"),
    ];
    let mut socket = connect(&server, request(&server, &headers)).await.unwrap();
    initialize(&mut socket).await;
    say(&mut socket, &call(1, "caller")).await;
    let who = hear(&mut socket).await["result"]["content"][0]["text"].to_string();
    assert!(who.contains("ada"), "{who}");
}

#[tokio::test]
async fn a_call_is_told_its_progress_before_its_result_in_both_eras() {
    let server = Server::start().await;
    let mut legacy = open(&server).await;
    initialize(&mut legacy).await;
    say(&mut legacy, &call(1, "progress")).await;
    let mut modern_socket = open(&server).await;
    say(
        &mut modern_socket,
        &modern("tools/call", Some("progress")).1,
    )
    .await;
    for (socket, id) in [(&mut legacy, json!(1)), (&mut modern_socket, json!("m-1"))] {
        for step in 1..=3 {
            assert_eq!(hear(socket).await["params"]["progress"], step);
        }
        let answer = hear(socket).await;
        assert_eq!(answer["id"], id);
        assert_eq!(answer["result"]["content"][0]["text"], "done");
    }
}

#[tokio::test]
async fn what_is_no_message_is_answered_and_the_connection_goes_on() {
    let server = Server::start().await;
    let mut socket = open(&server).await;
    for (text, code) in [
        ("{", -32700),
        ("[]", -32600),
        ("{\"jsonrpc\":\"2.0\"}", -32600),
    ] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(hear(&mut socket).await["error"]["code"], code, "{text}");
    }
    initialize(&mut socket).await;
}

#[tokio::test]
async fn a_client_cancels_by_saying_so_and_hears_no_more_of_the_call() {
    let server = Server::start().await;
    let mut socket = open(&server).await;
    initialize(&mut socket).await;
    say(&mut socket, &call(1, "hangs")).await;
    server.client.double.until_in_flight(1).await;
    let cancelled =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    say(&mut socket, &cancelled).await;
    server.client.double.until_in_flight(0).await;
    say(&mut socket, &call(2, "simple")).await;
    assert_eq!(hear(&mut socket).await["id"], 2);
}

#[tokio::test]
async fn clients_that_vanish_leave_no_call_and_no_place_taken() {
    let server = Server::start().await;
    for _ in 0..2 {
        let mut sockets = Vec::new();
        for _ in 0..CONVERSATIONS_MAX {
            let mut socket = open(&server).await;
            say(&mut socket, &modern("tools/call", Some("hangs")).1).await;
            sockets.push(socket);
        }
        server
            .client
            .double
            .until_in_flight(CONVERSATIONS_MAX)
            .await;
        let refused = connect(&server, request(&server, &[])).await;
        assert_eq!(refused.unwrap_err(), StatusCode::SERVICE_UNAVAILABLE);
        drop(sockets);
        server.client.double.until_in_flight(0).await;
    }
}

#[tokio::test]
async fn changes_are_told_to_legacy_sessions_and_to_those_that_listen() {
    let server = Server::start().await;
    let (mut legacy, mut listener) = (open(&server).await, open(&server).await);
    initialize(&mut legacy).await;
    say(&mut listener, &modern("subscriptions/listen", None).1).await;
    let acknowledged = hear(&mut listener).await;
    assert_eq!(
        acknowledged["method"],
        "notifications/subscriptions/acknowledged"
    );
    server
        .client
        .double
        .tools
        .send_modify(|version| *version += 1);
    for socket in [&mut legacy, &mut listener] {
        assert_eq!(
            hear(socket).await["method"],
            "notifications/tools/list_changed"
        );
    }
}

#[tokio::test]
async fn binary_frames_and_messages_too_large_end_the_connection() {
    let server = Server::start().await;
    let mut socket = open(&server).await;
    socket.send(Message::binary(vec![1])).await.unwrap();
    assert_eq!(closed(&mut socket).await, CloseCode::Unsupported);

    let mut socket = open(&server).await;
    let large = Message::text(" ".repeat(BODY_BYTES_MAX + 1));
    // The node may hang up while this is still being sent.
    let _ = socket.send(large).await;
    while let Some(Ok(message)) = socket.next().await {
        assert!(!message.is_text(), "{message:?}");
    }
    // What is large, but not too large, is read.
    let mut socket = open(&server).await;
    let padding = " ".repeat(BODY_BYTES_MAX - 64);
    let ping = format!("{{\"jsonrpc\":\"2.0\",{padding}\"id\":1,\"method\":\"ping\"}}");
    socket.send(Message::text(ping)).await.unwrap();
    assert_eq!(hear(&mut socket).await["id"], 1);
}

#[tokio::test]
async fn pings_are_answered() {
    let server = Server::start().await;
    let mut socket = open(&server).await;
    socket
        .send(Message::Ping("are you there".into()))
        .await
        .unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    assert_eq!(answer, Message::Pong("are you there".into()));
}

#[tokio::test]
async fn a_revoked_token_closes_its_own_sockets_and_no_other() {
    let server = Server::start().await;
    let mut sockets = Vec::new();
    for token in [TOKEN, SECOND_TOKEN] {
        let bearer = format!("Bearer {token}");
        let request = request(&server, &[("authorization", &bearer)]);
        let mut socket = connect(&server, request).await.unwrap();
        initialize(&mut socket).await;
        say(&mut socket, &call(1, "waits")).await;
        sockets.push(socket);
    }
    server.client.double.until_in_flight(2).await;
    let revoked = Some(TokenId::of(TOKEN));
    server.client.double.revoked.send_replace(revoked);
    assert_eq!(closed(&mut sockets[0]).await, CloseCode::Policy);
    server.client.double.until_in_flight(1).await;
    server.client.double.finish.notify_waiters();
    assert_eq!(hear(&mut sockets[1]).await["id"], 1);
}

#[tokio::test]
async fn a_node_that_stops_says_so() {
    let server = Server::start().await;
    let mut socket = open(&server).await;
    initialize(&mut socket).await;
    server.client.shutdown.cancel();
    assert_eq!(closed(&mut socket).await, CloseCode::Away);
}
