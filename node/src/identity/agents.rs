//! Which agents of this node are present: whoever holds a token and has used it lately, and what they say of themselves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use peerage_protocol::id::AgentName;
use peerage_protocol::membership::present_agent::{AgentError, PresentAgent, check_agents};
use tokio::sync::watch;
use tokio::time::Instant;

/// How long after its last request an agent without an open stream still counts as present.
pub const PRESENT_FOR: Duration = Duration::from_secs(60);

/// The agents that have called since the node started; a handle, cheap to clone. There are no more of them than tokens.
#[derive(Clone, Default)]
pub struct Agents {
    shared: Arc<Shared>,
}

struct Shared {
    known: Mutex<BTreeMap<AgentName, Known>>,
    changes: watch::Sender<u64>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

/// One agent. What it says of itself outlasts its absence, so that it need not say it again.
struct Known {
    last_request: Instant,
    open_streams: usize,
    capabilities: Vec<String>,
    status: Option<String>,
}

impl Known {
    fn new(now: Instant) -> Self {
        Self {
            last_request: now,
            open_streams: 0,
            capabilities: Vec::new(),
            status: None,
        }
    }

    fn is_present(&self, now: Instant) -> bool {
        self.open_streams > 0 || now.duration_since(self.last_request) < PRESENT_FOR
    }

    fn told(&self, name: &AgentName) -> PresentAgent {
        PresentAgent {
            name: name.clone(),
            capabilities: self.capabilities.clone(),
            status: self.status.clone(),
        }
    }
}

/// What an agent changes about itself; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// What it can do.
    pub capabilities: Option<Vec<String>>,
    /// What it is doing; an empty text takes it back.
    pub status: Option<String>,
}

/// A stream that an agent holds open; it is present until this is dropped, and [`PRESENT_FOR`] longer.
pub struct OpenStream {
    agents: Agents,
    name: AgentName,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        if let Some(known) = self.agents.known().get_mut(&self.name) {
            known.open_streams = known.open_streams.saturating_sub(1);
            known.last_request = Instant::now();
        }
    }
}

impl Agents {
    /// This agent has just asked for something.
    pub fn seen(&self, name: &AgentName) {
        self.change(name, |_| {});
    }

    /// This agent holds a stream open.
    pub fn open_stream(&self, name: AgentName) -> OpenStream {
        self.change(&name, |known| known.open_streams += 1);
        OpenStream {
            agents: self.clone(),
            name,
        }
    }

    /// Changes what an agent says of itself.
    ///
    /// # Errors
    ///
    /// When that is over a bound, of its own or of all agents together; then nothing has changed.
    pub fn describe(&self, name: &AgentName, description: Description) -> Result<(), AgentError> {
        let now = Instant::now();
        let mut known = self.known();
        let before = known.get(name);
        let capabilities = description.capabilities;
        let capabilities = capabilities.or_else(|| before.map(|agent| agent.capabilities.clone()));
        let status = match description.status {
            Some(status) => Some(status).filter(|status| !status.is_empty()),
            None => before.and_then(|agent| agent.status.clone()),
        };
        let described = PresentAgent {
            name: name.clone(),
            capabilities: capabilities.unwrap_or_default(),
            status,
        };
        described.check()?;
        let others = known
            .iter()
            .filter(|(other, agent)| *other != name && agent.is_present(now));
        let mut all: Vec<PresentAgent> = others.map(|(other, agent)| agent.told(other)).collect();
        all.push(described.clone());
        check_agents(&all)?;
        let agent = known.entry(name.clone()).or_insert_with(|| Known::new(now));
        (agent.capabilities, agent.status) = (described.capabilities, described.status);
        drop(known);
        self.told_of_change();
        Ok(())
    }

    /// Those who have asked for something since then.
    pub fn active_since(&self, since: Instant) -> Vec<AgentName> {
        let known = self.known();
        let active = known
            .iter()
            .filter(|(_, agent)| agent.last_request >= since);
        active.map(|(name, _)| name.clone()).collect()
    }

