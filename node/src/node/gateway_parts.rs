//! The gateway's parts of a node: upstream servers, what the node itself offers, the router, the service before them.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::foundation::Foundation;
use super::message_parts::MessageParts;
use super::{EVENTS_WAITING_MAX, StartError};
use crate::config::settings::Settings;
use crate::control::{LinksOnDemand, Servers};
use crate::deciding::Deciding;
use crate::gateway::backend::builtin::{Builtins, MembersChanged};
use crate::gateway::backend::supervisor::Upstreams;
use crate::gateway::directory::Directory;
use crate::gateway::frontend::http::Service;
use crate::gateway::listing::ListStyle;
use crate::gateway::router::Router;
use crate::gateway::service::GatewayService;
use crate::net::Links;
use crate::tasks::TaskService;

pub(super) struct GatewayParts {
    pub(super) upstreams: Upstreams,
    pub(super) servers: Arc<Servers>,
    pub(super) directory: Directory,
    pub(super) builtins: Arc<Builtins>,
    pub(super) router: Arc<Router<LinksOnDemand>>,
    pub(super) gateway: Arc<dyn Service>,
    /// The router's, for the network to fill.
    pub(super) links: Links,
}

impl GatewayParts {
    /// Nothing of it calls anybody before control runs.
    pub(super) async fn build(
        base: &Foundation,
        settings: &Settings,
    ) -> Result<(Self, MessageParts), StartError> {
        let (upstreams, servers) = start_upstreams(base);
        let directory = Directory::new(
            base.me,
            base.name.clone(),
            base.agents.clone(),
            base.snapshots.clone(),
        );
        let messages = MessageParts::load(
            base.store.clone(),
            base.handle.clone(),
            base.snapshots.clone(),
            &directory,
        );
        let messages = messages.await?;
        let builtins = builtins(base, &directory, &messages);
        let links = Links::default();
        let router = router(base, settings, &upstreams, &links, &builtins);
        let gateway = GatewayService::new(
            base.me,
            base.clock,
            router.clone(),
            base.snapshots.clone(),
            base.tokens.clone(),
            directory.clone(),
            !settings.http.is_exposed(),
        );
        let parts = Self {
            upstreams,
            servers,
            directory,
            builtins,
            router,
            gateway: Arc::new(gateway),
            links,
        };
        Ok((parts, messages))
    }
}

fn start_upstreams(base: &Foundation) -> (Upstreams, Arc<Servers>) {
    let (events, changes) = mpsc::channel(EVENTS_WAITING_MAX);
    let upstreams = Upstreams::start(base.home.root().to_path_buf(), base.me, events);
    let servers = Servers::start(
        base.home.clone(),
        upstreams.clone(),
        changes,
        base.handle.clone(),
        base.snapshots.clone(),
    );
    (upstreams, Arc::new(servers))
}

fn builtins(base: &Foundation, directory: &Directory, messages: &MessageParts) -> Arc<Builtins> {
    let (handle, snapshots) = (&base.handle, &base.snapshots);
    let tasks = TaskService::new(handle.clone(), directory.clone(), snapshots.clone());
    let deciding = Deciding::new(handle.clone(), snapshots.clone(), directory.clone());
    Arc::new(Builtins::new(
        directory.clone(),
        messages.messaging.clone(),
        Arc::new(tasks),
        Arc::new(deciding),
        MembersChanged::new(snapshots, &base.agents),
    ))
}

fn router(
    base: &Foundation,
    settings: &Settings,
    upstreams: &Upstreams,
    links: &Links,
    builtins: &Arc<Builtins>,
) -> Arc<Router<LinksOnDemand>> {
    let (handle, snapshots) = (base.handle.clone(), base.snapshots.clone());
    let router = Router::new(
        base.me,
        snapshots.clone(),
        Arc::new(upstreams.clone()),
        Arc::new(LinksOnDemand::new(links.clone(), handle, snapshots)),
        ListStyle {
            names: settings.tool_names,
            list: settings.tool_list,
        },
    );
    Arc::new(router.with_builtins(builtins.clone()))
}
