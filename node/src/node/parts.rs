//! Builds the parts of a node in order and joins them: foundation, gateway, mesh, discovery, frontends.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::addresses::{bound_hosts, endpoints, multiaddresses, texts};
use super::discovery_parts::{DiscoveryParts, open_bootstrap};
use super::foundation::Foundation;
use super::gateway_parts::GatewayParts;
use super::mesh_parts::MeshParts;
use super::own_key::end_rotation;
use super::{DRAIN_WITHIN, Node, Ready, StartError, http_listeners, registry};
use crate::config::settings::Settings;
use crate::control::{tell_of_agents, watch_disk_room};
use crate::gateway::backend::builtin::Builtins;
use crate::gateway::frontend::http::{self, HttpService};
use crate::gateway::frontend::rest::server::{self, OwnerSocket};
use crate::gateway::frontend::rest::service::OwnerService;
use crate::home::Home;
use crate::tasks::tell_of_activity;

pub(super) async fn start(settings: Settings) -> Result<Node, StartError> {
    let listen = multiaddresses(&settings.listen)?;
    let bootstrap = open_bootstrap(&settings)?;
    let (mut base, control) = Foundation::lay(&settings).await?;
    let (parts, messages) = GatewayParts::build(&base, &settings).await?;
    let listeners = http_listeners::bind(&settings.http).await?;
    let socket = bind_socket(&base.home)?;

    let stop = CancellationToken::new();
    let mesh = MeshParts::start(&base, &parts, control, &settings, listen, &stop).await?;
    messages.start(&stop);
    keep_watch(&base, &parts, &stop);
    parts.servers.reload().await?;
    let mut discovery = DiscoveryParts::start(&base, &settings, bootstrap, &stop);
    let registry = discovery.registry_task.take();

    let http = HttpService {
        service: parts.gateway.clone(),
        allowed_hosts: [settings.allowed_hosts.clone(), bound_hosts(&listeners)].concat(),
        shutdown: stop.clone(),
    };
    let endpoints = endpoints(&listeners);
    let endpoint = endpoints.first().cloned().unwrap_or_default();
    let owner = owner(&base, &parts, &mesh, discovery, settings, endpoints);
    let owner = Arc::new(owner);
    let restart = owner.restart.clone();
    show_nodes(&parts.builtins, &owner);
    if base.own.rotates {
        tokio::spawn(end_rotation(owner.clone(), stop.clone()));
    }
    let frontends = vec![
        tokio::spawn(serve_http(listeners, http)),
        tokio::spawn(server::serve(socket, owner, stop.clone())),
    ];
    base.lock.announce(&endpoint)?;
    Ok(Node {
        ready: ready(&base, &mesh, endpoint),
        stop,
        frontends,
        registry,
        control: mesh.control,
        membership: mesh.membership,
        upstreams: parts.upstreams,
        network: mesh.network,
        restart,
        _lock: base.lock,
    })
}

fn bind_socket(home: &Home) -> Result<OwnerSocket, StartError> {
    let path = home.prepare_socket()?;
    OwnerSocket::bind(&path).map_err(|source| StartError::Socket { path, source })
}

/// Tells control what happens on this machine: which agents are at work, how full the disk is, what was edited.
fn keep_watch(base: &Foundation, parts: &GatewayParts, stop: &CancellationToken) {
    let handle = &base.handle;
    let (directory, snapshots) = (parts.directory.clone(), base.snapshots.clone());
    let activity = tell_of_activity(directory, snapshots, handle.clone(), stop.clone());
    tokio::spawn(activity);
    let agents = base.agents.clone();
    tokio::spawn(tell_of_agents(agents, handle.clone(), stop.clone()));
    let root = base.home.root().to_path_buf();
    tokio::spawn(watch_disk_room(root, handle.clone(), stop.clone()));
    let (servers, stop) = (parts.servers.clone(), stop.clone());
    tokio::spawn(async move { servers.watch(stop).await });
}

/// What the owner of this machine may see and do.
fn owner(
    base: &Foundation,
    parts: &GatewayParts,
    mesh: &MeshParts,
    discovery: DiscoveryParts,
    settings: Settings,
    endpoints: Vec<String>,
) -> OwnerService {
    let missing = registry::warning(&settings);
    let (network, door) = (mesh.network.clone(), mesh.door.clone());
    OwnerService {
        me: base.me,
        name: settings.name,
        region: settings.region,
        home: base.home.clone(),
        clock: base.clock,
        http: endpoints,
        warnings: settings.warnings.into_iter().chain(missing).collect(),
        snapshots: base.snapshots.clone(),
        soundings: mesh.soundings.clone(),
        scanner: discovery.scanner,
        registry: discovery.registry,
        membership: mesh.membership.clone(),
        servers: parts.servers.clone(),
        upstreams: parts.upstreams.clone(),
        tokens: base.tokens.clone(),
        agents: base.agents.clone(),
        gateway: parts.gateway.clone(),
        restart: Arc::new(Notify::new()),
        listen: Box::new(move || texts(&network.listen_addresses())),
        door: Box::new(move || door.report()),
    }
}

/// Agents see the members as the owner does.
fn show_nodes(builtins: &Builtins, owner: &Arc<OwnerService>) {
    let shown = Arc::downgrade(owner);
    builtins.show_nodes(move || {
        let owner = shown.upgrade();
        owner.map(|owner| owner.nodes()).unwrap_or_default()
    });
}

fn ready(base: &Foundation, mesh: &MeshParts, endpoint: String) -> Ready {
    let roster = base.snapshots.roster();
    let own_name = roster.as_ref().map(|roster| roster.own.body().name.clone());
    Ready {
        http: endpoint,
        node: base.me.to_string(),
        name: own_name.unwrap_or(base.name.clone()).to_string(),
        mesh: roster.map(|roster| roster.mesh.to_string()),
        listen: texts(&mesh.network.listen_addresses()),
    }
}

async fn serve_http(listeners: Vec<TcpListener>, http: HttpService) {
    let shutdown = http.shutdown.clone();
    let router = http::http_frontend(http);
    http::serve(listeners, router, shutdown, DRAIN_WITHIN).await;
}
