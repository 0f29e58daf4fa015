//! The stage: two nodes of one mesh with their upstreams, and what they are held against.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use peerage_node::gateway::frontend::rest::api::{InviteRequest, InviteResponse, JoinRequest};
use peerage_node::home::Home;
use peerage_node::node::Ready;
use serde::Serialize;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::sleep;

use crate::client::{Connection, call, post};
use crate::load::Asker;
use crate::process::Part;
use crate::program::Program;
use crate::roles::{ROLE, answers, echo};
use crate::subject::{Road, Subject};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at whether something works by now.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// The name of the node that is called.
const NEAR: &str = "near";
/// The name of its peer.
const FAR: &str = "far";
/// The HTTP upstream in the nodes' `mcp.json`.
const WEB: &str = "web";
/// The stdio child there.
const CHILD: &str = "child";
/// An upstream that takes long.
pub const STUCK: &str = "stuck";
/// Another HTTP upstream, as healthy as the first.
pub const OTHER: &str = "other";
/// An upstream that has died.
pub const DEAD: &str = "dead";

/// Everything that runs.
pub struct Stage {
    /// The node that is called.
    pub near: Part,
    /// Its peer.
    pub far: Part,
    /// The HTTP upstream of both.
    pub upstream: Part,
    /// The raw QUIC echo.
    pub echo: Part,
    quic: quinn::Connection,
    endpoint: String,
    folder: TempDir,
    program: Program,
    _stuck: Part,
    _other: Part,
}

impl Stage {
    /// Starts all of it, lets the second node join the first, and waits until every road is open. The nodes run
    /// `program`, the rest this one.
    pub async fn set(program: Program) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let upstream = Part::start("upstream", &[]).await?;
        let stuck = Part::start("upstream", &[]).await?;
        let other = Part::start("upstream", &[]).await?;
        let dead = Part::start("upstream", &[]).await?;
        let echo = Part::start("echo", &[]).await?;
        let quic = echo::connect(echo.ready()).await?;
        let web =
            |part: &Part| json!({"type": "http", "url": format!("http://{}/mcp", part.ready())});
        let child = json!({"command": std::env::current_exe()?, "args": [ROLE, CHILD]});
        let near_servers = json!({
            WEB: web(&upstream), CHILD: child, OTHER: web(&other), STUCK: web(&stuck), DEAD: web(&dead)
        });
        let mut far_servers = json!({WEB: web(&upstream), CHILD: child});
        for server in [WEB, CHILD] {
            far_servers[server]["share"] = json!(true);
        }
        prepare_home(&folder.path().join(NEAR), &near_servers)?;
        prepare_home(&folder.path().join(FAR), &far_servers)?;
        let near = program.start_node(&folder.path().join(NEAR), NEAR).await?;
        let far = program.start_node(&folder.path().join(FAR), FAR).await?;
        let endpoint = endpoint(&near)?;
        let stage = Self {
            near,
            far,
            upstream,
            echo,
            quic,
            endpoint,
            folder,
            program,
            _stuck: stuck,
            _other: other,
        };
        stage.join().await?;
        stage.wait_for_roads().await?;
        dead.end().await?;
        Ok(stage)
    }

    /// The folder of the node `near`.
    pub fn near_home(&self) -> PathBuf {
        self.folder.path().join(NEAR)
    }

    /// A fresh folder for a node of its own, and its name.
    pub fn lone_home(&self) -> io::Result<(PathBuf, &'static str)> {
        let home = self.folder.path().join("lone");
        prepare_home(&home, &json!({}))?;
        Ok((home, "lone"))
    }

    /// Starts a node in `home`.
    pub async fn start_node(&self, home: &Path, name: &str) -> io::Result<Part> {
        self.program.start_node(home, name).await
    }

    /// Ends the node `near` and starts it anew; the endpoint changes with it.
    pub async fn restart_near(self) -> io::Result<Self> {
        let home = self.near_home();
        self.near.stop().await?;
        let near = self.program.start_node(&home, NEAR).await?;
        Ok(Self {
            endpoint: endpoint(&near)?,
            near,
            ..self
        })
    }

    /// Where the node `near` is called.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Those who ask as `subject` says, each answered once.
    pub async fn askers(&self, subject: Subject) -> io::Result<Vec<Asker>> {
        let mut askers = Vec::new();
        for _ in 0..subject.in_flight {
            askers.push(match subject.road {
                Road::Quic => Asker::Quic {
                    connection: self.quic.clone(),
                    message: vec![b'x'; subject.bytes],
                },
                road => Asker::http(self.address(road), &request(road, subject.bytes), 1).await?,
            });
        }
        Ok(askers)
    }

    fn address(&self, road: Road) -> &str {
        match road {
            Road::Direct => self.upstream.ready(),
            _ => &self.endpoint,
        }
    }

    async fn join(&self) -> io::Result<()> {
        let invite = InviteRequest {
            ttl_seconds: 600,
            uses: 1,
            role: "member".to_owned(),
            only: Vec::new(),
            certificate_seconds: None,
        };
        let invited = self.ask_owner(NEAR, "/v1/invite", &invite).await?;
        let InviteResponse { ticket, .. } = serde_json::from_slice(&invited)?;
        let join = JoinRequest { ticket };
        self.ask_owner(FAR, "/v1/join", &join).await.map(drop)
    }

    async fn ask_owner(
        &self,
        name: &str,
        path: &str,
        body: &impl Serialize,
    ) -> io::Result<Vec<u8>> {
        let home = Home::at(&self.folder.path().join(name)).map_err(io::Error::other)?;
        let stream = UnixStream::connect(home.socket()).await?;
        let request = post(path, "", &serde_json::to_string(body)?);
        match Connection::new(stream).fetch(&request).await? {
            (200, body) => Ok(body),
            (status, body) => Err(io::Error::other(format!(
                "{path} answered {status}: {}",
                String::from_utf8_lossy(&body)
            ))),
        }
    }

    async fn wait_for_roads(&self) -> io::Result<()> {
        for road in [
            Road::Direct,
            Road::Builtin,
            Road::Http,
            Road::Stdio,
            Road::PeerHttp,
            Road::PeerStdio,
        ] {
            until_answered(self.address(road), &request(road, 1)).await?;
        }
        for server in [OTHER, STUCK, DEAD] {
            until_answered(&self.endpoint, &request_of(&tool(server), 1)).await?;
        }
        Ok(())
    }
}

