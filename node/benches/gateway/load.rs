//! The load: so many askers, each asking again as soon as it is answered, all on one thread.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::client::Connection;
use crate::roles::echo;

/// Calls before anything is counted.
const WARM_UP: Duration = Duration::from_millis(60);

/// Somebody who asks the same again and again.
pub enum Asker {
    /// Over HTTP, on a connection of its own.
    Http {
        /// The connection.
        connection: Connection<TcpStream>,
        /// What is sent.
        request: Vec<u8>,
        /// The bytes of every answer's body.
        answer_bytes: usize,
    },
    /// On a fresh stream of a QUIC connection each time.
    Quic {
        /// The connection.
        connection: quinn::Connection,
        /// What is sent.
        message: Vec<u8>,
    },
}

/// What came of it.
pub struct Answered {
    /// How long each call took, in nanoseconds.
    pub times: Histogram<u64>,
    /// How long all of it took.
    pub elapsed: Duration,
}

impl Asker {
    /// One that sends `request` to `address`; the first answer must hold `bytes` bytes of text and sets what the
    /// others are held against.
    pub async fn http(address: &str, request: &[u8], bytes: usize) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut connection = Connection::new(stream);
        let (status, body) = connection.fetch(request).await?;
        let is_error = memchr::memmem::find(&body, b"\"error\":").is_some();
        if status != 200 || is_error || body.len() < bytes {
            let said = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
            return Err(io::Error::other(format!("answered {status}: {said}")));
        }
        Ok(Self::Http {
            connection,
            request: request.to_vec(),
            answer_bytes: body.len(),
        })
    }

    async fn ask(&mut self) -> io::Result<()> {
        let as_ever = match self {
            Self::Http {
                connection,
                request,
                answer_bytes,
            } => connection.ask(request).await? == (200, *answer_bytes),
            Self::Quic {
                connection,
                message,
            } => echo::echo(connection, message).await? == message.len(),
        };
        match as_ever {
            true => Ok(()),
            false => Err(io::Error::other("an answer was not like the first")),
        }
    }

    async fn ask_until(mut self, end: Instant) -> io::Result<(Self, Histogram<u64>)> {
        let mut times = Histogram::new(3).map_err(io::Error::other)?;
        let mut begun = Instant::now();
        while begun < end {
            self.ask().await?;
            let answered = Instant::now();
            let nanos = (answered - begun).as_nanos();
            times.saturating_record(u64::try_from(nanos).unwrap_or(u64::MAX));
            begun = answered;
        }
        Ok((self, times))
    }
}

/// Lets `askers` ask for a little while, unmeasured.
pub async fn warm_up(askers: Vec<Asker>) -> io::Result<Vec<Asker>> {
    let (askers, _) = all_until(askers, Instant::now() + WARM_UP).await?;
    Ok(askers)
}

/// Lets `askers` ask for `duration`. One answer that is missing or different fails all of it.
pub async fn drive(askers: Vec<Asker>, duration: Duration) -> io::Result<(Vec<Asker>, Answered)> {
    let begun = Instant::now();
    let (askers, times) = all_until(askers, begun + duration).await?;
    let elapsed = begun.elapsed();
    Ok((askers, Answered { times, elapsed }))
}

async fn all_until(askers: Vec<Asker>, end: Instant) -> io::Result<(Vec<Asker>, Histogram<u64>)> {
    let mut asking = JoinSet::new();
    for asker in askers {
        asking.spawn(asker.ask_until(end));
    }
    let mut back = Vec::new();
    let mut all = Histogram::new(3).map_err(io::Error::other)?;
    while let Some(asked) = asking.join_next().await {
        let (asker, times) = asked.map_err(io::Error::other)??;
        all.add(times).map_err(io::Error::other)?;
        back.push(asker);
    }
    Ok((back, all))
}
