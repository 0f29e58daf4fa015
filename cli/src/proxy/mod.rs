//! The stdio proxy: every line of a client that speaks MCP over stdio goes to the endpoint, and every message of the
//! endpoint to the client, both eras alike.
//!
//! It carries and does not understand: messages and ids stay as they are written. What it adds is what HTTP needs:
//! headers, the session of a legacy client and its stream, and the end of calls that the client cancels. When the node
//! restarts, what was never sent waits for it, what was under way is answered with an error, and the session is opened
//! again. The era of a message is its own; a cancellation has the era of what it ends.

mod answer;
mod input;
mod output;
mod session;
mod stream;
mod under_way;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use hyper::body::Incoming;
use peerage_node::gateway::mcp::answer::{Answer, Refusal};
use peerage_protocol::limits::BODY_BYTES_MAX;
use tokio::io::{AsyncBufRead, AsyncWrite};
use tokio::time::timeout;

use crate::client::courier::Courier;
use crate::client::error::ClientError;
use crate::client::message::Head;
use answer::Waiting;
use input::{Line, Lines};
use output::Output;
use session::{Session, post};
use under_way::UnderWay;

/// How long calls under way may take to end once the client has closed its input.
const END_GRACE: Duration = Duration::from_secs(3);
/// How long the endpoint may take to accept what needs no answer: the messages behind it wait.
const TELL: Duration = Duration::from_secs(5);
/// How long the node may take to end the session.
const CLOSE: Duration = Duration::from_secs(1);

/// Carries between a client and the endpoint until the input ends, the client no longer reads, or `stop`.
pub(crate) async fn run<C>(
    from: impl AsyncBufRead + Unpin,
    to: impl AsyncWrite + Unpin + Send + 'static,
    courier_for: C,
    stop: impl Future<Output = ()>,
) -> Result<(), ClientError>
where
    C: FnOnce(Option<&str>) -> Result<Courier, ClientError>,
{
    let (output, messages) = Output::channel();
    let mut writer = tokio::spawn(output::write(messages, to));
    let mut lines = Lines::new(from);
    tokio::pin!(stop);
    let first = tokio::select! {
        line = lines.next() => line,
        () = &mut stop => None,
    };
    let Some(first) = first else {
        return Ok(());
    };
    let courier = Arc::new(courier_for(client_of(&first).as_deref())?);
    let mut proxy = Proxy {
        courier,
        session: Arc::new(Session::new()),
        output,
        under_way: UnderWay::default(),
    };
    let stream = stream::follow(&proxy.courier, &proxy.session, &proxy.output);
    tokio::select! {
        () = proxy.carry_all(first, &mut lines) => {}
        _ = &mut writer => {}
        () = stop => {}
    }
    drop(stream);
    proxy.end().await;
    // A client that does not read keeps nobody waiting.
    let _ = timeout(CLOSE, writer).await;
    Ok(())
}

struct Proxy {
    courier: Arc<Courier>,
    session: Arc<Session>,
    output: Output,
    under_way: UnderWay,
}

impl Proxy {
    async fn carry_all<R: AsyncBufRead + Unpin>(&mut self, first: Line, lines: &mut Lines<R>) {
        let mut line = Some(first);
        while let Some(read) = line {
            match read {
                Line::Message(message) => self.carry(message).await,
                Line::TooLong => self.refuse_too_long().await,
            }
            line = lines.next().await;
        }
        self.under_way.finish(END_GRACE).await;
    }

    async fn carry(&mut self, message: Bytes) {
        let heads = Head::of_all(&message);
        match heads.as_slice() {
            [head] if is_opening(head) => self.open(message, &heads).await,
            [
                Head {
                    cancels: Some(id), ..
                },
            ] => {
                self.under_way.cancel(id);
                self.tell(message, &heads).await;
            }
            heads if heads.iter().all(|head| !head.is_request()) && !heads.is_empty() => {
                self.tell(message, heads).await;
            }
            // What has no head is no message; the endpoint says so.
            _ => self.ask(message, heads).await,
        }
    }

