//! A connection to a NATS server, in its text protocol: <https://docs.nats.io/reference/reference-protocols/nats-protocol>.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// One connection.
pub struct Nats {
    stream: BufReader<TcpStream>,
    /// What is to be sent with the next flush.
    unsent: Vec<u8>,
    requests: u64,
}

/// What a subscription brought.
pub struct Told {
    /// Where an answer goes.
    pub reply: Option<String>,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Nats {
    /// Connects.
    pub async fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self {
            stream: BufReader::with_capacity(256 * 1024, stream),
            unsent: Vec::new(),
            requests: 0,
        };
        connection.line().await?;
        let hello =
            r#"CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}"#;
        connection.unsent.extend_from_slice(hello.as_bytes());
        connection.unsent.extend_from_slice(b"\r\n");
        connection.flush().await?;
        Ok(connection)
    }

    /// Follows a subject.
    pub fn subscribe(&mut self, subject: &str) {
        let line = format!("SUB {subject} 1\r\n");
        self.unsent.extend_from_slice(line.as_bytes());
    }

    /// Puts a message with the next flush; an answer goes to `reply`.
    pub fn publish(&mut self, subject: &str, reply: &str, payload: &[u8]) {
        let line = format!("PUB {subject} {reply} {}\r\n", payload.len());
        self.unsent.extend_from_slice(line.as_bytes());
        self.unsent.extend_from_slice(payload);
        self.unsent.extend_from_slice(b"\r\n");
    }

    /// Sends what was put.
    pub async fn flush(&mut self) -> io::Result<()> {
        let unsent = std::mem::take(&mut self.unsent);
        self.stream.get_mut().write_all(&unsent).await
    }

    /// The next message; what was put is sent before anything is waited for.
    pub async fn next(&mut self) -> io::Result<Told> {
        loop {
            if self.stream.buffer().is_empty() {
                self.flush().await?;
            }
            let line = self.line().await?;
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("PING") => self.unsent.extend_from_slice(b"PONG\r\n"),
                Some("-ERR") => return Err(io::Error::other(line)),
                Some(kind @ ("MSG" | "HMSG")) => {
                    let words: Vec<&str> = words.collect();
                    let headed = kind == "HMSG";
                    return self.told(&words, headed).await;
                }
                _ => {}
            }
        }
    }

    /// Asks, on a connection that follows nothing else, and waits for the answer.
    pub async fn ask(&mut self, subject: &str, body: &Value) -> io::Result<Value> {
        self.requests += 1;
        let reply = format!("_INBOX.{}.{}", std::process::id(), self.requests);
        self.subscribe(&reply);
        self.publish(subject, &reply, body.to_string().as_bytes());
        let told = self.next().await?;
        Ok(serde_json::from_slice(&told.payload).unwrap_or_default())
    }

    async fn told(&mut self, words: &[&str], headed: bool) -> io::Result<Told> {
        let sizes = 1 + usize::from(headed);
        let number = |from_end: usize| -> usize {
            let word = words.len().checked_sub(from_end).map(|at| words[at]);
            word.and_then(|word| word.parse().ok()).unwrap_or_default()
        };
        let (total, header) = (number(1), if headed { number(2) } else { 0 });
        let reply = (words.len() > 2 + sizes).then(|| words[2].to_owned());
        let mut payload = vec![0; total + 2];
        self.stream.read_exact(&mut payload).await?;
        payload.truncate(total);
        payload.drain(..header);
        Ok(Told { reply, payload })
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line),
        }
    }
}
