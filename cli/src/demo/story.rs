//! What happens in the demonstration, step by step, through the same interface that every command uses.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use peerage_node::config::servers_edit::add_server;
use peerage_node::config::upstream::{UpstreamSettings, UpstreamTransport};
use peerage_node::gateway::frontend::rest::api::{
    CallRequest, CallResponse, InviteRequest, InviteResponse, JoinRequest, JoinResponse,
    NodesResponse, ReloadResponse, ToolsResponse,
};
use peerage_protocol::id::ServerName;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::machine::Machine;
use super::stage::Stage;
use super::timeline::Timeline;
use super::waiting::until;
use crate::failure::Failure;

/// Joining dials every address of a ticket.
const JOIN: Duration = Duration::from_secs(40);
/// How long a tool may take; none here needs a hundredth of it.
const CALL: Duration = Duration::from_secs(10);
/// Calls of which the median is told.
const CALLS: usize = 21;

const ADD: &str = "desk__notes__add_note";
const READ: &str = "desk__notes__read_notes";
const NOTE: &str = "written at the laptop, kept at the desk";

/// Plays it from the first start to the return of the machine that crashed.
pub async fn play(stage: &mut Stage, timeline: &mut Timeline) -> Result<(), Failure> {
    start(stage, timeline).await?;
    serve(&stage.desk, timeline).await?;
    let ticket = invite(&stage.desk, timeline).await?;
    join(&stage.laptop, &ticket, timeline).await?;
    join(&stage.shed, &ticket, timeline).await?;
    find(&stage.laptop, timeline).await?;
    discover(&stage.laptop, timeline).await?;
    call_across(stage, timeline).await?;
    crash(stage, timeline).await?;
    come_back(stage, timeline).await
}

async fn start(stage: &mut Stage, timeline: &mut Timeline) -> Result<(), Failure> {
    for machine in [&stage.desk, &stage.laptop, &stage.shed] {
        timeline.command(machine.name(), "peerage up")?;
    }
    let begun = Instant::now();
    let (desk, laptop, shed) =
        tokio::join!(stage.desk.start(), stage.laptop.start(), stage.shed.start());
    let took = begun.elapsed();
    for ready in [desk?, laptop?, shed?] {
        timeline.seen(
            "start",
            format!("{} answers at {}", ready.name, ready.http),
            None,
        )?;
    }
    timeline.seen(
        "started",
        "three nodes run, and know nothing of each other",
        Some(took),
    )
}

async fn serve(desk: &Machine, timeline: &mut Timeline) -> Result<(), Failure> {
    timeline.command(
        desk.name(),
        "peerage serve notes --share -- NOTEBOOK-SERVER",
    )?;
    let name: ServerName = "notes"
        .parse()
        .map_err(|error| Failure::failed("demo", error))?;
    let server = sample_server(desk.home().root())?;
    add_server(&desk.home().servers(), &name, &server)
        .map_err(|error| Failure::failed("mcp_json", error))?;
    let begun = Instant::now();
    let _: ReloadResponse = desk.client().post("/v1/reload", &json!({})).await?;
    until("the notebook's tools are listed", || {
        lists(desk, "notes__read_notes")
    })
    .await?;
    timeline.seen(
        "serve",
        "its notebook has two tools, for members only",
        Some(begun.elapsed()),
    )
}

fn sample_server(folder: &Path) -> Result<UpstreamSettings, Failure> {
    let binary = std::env::current_exe().map_err(|error| Failure::failed("demo", error))?;
    Ok(UpstreamSettings {
        share: true,
        transport: UpstreamTransport::Stdio {
            command: binary.to_string_lossy().into_owned(),
            args: vec![
                "sample-server".to_owned(),
                folder.to_string_lossy().into_owned(),
            ],
            env: BTreeMap::new(),
            cwd: None,
            instance: Default::default(),
        },
    })
}

async fn invite(desk: &Machine, timeline: &mut Timeline) -> Result<String, Failure> {
    timeline.command(desk.name(), "peerage invite --uses 2")?;
    let request = InviteRequest {
        ttl_seconds: 900,
        uses: 2,
        role: "member".to_owned(),
        only: Vec::new(),
        certificate_seconds: None,
    };
    let begun = Instant::now();
    let invited: InviteResponse = desk.client().post("/v1/invite", &request).await?;
    let short: String = invited.ticket.chars().take(16).collect();
    timeline.seen(
        "invite",
        format!("a mesh is founded; its ticket: {short}…"),
        Some(begun.elapsed()),
    )?;
    Ok(invited.ticket)
}

async fn join(machine: &Machine, ticket: &str, timeline: &mut Timeline) -> Result<(), Failure> {
    timeline.command(machine.name(), "peerage join TICKET")?;
    let request = JoinRequest {
        ticket: ticket.to_owned(),
    };
    let begun = Instant::now();
    let client = machine.client().patient_for(JOIN);
    let joined: JoinResponse = client.post("/v1/join", &request).await?;
    let text = format!(
        "{} is a {}, let in by {}",
        joined.name, joined.role, joined.admitted_by
    );
    timeline.seen("join", text, Some(begun.elapsed()))
}