    /// Waits for the answer: what follows needs the session that it opens.
    async fn open(&mut self, message: Bytes, heads: &[Head]) {
        let parcel = post(HeaderMap::new(), message.clone());
        match self.courier.deliver(&parcel).await {
            Ok(response) => {
                let opened = self.session.open(message, response).await;
                Waiting::of(heads).pass_read(opened, &self.output).await;
            }
            Err(error) => Waiting::of(heads).fail(&error, &self.output).await,
        }
    }

    async fn ask(&mut self, message: Bytes, heads: Vec<Head>) {
        if !self.under_way.has_room() {
            return Waiting::of(&heads)
                .fail(&ClientError::Full, &self.output)
                .await;
        }
        let (courier, session) = (self.courier.clone(), self.session.clone());
        let (output, asked) = (self.output.clone(), heads.clone());
        self.under_way.begin(&heads, async move {
            let mut waiting = Waiting::of(&asked);
            match deliver(&courier, &session, &asked, message).await {
                Ok(response) => waiting.pass_on(response, &output).await,
                Err(error) => waiting.fail(&error, &output).await,
            }
        });
    }

    /// Sends what needs no answer, in its order. While nobody answers there is nobody to tell.
    async fn tell(&self, message: Bytes, heads: &[Head]) {
        let sent = timeout(TELL, tell(&self.courier, &self.session, heads, message));
        match sent.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a notification was not delivered"),
            Err(_) => tracing::debug!("a notification was not taken in time"),
        }
        let ready = |head: &Head| head.method.as_deref() == Some("notifications/initialized");
        if heads.iter().any(ready) {
            self.session.initialized().await;
        }
    }

    async fn refuse_too_long(&self) {
        let what = format!("a message has at most {BODY_BYTES_MAX} bytes");
        let refusal = Answer::refusal(None, &Refusal::new(-32600, what));
        self.output.send(refusal.message).await;
    }

    async fn end(self) {
        let Self {
            courier,
            session,
            output,
            under_way,
        } = self;
        drop((under_way, output));
        // A node that does not answer forgets the session by itself.
        let _ = timeout(CLOSE, session.close(&courier)).await;
    }
}

fn is_opening(head: &Head) -> bool {
    head.is_request() && head.method.as_deref() == Some("initialize") && !head.is_modern()
}

fn is_modern(heads: &[Head]) -> bool {
    heads.iter().any(Head::is_modern)
}

/// Waits while nobody answers; opens a session that was lost again, once.
async fn deliver(
    courier: &Courier,
    session: &Session,
    heads: &[Head],
    message: Bytes,
) -> Result<Response<Incoming>, ClientError> {
    if let [head] = heads
        && head.is_modern()
    {
        return courier.deliver(&post(head.modern_headers(), message)).await;
    }
    let headers = session.headers().await;
    let parcel = post(headers.clone(), message.clone());
    let response = courier.deliver(&parcel).await?;
    if !session::is_unknown(&response, &headers) {
        return Ok(response);
    }
    let headers = session.renew(courier, &headers).await?;
    courier.deliver(&post(headers, message)).await
}

/// A cancellation in the modern era is the closing of the response, which has happened by now.
async fn tell(
    courier: &Courier,
    session: &Session,
    heads: &[Head],
    message: Bytes,
) -> Result<(), ClientError> {
    let headers = session.headers().await;
    if headers.is_empty() && !is_modern(heads) {
        return Ok(());
    }
    let headers = match heads {
        [head] if head.is_modern() => head.modern_headers(),
        _ => headers,
    };
    let response = courier
        .deliver_now(&post(headers.clone(), message.clone()))
        .await?;
    if session::is_unknown(&response, &headers) {
        let headers = session.renew(courier, &headers).await?;
        courier.deliver_now(&post(headers, message)).await?;
    }
    Ok(())
}

fn client_of(line: &Line) -> Option<String> {
    match line {
        Line::Message(message) => Head::of_all(message)
            .into_iter()
            .find_map(|head| head.client),
        Line::TooLong => None,
    }
}