/// The name of the first tool of a local server.
pub fn tool(server: &str) -> String {
    format!("{server}__{}", answers::GIVE)
}

/// What is sent to the tool `name` for an answer of `bytes` bytes of text.
pub fn request_of(name: &str, bytes: usize) -> Vec<u8> {
    call(name, &json!({"bytes": bytes}).to_string())
}

/// What is sent on a road for an answer of `bytes` bytes of text.
pub fn request(road: Road, bytes: usize) -> Vec<u8> {
    let give = |name: &str| request_of(name, bytes);
    match road {
        Road::Direct | Road::Quic => give(answers::GIVE),
        Road::Builtin => call("tool_describe", &json!({"name": tool(WEB)}).to_string()),
        Road::Http => give(&tool(WEB)),
        Road::Stdio => give(&tool(CHILD)),
        Road::PeerHttp => give(&format!("{FAR}__{}", tool(WEB))),
        Road::PeerStdio => give(&format!("{FAR}__{}", tool(CHILD))),
    }
}

/// Asks until an answer is no error.
pub async fn until_answered(address: &str, request: &[u8]) -> io::Result<()> {
    let begun = Instant::now();
    let mut connection = Connection::new(TcpStream::connect(address).await?);
    loop {
        let (status, body) = connection.fetch(request).await?;
        let is_error = memchr::memmem::find(&body, b"\"error\":").is_some();
        if status == 200 && !is_error {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            let said = String::from_utf8_lossy(&body).into_owned();
            return Err(io::Error::other(format!("still answers {status}: {said}")));
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// The address in the ready line of a node.
pub fn endpoint(node: &Part) -> io::Result<String> {
    let ready: Ready = serde_json::from_str(node.ready())?;
    let address = ready.http.strip_prefix("http://");
    let address = address.and_then(|rest| rest.strip_suffix("/mcp"));
    let address = address.ok_or_else(|| io::Error::other("a node without an endpoint"))?;
    Ok(address.to_owned())
}

fn prepare_home(path: &Path, servers: &serde_json::Value) -> io::Result<()> {
    let home = Home::at(path).and_then(|home| home.prepare());
    let home = home.map_err(io::Error::other)?;
    fs::write(home.servers(), json!({"mcpServers": servers}).to_string())
}
