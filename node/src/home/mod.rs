//! The home folder of a node: where it is, who may look inside, and where each thing in it lies.
//!
//! Everything that makes a node itself is here. The folder is 0700 and every file in it 0600, so that no other user of
//! the machine can read a key, or speak through the socket.

mod atomic;
mod error;
mod lock;
mod secret;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub use atomic::write_atomically;
pub use error::HomeError;
pub use lock::{Holder, HomeLock};
pub use secret::{read_secret, read_secret_text, write_secret};

use peerage_protocol::id::{AgentName, MeshId};

use crate::config::environment::Environment;

/// The variable that names the home when no flag does.
pub const HOME_VARIABLE: &str = "PEERAGE_HOME";

/// Longest socket path in bytes: `sockaddr_un` holds 104 on macOS and 108 on Linux, with the closing zero.
pub const SOCKET_PATH_MAX: usize = 100;

/// Where everything of one node lies. Cheap to clone; says nothing about whether the folder exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// The home that a flag, else `$PEERAGE_HOME`, else the platform's data folder names. Creates nothing.
    pub fn locate(flag: Option<PathBuf>, environment: &dyn Environment) -> Result<Self, HomeError> {
        let from_variable = || {
            environment
                .variable(HOME_VARIABLE)
                .filter(|v| !v.is_empty())
        };
        let named = flag.or_else(|| from_variable().map(PathBuf::from));
        match named.or_else(platform_data_folder) {
            Some(path) => Self::at(&path),
            None => Err(HomeError::Nowhere),
        }
    }

    /// The home at `path`, made absolute so that it is the same whoever names it.
    pub fn at(path: &Path) -> Result<Self, HomeError> {
        let absolute = || std::path::absolute(path);
        let root = path
            .canonicalize()
            .or_else(|_| absolute())
            .map_err(|source| HomeError::io("find", path, source))?;
        Ok(Self { root })
    }

    /// Creates the folder with mode 0700 where it is missing. One that others may enter is closed when it is ours and
    /// empty, and refused otherwise: what lies in it may already have been read.
    pub fn prepare(&self) -> Result<Self, HomeError> {
        create_private_folder(&self.root)
            .map_err(|source| HomeError::io("create", &self.root, source))?;
        // Links in the path resolve only now that all of it exists.
        let home = Self::at(&self.root)?;
        home.check_private()?;
        Ok(home)
    }

    fn check_private(&self) -> Result<(), HomeError> {
        let failed = |source| HomeError::io("inspect", &self.root, source);
        let metadata = fs::metadata(&self.root).map_err(failed)?;
        let ours = rustix::process::geteuid().as_raw();
        if metadata.uid() != ours {
            return Err(HomeError::NotOurs {
                path: self.root.clone(),
                owner: metadata.uid(),
            });
        }
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 == 0 {
            return Ok(());
        }
        let empty = fs::read_dir(&self.root).map_err(failed)?.next().is_none();
        if !empty {
            return Err(HomeError::TooOpen {
                path: self.root.clone(),
                mode,
            });
        }
        fs::set_permissions(&self.root, fs::Permissions::from_mode(0o700)).map_err(failed)
    }

    /// Takes the home for this process; see [`HomeLock`].
    pub fn lock(&self) -> Result<HomeLock, HomeError> {
        HomeLock::take(self)
    }

    /// Who holds the home now; `None` when nobody does. Changes nothing.
    pub fn holder(&self) -> Result<Option<Holder>, HomeError> {
        HomeLock::holder(self)
    }

    /// Whether nobody holds this home and whoever held it last was killed.
    pub fn was_lost(&self) -> bool {
        HomeLock::was_lost(self)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The node's Ed25519 key: who it is.
    pub fn identity_key(&self) -> PathBuf {
        self.root.join("identity.key")
    }

    /// The key that is to follow, while a rotation is under way.
    pub fn next_identity_key(&self) -> PathBuf {
        self.root.join("identity-next.key")
    }

    /// The mesh's root key; only on the node that founded one.
    pub fn root_key(&self) -> PathBuf {
        self.root.join("root.key")
    }

    /// Where a founder that left keeps the root key of the mesh it founded.
    pub fn former_root_key(&self, mesh: MeshId) -> PathBuf {
        self.root.join(format!("root-{mesh}.key"))
    }

    /// The database: membership, tickets, address book, tokens.
    pub fn store(&self) -> PathBuf {
        self.root.join("peerage.db")
    }

    /// The upstream MCP servers, in the format of other MCP clients.
    pub fn servers(&self) -> PathBuf {
        self.root.join("mcp.json")
    }

    /// The settings.
    pub fn settings(&self) -> PathBuf {
        self.root.join("peerage.toml")
    }

    /// The log of a node that runs in the background.
    pub fn log(&self) -> PathBuf {
        self.root.join("peerage.log")
    }

    /// The folder of the tokens that programs of the owner present for agents.
    pub fn agents(&self) -> PathBuf {
        self.root.join("agents")
    }

    /// The token of one agent.
    pub fn agent_token(&self, agent: &AgentName) -> PathBuf {
        self.agents().join(format!("{agent}.token"))
    }

    /// The lock file, and in it who holds it.
    pub fn lock_file(&self) -> PathBuf {
        self.root.join("peerage.lock")
    }

    /// The socket that the command line speaks through; in a folder of its own when the home's path is too long.
    pub fn socket(&self) -> PathBuf {
        let inside = self.root.join("peerage.sock");
        if inside.as_os_str().len() <= SOCKET_PATH_MAX {
            return inside;
        }
        self.runtime_folder().join("peerage.sock")
    }

    /// Makes sure that the folder of [`Home::socket`] exists and is only ours, and says the socket's path.
    pub fn prepare_socket(&self) -> Result<PathBuf, HomeError> {
        let socket = self.socket();
        if socket.starts_with(&self.root) {
            return Ok(socket);
        }
        let folder = self.runtime_folder();
        create_private_folder(&folder)
            .map_err(|source| HomeError::io("create", &folder, source))?;
        check_runtime_folder(&folder)?;
        Ok(socket)
    }

    /// Depends on the user and the home only, never on the environment: the node and the command line must agree even
    /// when one was started by a service manager and the other in a shell.
    fn runtime_folder(&self) -> PathBuf {
        let hash = blake3::hash(self.root.as_os_str().as_encoded_bytes()).to_hex();
        let user = rustix::process::geteuid().as_raw();
        PathBuf::from(format!("/tmp/peerage-{user}-{}", &hash[..16]))
    }
}

