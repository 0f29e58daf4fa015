//! Sends each request to the backend that answers it, by one look at the catalog.

mod library;
mod members;
pub mod subscriptions;
mod tasks;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{self, BoxFuture};
use peerage_protocol::catalog::naming::SEPARATOR;
use peerage_protocol::catalog::snapshot::{Catalog, Entry, Lookup, Provider};
use peerage_protocol::id::{NodeId, ServerName};
use serde::Deserialize;

use super::backend::builtin::{self, Builtins};
use super::backend::peer::PeerBackend;
use super::backend::upstream::ListKind;
use super::backend::{Backend, LocalBackends};
use super::call::{Call, CallError, Era, Reply, ReplyBody, Replying};
use super::frontend::peer::CallService;
use super::listing::{ListStyle, Listings, OwnOffers};
use super::mcp::splice::Params;
use crate::config::choices::ToolNames;
use crate::control::Snapshots;
use crate::net::substream::OpenSubstream;

/// The method that calls a tool.
const TOOLS_CALL: &str = "tools/call";

/// Routes requests of local callers to every backend, and those of members to this node's shared servers only. A clone
/// routes alike.
pub struct Router<O> {
    me: NodeId,
    snapshots: Arc<Snapshots>,
    locals: Arc<dyn LocalBackends>,
    opener: Arc<O>,
    style: ListStyle,
    listings: Arc<ArcSwapOption<(Arc<Catalog>, Listings)>>,
    builtins: Option<Arc<Builtins>>,
}

impl<O> Clone for Router<O> {
    fn clone(&self) -> Self {
        Self {
            me: self.me,
            snapshots: self.snapshots.clone(),
            locals: self.locals.clone(),
            opener: self.opener.clone(),
            style: self.style,
            listings: self.listings.clone(),
            builtins: self.builtins.clone(),
        }
    }
}

impl<O: OpenSubstream> Router<O> {
    /// A router that reads `snapshots`, finds its own servers in `locals` and reaches members through `opener`.
    pub fn new(
        me: NodeId,
        snapshots: Arc<Snapshots>,
        locals: Arc<dyn LocalBackends>,
        opener: Arc<O>,
        style: ListStyle,
    ) -> Self {
        Self {
            me,
            snapshots,
            locals,
            opener,
            style,
            listings: Arc::new(ArcSwapOption::empty()),
            builtins: None,
        }
    }

    /// The same, with what the node itself offers to its local callers.
    pub fn with_builtins(self, builtins: Arc<Builtins>) -> Self {
        Self {
            builtins: Some(builtins),
            ..self
        }
    }

    /// What the node itself offers to this caller: nothing to another node that has this one for an upstream.
    fn builtins_for(&self, call: &Call) -> Option<&Arc<Builtins>> {
        self.builtins.as_ref().filter(|_| call.via.is_empty())
    }

    /// Answers a local caller.
    pub fn call(&self, call: Call) -> Replying {
        if &*call.method == TOOLS_CALL {
            return self
                .call_tool(call)
                .unwrap_or_else(|error| at_once(Err(error)));
        }
        let router = self.clone();
        async move { router.answer(call).await }.boxed()
    }

    /// Answers whatever is no call of a tool.
    async fn answer(&self, call: Call) -> Result<Reply, CallError> {
        match &*call.method {
            "prompts/get" => self.get_prompt(call).await,
            "resources/read" => self.read_resource(call).await,
            "completion/complete" => self.complete(call).await,
            "resources/subscribe" if call.era == Era::Legacy => self.subscribe(call).await,
            "resources/unsubscribe" if call.era == Era::Legacy => self.unsubscribe(&call),
            "tasks/get" | "tasks/result" | "tasks/update" | "tasks/cancel" => {
                self.ask_of_task(call).await
            }
            method => match ListKind::of_method(method) {
                Some(kind) => self.list(kind, &call),
                None => self.carry(call).await,
            },
        }
    }

