//! The HTTP upstream, which is also the minimal own-path server: axum, and nothing between the body and the answer.

use std::convert::Infallible;
use std::io;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use tokio::net::TcpListener;

use super::answers::Answers;
use crate::process::say_ready;

/// Answers below this are copied together; larger ones are written from where they lie.
const JOINED_BYTES_MAX: usize = 16 * 1024;

/// Serves `POST /mcp` on a free port of loopback, which is the ready line.
pub async fn run() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say_ready(&listener.local_addr()?.to_string())?;
    let router = Router::new()
        .route("/mcp", post(answer))
        .with_state(Answers::new());
    let listener = listener.tap_io(|stream| {
        // Without it the bench measures the client's delayed acknowledgements.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}

async fn answer(State(answers): State<Answers>, body: Bytes) -> Response {
    let Some(answer) = answers.to(&body) else {
        return StatusCode::ACCEPTED.into_response();
    };
    if let Some(delay) = answer.delay {
        tokio::time::sleep(delay).await;
    }
    let length = answer.head.len() + answer.tail.len();
    let body = match length {
        0..JOINED_BYTES_MAX => Body::from([&answer.head[..], &answer.tail].concat()),
        _ => {
            let parts = [Bytes::from(answer.head), answer.tail];
            Body::from_stream(stream::iter(parts.map(Ok::<_, Infallible>)))
        }
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CONTENT_LENGTH, HeaderValue::from(length)),
    ];
    (headers, body).into_response()
}
