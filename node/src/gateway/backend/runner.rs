//! The life of one upstream: started, served, restarted with back-off, stopped for want of calls.

use std::sync::Arc;
use std::time::Duration;

use peerage_protocol::id::ServerName;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::desk::{Desk, Outage};
use super::timing::Timing;
use super::upstream::{ListChanges, Offer, UpstreamChange, UpstreamEvent};

/// How one kind of upstream is reached. Whatever must be ended lies in the link itself, so that the future of any
/// method but `close` may be dropped at any point.
pub(crate) trait Link: Send + 'static {
    /// What a call needs while the upstream is up.
    type Session: Send + Sync + 'static;

    /// Whether it is stopped for want of calls.
    const STOPS_WHEN_IDLE: bool;

    /// The back-off between two attempts.
    fn backoff(timing: &Timing) -> Backoff;

    /// Starts the upstream, greets it and lists what it offers.
    fn open(&mut self) -> impl Future<Output = Result<Opened<Self::Session>, Outage>> + Send;

    /// Follows the changes of its lists until the session ends.
    fn serve(
        &mut self,
        session: &Arc<Self::Session>,
        news: &OfferNews,
    ) -> impl Future<Output = Ended> + Send;

    /// Ends what `open` began, also half done; calls in flight fail with `why`.
    fn close(&mut self, why: &str) -> impl Future<Output = ()> + Send;
}

/// An upstream that answers.
#[derive(Debug)]
pub(crate) struct Opened<Session> {
    pub(crate) session: Arc<Session>,
    pub(crate) offer: Offer,
}

/// Why a session is over.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The upstream failed: again after the back-off.
    Failed(Outage),
    /// The upstream forgot the session: again at once.
    Forgotten,
}

/// Tells the rest of the node what an upstream offers, once for each change.
#[derive(Debug)]
pub(crate) struct OfferNews {
    server: ServerName,
    /// None where another process of the same program tells.
    events: Option<mpsc::Sender<UpstreamEvent>>,
    told: Mutex<Option<Offer>>,
}

impl OfferNews {
    pub(crate) fn new(server: ServerName, events: mpsc::Sender<UpstreamEvent>) -> Self {
        Self {
            server,
            events: Some(events),
            told: Mutex::new(None),
        }
    }

    /// News of a process that is one of several of its program: another one tells.
    pub(crate) fn untold(server: ServerName) -> Self {
        Self {
            server,
            events: None,
            told: Mutex::new(None),
        }
    }

    /// Tells the complete offer, unless it was the last one told and the upstream `announced` nothing.
    pub(crate) async fn offer(&self, offer: Offer, announced: ListChanges) {
        let mut told = self.told.lock().await;
        if told.as_ref() == Some(&offer) && !announced.any() {
            return;
        }
        self.tell(UpstreamChange::Offer(offer.clone(), announced))
            .await;
        *told = Some(offer);
    }

    /// Tells that the upstream is no longer configured.
    pub(crate) async fn removed(&self) {
        self.tell(UpstreamChange::Removed).await;
    }

    async fn tell(&self, change: UpstreamChange) {
        let Some(events) = &self.events else {
            return;
        };
        let server = self.server.clone();
        if events.send(UpstreamEvent { server, change }).await.is_err() {
            tracing::debug!(target: "upstream", server = %self.server, "nobody listens for what it offers");
        }
    }
}

/// One upstream with all that its life needs.
#[derive(Debug)]
pub(crate) struct Runner<L: Link> {
    pub(crate) link: L,
    pub(crate) desk: Arc<Desk<L::Session>>,
    pub(crate) news: OfferNews,
    pub(crate) timing: Timing,
    pub(crate) stop: CancellationToken,
    /// Whether it is started by its first call only; one that never answered is not tried again for long.
    pub(crate) on_demand: bool,
}