    /// What this agent says of itself, present or not.
    pub fn description(&self, name: &AgentName) -> Option<PresentAgent> {
        self.known().get(name).map(|known| known.told(name))
    }

    /// All who are present, by name.
    pub fn present(&self) -> Vec<PresentAgent> {
        let now = Instant::now();
        let known = self.known();
        let present = known.iter().filter(|(_, agent)| agent.is_present(now));
        present.map(|(name, agent)| agent.told(name)).collect()
    }

    /// Those of them that the node tells the mesh of: where there is no room, first without their texts, then not at all.
    pub fn told(&self) -> Vec<PresentAgent> {
        let mut told = Vec::new();
        for agent in self.present() {
            told.push(agent);
            if check_agents(&told).is_err()
                && let Some(last) = told.last_mut()
            {
                (last.capabilities, last.status) = (Vec::new(), None);
            }
            if check_agents(&told).is_err() {
                told.pop();
            }
        }
        told
    }

    /// This agent's token is worthless: it is gone.
    pub fn forget(&self, name: &AgentName) {
        if self.known().remove(name).is_some() {
            self.told_of_change();
        }
    }

    /// Rises whenever somebody comes, says something of itself, or [`Agents::told_of_change`] is called.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Somebody has changed, or has been silent for [`PRESENT_FOR`].
    pub fn told_of_change(&self) {
        self.shared.changes.send_modify(|version| *version += 1);
    }

    fn change(&self, name: &AgentName, change: impl FnOnce(&mut Known)) {
        let now = Instant::now();
        let mut known = self.known();
        let came = match known.get_mut(name) {
            Some(agent) => {
                let was_away = !agent.is_present(now);
                agent.last_request = now;
                change(agent);
                was_away
            }
            None => {
                let mut agent = Known::new(now);
                change(&mut agent);
                known.insert(name.clone(), agent);
                true
            }
        };
        drop(known);
        if came {
            self.told_of_change();
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<AgentName, Known>> {
        let known = self.shared.known.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use peerage_protocol::limits::{AGENT_STATUS_BYTES_MAX, AGENTS_PER_NODE_MAX};

    use super::*;

    fn name(text: &str) -> AgentName {
        text.parse().unwrap()
    }

    fn status(text: &str) -> Description {
        Description {
            status: Some(text.to_owned()),
            ..Description::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_is_present_for_a_minute_after_a_request_and_as_long_as_a_stream_is_open() {
        let agents = Agents::default();
        let mut changes = agents.changes();
        agents.seen(&name("coder"));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        let stream = agents.open_stream(name("reader"));
        tokio::time::advance(PRESENT_FOR).await;
        let present: Vec<AgentName> = agents.present().into_iter().map(|one| one.name).collect();
        assert_eq!(present, [name("reader")]);
        drop(stream);
        tokio::time::advance(PRESENT_FOR).await;
        assert_eq!(agents.present(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_agent_said_is_there_again_when_it_comes_back_until_its_token_is_worthless() {
        let agents = Agents::default();
        agents.seen(&name("coder"));
        agents.describe(&name("coder"), status("busy")).unwrap();
        tokio::time::advance(PRESENT_FOR).await;
        agents.seen(&name("coder"));
        assert_eq!(agents.present()[0].status.as_deref(), Some("busy"));
        agents.describe(&name("coder"), status("")).unwrap();
        assert_eq!(agents.present()[0].status, None);
        agents.forget(&name("coder"));
        assert_eq!(agents.present(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_refused_and_the_mesh_is_told_of_as_many_as_fit() {
        let agents = Agents::default();
        let long = "x".repeat(AGENT_STATUS_BYTES_MAX);
        let mut refused = None;
        for number in 0..AGENTS_PER_NODE_MAX + 5 {
            let name = name(&format!("a{number}"));
            agents.seen(&name);
            refused = refused.or(agents.describe(&name, status(&long)).err());
        }
        assert_eq!(refused, Some(AgentError::Full));
        let told = agents.told();
        assert_eq!(told.len(), AGENTS_PER_NODE_MAX);
        assert_eq!(check_agents(&told), Ok(()));
    }
}
