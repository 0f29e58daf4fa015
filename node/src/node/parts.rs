//! Builds the parts of a node and joins them: store, control, upstreams, gateway, network, frontends.

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use peerage_protocol::id::NodeId;
use peerage_protocol::node_state::{Input, Keys, Record};
use peerage_protocol::signature::{Ed25519, Signer};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::addresses::{bound_hosts, endpoints, multiaddresses, texts};
use super::message_parts::MessageParts;
use super::{DRAIN_WITHIN, Node, Ready, StartError, http_listeners, registry};
use crate::config::settings::Settings;
use crate::control::{
    Clock, Control, LinksOnDemand, MemberExchanges, PeerNetwork, Servers, Soundings,
    follow_network, tell_of_agents, watch_disk_room,
};
use crate::deciding::Deciding;
use crate::discovery::awakening::notice_awakening;
use crate::discovery::bootstrap_file::BootstrapFile;
use crate::discovery::lan::{Beacon, BeaconSettings, Scanner};
use crate::gateway::backend::builtin::{Builtins, MembersChanged};
use crate::gateway::backend::supervisor::Upstreams;
use crate::gateway::directory::Directory;
use crate::gateway::frontend::admission::Admission;
use crate::gateway::frontend::http::{self, HttpService, Service};
use crate::gateway::frontend::members::MemberSubstreams;
use crate::gateway::frontend::peer::PeerFrontend;
use crate::gateway::frontend::rest::registry::OwnersRegistry;
use crate::gateway::frontend::rest::server::{self, OwnerSocket};
use crate::gateway::frontend::rest::service::OwnerService;
use crate::gateway::listing::ListStyle;
use crate::gateway::router::Router;
use crate::gateway::service::GatewayService;
use crate::home::Home;
use crate::identity::{Agents, Tokens};
use crate::keys;
use crate::net::peer_id::keypair;
use crate::net::{Door, Links, Network, NetworkSettings};
use crate::store::Store;
use crate::tasks::{TaskService, tell_of_activity};

/// Events of the network, and of the upstreams, that wait for control.
const EVENTS_WAITING_MAX: usize = 1_024;

/// The bootstrap file that is read without being named, in the home.
const BOOTSTRAP_FILE: &str = "bootstrap-peers.toml";