async fn find(laptop: &Machine, timeline: &mut Timeline) -> Result<(), Failure> {
    timeline.command(laptop.name(), "peerage nodes")?;
    let (_, took) = until("the laptop is linked with both others", || {
        linked_with(laptop, 2)
    })
    .await?;
    timeline.seen(
        "find",
        "laptop and shed, never introduced, have found each other",
        Some(took),
    )
}

async fn discover(laptop: &Machine, timeline: &mut Timeline) -> Result<(), Failure> {
    timeline.command(laptop.name(), "peerage tools")?;
    let (_, took) = until("the laptop lists the notebook", || lists(laptop, READ)).await?;
    timeline.seen(
        "discover",
        format!("{ADD} and {READ} are there"),
        Some(took),
    )
}

async fn call_across(stage: &Stage, timeline: &mut Timeline) -> Result<(), Failure> {
    timeline.command("laptop", format!("peerage call {ADD} text=\"{NOTE}\""))?;
    let begun = Instant::now();
    let answer = call(&stage.laptop, ADD, &json!({"text": NOTE})).await?;
    timeline.seen(
        "call",
        format!("desk answers: {answer}"),
        Some(begun.elapsed()),
    )?;

    until("the shed lists the notebook", || lists(&stage.shed, READ)).await?;
    timeline.command("shed", format!("peerage call {READ}"))?;
    let begun = Instant::now();
    let answer = call(&stage.shed, READ, &json!({})).await?;
    let text = format!("desk answers: {}", answer.trim());
    timeline.seen("read", text, Some(begun.elapsed()))?;
    let text = format!("and {CALLS} times more; the median");
    timeline.seen("median", text, median_call(&stage.shed).await?)
}

async fn median_call(machine: &Machine) -> Result<Option<Duration>, Failure> {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begun = Instant::now();
        call(machine, READ, &json!({})).await?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(CALLS / 2).copied())
}

async fn crash(stage: &mut Stage, timeline: &mut Timeline) -> Result<(), Failure> {
    timeline.command("desk", "kill -9 NODE")?;
    stage.desk.kill().await?;
    let (_, took) = until("the laptop no longer lists the notebook", || async {
        Ok(lists(&stage.laptop, READ).await?.is_none().then_some(()))
    })
    .await?;
    timeline.seen(
        "lost",
        "laptop noticed, and no longer lists the notebook",
        Some(took),
    )?;
    let Err(refused) = call(&stage.laptop, READ, &json!({})).await else {
        return Err(Failure::failed(
            "demo",
            "a call to a dead machine was answered; please report it",
        ));
    };
    timeline.seen("refused", format!("a call now says: {refused}"), None)
}

async fn come_back(stage: &mut Stage, timeline: &mut Timeline) -> Result<(), Failure> {
    timeline.command("desk", "peerage up")?;
    let begun = Instant::now();
    stage.desk.start().await?;
    until("the laptop lists the notebook again", || {
        lists(&stage.laptop, READ)
    })
    .await?;
    timeline.seen(
        "return",
        "desk is back: same name, same mesh, same tools",
        Some(begun.elapsed()),
    )?;
    timeline.command("laptop", format!("peerage call {READ}"))?;
    let begun = Instant::now();
    let answer = call(&stage.laptop, READ, &json!({})).await?;
    timeline.seen(
        "kept",
        format!("desk answers: {}", answer.trim()),
        Some(begun.elapsed()),
    )
}

async fn lists(machine: &Machine, tool: &str) -> Result<Option<()>, Failure> {
    let ToolsResponse { tools } = machine.client().get("/v1/tools").await?;
    Ok(tools.iter().any(|listed| listed.name == tool).then_some(()))
}

async fn linked_with(machine: &Machine, others: usize) -> Result<Option<()>, Failure> {
    let NodesResponse { nodes } = machine.client().get("/v1/nodes").await?;
    let linked = nodes.iter().filter(|node| node.state == "connected");
    Ok((linked.count() >= others).then_some(()))
}

/// Calls a tool and reads the text it answers.
async fn call(machine: &Machine, tool: &str, arguments: &Value) -> Result<String, Failure> {
    let request = CallRequest {
        name: tool.to_owned(),
        arguments: to_raw_value(arguments).map_err(|error| Failure::failed("json", error))?,
        timeout_ms: u64::try_from(CALL.as_millis()).unwrap_or(u64::MAX),
        agent: None,
    };
    let response: CallResponse = machine.client().post("/v1/call", &request).await?;
    if response.is_error {
        return Err(Failure::tool_error(tool));
    }
    let result: Value = serde_json::from_str(response.result.get())
        .map_err(|error| Failure::failed("json", error))?;
    let text = result["content"][0]["text"].as_str();
    Ok(text.unwrap_or_default().to_owned())
}