    fn list(&self, kind: ListKind, call: &Call) -> Result<Reply, CallError> {
        #[derive(Deserialize)]
        struct Page {
            cursor: Option<String>,
        }
        let raw = call.params.to_bytes();
        let page: Page =
            serde_json::from_slice(&raw).map_err(|error| CallError::InvalidParams {
                what: format!("params of {}: {error}", call.method),
            })?;
        let page = page.cursor.as_deref();
        let items = if call.via.is_empty() {
            self.listings().1.of(kind).page(page)
        } else {
            self.listings_for_gateways().of(kind).page(page)
        };
        let items = items.ok_or_else(|| CallError::InvalidParams {
            what: "params.cursor is not one that this list gave out; list again from the start"
                .to_owned(),
        })?;
        Ok(own_reply(items))
    }

    /// The lists of the catalog as it stands, rendered at most once for each catalog.
    fn listings(&self) -> Arc<(Arc<Catalog>, Listings)> {
        let catalog = self.snapshots.catalog();
        if let Some(rendered) = self.listings.load_full()
            && Arc::ptr_eq(&rendered.0, &catalog)
        {
            return rendered;
        }
        let listings = Listings::render(&catalog, self.style, self.own_offers(), |_| true);
        let rendered = Arc::new((catalog, listings));
        self.listings.store(Some(rendered.clone()));
        rendered
    }

    /// What another node that has this one for an upstream is shown: one hop, no transit. Two nodes that are each
    /// other's upstreams would else list each other's lists without end.
    fn listings_for_gateways(&self) -> Listings {
        let catalog = self.snapshots.catalog();
        let nothing = OwnOffers::default();
        Listings::render(&catalog, self.style, nothing, |provider| {
            self.is_own(provider)
        })
    }

    fn own_offers(&self) -> OwnOffers {
        self.builtins
            .as_ref()
            .map_or_else(OwnOffers::default, |builtins| OwnOffers {
                tools: builtins.tools(),
                prompts: builtins.prompts(),
                resources: builtins.resources(),
                templates: builtins.templates(),
            })
    }

    /// Whether a server is this node's own: not a member's, and not a node reached as an upstream.
    fn is_own(&self, provider: &Provider) -> bool {
        let Provider::Local { server } = provider else {
            return false;
        };
        let backend = self.locals.backend(server);
        backend.is_some_and(|backend| !backend.is_gateway())
    }

    /// Begins to call a tool: nothing is waited for before its backend has the call.
    fn call_tool(&self, mut call: Call) -> Result<Replying, CallError> {
        let catalog = self.snapshots.catalog();
        let mut name = tool_name(&call.params)?;
        match &*name {
            builtin::catalog::TOOLS_SEARCH => {
                let found = builtin::catalog::search(&catalog, &call.params)?;
                return Ok(at_once(Ok(own_reply(found))));
            }
            builtin::catalog::TOOL_DESCRIBE => {
                let described = builtin::catalog::describe(&catalog, &call.params)?;
                return Ok(at_once(Ok(own_reply(described))));
            }
            builtin::catalog::TOOL_CALL => {
                call.params = builtin::catalog::unwrap_call(&call.params)?;
                name = tool_name(&call.params)?;
            }
            _ => {}
        }
        if Builtins::has_tool(&name)
            && let Some(builtins) = self.builtins_for(&call).cloned()
        {
            let answered = async move {
                let answer = builtins.call(&name, &call).await;
                answer.map(own_reply).ok_or(CallError::UnknownTool { name })
            };
            return Ok(answered.boxed());
        }
        let entry = self.resolve_tool(&catalog, &name)?;
        call.params.set_name(&entry.tool);
        let unknown = CallError::UnknownTool { name };
        let becomes_task = tasks::may_become_task(&call);
        let replying = self.send(&entry.provider, entry.reachable, call, unknown)?;
        Ok(match becomes_task {
            true => tasks::naming_owner(replying, entry.provider.clone()),
            false => replying,
        })
    }