pub(super) async fn start(settings: Settings) -> Result<Node, StartError> {
    let home = settings.home.prepare()?;
    let mut lock = home.lock()?;
    let listen = multiaddresses(&settings.listen)?;
    let bootstrap = open_bootstrap(&settings)?;
    let clock = Clock::start();
    let store = Store::open(&home.store())?;
    let Identity { key, rotates } = identity(&home, &store).await?;
    let me = NodeId::from_public_key(key.public_key());
    let tokens = Tokens::load(store.clone()).await?;
    let control = load_control(clock, &settings, &key, store.clone()).await?;
    let snapshots = control.snapshots();
    let handle = control.handle();
    let region = settings.region.clone();
    handle.tell(Input::Region { region }).await;

    let (upstream_events, upstream_changes) = mpsc::channel(EVENTS_WAITING_MAX);
    let upstreams = Upstreams::start(home.root().to_path_buf(), me, upstream_events);
    let servers = Arc::new(Servers::start(
        home.clone(),
        upstreams.clone(),
        upstream_changes,
        handle.clone(),
        snapshots.clone(),
    ));
    let agents = Agents::default();
    let directory = Directory::new(me, settings.name.clone(), agents.clone(), snapshots.clone());
    let messages = MessageParts::load(store.clone(), handle.clone(), snapshots.clone(), &directory);
    let messages = messages.await?;
    let changed = MembersChanged::new(&snapshots, &agents);
    let at_work = directory.clone();
    let builtins = Arc::new(Builtins::new(
        directory.clone(),
        messages.messaging.clone(),
        Arc::new(TaskService::new(
            handle.clone(),
            directory.clone(),
            snapshots.clone(),
        )),
        Arc::new(Deciding::new(
            handle.clone(),
            snapshots.clone(),
            directory.clone(),
        )),
        changed,
    ));
    let links = Links::default();
    let router = Router::new(
        me,
        snapshots.clone(),
        Arc::new(upstreams.clone()),
        Arc::new(LinksOnDemand::new(
            links.clone(),
            handle.clone(),
            snapshots.clone(),
        )),
        ListStyle {
            names: settings.tool_names,
            list: settings.tool_list,
        },
    );
    let router = Arc::new(router.with_builtins(builtins.clone()));
    let gateway: Arc<dyn Service> = Arc::new(GatewayService::new(
        me,
        clock,
        router.clone(),
        snapshots.clone(),
        tokens.clone(),
        directory,
        !settings.http.is_exposed(),
    ));

    let listeners = http_listeners::bind(&settings.http).await?;
    let endpoints = endpoints(&listeners);
    let socket_path = home.prepare_socket()?;
    let socket = OwnerSocket::bind(&socket_path).map_err(|source| StartError::Socket {
        path: socket_path,
        source,
    })?;

    let soundings = Arc::new(Soundings::new(clock));
    let exchanges =
        MemberExchanges::new(handle.clone(), snapshots.clone(), soundings.clone(), store);
    let door = Door::default();
    let frontend = PeerFrontend::new(
        me,
        Arc::new(Admission::default()),
        router,
        Arc::new(exchanges),
        door.clone(),
    );
    let inbound = Arc::new(MemberSubstreams::new(frontend, snapshots.clone()));
    let (network_events, events) = mpsc::channel(EVENTS_WAITING_MAX);
    let network_settings = NetworkSettings {
        region: settings.region.clone(),
        listen,
        links,
        door: door.clone(),
        ..NetworkSettings::new(keypair(&Zeroizing::new(key.to_bytes())))
    };
    let gate = Arc::new(control.gate());
    let network = Network::start(network_settings, gate, inbound, network_events).await?;
    let peers: Arc<dyn PeerNetwork> = Arc::new(network.clone());
    let membership = control.membership(peers.clone());
    let joining = control.joining_dials();

    let stop = CancellationToken::new();
    tokio::spawn(follow_network(
        events,
        peers.clone(),
        handle.clone(),
        snapshots.clone(),
        joining,
    ));
    tokio::spawn(
        soundings
            .clone()
            .run(peers.clone(), snapshots.clone(), stop.clone()),
    );
    messages.start(&stop);
    tokio::spawn(tell_of_activity(
        at_work,
        snapshots.clone(),
        handle.clone(),
        stop.clone(),
    ));
    tokio::spawn(watch_disk_room(
        home.root().to_path_buf(),
        handle.clone(),
        stop.clone(),
    ));
    // It goes on until the last word is said, and is ended by hand.
    let control = tokio::spawn(control.run(peers, CancellationToken::new()));
    servers.reload().await?;
    tokio::spawn(bootstrap.follow(handle.clone(), snapshots.clone(), stop.clone()));
    let arrived = Arc::new(Notify::new());
    tokio::spawn(notice_awakening(
        handle.clone(),
        arrived.clone(),
        stop.clone(),
    ));
    if settings.mdns {
        let beacon = BeaconSettings {
            key: Arc::new(key.clone()),
            control: handle.clone(),
            snapshots: snapshots.clone(),
            arrived,
        };
        tokio::spawn(Beacon::run(beacon, stop.clone()));
    }

    let scanner = Arc::new(Scanner::new(handle.clone(), snapshots.clone(), me));
    if settings.scan {
        scanner.begin();
    }

    let begun = registry::begin(
        &settings,
        Arc::new(key.clone()),
        handle.clone(),
        snapshots.clone(),
        &stop,
    );
    let (registry, registry_task) = begun
        .map(|begun| {
            let (url, report) = (begun.url, begun.report);
            (OwnersRegistry { url, report }, begun.task)
        })
        .unzip();
    let missing = registry::warning(&settings);

    let watched = servers.clone();
    let watching = stop.clone();
    tokio::spawn(async move { watched.watch(watching).await });
    let listening = network.clone();
    let name = settings.name.clone();
    let restart = Arc::new(Notify::new());
    let owner = OwnerService {
        me,
        name: settings.name,
        region: settings.region,
        home,
        clock,
        http: endpoints.clone(),
        warnings: settings.warnings.into_iter().chain(missing).collect(),
        snapshots: snapshots.clone(),
        soundings,
        scanner,
        registry,
        membership: membership.clone(),
        servers,
        upstreams: upstreams.clone(),
        tokens,
        agents: agents.clone(),
        gateway: gateway.clone(),
        restart: restart.clone(),
        listen: Box::new(move || texts(&listening.listen_addresses())),
        door: Box::new(move || door.report()),
    };
    tokio::spawn(tell_of_agents(agents, handle.clone(), stop.clone()));
    let owner = Arc::new(owner);
    if rotates {
        tokio::spawn(end_rotation(owner.clone(), stop.clone()));
    }
    let shown = Arc::downgrade(&owner);
    builtins.show_nodes(move || {
        shown
            .upgrade()
            .map(|owner| owner.nodes())
            .unwrap_or_default()
    });
    let mut allowed_hosts = settings.allowed_hosts;
    allowed_hosts.extend(bound_hosts(&listeners));
    let http = HttpService {
        service: gateway,
        allowed_hosts,
        shutdown: stop.clone(),
    };
    let frontends = vec![
        tokio::spawn(serve_http(listeners, http)),
        tokio::spawn(server::serve(socket, owner, stop.clone())),
    ];
    let endpoint = endpoints.into_iter().next().unwrap_or_default();
    lock.announce(&endpoint)?;
    let roster = snapshots.roster();
    let own_name = roster.as_ref().map(|roster| roster.own.body().name.clone());
    let ready = Ready {
        http: endpoint,
        node: me.to_string(),
        name: own_name.unwrap_or(name).to_string(),
        mesh: roster.map(|roster| roster.mesh.to_string()),
        listen: texts(&network.listen_addresses()),
    };
    Ok(Node {
        ready,
        stop,
        frontends,
        registry: registry_task,
        control,
        membership,
        upstreams,
        network,
        restart,
        _lock: lock,
    })
}

