//! Asks the running node: HTTP/JSON over the Unix socket in its home.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use peerage_node::gateway::frontend::rest::refusal::Refused;
use peerage_node::home::Home;
use peerage_protocol::limits::BODY_BYTES_MAX;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::failure::{CONNECTION_LOST, Failure};

/// Bytes of an answer: a message of MCP, and around it the members of the control API.
const ANSWER_BYTES_MAX: usize = BODY_BYTES_MAX + 64 * 1024;

/// How long a node is waited for that has nobody else to ask.
const PATIENCE: Duration = Duration::from_secs(10);

/// The node that runs on a home.
#[derive(Clone, Debug)]
pub struct Client {
    home: Home,
    patience: Duration,
}

impl Client {
    /// Of the node on `home`, whether it runs or not.
    pub fn new(home: Home) -> Self {
        Self {
            home,
            patience: PATIENCE,
        }
    }

    /// Waits this long for each answer: for what the node cannot do alone.
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Asks for what is at `path`.
    pub async fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A, Failure> {
        self.request(Method::GET, path, Bytes::new()).await
    }

    /// Sends `question` to `path`.
    pub async fn post<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
    ) -> Result<A, Failure> {
        let body = serde_json::to_vec(question).map_err(|error| Failure::failed("json", error))?;
        self.request(Method::POST, path, body.into()).await
    }

    /// Removes what is at `path`.
    pub async fn delete<A: DeserializeOwned>(&self, path: &str) -> Result<A, Failure> {
        self.request(Method::DELETE, path, Bytes::new()).await
    }

    async fn request<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<A, Failure> {
        timeout(self.patience, self.request_in_time(method, path, body))
            .await
            .unwrap_or_else(|_| Err(Failure::silent_node(self.home.root(), self.patience)))
    }

    async fn request_in_time<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<A, Failure> {
        let stream = self.connect().await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, "localhost")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| Failure::failed("request", error))?;
        let (status, answer) = exchange(stream, request).await?;
        read_answer(status, &answer)
    }

    async fn connect(&self) -> Result<UnixStream, Failure> {
        use io::ErrorKind::{ConnectionRefused, NotFound};
        let socket = self.home.socket();
        match UnixStream::connect(&socket).await {
            Ok(stream) => self.check_owner(stream),
            Err(error) if matches!(error.kind(), NotFound | ConnectionRefused) => {
                Err(Failure::no_node(self.home.root()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(Failure::failed(
                "home",
                format!(
                    "{} is not a folder; name the home's folder with --home",
                    self.home.root().display()
                ),
            )),
            Err(error) => Err(Failure::failed(
                "socket",
                format!(
                    "cannot open {}: {error}; run as the user who runs the node",
                    socket.display()
                ),
            )),
        }
    }

    /// Whoever answers must be the owner of the home: tickets and tokens pass through this socket.
    fn check_owner(&self, stream: UnixStream) -> Result<UnixStream, Failure> {
        let failed = |error: io::Error| Failure::failed("socket", error);
        let owner = std::fs::metadata(self.home.root()).map_err(failed)?.uid();
        let peer = stream.peer_cred().map_err(failed)?.uid();
        match peer == owner {
            true => Ok(stream),
            false => Err(Failure::refused(
                "foreign_socket",
                format!(
                    "{} is answered by another user (id {peer}); remove it and run: peerage up",
                    self.home.socket().display()
                ),
            )),
        }
    }
}

async fn exchange(
    stream: UnixStream,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), Failure> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(lost)?;
        let status = response.status();
        Ok((status, read_body(response).await?))
    };
    // The connection moves the bytes; it ends by itself only when the node closes it.
    tokio::select! {
        answer = answer => answer,
        Err(error) = connection => Err(lost(error)),
    }
}

async fn read_body(response: Response<Incoming>) -> Result<Bytes, Failure> {
    let mut body = response.into_body();
    let mut answer = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(lost)?.into_data() else {
            continue;
        };
        if answer.len() + data.len() > ANSWER_BYTES_MAX {
            let message =
                format!("the answer has more than {ANSWER_BYTES_MAX} bytes; ask for less");
            return Err(Failure::failed("too_large", message));
        }
        answer.extend_from_slice(&data);
    }
    Ok(answer.freeze())
}

