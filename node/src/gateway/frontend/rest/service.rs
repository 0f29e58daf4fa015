//! What the owner may ask of a running node.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use peerage_protocol::catalog::snapshot::Provider;
use peerage_protocol::id::{AgentName, NodeId, NodeName, RegionName};
use peerage_protocol::limits::CALL_TIME_LEFT_MAX;
use peerage_protocol::membership::role::{Grant, Role};
use peerage_protocol::membership::ticket::Ticket;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::addresses;
use super::addresses_api::{AddressesResponse, ScanResponse};
use super::agents_api::{AgentOfToken, AgentsResponse, TokenShown};
use super::api::{
    CallRequest, CallResponse, InviteRequest, InviteResponse, JoinRequest, JoinResponse,
    LeaveResponse, NodesResponse, ReloadResponse, RenameRequest, RenameResponse, StatusResponse,
    TokenRequest, TokenResponse, TokenRevoked, TokenStatus, TokensResponse, ToolStatus,
    ToolsResponse,
};
use super::refusal::{Exit, Refused};
use super::registry::OwnersRegistry;
use super::views;
use crate::control::{
    Clock, JoinError, Membership, MembershipError, Servers, Snapshots, Soundings, wall,
};
use crate::discovery::lan::Scanner;
use crate::gateway::backend::builtin;
use crate::gateway::backend::supervisor::Upstreams;
use crate::gateway::call::{ASIDES_WAITING_MAX, Call, Caller, Era, Reply, ReplyBody};
use crate::gateway::client::{Client, ClientSession};
use crate::gateway::frontend::http::Service;
use crate::gateway::mcp::splice::Params;
use crate::home::Home;
use crate::identity::{Agents, TokenError, TokenId, Tokens};
use crate::keys;
use crate::net::DoorReport;

/// Everything a running node does for its owner.
pub struct OwnerService {
    /// This node.
    pub me: NodeId,
    /// The name it would like in a mesh.
    pub name: NodeName,
    /// Where it is, as its settings say.
    pub region: Option<RegionName>,
    /// Its folder.
    pub home: Home,
    /// Its clock.
    pub clock: Clock,
    /// The URLs of its endpoint.
    pub http: Vec<String>,
    /// What the settings could not make sense of.
    pub warnings: Vec<String>,
    /// What control publishes.
    pub snapshots: Arc<Snapshots>,
    /// How far the members are, and how their clocks stand.
    pub soundings: Arc<Soundings>,
    /// Looks for members on networks without multicast, when asked.
    pub scanner: Arc<Scanner>,
    /// Where members are looked for beside the network, where one is configured.
    pub registry: Option<OwnersRegistry>,
    /// Founding, inviting, joining, leaving.
    pub membership: Membership,
    /// Its upstreams as configured.
    pub servers: Arc<Servers>,
    /// Its upstreams as they run.
    pub upstreams: Upstreams,
    /// Its agents' tokens.
    pub tokens: Tokens,
    /// Its agents that are present.
    pub agents: Agents,
    /// Its tools.
    pub gateway: Arc<dyn Service>,
    /// Asks whoever runs the node to start it again: its key is another.
    pub restart: Arc<Notify>,
    /// Where its swarm listens now.
    pub listen: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Who came to its door.
    pub door: Box<dyn Fn() -> DoorReport + Send + Sync>,
}

impl OwnerService {
    pub(super) fn status(&self) -> StatusResponse {
        views::status(self)
    }

    /// The members as this node knows them.
    pub fn nodes(&self) -> NodesResponse {
        views::nodes(self)
    }

    pub(super) fn agents(&self) -> AgentsResponse {
        AgentsResponse {
            agents: self.gateway.agents(),
        }
    }

    pub(super) async fn addresses(&self) -> Result<AddressesResponse, Refused> {
        let addresses = addresses::addresses(self).await;
        addresses.map_err(membership_refused)
    }

    pub(super) fn begin_scan(&self) -> ScanResponse {
        self.scanner.begin();
        addresses::scanned(self)
    }

    pub(super) fn scan(&self) -> ScanResponse {
        addresses::scanned(self)
    }

    pub(super) fn tools(&self, query: &str) -> ToolsResponse {
        let catalog = self.snapshots.catalog();
        let own_name = views::own_name(self);
        let found = builtin::catalog::find(&catalog, query);
        let tools = found.into_iter().map(|(entry, description)| ToolStatus {
            name: entry.name.clone(),
            node: match &entry.provider {
                Provider::Local { .. } => own_name.to_string(),
                Provider::Peer { node_name, .. } => node_name.to_string(),
            },
            server: Some(entry.provider.server().to_string()),
            description: Some(description).filter(|text| !text.is_empty()),
        });
        ToolsResponse {
            tools: tools.collect(),
        }
    }

