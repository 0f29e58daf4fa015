//! Prompts, resources and completion, and methods that this version does not know: whose they are.

use peerage_protocol::catalog::library::{Item, Located};
use peerage_protocol::catalog::resource_uri::qualified_uri;
use peerage_protocol::catalog::snapshot::{Catalog, Lookup, Provider};

use super::members::is_for_servers;
use super::{Router, own_reply};
use crate::config::choices::ToolNames;
use crate::gateway::call::{Call, CallError, Reply, ReplyBody};
use crate::gateway::mcp::splice::{Reference, with_content_uris};
use crate::net::substream::OpenSubstream;

impl<O: OpenSubstream> Router<O> {
    pub(super) async fn get_prompt(&self, mut call: Call) -> Result<Reply, CallError> {
        let name = call.params.name().ok_or_else(|| CallError::InvalidParams {
            what: "params.name must be a string: the name of a prompt".to_owned(),
        })?;
        let name = name.into_owned();
        if let Some(builtins) = self.builtins_for(&call)
            && let Some(prompt) = builtins.prompt(&name, &call)
        {
            return prompt.map(own_reply);
        }
        let catalog = self.snapshots.catalog();
        let prompt = self.prompt(&catalog, &name)?;
        call.params.set_name(&prompt.key);
        let unknown = CallError::UnknownPrompt { name };
        self.send(&prompt.provider, prompt.reachable, call, unknown)?
            .await
    }

    pub(super) async fn read_resource(&self, mut call: Call) -> Result<Reply, CallError> {
        let uri = uri_of(&call)?;
        if let Some(builtins) = self.builtins_for(&call)
            && let Some(read) = builtins.read(&uri, &call.caller).await
        {
            return read.map(own_reply);
        }
        let catalog = self.snapshots.catalog();
        let resource = locate(&catalog, &uri)?;
        call.params.set_uri(&resource.uri);
        let is_qualified = resource.uri != uri;
        let unknown = CallError::UnknownResource { uri };
        let reply = self.send(resource.provider, resource.reachable, call, unknown)?;
        let reply = reply.await?;
        Ok(match is_qualified {
            true => qualified_contents(reply, resource.provider),
            false => reply,
        })
    }

    pub(super) async fn complete(&self, mut call: Call) -> Result<Reply, CallError> {
        let reference = call.params.reference();
        let reference = reference.ok_or_else(|| CallError::InvalidParams {
            what: "params.ref must name a prompt (ref/prompt) or a resource (ref/resource), once"
                .to_owned(),
        })?;
        let catalog = self.snapshots.catalog();
        match reference {
            Reference::Prompt(name) => {
                let prompt = self.prompt(&catalog, &name)?;
                call.params.set_reference(&prompt.key);
                let unknown = CallError::UnknownPrompt { name };
                self.send(&prompt.provider, prompt.reachable, call, unknown)?
                    .await
            }
            Reference::Resource(uri) => {
                let template = locate_template(&catalog, &uri)?;
                call.params.set_reference(&template.uri);
                let unknown = CallError::UnknownResource { uri };
                self.send(template.provider, template.reachable, call, unknown)?
                    .await
            }
        }
    }

    /// A method that this version does not know goes where the tool or the resource is that it names.
    pub(super) async fn carry(&self, mut call: Call) -> Result<Reply, CallError> {
        let method = || CallError::UnknownMethod {
            method: call.method.to_string(),
        };
        if !is_for_servers(&call.method) || is_of_the_specification(&call.method) {
            return Err(method());
        }
        let catalog = self.snapshots.catalog();
        let named = call.params.name().map(|name| name.into_owned());
        if let Some(name) = named
            && let Lookup::Found(entry) = catalog.lookup(&name)
        {
            let unknown = method();
            call.params.set_name(&entry.tool);
            return self
                .send(&entry.provider, entry.reachable, call, unknown)?
                .await;
        }
        let uri = call.params.uri().map(|uri| uri.into_owned());
        if let Some(uri) = uri
            && let Ok(resource) = locate(&catalog, &uri)
        {
            let unknown = method();
            call.params.set_uri(&resource.uri);
            return self
                .send(resource.provider, resource.reachable, call, unknown)?
                .await;
        }
        Err(method())
    }

    fn prompt<'a>(&self, catalog: &'a Catalog, name: &str) -> Result<&'a Item, CallError> {
        let prompts = catalog.library().prompts();
        let plain = || match self.style.names {
            ToolNames::Plain => prompts.plain(name),
            ToolNames::Qualified => None,
        };
        let unknown = || CallError::UnknownPrompt {
            name: name.to_owned(),
        };
        prompts.named(name).or_else(plain).ok_or_else(unknown)
    }
}

/// Who asked for a resource by its qualified URI is told by such URIs what it got.
fn qualified_contents(reply: Reply, provider: &Provider) -> Reply {
    let Reply { era, body } = reply;
    let body = match body {
        ReplyBody::Result(raw) => {
            let qualified = with_content_uris(&raw, |own| qualified_uri(provider, own));
            ReplyBody::Result(qualified.unwrap_or(raw))
        }
        error => error,
    };
    Reply { era, body }
}

/// Methods that are this node's own to answer, or that an era does not have.
fn is_of_the_specification(method: &str) -> bool {
    const PREFIXES: [&str; 9] = [
        "tools/",
        "prompts/",
        "resources/",
        "completion/",
        "subscriptions/",
        "sampling/",
        "elicitation/",
        "roots/",
        "tasks/",
    ];
    PREFIXES.iter().any(|prefix| method.starts_with(prefix))
}

/// A resource, and who answers for it.
pub(super) struct Resource<'a> {
    pub(super) provider: &'a Provider,
    /// Its URI at its server.
    pub(super) uri: String,
    pub(super) reachable: bool,
}

/// Who answers for `uri`.
pub(super) fn locate<'a>(catalog: &'a Catalog, uri: &str) -> Result<Resource<'a>, CallError> {
    match catalog.library().locate(uri) {
        Located::At {
            provider,
            uri,
            reachable,
        } => Ok(Resource {
            provider,
            uri,
            reachable,
        }),
        Located::Ambiguous(candidates) => Err(CallError::AmbiguousTool {
            name: uri.to_owned(),
            candidates,
        }),
        Located::Unknown => Err(CallError::UnknownResource {
            uri: uri.to_owned(),
        }),
    }
}

/// Who answers for a template, or for a resource that is named in its place.
fn locate_template<'a>(catalog: &'a Catalog, named: &str) -> Result<Resource<'a>, CallError> {
    let templates = catalog.library().templates();
    match templates.named(named).or_else(|| templates.plain(named)) {
        Some(template) => Ok(Resource {
            provider: &template.provider,
            uri: template.key.to_string(),
            reachable: template.reachable,
        }),
        None => locate(catalog, named),
    }
}

/// The URI that a request is about.
pub(super) fn uri_of(call: &Call) -> Result<String, CallError> {
    let uri = call.params.uri().ok_or_else(|| CallError::InvalidParams {
        what: "params.uri must be a string: the URI of a resource".to_owned(),
    })?;
    Ok(uri.into_owned())
}
