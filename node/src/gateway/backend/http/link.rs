//! Keeps a session with an HTTP server: opens it, follows its tools, notices its end.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

use http::StatusCode;
use peerage_protocol::id::{NodeId, ServerName};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::body::{ContentKind, EventStream};
use super::endpoint::{Endpoint, EndpointError};
use super::greet::greet;
use super::session::{Over, Session};
use crate::gateway::backend::backoff::Backoff;
use crate::gateway::backend::desk::Outage;
use crate::gateway::backend::greeting::listen_params;
use crate::gateway::backend::handshake::{Ask, HandshakeError, list_offer};
use crate::gateway::backend::incoming::Incoming;
use crate::gateway::backend::outgoing::Outgoing;
use crate::gateway::backend::runner::{Ended, Link, OfferNews, Opened};
use crate::gateway::backend::timing::Timing;
use crate::gateway::backend::upstream::ListChanges;
use crate::gateway::call::Era;

/// An HTTP server and the session with it.
#[derive(Debug)]
pub(crate) struct HttpLink {
    server: ServerName,
    endpoint: Result<Arc<Endpoint>, EndpointError>,
    timing: Timing,
    /// The era it was found to speak; asked anew after a handshake that failed.
    era: Option<Era>,
    session: Option<Arc<Session>>,
    gateway: Arc<AtomicBool>,
}

impl HttpLink {
    /// A link to the server at `url`, which gets `headers` and the name of this `node` with every request.
    pub(crate) fn new(
        server: ServerName,
        url: &str,
        headers: &BTreeMap<String, String>,
        node: NodeId,
        timing: Timing,
    ) -> Self {
        let gateway = Arc::new(AtomicBool::new(false));
        let endpoint = Endpoint::new(url, headers, node, Arc::clone(&gateway));
        Self {
            server,
            endpoint: endpoint.map(Arc::new),
            timing,
            era: None,
            session: None,
            gateway,
        }
    }

    /// Set once the server has turned out to be a Peerage node.
    pub(crate) fn gateway(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.gateway)
    }
}

impl Link for HttpLink {
    type Session = Session;

    const STOPS_WHEN_IDLE: bool = false;

    fn backoff(timing: &Timing) -> Backoff {
        Backoff::new(timing.reconnect_first, timing.reconnect_last)
    }

    async fn open(&mut self) -> Result<Opened<Session>, Outage> {
        let endpoint = self
            .endpoint
            .as_ref()
            .map_err(|error| Outage::new(error.to_string()))?;
        let known = self.era.take();
        let session = Arc::new(greet(&self.server, endpoint, known, &self.timing).await?);
        self.session = Some(Arc::clone(&session));
        let offer = list_offer(&*session).await;
        let offer = offer.map_err(|error| Outage::new(error.to_string()))?;
        session.learn(&offer.tools);
        self.era = Some(session.era());
        Ok(Opened { session, offer })
    }

    async fn serve(&mut self, session: &Arc<Session>, news: &OfferNews) -> Ended {
        let timing = &self.timing;
        tokio::select! {
            over = session.until_over() => over.into(),
            outage = follow_announced(session, news, timing) => Ended::Failed(outage),
            outage = follow_asked(session, news, timing) => Ended::Failed(outage),
        }
    }

    async fn close(&mut self, _why: &str) {
        if let Some(session) = self.session.take() {
            let ending = async {
                session.close_caller_sessions().await;
                session.delete().await;
            };
            let _ = timeout(self.timing.ending, ending).await;
        }
    }
}

impl From<Over> for Ended {
    fn from(over: Over) -> Self {
        match over {
            Over::Forgotten => Ended::Forgotten,
            Over::Failed(outage) => Ended::Failed(outage),
        }
    }
}

/// Listens for announcements, and lists again after each, and after each gap. A server that announces nothing is
/// asked from time to time instead, which also shows whether it is still there.
async fn follow_announced(session: &Arc<Session>, news: &OfferNews, timing: &Timing) -> Outage {
    let mut backoff = Backoff::new(timing.reconnect_first, timing.relist);
    loop {
        let wait = match listen(session).await {
            Some(stream) => {
                let opened = Instant::now();
                hear(session, stream).await;
                if opened.elapsed() >= timing.steady {
                    backoff.reset();
                }
                backoff.wait()
            }
            None => timing.relist,
        };
        sleep(wait).await;
        if let Err(outage) = list_anew(session, news, ListChanges::default()).await {
            return outage;
        }
    }
}

/// Lists again when something happened: the server said so, or a call went wrong.
async fn follow_asked(session: &Arc<Session>, news: &OfferNews, timing: &Timing) -> Outage {
    loop {
        let announced = tokio::select! {
            announced = session.announcements.settled(timing.coalesce) => announced,
            () = session.suspect.notified() => ListChanges::default(),
        };
        if let Err(outage) = list_anew(session, news, announced).await {
            return outage;
        }
    }
}

/// Lists what it offers. A server that answers with nonsense keeps its old list; one that does not answer is down.
async fn list_anew(
    session: &Arc<Session>,
    news: &OfferNews,
    announced: ListChanges,
) -> Result<(), Outage> {
    match list_offer(&**session).await {
        Ok(offer) => {
            session.learn(&offer.tools);
            news.offer(offer, announced).await;
        }
        Err(HandshakeError::Unanswered(error)) if session.over().is_none() => {
            return Err(Outage::new(HandshakeError::Unanswered(error).to_string()));
        }
        Err(error) => {
            tracing::warn!(target: "upstream", server = %session.server, "what it offers is not listed anew: {error}");
        }
    }
    Ok(())
}

/// The stream on which the server announces changes; `None` where it has none.
async fn listen(session: &Arc<Session>) -> Option<EventStream> {
    let rpc = "subscriptions/listen";
    let opening = async {
        match session.era() {
            Era::Legacy => session.get(None).await,
            Era::Modern => {
                let message = Outgoing::request(session.next_id(), rpc, listen_params());
                session.post(message, rpc).await
            }
        }
    };
    let response = timeout(session.reach(), opening).await.ok()?.ok()?;
    let offered = response.status() == StatusCode::OK
        && ContentKind::of(response.headers()) == ContentKind::Events;
    offered.then(|| EventStream::new(response))
}

/// Hears what a legacy server says on its own stream, as long as the session is kept; the stream may come and go.
/// `waiting` is dropped once it is open, or there is none.
pub(super) async fn hear_unasked(session: Weak<Session>, waiting: oneshot::Sender<()>) {
    let mut waiting = Some(waiting);
    let mut backoff = Backoff::new(Timing::default().reconnect_first, Timing::default().relist);
    while let Some(session) = session.upgrade().filter(|kept| kept.over().is_none()) {
        let stream = listen(&session).await;
        drop(waiting.take());
        if let Some(stream) = stream {
            tokio::select! {
                _ = session.until_over() => return,
                () = hear(&session, stream) => {}
            }
        }
        drop(session);
        sleep(backoff.wait()).await;
    }
}

/// Hears announcements until the stream ends.
async fn hear(session: &Arc<Session>, mut stream: EventStream) {
    while let Ok(Some(message)) = stream.next().await {
        match Incoming::read(&message) {
            Ok(Incoming::Notification { method, .. }) => {
                session.take_unasked(&method, &message);
            }
            Ok(Incoming::Request { id, method, params }) => {
                let params = params.map(|raw| message.slice_ref(raw.get().as_bytes()));
                session.take_request(None, id.get(), &method, params);
            }
            _ => {}
        }
    }
}