fn lost(error: hyper::Error) -> Failure {
    let message = format!(
        "the node closed the connection ({error}); see whether it still runs with: peerage status"
    );
    Failure::failed(CONNECTION_LOST, message)
}

fn read_answer<A: DeserializeOwned>(status: StatusCode, answer: &[u8]) -> Result<A, Failure> {
    let strange = |error: serde_json::Error| {
        let message = format!(
            "the node's answer ({status}) is not understood: {error}; is it of the same version as this command?"
        );
        Failure::failed("answer", message)
    };
    if status == StatusCode::OK {
        return serde_json::from_slice(answer).map_err(strange);
    }
    let refused: Refused = serde_json::from_slice(answer).map_err(strange)?;
    Err(refused.into())
}

/// Percent-encodes a value of a query or a segment of a path.
pub fn encode(text: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut encoded, byte| {
            match unreserved(byte) {
                true => encoded.push(char::from(byte)),
                false => encoded.push_str(&format!("%{byte:02X}")),
            }
            encoded
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use peerage_node::gateway::frontend::rest::api::{LeaveResponse, NodesResponse};
    use peerage_node::gateway::frontend::rest::refusal::Exit;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap().prepare().unwrap();
        (folder, home)
    }

    /// Answers one request on the home's socket with these bytes.
    fn answer_once(home: &Home, answer: &'static str) {
        let listener = UnixListener::bind(home.socket()).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
    }

    #[tokio::test]
    async fn without_a_node_the_failure_is_4_and_says_peerage_up() {
        let (_folder, home) = home();
        let failure = Client::new(home)
            .get::<NodesResponse>("/v1/nodes")
            .await
            .unwrap_err();
        assert_eq!(failure.refused.exit, Exit::Unreachable);
        assert!(failure.refused.error.hint.unwrap().contains("peerage up"));
    }

    #[tokio::test]
    async fn a_socket_that_a_killed_node_left_is_no_node() {
        let (_folder, home) = home();
        drop(UnixListener::bind(home.socket()).unwrap());
        let failure = Client::new(home)
            .get::<NodesResponse>("/v1/nodes")
            .await
            .unwrap_err();
        assert_eq!(failure.refused.exit, Exit::Unreachable);
    }

    #[tokio::test]
    async fn a_success_is_read() {
        let (_folder, home) = home();
        answer_once(
            &home,
            "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"nodes\":[]}",
        );
        let answer: NodesResponse = Client::new(home).get("/v1/nodes").await.unwrap();
        assert_eq!(answer, NodesResponse::default());
    }

    #[tokio::test]
    async fn a_refusal_is_passed_on_with_its_exit_code() {
        let (_folder, home) = home();
        answer_once(
            &home,
            "HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n{\"error\":{\"kind\":\"k\",\"message\":\"m\",\"hint\":null},\"exit\":3}",
        );
        let failure = Client::new(home)
            .post::<_, LeaveResponse>("/v1/leave", &())
            .await
            .unwrap_err();
        assert_eq!(
            (failure.refused.exit, failure.to_string()),
            (Exit::Refused, "m".to_owned())
        );
    }

    #[tokio::test]
    async fn a_node_that_breaks_off_is_a_failure_not_a_hang() {
        let (_folder, home) = home();
        answer_once(&home, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{");
        let failure = Client::new(home)
            .get::<NodesResponse>("/v1/nodes")
            .await
            .unwrap_err();
        assert_eq!(failure.refused.error.kind, "connection_lost");
    }

    #[tokio::test]
    async fn a_node_that_never_answers_is_given_up_in_time_and_told_from_none() {
        let (_folder, home) = home();
        let _listener = UnixListener::bind(home.socket()).unwrap();
        let failure = Client::new(home)
            .patient_for(Duration::from_millis(50))
            .get::<NodesResponse>("/v1/nodes")
            .await
            .unwrap_err();
        assert_eq!(failure.refused.exit, Exit::Unreachable);
        assert_eq!(failure.refused.error.kind, "no_answer");
        assert!(!failure.is_no_node());
        let message = failure.to_string();
        assert!(message.contains("did not answer within 50ms"), "{message}");
        assert!(failure.refused.error.hint.unwrap().contains("peerage up"));
    }

    #[test]
    fn a_query_is_percent_encoded() {
        assert_eq!(encode("read é&/"), "read%20%C3%A9%26%2F");
    }
}
