//! `requests`, `approve` and `join --ask`: into a mesh without a ticket, by words that two people compare.

use std::io::{self, BufRead};
use std::time::Duration;

use peerage_node::gateway::frontend::rest::api::JoinResponse;
use peerage_node::gateway::frontend::rest::requests_api::{
    ApproveRequest, ApproveResponse, AskRequest, AskResponse, CollectRequest, CollectResponse,
    OpenRequests, RequestsResponse,
};

use super::{Context, now};
use crate::arguments::{Approve, Requests};
use crate::failure::Failure;
use crate::render;
use crate::terminal::{note, print};

/// Asking tries every node on the local network, one after the other.
const ASK_PATIENCE: Duration = Duration::from_secs(5 * 60);
/// One question whether somebody has decided.
const COLLECT_PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn requests(context: &Context, asked: &Requests) -> Result<(), Failure> {
    let client = context.client();
    let response: RequestsResponse = match (asked.open, asked.close) {
        (None, false) => client.get("/v1/requests").await?,
        (window, _) => {
            context
                .ensure_node(asked.no_start || window.is_none())
                .await?;
            let seconds = window.map(|window| window.as_secs().max(1));
            client
                .post("/v1/requests", &OpenRequests { seconds })
                .await?
        }
    };
    match context.json {
        true => print(&render::json(&response)?),
        false => print(&render::requests(&response, now(), context.view)),
    }
}

pub(super) async fn approve(context: &Context, approve: &Approve) -> Result<(), Failure> {
    let request = ApproveRequest {
        words: approve.words.join(" "),
        role: match approve.only.is_empty() {
            true => approve.role.as_str(),
            false => "guest",
        }
        .to_owned(),
        only: approve.only.clone(),
        certificate_seconds: approve.lifetime.map(|lifetime| lifetime.as_secs()),
    };
    let approved: ApproveResponse = context.client().post("/v1/approve", &request).await?;
    match context.json {
        true => print(&render::json(&approved)?),
        false => print(&render::approved(&approved)),
    }
}

/// Asks to be let in, has the words compared, and waits until somebody lets this node in.
pub(super) async fn ask(
    context: &Context,
    address: Option<String>,
    same_words: bool,
) -> Result<JoinResponse, Failure> {
    let client = context.client().patient_for(ASK_PATIENCE);
    let heard: AskResponse = client.post("/v1/ask", &AskRequest { address }).await?;
    match context.json {
        true => print(&render::json(&heard)?)?,
        false => note(&render::heard(&heard)),
    }
    if !same_words {
        compare(context)?;
    }
    let AskResponse {
        node, addresses, ..
    } = heard;
    let request = CollectRequest { node, addresses };
    let client = context.client().patient_for(COLLECT_PATIENCE);
    loop {
        let collected: CollectResponse = client.post("/v1/collect", &request).await?;
        if let Some(joined) = collected.joined {
            return Ok(joined);
        }
    }
}

/// Whoever answered could be anybody until a person has seen the same words on the admin's machine.
fn compare(context: &Context) -> Result<(), Failure> {
    if !context.json {
        note("Does `peerage requests` on that machine show these very words? Type yes: ");
    }
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::failed("stdin", error))?;
    match line.trim() {
        "yes" => Ok(()),
        _ => Err(Failure::refused(
            "other_words",
            "nothing was joined, as nobody said yes; ask anew with: peerage join --ask",
        )),
    }
}
