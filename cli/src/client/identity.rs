//! Who a client is: the token that names it, kept in the home and minted on first use.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use peerage_node::gateway::frontend::rest::api::{TokenRequest, TokenResponse};
use peerage_node::home::{Home, write_atomically};
use peerage_protocol::id::AgentName;

use super::error::ClientError;
use crate::socket;

/// The variable that holds a token for an endpoint that is not this home's node.
pub const TOKEN_VARIABLE: &str = "PEERAGE_TOKEN";

/// Bytes of a token that are read; one of ours has 51.
const TOKEN_BYTES_MAX: u64 = 4_096;

/// The token of `agent` on `home`, minted by the running node where there is none yet.
pub(crate) async fn token_of(home: &Home, agent: &AgentName) -> Result<String, ClientError> {
    if let Some(token) = kept(home, agent)? {
        return Ok(token);
    }
    // Minting replaces an earlier token, so two programs that begin at once must not both do it.
    let _turn = turn(home, agent).await?;
    if let Some(token) = kept(home, agent)? {
        return Ok(token);
    }
    mint(home, agent).await
}

/// Makes a new token for `agent` in place of any earlier one, and keeps it.
pub(crate) async fn mint(home: &Home, agent: &AgentName) -> Result<String, ClientError> {
    prepare_folder(home, agent)?;
    let request = TokenRequest {
        name: agent.to_string(),
    };
    let client = socket::Client::new(home.clone());
    let made: TokenResponse = client
        .post("/v1/tokens", &request)
        .await
        .map_err(ClientError::Node)?;
    let path = home.agent_token(agent);
    write_atomically(&path, made.token.as_bytes()).map_err(failed(agent, &path))?;
    Ok(made.token)
}

/// Forgets the kept token; says whether there was one.
pub(crate) fn forget(home: &Home, agent: &AgentName) -> Result<bool, ClientError> {
    let path = home.agent_token(agent);
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(agent, &path)(error)),
    }
}

fn kept(home: &Home, agent: &AgentName) -> Result<Option<String>, ClientError> {
    let path = home.agent_token(agent);
    let mut text = String::new();
    let read =
        File::open(&path).and_then(|file| file.take(TOKEN_BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(_) if text.trim().is_empty() => Ok(None),
        Ok(_) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(agent, &path)(error)),
    }
}

/// Waits for the turn on a thread of its own: the holder may need this one to finish.
async fn turn(home: &Home, agent: &AgentName) -> Result<File, ClientError> {
    let waiting = {
        let (home, agent) = (home.clone(), agent.clone());
        tokio::task::spawn_blocking(move || take_turn(&home, &agent))
    };
    match waiting.await {
        Ok(turn) => turn,
        Err(error) => Err(failed(agent, &home.agents())(io::Error::other(error))),
    }
}

fn take_turn(home: &Home, agent: &AgentName) -> Result<File, ClientError> {
    prepare_folder(home, agent)?;
    let path = home.agents().join("minting.lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed(agent, &path))?;
    file.lock().map_err(failed(agent, &path))?;
    Ok(file)
}

fn prepare_folder(home: &Home, agent: &AgentName) -> Result<(), ClientError> {
    let folder = home.agents();
    let created = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    created.map_err(failed(agent, &folder))
}

fn failed(agent: &AgentName, path: &Path) -> impl FnOnce(io::Error) -> ClientError {
    let (agent, path): (AgentName, PathBuf) = (agent.clone(), path.to_path_buf());
    move |source| ClientError::TokenFile {
        agent,
        path,
        source,
    }
}

/// An agent's name out of what a client calls itself: `Claude Code` is `claude-code`. `None` where nothing is left.
pub(crate) fn agent_name(label: &str) -> Option<AgentName> {
    let mut name = String::new();
    for c in label.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    name.truncate(peerage_protocol::id::SHORT_NAME_MAX);
    name.trim_end_matches('-').parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn clients_labels_become_names() {
        let name = |label| agent_name(label).map(|name| name.to_string());
        assert_eq!(name("Claude Code").as_deref(), Some("claude-code"));
        assert_eq!(
            name("mcp-inspector (CLI) 1.0").as_deref(),
            Some("mcp-inspector-cli-1")
        );
        assert_eq!(name("größe"), Some("gr-e".to_owned()));
        assert_eq!(name("!!!"), None);
        assert_eq!(name(""), None);
    }

    #[test]
    fn an_empty_token_file_is_none_and_a_full_one_is_trimmed() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        let agent: AgentName = "claude".parse().unwrap();
        assert_eq!(kept(&home, &agent).unwrap(), None);
        prepare_folder(&home, &agent).unwrap();
        fs::write(home.agent_token(&agent), "").unwrap();
        assert_eq!(kept(&home, &agent).unwrap(), None);
        fs::write(home.agent_token(&agent), "secret\n").unwrap();
        assert_eq!(kept(&home, &agent).unwrap().as_deref(), Some("secret"));
        assert!(forget(&home, &agent).unwrap());
        assert!(!forget(&home, &agent).unwrap());
    }
}
