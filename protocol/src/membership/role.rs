//! Roles: what a member may do. The node that hosts a server decides by the role in the caller's certificate.

use serde::{Deserialize, Serialize};

use crate::id::{NodeId, ServerName};

/// Servers that one guest may be let in for.
pub const GUEST_SERVERS_MAX: usize = 16;

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Issues certificates, revokes, and all that a member may.
    Admin,
    /// Calls and offers tools.
    Member,
    /// Lists and reads: calls nothing that does not say it is read-only, and offers nothing.
    Observer,
    /// Sees and calls the servers named in its certificate and no others, and offers nothing.
    Guest,
}

const ROLES: [(Role, &str); 4] = [
    (Role::Admin, "admin"),
    (Role::Member, "member"),
    (Role::Observer, "observer"),
    (Role::Guest, "guest"),
];

impl Role {
    /// Whether others list the tools of a member of this role.
    pub fn offers(self) -> bool {
        matches!(self, Role::Admin | Role::Member)
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = ROLES.iter().find(|(role, _)| role == self);
        f.write_str(named.map_or("", |(_, name)| name))
    }
}

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let named = ROLES.iter().find(|(_, name)| *name == text);
        named.map(|(role, _)| *role).ok_or_else(|| UnknownRole {
            found: text.to_owned(),
        })
    }
}

/// A role nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no role {found:?}; roles are admin, member, observer and guest")]
pub struct UnknownRole {
    /// What was given.
    pub found: String,
}

/// One server of one node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GuestServer {
    /// The node that has it.
    pub node: NodeId,
    /// Its name there.
    pub server: ServerName,
}

/// What a certificate lets its holder do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its role.
    pub role: Role,
    /// For a guest, the servers that it may see and call, from 1 to [`GUEST_SERVERS_MAX`]; empty for everybody else.
    pub only: Vec<GuestServer>,
}

impl From<Role> for Grant {
    fn from(role: Role) -> Self {
        let only = Vec::new();
        Self { role, only }
    }
}

impl Grant {
    /// Whether it names servers where it must, and only there.
    pub fn is_consistent(&self) -> bool {
        match self.role {
            Role::Guest => (1..=GUEST_SERVERS_MAX).contains(&self.only.len()),
            Role::Admin | Role::Member | Role::Observer => self.only.is_empty(),
        }
    }

    /// Whether the tools of `server` at `node` are listed to it.
    pub fn may_see(&self, node: NodeId, server: &ServerName) -> bool {
        let named = |one: &GuestServer| one.node == node && one.server == *server;
        self.role != Role::Guest || self.only.iter().any(named)
    }

    /// Whether it may call a tool of `server` at `node`, which says of itself that it only reads or not.
    pub fn may_call(&self, node: NodeId, server: &ServerName, read_only: bool) -> bool {
        self.may_see(node, server) && (self.role != Role::Observer || read_only)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn host() -> NodeId {
        NodeId::from_public_key([1; 32])
    }

    fn guest() -> Grant {
        let only = vec![GuestServer {
            node: host(),
            server: "files".parse().unwrap(),
        }];
        let role = Role::Guest;
        Grant { role, only }
    }

    #[test]
    fn a_guest_sees_and_calls_its_servers_at_their_node_and_nothing_else() {
        let (files, mail) = ("files".parse().unwrap(), "mail".parse().unwrap());
        let elsewhere = NodeId::from_public_key([2; 32]);
        assert!(guest().may_call(host(), &files, false));
        assert!(!guest().may_see(host(), &mail) && !guest().may_call(host(), &mail, true));
        assert!(!guest().may_see(elsewhere, &files));
    }

    #[test]
    fn an_observer_sees_everything_and_calls_what_only_reads() {
        let (observer, files) = (Grant::from(Role::Observer), "files".parse().unwrap());
        assert!(observer.may_see(host(), &files));
        assert!(observer.may_call(host(), &files, true));
        assert!(!observer.may_call(host(), &files, false));
        assert!(Grant::from(Role::Member).may_call(host(), &files, false));
    }

    #[test]
    fn only_a_guest_names_servers_and_a_guest_names_some() {
        assert!(guest().is_consistent());
        assert!(!Grant::from(Role::Guest).is_consistent());
        let member = Grant {
            role: Role::Member,
            ..guest()
        };
        assert!(!member.is_consistent());
    }

    #[test]
    fn every_role_has_a_name_that_is_read_back() {
        for (role, name) in ROLES {
            assert_eq!(role.to_string(), name);
            assert_eq!(name.parse(), Ok(role));
        }
        assert!("king".parse::<Role>().is_err());
    }
}