/// Anyone may create a name in `/tmp` first, so the folder is trusted only when it is ours, closed, and no link.
fn check_runtime_folder(folder: &Path) -> Result<(), HomeError> {
    let failed = |source| HomeError::io("inspect", folder, source);
    let metadata = fs::symlink_metadata(folder).map_err(failed)?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(HomeError::NotOurs {
            path: folder.to_path_buf(),
            owner: metadata.uid(),
        });
    }
    match metadata.mode() & 0o777 {
        mode if mode & 0o077 != 0 => Err(HomeError::TooOpen {
            path: folder.to_path_buf(),
            mode,
        }),
        _ => Ok(()),
    }
}

fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn platform_data_folder() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "peerage")?;
    Some(folders.data_local_dir().to_path_buf())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::collections::BTreeMap;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_new_home_is_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(&folder.path().join("new/home")).unwrap();
        let home = home.prepare().unwrap();
        assert_eq!(mode_of(home.root()), 0o700);
    }

    #[test]
    fn an_open_home_with_something_in_it_is_refused_with_the_command_to_close_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mcp.json"), "{}").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let refused = Home::at(folder.path()).unwrap().prepare().unwrap_err();
        assert!(refused.to_string().contains("chmod 700"), "{refused}");
    }

    #[test]
    fn an_open_but_empty_home_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Home::at(folder.path()).unwrap().prepare().unwrap();
        assert_eq!(mode_of(folder.path()), 0o700);
    }

    #[test]
    fn the_flag_wins_over_the_variable() {
        let environment = BTreeMap::from([(HOME_VARIABLE.to_owned(), "/from/variable".to_owned())]);
        let of = |flag: Option<&str>| Home::locate(flag.map(PathBuf::from), &environment).unwrap();
        assert_eq!(of(Some("/from/flag")).root(), Path::new("/from/flag"));
        assert_eq!(of(None).root(), Path::new("/from/variable"));
    }

    #[test]
    fn a_long_home_has_its_socket_in_a_short_closed_folder() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(&folder.path().join("x".repeat(SOCKET_PATH_MAX))).unwrap();
        let home = home.prepare().unwrap();
        let socket = home.prepare_socket().unwrap();
        assert!(socket.as_os_str().len() <= SOCKET_PATH_MAX, "{socket:?}");
        let parent = socket.parent().unwrap();
        assert_eq!(mode_of(parent), 0o700);
        fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(
            home.prepare_socket(),
            Err(HomeError::TooOpen { .. })
        ));
        fs::remove_dir(parent).unwrap();
    }

    #[test]
    fn a_short_home_has_its_socket_inside() {
        let home = Home::at(Path::new("/short")).unwrap();
        assert_eq!(home.socket(), Path::new("/short/peerage.sock"));
    }

    #[test]
    fn a_home_named_through_a_link_is_the_same_home() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        fs::create_dir(&real).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(Home::at(&real).unwrap(), Home::at(&link).unwrap());
    }
}