    pub(super) async fn call(&self, request: CallRequest) -> Result<CallResponse, Refused> {
        let name = serde_json::Value::from(request.name).to_string();
        let raw = format!(r#"{{"name":{name},"arguments":{}}}"#, request.arguments);
        let params = Params::scan(raw.into()).map_err(|error| bad_input(&error))?;
        let patience = Duration::from_millis(request.timeout_ms).min(CALL_TIME_LEFT_MAX);
        let (asides, mut progress) = mpsc::channel(ASIDES_WAITING_MAX);
        let (client, _) = ClientSession::new(Bytes::from_static(b"{}"), None);
        // The command line shows the result alone.
        tokio::spawn(async move { while progress.recv().await.is_some() {} });
        let call = Call {
            caller: request.agent.map_or(Caller::Owner, Caller::Agent),
            era: Era::Legacy,
            method: "tools/call".into(),
            params,
            deadline: Instant::now() + patience,
            via: Vec::new(),
            trace: None,
            client: Client::Session(client),
            asides,
        };
        let reply = self.gateway.clone().call(call).await;
        as_response(reply.map_err(|error| Refused::from(&error))?)
    }

    pub(super) async fn invite(&self, request: &InviteRequest) -> Result<InviteResponse, Refused> {
        let role: Role = request.role.parse().map_err(|error| bad_input(&error))?;
        if self.snapshots.roster().is_none() {
            self.found().await?;
        }
        let grant = Grant {
            role,
            only: self.guest_servers(&request.only)?,
        };
        let (addresses, warnings) = views::ticket_addresses((self.listen)());
        let lifetime = Duration::from_secs(request.ttl_seconds);
        let ticket = self
            .membership
            .invite(
                lifetime,
                request.uses,
                grant,
                request.certificate_seconds.map(Duration::from_secs),
                addresses,
            )
            .await
            .map_err(membership_refused)?;
        Ok(InviteResponse {
            ticket: ticket.to_text(),
            expires: ticket.expires.0,
            warnings,
        })
    }

    /// The root key is on disk before the mesh exists; one that a crash left behind unused is taken.
    pub(super) async fn found(&self) -> Result<(), Refused> {
        let path = self.home.root_key();
        let root = tokio::task::spawn_blocking(move || keys::load_or_create(&path))
            .await
            .map_err(|error| failed("key", &error))?
            .map_err(|error| failed("key", &error))?;
        self.membership
            .found(Arc::new(root), self.name.clone())
            .await
            .map_err(membership_refused)?;
        Ok(())
    }

    pub(super) async fn join(&self, request: &JoinRequest) -> Result<JoinResponse, Refused> {
        let ticket = Ticket::from_text(&request.ticket).map_err(|error| {
            Refused::new(
                Exit::Refused,
                "bad_ticket",
                error.to_string(),
                "ask for a new one",
            )
        })?;
        if ticket.issuer == self.me {
            return Err(join_refused(&JoinError::OwnTicket));
        }
        let issuer = ticket.issuer;
        let joined = self.membership.join(ticket, self.name.clone()).await;
        let roster = joined.map_err(|error| join_refused(&error))?;
        Ok(views::joined(&roster, issuer))
    }

    /// Where there is no mesh, the name counts from the next start on.
    pub(super) async fn rename(&self, request: &RenameRequest) -> Result<RenameResponse, Refused> {
        let name: NodeName = request.name.parse().map_err(|error| bad_input(&error))?;
        let in_mesh = match self.membership.rename(name).await {
            Ok(()) => Some(views::own_name(self).to_string()),
            Err(MembershipError::NoMesh) => None,
            Err(error) => return Err(membership_refused(error)),
        };
        Ok(RenameResponse { in_mesh })
    }

    pub(super) async fn leave(&self) -> Result<LeaveResponse, Refused> {
        let left = self.membership.leave().await.map_err(membership_refused)?;
        let (from, to) = (self.home.root_key(), self.home.former_root_key(left.mesh));
        // A founder keeps the key of the mesh it left: others still live by it.
        match std::fs::rename(from, to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed("home", &error));
            }
            _ => {}
        }
        Ok(LeaveResponse {
            mesh: left.mesh.to_string(),
        })
    }

    pub(super) async fn reload(&self) -> Result<ReloadResponse, Refused> {
        let reloaded = self.servers.reload().await;
        let reloaded = reloaded.map_err(|error| failed("servers", &error))?;
        let roster = self.snapshots.roster();
        let members = roster.iter().flat_map(|roster| roster.members());
        let texts = |names: Vec<_>| names.iter().map(ToString::to_string).collect();
        Ok(ReloadResponse {
            added: texts(reloaded.added),
            changed: texts(reloaded.changed),
            removed: texts(reloaded.removed),
            mesh: roster.as_ref().map(|roster| roster.mesh.to_string()),
            members: members
                .map(|(_, chain)| chain.body().name.to_string())
                .collect(),
        })
    }

    pub(super) async fn create_token(
        &self,
        request: &TokenRequest,
    ) -> Result<TokenResponse, Refused> {
        let agent: AgentName = request.name.parse().map_err(|error| bad_input(&error))?;
        let created = i64::try_from(wall().0).unwrap_or(i64::MAX);
        let token = self.tokens.create(&agent, created).await;
        Ok(TokenResponse {
            token: token.map_err(|error| token_refused(&error))?,
        })
    }

    pub(super) async fn tokens(&self) -> Result<TokensResponse, Refused> {
        let tokens = self.tokens.list().await;
        let tokens = tokens.map_err(|error| token_refused(&error))?;
        let status = |token: crate::store::StoredToken| TokenStatus {
            name: token.agent,
            created: u64::try_from(token.created).unwrap_or_default(),
        };
        Ok(TokensResponse {
            tokens: tokens.into_iter().map(status).collect(),
        })
    }

    pub(super) fn agent_of_token(&self, shown: &TokenShown) -> Result<AgentOfToken, Refused> {
        let agent = self.tokens.agent(TokenId::of(&shown.token));
        let unknown = || {
            Refused::new(
                Exit::Refused,
                "unknown_token",
                "the token is not one of this node's",
                "make one with: peerage token create NAME",
            )
        };
        let agent = agent.ok_or_else(unknown)?;
        Ok(AgentOfToken {
            name: agent.to_string(),
        })
    }

    pub(super) async fn revoke_token(&self, name: &str) -> Result<TokenRevoked, Refused> {
        let agent: AgentName = name.parse().map_err(|error| bad_input(&error))?;
        let revoked = self.tokens.revoke(&agent).await;
        self.agents.forget(&agent);
        if !revoked.map_err(|error| token_refused(&error))? {
            return Err(Refused::new(
                Exit::Failed,
                "unknown_token",
                format!("no agent called {agent} has a token"),
                "see which have with: peerage token list",
            ));
        }
        Ok(TokenRevoked {
            name: agent.to_string(),
        })
    }
}

