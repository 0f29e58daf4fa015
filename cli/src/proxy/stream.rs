//! The stream of a legacy session: notifications outside of any call. It is opened again whenever it is lost, and the
//! client then told that lists may have changed meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use peerage_node::gateway::backend::backoff::Backoff;
use peerage_node::gateway::backend::http::body::EventStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::answer::Answers;
use super::output::Output;
use super::session::{Session, is_unknown};
use crate::client::courier::{Courier, Parcel};

/// Pauses between two attempts to open the stream.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LAST: Duration = Duration::from_secs(5);

const LISTS_CHANGED: [&[u8]; 3] = [
    br#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
    br#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#,
    br#"{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}"#,
];

/// What came of opening the stream.
enum Opened {
    Stream(Box<EventStream>),
    /// The endpoint has none.
    Never,
    /// The session is gone.
    Unknown,
    /// Nobody answers.
    Away,
}

/// Follows the session for as long as the result lives.
pub(super) fn follow(
    courier: &Arc<Courier>,
    session: &Arc<Session>,
    output: &Output,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(listen(courier.clone(), session.clone(), output.clone()));
    tasks
}

async fn listen(courier: Arc<Courier>, session: Arc<Session>, output: Output) {
    let mut ready = session.ready();
    let mut pauses = Backoff::new(PAUSE_FIRST, PAUSE_LAST);
    let mut missed = false;
    loop {
        let Ok(headers) = ready.wait_for(Option::is_some).await.map(|it| it.clone()) else {
            return;
        };
        let headers = headers.unwrap_or_default();
        match open(&courier, &headers).await {
            Opened::Stream(events) => {
                pauses.reset();
                if missed {
                    for changed in LISTS_CHANGED {
                        output.send(Bytes::from_static(changed)).await;
                    }
                }
                pass_on(*events, &output).await;
                missed = true;
            }
            Opened::Never => {
                ready.mark_unchanged();
                if ready.changed().await.is_err() {
                    return;
                }
            }
            Opened::Unknown => {
                missed = true;
                // Failing here is told by the next message that needs the session.
                let _ = session.renew(&courier, &headers).await;
            }
            Opened::Away => missed = true,
        }
        sleep(pauses.wait()).await;
    }
}

async fn open(courier: &Courier, headers: &HeaderMap) -> Opened {
    let parcel = Parcel {
        method: Method::GET,
        headers: headers.clone(),
        body: Bytes::new(),
    };
    match courier.deliver_now(&parcel).await {
        Ok(response) if is_unknown(&response, headers) => Opened::Unknown,
        Ok(response) if response.status() == StatusCode::OK => match Answers::of(response) {
            Answers::Events(events) => Opened::Stream(Box::new(events)),
            Answers::Whole(_) => Opened::Never,
        },
        Ok(response) if response.status().is_client_error() => Opened::Never,
        Ok(_) | Err(_) => Opened::Away,
    }
}

async fn pass_on(mut events: EventStream, output: &Output) {
    while let Ok(Some(message)) = events.next().await {
        output.send(message).await;
    }
}