impl<L: Link> Runner<L> {
    /// Runs until told to stop; then nothing of the upstream is left.
    pub(crate) async fn run(mut self) -> OfferNews {
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.keep_up() => {}
        }
        let why = "it was stopped";
        self.desk.set_down(Outage::new(why));
        self.link.close(why).await;
        self.news
    }

    async fn keep_up(&mut self) {
        let mut backoff = L::backoff(&self.timing);
        let mut has_answered = !self.on_demand;
        if self.on_demand {
            self.desk.set_idle();
            self.sleep_until_woken().await;
        }
        loop {
            let started = Instant::now();
            let end = match self.link.open().await {
                Ok(opened) => {
                    has_answered = true;
                    self.live(opened).await
                }
                Err(outage) if has_answered => End::Failed(outage),
                Err(outage) => End::Unable(outage),
            };
            if started.elapsed() >= self.timing.steady {
                backoff.reset();
            }
            match end {
                End::Failed(outage) => self.rest(outage, backoff.wait()).await,
                End::Forgotten => self.link.close("its session ended").await,
                End::Unable(outage) => {
                    self.desk.set_down(outage);
                    self.link.close("it does not answer").await;
                    sleep(self.timing.verdict).await;
                    self.desk.set_idle();
                    self.sleep_until_woken().await;
                }
                End::Idle => {
                    tracing::info!(target: "upstream", server = %self.desk.server(), "stopped for want of calls");
                    self.sleep_until_woken().await;
                }
            }
        }
    }

    async fn live(&mut self, opened: Opened<L::Session>) -> End {
        let Opened { session, offer } = opened;
        self.news.offer(offer, ListChanges::default()).await;
        self.desk.set_ready(Arc::clone(&session));
        tracing::info!(target: "upstream", server = %self.desk.server(), "ready");
        let idle = go_idle(&self.desk, &session, self.timing.idle, L::STOPS_WHEN_IDLE);
        tokio::select! {
            ended = self.link.serve(&session, &self.news) => ended.into(),
            () = idle => End::Idle,
        }
    }

    async fn rest(&mut self, outage: Outage, wait: Duration) {
        tracing::warn!(
            target: "upstream", server = %self.desk.server(), why = %outage.why,
            "not available; tried again in {wait:.1?}"
        );
        let why = outage.why.clone();
        self.desk.set_down(outage);
        self.link.close(&why).await;
        sleep(wait).await;
    }

    async fn sleep_until_woken(&mut self) {
        self.link.close("it is idle").await;
        self.desk.woken().await;
        self.desk.set_starting();
    }
}

enum End {
    Failed(Outage),
    Unable(Outage),
    Forgotten,
    Idle,
}

impl From<Ended> for End {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Failed(outage) => End::Failed(outage),
            Ended::Forgotten => End::Forgotten,
        }
    }
}

/// Returns once the upstream has had no call for `idle`, and shows callers that it has none.
async fn go_idle<S>(desk: &Desk<S>, session: &Arc<S>, idle: Duration, stops: bool) {
    if !stops {
        return std::future::pending().await;
    }
    let mut since = Instant::now();
    loop {
        sleep_until(since + idle).await;
        let last = desk.last_call().max(since);
        if last == since && desk.try_idle(session) {
            return;
        }
        since = if last == since { Instant::now() } else { last };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Mutex as StdMutex;

    use super::*;
    use crate::gateway::backend::test_upstream::{hurried, until};

    /// Fails on opening, but lives for a while every fifth time.
    #[derive(Clone, Default)]
    struct Moody {
        opened: Arc<StdMutex<Vec<Instant>>>,
    }

    const LIFE: Duration = Duration::from_millis(200);

    impl Link for Moody {
        type Session = ();
        const STOPS_WHEN_IDLE: bool = false;

        fn backoff(timing: &Timing) -> Backoff {
            Backoff::new(timing.restart_first, timing.restart_last)
        }

        async fn open(&mut self) -> Result<Opened<()>, Outage> {
            let mut opened = self.opened.lock().unwrap();
            opened.push(Instant::now());
            match opened.len() % 5 {
                0 => Ok(Opened {
                    session: Arc::new(()),
                    offer: Offer::default(),
                }),
                _ => Err(Outage::new("it is moody")),
            }
        }

        async fn serve(&mut self, _session: &Arc<()>, _news: &OfferNews) -> Ended {
            sleep(LIFE).await;
            Ended::Failed(Outage::new("it lived long enough"))
        }

        async fn close(&mut self, _why: &str) {}
    }

    #[tokio::test]
    async fn the_back_off_grows_while_starts_fail_and_begins_anew_after_a_steady_life() {
        let link = Moody::default();
        let server: ServerName = "x".parse().unwrap();
        let (events, _listening) = mpsc::channel(8);
        let stop = CancellationToken::new();
        let runner = Runner {
            link: link.clone(),
            desk: Arc::new(Desk::new(server.clone())),
            news: OfferNews::new(server, events),
            timing: Timing {
                restart_first: Duration::from_millis(40),
                restart_last: Duration::from_secs(60),
                steady: LIFE / 2,
                ..hurried()
            },
            stop: stop.clone(),
            on_demand: false,
        };
        let running = tokio::spawn(runner.run());
        until(|| link.opened.lock().unwrap().len() == 6).await;
        stop.cancel();
        running.await.unwrap();
        let opened = link.opened.lock().unwrap().clone();
        let gaps: Vec<_> = opened.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[3] >= Duration::from_millis(8 * 40 * 4 / 5), "{gaps:?}");
        assert!(
            gaps[4] - LIFE < gaps[3],
            "begun anew, not doubled: {gaps:?}"
        );
    }
}
