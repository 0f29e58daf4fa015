//! Every way in which a database can be of no use.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Longer than anybody should wait.
const LONG: Duration = Duration::from_secs(120);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It reads a request and says nothing.
    Silent,
    /// 401: the token was revoked or has expired.
    Denied,
    /// 503.
    Unavailable,
    /// Each answer sends the client to the same place again.
    RedirectLoop,
    /// Each answer sends the client to another host, out of TLS.
    RedirectElsewhere,
    /// The connection is reset.
    Reset,
    /// It takes connections and does not even begin with TLS.
    HalfOpen,
    /// The answer breaks off.
    Truncated,
    /// A page for people, as networks with a login make.
    Html,
    /// The answer has no end.
    Oversized,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Silent,
        Self::Denied,
        Self::Unavailable,
        Self::RedirectLoop,
        Self::RedirectElsewhere,
        Self::Reset,
        Self::HalfOpen,
        Self::Truncated,
        Self::Html,
        Self::Oversized,
    ];

    pub(super) async fn answer(
        self,
        mut stream: impl AsyncWrite + Unpin,
        path: &str,
    ) -> io::Result<()> {
        let head = |status: &str, headers: &str| {
            format!("HTTP/1.1 {status} Said\r\nconnection: close\r\n{headers}\r\n\r\n")
        };
        let text = match self {
            Self::Silent | Self::HalfOpen | Self::Reset => {
                hold(stream).await;
                return Ok(());
            }
            Self::Denied => head("401", "content-length: 0"),
            Self::Unavailable => head("503", "content-length: 0"),
            Self::RedirectLoop => head(
                "307",
                &format!("content-length: 0\r\nlocation: /{path}.json"),
            ),
            Self::RedirectElsewhere => head(
                "307",
                "content-length: 0\r\nlocation: http://127.0.0.1:9/elsewhere",
            ),
            Self::Truncated => head("200", "content-length: 1000") + "{\"a",
            Self::Html => {
                head("200", "content-length: 13\r\ncontent-type: text/html") + "<html></html>"
            }
            Self::Oversized => head("200", "content-type: application/json"),
        };
        stream.write_all(text.as_bytes()).await?;
        if self == Self::Oversized {
            let portion = vec![b' '; 256 * 1024];
            loop {
                stream.write_all(&portion).await?;
            }
        }
        stream.shutdown().await
    }
}

/// Keeps a connection, and says nothing.
pub(super) async fn hold<S>(stream: S) {
    tokio::time::sleep(LONG).await;
    drop(stream);
}
