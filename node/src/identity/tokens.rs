//! Agent tokens: random, shown once, kept as a hash, looked up without a lock.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use peerage_protocol::id::{AgentName, NameError};
use tokio::sync::watch;

use crate::store::{Store, StoreError, StoredToken};

/// What every token begins with, so that people and secret scanners recognise one.
const PREFIX: &str = "peerage_";

/// Tokens one node keeps.
const TOKENS_MAX: usize = 1_000;

/// Which token a caller showed, without the token: two of one agent differ.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenId([u8; 32]);

impl TokenId {
    /// The token's hash, by which it is known.
    pub fn of(token: &str) -> Self {
        Self(*blake3::hash(token.as_bytes()).as_bytes())
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenId")
    }
}

/// The agents of this node.
#[derive(Clone)]
pub struct Tokens {
    store: Store,
    agents: Arc<ArcSwap<HashMap<TokenId, AgentName>>>,
    changes: watch::Sender<()>,
}

impl Tokens {
    /// Reads what is kept.
    pub async fn load(store: Store) -> Result<Self, TokenError> {
        let tokens = Self {
            store,
            agents: Arc::default(),
            changes: watch::Sender::new(()),
        };
        tokens.refresh().await?;
        Ok(tokens)
    }

    /// The agent that `token` belongs to.
    pub fn agent(&self, token: TokenId) -> Option<AgentName> {
        self.agents.load().get(&token).cloned()
    }

    /// Waits until `token` is no agent's any more: revoked, or replaced by another.
    pub async fn until_revoked(&self, token: TokenId) {
        let mut changes = self.changes.subscribe();
        while self.agents.load().contains_key(&token) {
            // This holds the sender: it cannot be gone.
            let _ = changes.changed().await;
        }
    }

    /// Makes a token for `agent`, in place of an earlier one. It can be shown now and never again.
    pub async fn create(&self, agent: &AgentName, now: i64) -> Result<String, TokenError> {
        let held = self.agents.load();
        if held.len() >= TOKENS_MAX && !held.values().any(|name| name == agent) {
            return Err(TokenError::TooMany);
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| TokenError::NoRandomness)?;
        let token = format!("{PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(&secret));
        let stored = StoredToken {
            agent: agent.to_string(),
            hash: TokenId::of(&token).0,
            created: now,
        };
        self.store.put_token(stored).await?;
        self.store.open_inbox(agent.clone()).await?;
        self.refresh().await?;
        Ok(token)
    }

    /// The agents that have a token, by name, each with the time it was made.
    pub async fn list(&self) -> Result<Vec<StoredToken>, TokenError> {
        Ok(self.store.tokens().await?)
    }

    /// Makes an agent's token worthless; says whether there was one.
    pub async fn revoke(&self, agent: &AgentName) -> Result<bool, TokenError> {
        let revoked = self.store.delete_token(agent.to_string()).await?;
        self.refresh().await?;
        Ok(revoked)
    }

    async fn refresh(&self) -> Result<(), TokenError> {
        let mut agents = HashMap::new();
        for token in self.store.tokens().await? {
            agents.insert(TokenId(token.hash), token.agent.parse()?);
        }
        self.agents.store(Arc::new(agents));
        self.changes.send_replace(());
        Ok(())
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A name in the database that is none.
    #[error("a token in the database is damaged: {0}")]
    Name(#[from] NameError),
    /// The system has no randomness to give.
    #[error("the system's random number generator failed")]
    NoRandomness,
    /// [`TOKENS_MAX`] tokens are kept.
    #[error("{TOKENS_MAX} tokens exist already; revoke one with `peerage token revoke NAME`")]
    TooMany,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn a_token_names_its_agent_until_it_is_replaced_or_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite")).unwrap();
        let tokens = Tokens::load(store.clone()).await.unwrap();
        let claude: AgentName = "claude".parse().unwrap();
        let first = tokens.create(&claude, 1).await.unwrap();
        assert_eq!(tokens.agent(TokenId::of(&first)), Some(claude.clone()));
        let second = tokens.create(&claude, 2).await.unwrap();
        assert_eq!(tokens.agent(TokenId::of(&first)), None);
        let reopened = Tokens::load(store).await.unwrap();
        assert_eq!(reopened.agent(TokenId::of(&second)), Some(claude.clone()));
        assert!(tokens.revoke(&claude).await.unwrap());
        assert_eq!(tokens.agent(TokenId::of(&second)), None);
    }

    #[tokio::test]
    async fn who_waits_for_a_token_to_end_is_told_when_it_is_replaced_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite")).unwrap();
        let tokens = Tokens::load(store).await.unwrap();
        let (ada, bob): (AgentName, AgentName) = ("ada".parse().unwrap(), "bob".parse().unwrap());
        let first = TokenId::of(&tokens.create(&ada, 1).await.unwrap());
        let mut ended = std::pin::pin!(tokens.until_revoked(first));
        assert!(futures::poll!(&mut ended).is_pending());
        tokens.create(&bob, 2).await.unwrap();
        assert!(futures::poll!(&mut ended).is_pending());
        tokens.create(&ada, 3).await.unwrap();
        ended.await;
    }
}