fn as_response(reply: Reply) -> Result<CallResponse, Refused> {
    #[derive(Deserialize)]
    struct Outcome {
        #[serde(default, rename = "isError")]
        is_error: bool,
    }
    #[derive(Deserialize)]
    struct RpcError {
        #[serde(default)]
        message: String,
    }
    match reply.body {
        ReplyBody::Result(raw) => {
            let text = String::from_utf8(raw.into()).map_err(|error| failed("reply", &error))?;
            let result = RawValue::from_string(text).map_err(|error| failed("reply", &error))?;
            let outcome: Outcome =
                serde_json::from_str(result.get()).map_err(|error| failed("reply", &error))?;
            Ok(CallResponse {
                result,
                is_error: outcome.is_error,
            })
        }
        ReplyBody::Error(raw) => {
            let error: RpcError =
                serde_json::from_slice(&raw).map_err(|error| failed("reply", &error))?;
            Err(Refused::new(
                Exit::Failed,
                "upstream_error",
                error.message,
                "see what the tool takes with: peerage call tool_describe name=NAME",
            ))
        }
    }
}

pub(super) fn bad_input(error: &dyn std::fmt::Display) -> Refused {
    Refused::new(Exit::Failed, "bad_input", error.to_string(), "correct it")
}

pub(super) fn failed(kind: &str, error: &dyn std::fmt::Display) -> Refused {
    let hint = "see the node's log for more";
    Refused::new(Exit::Failed, kind, error.to_string(), hint)
}

fn token_refused(error: &TokenError) -> Refused {
    failed("token", error)
}

pub(super) fn membership_refused(error: MembershipError) -> Refused {
    match error {
        MembershipError::Join(error) => join_refused(&error),
        MembershipError::NoMesh
        | MembershipError::Invite(_)
        | MembershipError::Revoke(_)
        | MembershipError::Requests(_) => {
            Refused::plain(Exit::Refused, "not_allowed", error.to_string())
        }
        MembershipError::NotRotated { .. } => {
            Refused::plain(Exit::Refused, "not_rotated", error.to_string())
        }
        MembershipError::NotRenamed { .. } => {
            Refused::plain(Exit::Refused, "not_renamed", error.to_string())
        }
        MembershipError::NoRandomness | MembershipError::Closed(_) => failed("control", &error),
    }
}

pub(super) fn join_refused(error: &JoinError) -> Refused {
    let (exit, kind) = match error {
        JoinError::AlreadyInMesh => (Exit::Refused, "in_a_mesh"),
        JoinError::AlreadyJoining => (Exit::Refused, "already_joining"),
        JoinError::OwnTicket => (Exit::Refused, "own_ticket"),
        JoinError::NoAddress => (Exit::Refused, "no_address"),
        JoinError::Refused(_) => (Exit::Refused, "ticket_refused"),
        JoinError::NobodyHears { .. } => (Exit::Unreachable, "nobody_hears"),
        JoinError::NotGranted => (Exit::Refused, "not_granted"),
        JoinError::Unreachable { .. } => (Exit::Unreachable, "issuer_unreachable"),
        JoinError::Closed => (Exit::Failed, "control"),
    };
    Refused::plain(exit, kind, error.to_string())
}
