//! Sends each request to the backend that answers it, by one look at the catalog.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use peerage_protocol::catalog::naming::SEPARATOR;
use peerage_protocol::catalog::snapshot::{Catalog, Entry, Lookup, Provider};
use peerage_protocol::id::{NodeId, NodeName, ServerName};
use serde::Deserialize;

use super::backend::peer::PeerBackend;
use super::backend::{Backend, LocalBackends, builtin};
use super::call::{Call, CallError, Caller, Era, Reply, ReplyBody};
use super::frontend::peer::CallService;
use super::listing::{ListStyle, Listing};
use super::mcp::splice::Params;
use crate::config::choices::ToolNames;
use crate::control::Snapshots;
use crate::net::substream::OpenSubstream;

/// The method that calls a tool.
const TOOLS_CALL: &str = "tools/call";
/// The method that lists tools.
const TOOLS_LIST: &str = "tools/list";

/// Routes requests of local callers to every backend, and those of members to this node's shared servers only.
pub struct Router<O> {
    me: NodeId,
    snapshots: Arc<Snapshots>,
    locals: Arc<dyn LocalBackends>,
    opener: Arc<O>,
    style: ListStyle,
    listing: ArcSwapOption<(Arc<Catalog>, Listing)>,
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
            listing: ArcSwapOption::empty(),
        }
    }

    /// Answers a local caller.
    pub async fn call(&self, call: Call) -> Result<Reply, CallError> {
        match &*call.method {
            TOOLS_CALL => self.call_tool(call).await,
            TOOLS_LIST => self.list_tools(&call),
            method => Err(CallError::UnknownMethod {
                method: method.to_owned(),
            }),
        }
    }

    fn list_tools(&self, call: &Call) -> Result<Reply, CallError> {
        #[derive(Deserialize)]
        struct Page {
            cursor: Option<String>,
        }
        let raw = call.params.to_bytes();
        let page: Page =
            serde_json::from_slice(&raw).map_err(|error| CallError::InvalidParams {
                what: format!("params of tools/list: {error}"),
            })?;
        let tools = if call.via.is_empty() {
            self.listing().1.page(page.cursor.as_deref())
        } else {
            self.listing_for_gateways().page(page.cursor.as_deref())
        };
        let tools = tools.ok_or_else(|| CallError::InvalidParams {
            what: "params.cursor is not one that this list gave out; list again from the start"
                .to_owned(),
        })?;
        Ok(own_reply(tools))
    }

    /// The list of the catalog as it stands, rendered at most once for each catalog.
    fn listing(&self) -> Arc<(Arc<Catalog>, Listing)> {
        let catalog = self.snapshots.catalog();
        if let Some(rendered) = self.listing.load_full()
            && Arc::ptr_eq(&rendered.0, &catalog)
        {
            return rendered;
        }
        let listing = Listing::render(&catalog, self.style, |_| true);
        let rendered = Arc::new((catalog, listing));
        self.listing.store(Some(rendered.clone()));
        rendered
    }

    /// What another node that has this one for an upstream is shown: one hop, no transit. Two nodes that are each
    /// other's upstreams would else list each other's lists without end.
    fn listing_for_gateways(&self) -> Listing {
        let catalog = self.snapshots.catalog();
        Listing::render(&catalog, self.style, |entry| self.is_own(entry))
    }

    /// Whether a tool is this node's own: not a member's, and not that of a node reached as an upstream.
    fn is_own(&self, entry: &Entry) -> bool {
        let Provider::Local { server } = &entry.provider else {
            return false;
        };
        let backend = self.locals.backend(server);
        backend.is_some_and(|backend| !backend.is_gateway())
    }

    async fn call_tool(&self, mut call: Call) -> Result<Reply, CallError> {
        let catalog = self.snapshots.catalog();
        let mut name = tool_name(&call.params)?;
        match &*name {
            builtin::catalog::TOOLS_SEARCH => {
                let found = builtin::catalog::search(&catalog, &call.params)?;
                return Ok(own_reply(found));
            }
            builtin::catalog::TOOL_DESCRIBE => {
                let described = builtin::catalog::describe(&catalog, &call.params)?;
                return Ok(own_reply(described));
            }
            builtin::catalog::TOOL_CALL => {
                call.params = builtin::catalog::unwrap_call(&call.params)?;
                name = tool_name(&call.params)?;
            }
            _ => {}
        }
        let entry = self.resolve(&catalog, &name)?;
        if !call.via.is_empty() && !self.is_own(entry) {
            return Err(CallError::UnknownTool { name });
        }
        call.params.set_name(&entry.tool);
        match &entry.provider {
            Provider::Local { server } => self.call_local(server, &name, call).await,
            Provider::Peer {
                node,
                node_name,
                server,
            } => {
                let peer = Peer {
                    node: *node,
                    name: node_name,
                    server,
                };
                self.call_peer(peer, entry.reachable, call).await
            }
        }
    }

    fn resolve<'a>(&self, catalog: &'a Catalog, name: &str) -> Result<&'a Entry, CallError> {
        match catalog.lookup(name) {
            Lookup::Found(entry) => Ok(entry),
            otherwise => match self.style.names {
                ToolNames::Plain => catalog.plain(name),
                ToolNames::Qualified => None,
            }
            .ok_or_else(|| self.not_found(name, otherwise)),
        }
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

    async fn call_local(
        &self,
        server: &ServerName,
        name: &str,
        call: Call,
    ) -> Result<Reply, CallError> {
        let backend = self.locals.backend(server);
        let backend = backend.ok_or_else(|| CallError::UnknownTool {
            name: name.to_owned(),
        })?;
        backend.call(call).await
    }

    async fn call_peer(
        &self,
        peer: Peer<'_>,
        reachable: bool,
        call: Call,
    ) -> Result<Reply, CallError> {
        if !reachable {
            return Err(CallError::PeerUnreachable {
                node: peer.name.to_string(),
                why: "there is no link to it; it is dialed in the background".to_owned(),
            });
        }
        let backend = PeerBackend::new(
            self.me,
            peer.node,
            peer.name.clone(),
            peer.server.clone(),
            self.opener.clone(),
        );
        backend.call(call).await
    }

    /// Whether a member may call a tool, by the role in its certificate; refused looks like unknown. A node that may
    /// not know yet who was put out meanwhile serves nobody.
    async fn check_member(
        &self,
        server: &ServerName,
        tool: &str,
        call: &Call,
    ) -> Result<(), CallError> {
        let Caller::Peer { node, .. } = &call.caller else {
            return Ok(());
        };
        if !self.snapshots.caught_up_by(call.deadline).await {
            return Err(CallError::Busy {
                what: "the node, which has not heard from the mesh since it came back,".to_owned(),
            });
        }
        let roster = self.snapshots.roster();
        let may = |read_only| {
            let roster = roster.as_ref();
            roster.is_some_and(|roster| roster.may_call(*node, server, read_only))
        };
        if may(false) || may(true) && self.only_reads(server, tool) {
            return Ok(());
        }
        Err(CallError::UnknownTool {
            name: tool.to_owned(),
        })
    }

    /// Whether a tool of this node says that it does not change anything.
    fn only_reads(&self, server: &ServerName, tool: &str) -> bool {
        #[derive(Deserialize)]
        struct Definition {
            annotations: Option<Annotations>,
        }
        #[derive(Deserialize)]
        struct Annotations {
            #[serde(default, rename = "readOnlyHint")]
            read_only: bool,
        }
        let catalog = self.snapshots.catalog();
        let wanted = |entry: &&Entry| {
            matches!(&entry.provider, Provider::Local { server: of } if of == server)
                && &*entry.tool == tool
        };
        let definition = catalog
            .entries()
            .find(wanted)
            .and_then(|entry| serde_json::from_str::<Definition>(&entry.definition).ok());
        let annotations = definition.and_then(|definition| definition.annotations);
        annotations.is_some_and(|annotations| annotations.read_only)
    }

    /// Answers a member: calls of shared servers, and nothing else. What is private looks like what is not there.
    async fn call_for_member(&self, server: ServerName, call: Call) -> Result<Reply, CallError> {
        if &*call.method != TOOLS_CALL {
            return Err(CallError::UnknownMethod {
                method: call.method.to_string(),
            });
        }
        let name = tool_name(&call.params)?;
        let shared = self.snapshots.shares().get(&server).copied();
        if shared != Some(true) {
            return Err(CallError::UnknownTool { name });
        }
        self.check_member(&server, &name, &call).await?;
        self.call_local(&server, &name, call).await
    }
}

impl<O: OpenSubstream> CallService for Router<O> {
    fn call(&self, server: ServerName, call: Call) -> BoxFuture<'_, Result<Reply, CallError>> {
        self.call_for_member(server, call).boxed()
    }
}

struct Peer<'a> {
    node: NodeId,
    name: &'a NodeName,
    server: &'a ServerName,
}

fn tool_name(params: &Params) -> Result<String, CallError> {
    let name = params.name().ok_or_else(|| CallError::InvalidParams {
        what: "params.name must be a string: the name of a tool".to_owned(),
    })?;
    Ok(name.into_owned())
}

/// A reply of the node itself: plain, so that the frontend adds what the caller's era wants.
fn own_reply(result: Bytes) -> Reply {
    Reply {
        era: Era::Legacy,
        body: ReplyBody::Result(result),
    }
}
