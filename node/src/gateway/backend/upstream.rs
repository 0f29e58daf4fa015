//! What the supervisor of the upstreams tells the rest of the node about them.

use bytes::Bytes;
use peerage_protocol::id::ServerName;

/// A kind of thing that an upstream lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// `tools/list`.
    Tools,
    /// `prompts/list`.
    Prompts,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    Templates,
}

impl ListKind {
    /// The kind that `method` lists.
    pub fn of_method(method: &str) -> Option<Self> {
        let kinds = [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];
        kinds.into_iter().find(|kind| kind.method() == method)
    }

    /// The member of the result that holds the list.
    pub const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// The method that lists it.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
        }
    }
}

/// One tool, prompt, resource or template of an upstream, as it described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// What the upstream knows it by: a name, a URI or a URI template.
    pub name: String,
    /// The raw JSON object from the upstream's list, on one line.
    pub definition: Bytes,
}

/// All that an upstream lists: all pages, in its own order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Its tools.
    pub tools: Vec<Definition>,
    /// Its prompts.
    pub prompts: Vec<Definition>,
    /// Its resources.
    pub resources: Vec<Definition>,
    /// Its templates of resources.
    pub templates: Vec<Definition>,
}

/// Lists that a server says have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListChanges {
    /// Tools.
    pub tools: bool,
    /// Prompts.
    pub prompts: bool,
    /// Resources and their templates.
    pub resources: bool,
}

impl ListChanges {
    /// Whether any has.
    pub const fn any(self) -> bool {
        self.tools || self.prompts || self.resources
    }
}

/// A change at one upstream.
#[derive(Clone, Debug)]
pub struct UpstreamEvent {
    /// Which upstream.
    pub server: ServerName,
    /// What happened.
    pub change: UpstreamChange,
}

/// What happened at an upstream.
#[derive(Clone, Debug)]
pub enum UpstreamChange {
    /// Its complete lists, and which of them it said itself have changed.
    Offer(Offer, ListChanges),
    /// It is no longer configured.
    Removed,
}

/// How an upstream fares, for `status` and `health`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamState {
    /// Not yet answered for the first time.
    Starting,
    /// Answering.
    Ready,
    /// Stopped for want of calls; the next call starts it.
    Idle,
    /// Not answering; tried again with back-off.
    Down {
        /// The cause, with the last lines of its standard error where there are any.
        why: String,
    },
}