    /// Sends a request to whoever answers it; `unknown` where there is no such server for this caller.
    fn send(
        &self,
        provider: &Provider,
        reachable: bool,
        call: Call,
        unknown: CallError,
    ) -> Result<Replying, CallError> {
        if !call.via.is_empty() && !self.is_own(provider) {
            return Err(unknown);
        }
        match provider {
            Provider::Peer { node_name, .. } if !reachable => Err(CallError::PeerUnreachable {
                node: node_name.to_string(),
                why: "there is no link to it; it is dialed in the background".to_owned(),
            }),
            _ => Ok(self.backend_of(provider).ok_or(unknown)?.call(call)),
        }
    }

    /// What passes requests on to `provider`; `None` where a server of this node is not configured any more.
    fn backend_of(&self, provider: &Provider) -> Option<Arc<dyn Backend>> {
        match provider {
            Provider::Local { server } => self.locals.backend(server),
            Provider::Peer {
                node,
                node_name,
                server,
            } => Some(Arc::new(PeerBackend::new(
                self.me,
                *node,
                node_name.clone(),
                server.clone(),
                self.opener.clone(),
            ))),
        }
    }

    /// The raw definition of the tool that goes by `name` here.
    pub fn tool_definition(&self, name: &str) -> Option<Arc<str>> {
        let catalog = self.snapshots.catalog();
        let entry = self.find_tool(&catalog, name)?;
        Some(entry.definition.clone())
    }

    fn resolve_tool<'a>(&self, catalog: &'a Catalog, name: &str) -> Result<&'a Entry, CallError> {
        let found = self.find_tool(catalog, name);
        found.ok_or_else(|| self.not_found(name, catalog.lookup(name)))
    }

    fn find_tool<'a>(&self, catalog: &'a Catalog, name: &str) -> Option<&'a Entry> {
        catalog.entry(name).or_else(|| match self.style.names {
            ToolNames::Plain => catalog.plain(name),
            ToolNames::Qualified => None,
        })
    }

    /// A tool that is not in the catalog: of a member that has not been linked yet, or of nobody.
    fn not_found(&self, name: &str, lookup: Lookup<'_>) -> CallError {
        let owner = name.split_once(SEPARATOR).map(|(owner, _)| owner);
        let roster = self.snapshots.roster();
        let member = roster.iter().flat_map(|roster| roster.members());
        let links = self.snapshots.links();
        let lost = member
            .filter(|(_, chain)| Some(chain.body().name.as_str()) == owner)
            .find(|(node, _)| !links.borrow().get(node).is_some_and(|link| link.up));
        if let Some((_, chain)) = lost {
            return CallError::PeerUnreachable {
                node: chain.body().name.to_string(),
                why: "there is no link to it, so what it offers is not known".to_owned(),
            };
        }
        let name = name.to_owned();
        match lookup {
            Lookup::Ambiguous(candidates) => CallError::AmbiguousTool { name, candidates },
            Lookup::Found(_) | Lookup::Unknown => CallError::UnknownTool { name },
        }
    }
}

impl<O: OpenSubstream> CallService for Router<O> {
    fn call(&self, server: ServerName, call: Call) -> BoxFuture<'_, Result<Reply, CallError>> {
        self.call_for_member(server, call)
    }
}

fn tool_name(params: &Params) -> Result<String, CallError> {
    let name = params.name().ok_or_else(|| CallError::InvalidParams {
        what: "params.name must be a string: the name of a tool".to_owned(),
    })?;
    Ok(name.into_owned())
}

/// A reply that is there already.
fn at_once(reply: Result<Reply, CallError>) -> Replying {
    future::ready(reply).boxed()
}

/// A reply of the node itself: plain, so that the frontend adds what the caller's era wants.
fn own_reply(result: Bytes) -> Reply {
    Reply {
        era: Era::Legacy,
        body: ReplyBody::Result(result),
    }
}