/// The key in force, and whether a rotation was begun that is to be ended.
struct Identity {
    key: SigningKey,
    rotates: bool,
}

/// A key whose certificate is kept is in force, whether or not its file had been put in place before a crash.
async fn identity(home: &Home, store: &Store) -> Result<Identity, StartError> {
    let key = keys::load_or_create(&home.identity_key())?;
    let Some(next) = keys::begun(home)? else {
        return Ok(Identity {
            key,
            rotates: false,
        });
    };
    let subject = store
        .records()
        .await?
        .into_iter()
        .find_map(|record| match record {
            Record::Home { chain, .. } => Some(chain.body().subject),
            _ => None,
        });
    if subject == Some(NodeId::from_public_key(next.public_key())) {
        keys::put_in_force(home)?;
        return Ok(Identity {
            key: next,
            rotates: false,
        });
    }
    if subject.is_none() {
        keys::forget_next(home)?;
    }
    Ok(Identity {
        key,
        rotates: subject.is_some(),
    })
}

/// A rotation that was begun goes on: an admin may have put the old key out already.
async fn end_rotation(owner: Arc<OwnerService>, stop: CancellationToken) {
    const TRY_EVERY: Duration = Duration::from_secs(5);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TRY_EVERY) => {}
        }
        match owner.rotate_key().await {
            Ok(_) => return,
            Err(refused) => {
                tracing::warn!(why = %refused.error.message, "the key's rotation is not ended yet");
            }
        }
    }
}

async fn load_control(
    clock: Clock,
    settings: &Settings,
    key: &SigningKey,
    store: Store,
) -> Result<Control, StartError> {
    let root = keys::load(&settings.home.root_key())?;
    let keys = Keys {
        node: Arc::new(key.clone()),
        root: root.map(|root| Arc::new(root) as Arc<dyn Signer>),
        verifier: Arc::new(Ed25519),
    };
    Ok(Control::load(clock, keys, store).await?)
}

/// A file that was named must be there.
fn open_bootstrap(settings: &Settings) -> Result<BootstrapFile, StartError> {
    let named = settings.bootstrap.clone();
    let optional = named.is_none();
    let path = named.unwrap_or_else(|| settings.home.root().join(BOOTSTRAP_FILE));
    Ok(BootstrapFile::open(path, optional)?)
}

async fn serve_http(listeners: Vec<TcpListener>, http: HttpService) {
    let shutdown = http.shutdown.clone();
    let router = http::http_frontend(http);
    http::serve(listeners, router, shutdown, DRAIN_WITHIN).await;
}
