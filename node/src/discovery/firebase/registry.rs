//! Keeps this node's record in the registry, reads those of others, and tells control of members that it finds.

use std::sync::Arc;
use std::time::Duration;

use libp2p::Multiaddr;
use peerage_protocol::address_book::Source;
use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::signature::Signer;
use peerage_protocol::time::Timestamp;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::errand::{Brought, Errand, Listed, Records};
use super::fault::Fault;
use super::id::record_id;
use super::record::{member, record};
use super::report::RegistryReport;
use super::sending::{send, this_program};
use super::{HEARTBEAT_EVERY, RECORD_LIFETIME};
use crate::config::firebase::{FirebaseSettings, TOKEN_BYTES_MAX, Token, TokenSource};
use crate::control::{ControlHandle, Snapshots, tell_sighted, wall};
use crate::discovery::lan::announcement::Announced;
use crate::gateway::backend::backoff::Backoff;
use crate::home::read_secret_text;

/// Time between two looks at the mesh and at this node's addresses.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Time between two exchanges, however often this node moves.
const EXCHANGE_EVERY: Duration = Duration::from_secs(2);

/// Pauses after exchanges that failed.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_LAST: Duration = Duration::from_secs(60);

/// How long a node that stops takes to remove its record; it expires by itself.
const WITHDRAW_WITHIN: Duration = Duration::from_secs(1);

/// Members told to control in one exchange; the liveliest first.
const SIGHTINGS_MAX: usize = 1_024;

/// What a registry is made of.
pub struct RegistrySettings {
    /// Which.
    pub firebase: FirebaseSettings,
    /// The node's key.
    pub key: Arc<dyn Signer>,
    /// Where members are told of.
    pub control: ControlHandle,
    /// The mesh, and where this node listens.
    pub snapshots: Arc<Snapshots>,
    /// Where its owner sees how it does.
    pub report: Arc<RegistryReport>,
}

/// A node at its registry.
pub struct Registry {
    settings: RegistrySettings,
    me: NodeId,
}

/// The mesh, and where this node listens.
type Place = (MeshId, Vec<Multiaddr>);

impl Registry {
    /// Goes there now and then until `stop`, and then removes the record.
    pub async fn run(settings: RegistrySettings, stop: CancellationToken) {
        let registry = Self {
            me: NodeId::from_public_key(settings.key.public_key()),
            settings,
        };
        let url = &registry.settings.firebase.url;
        tracing::info!(%url, "members are also looked for in a registry");
        let mut told = None;
        stop.run_until_cancelled(registry.follow(&mut told)).await;
        if let Some((mesh, _)) = told {
            registry.withdraw(mesh).await;
        }
    }

    /// `told` is what the registry knows of this node.
    async fn follow(&self, told: &mut Option<Place>) {
        let mut pauses = Backoff::new(PAUSE_FIRST, PAUSE_LAST);
        let mut heartbeats = Backoff::new(HEARTBEAT_EVERY, HEARTBEAT_EVERY);
        loop {
            let place = self.place();
            match (&place, told.as_ref()) {
                (Some((mesh, addresses)), _) => {
                    // A stop may come before the end, and there may be a record by then.
                    *told = place.clone();
                    let succeeded = self.exchange(*mesh, addresses).await;
                    let pause = match succeeded {
                        true => {
                            pauses.reset();
                            heartbeats.wait()
                        }
                        false => pauses.wait(),
                    };
                    self.rest(pause, told).await;
                }
                (None, Some((mesh, _))) => {
                    self.withdraw(*mesh).await;
                    *told = None;
                }
                (None, None) => sleep(LOOK_EVERY).await,
            }
        }
    }

    /// Waits, less where this node has moved, or the machine slept.
    async fn rest(&self, pause: Duration, told: &Option<Place>) {
        let begun = (Instant::now(), wall());
        loop {
            sleep(LOOK_EVERY).await;
            let waited = begun.0.elapsed().max(wall().since(begun.1));
            let moved = waited >= EXCHANGE_EVERY && self.place() != *told;
            if moved || waited >= pause {
                return;
            }
        }
    }

    /// Nothing while this node belongs to no mesh.
    fn place(&self) -> Option<Place> {
        let mesh = self.settings.snapshots.roster()?.mesh;
        let listening = self.settings.snapshots.listening();
        Some((mesh, listening.to_vec()))
    }

    /// Writes the record and reads all others; whether others can be read.
    async fn exchange(&self, mesh: MeshId, addresses: &[Multiaddr]) -> bool {
        let brought = self.ask(mesh, addresses).await;
        let fault = match &brought {
            Err(fault) => Some(fault),
            Ok(brought) => fault_of(brought),
        };
        self.note(fault.cloned());
        match brought {
            Ok(Brought {
                records: Some(Ok(records)),
                ..
            }) => {
                self.read(mesh, &records).await;
                true
            }
            _ => false,
        }
    }

    async fn ask(&self, mesh: MeshId, addresses: &[Multiaddr]) -> Result<Brought, Fault> {
        let firebase = &self.settings.firebase;
        let endpoint = firebase.endpoint.as_ref().map(|endpoint| endpoint.as_str());
        let record = record(mesh, &*self.settings.key, addresses, endpoint, wall());
        let publish = record.map(|record| (record_id(mesh, self.me), record));
        let errand = Errand {
            publish,
            read: true,
            ..errand(firebase)?
        };
        send(&this_program()?, &errand, firebase.url.authority()).await
    }

    async fn withdraw(&self, mesh: MeshId) {
        let Ok(errand) = errand(&self.settings.firebase) else {
            return;
        };
        let errand = Errand {
            withdraw: Some(record_id(mesh, self.me)),
            ..errand
        };
        let Ok(program) = this_program() else { return };
        let sent = send(&program, &errand, self.settings.firebase.url.authority());
        if timeout(WITHDRAW_WITHIN, sent).await.is_err() {
            tracing::debug!("the record in the registry was left to expire");
        }
    }

    fn note(&self, fault: Option<Fault>) {
        self.settings.report.change(|report| {
            match (&fault, &report.fault) {
                (Some(fault), known) if known.as_ref() != Some(fault) => {
                    let url = &self.settings.firebase.url;
                    tracing::warn!(%url, %fault, "the registry is of no use for now");
                }
                (None, Some(_)) => tracing::info!("the registry is of use again"),
                _ => {}
            }
            report.failures = match fault {
                Some(_) => report.failures.saturating_add(1),
                None => 0,
            };
            if fault.is_none() {
                report.succeeded = Some(wall());
            }
            report.fault = fault;
        });
    }

    async fn read(&self, mesh: MeshId, records: &Records) {
        let mut read = Read::of(mesh, self.me, &records.listed, wall());
        read.foreign += records.malformed;
        self.settings.report.change(|report| {
            report.members = read.members.len();
            report.expired = read.expired;
            if read.foreign > report.foreign {
                tracing::warn!(
                    records = read.foreign,
                    "records in the registry are no member's word, and are passed over"
                );
            }
            report.foreign = read.foreign;
        });
        let linked = self.settings.snapshots.links();
        for announced in read.members {
            if linked
                .borrow()
                .get(&announced.node)
                .is_some_and(|link| link.up)
            {
                continue;
            }
            let RegistrySettings {
                control, snapshots, ..
            } = &self.settings;
            let Announced { node, addresses } = announced;
            tell_sighted(control, snapshots, node, addresses, Source::Firebase).await;
        }
    }
}

/// One that does nothing yet.
pub(super) fn errand(firebase: &FirebaseSettings) -> Result<Errand, Fault> {
    let token = token(&firebase.token)?;
    Ok(Errand {
        url: firebase.url.to_string(),
        token: token.map(|token| token.reveal().to_owned()),
        publish: None,
        withdraw: None,
        read: false,
    })
}

fn fault_of(brought: &Brought) -> Option<&Fault> {
    let published = brought
        .published
        .as_ref()
        .and_then(|done| done.as_ref().err());
    let records = brought
        .records
        .as_ref()
        .and_then(|done| done.as_ref().err());
    published.or(records)
}

fn token(source: &TokenSource) -> Result<Option<Token>, Fault> {
    let not_asked = |why: String| Fault::NotAsked { why };
    match source {
        TokenSource::None => Ok(None),
        TokenSource::Given(token) => Ok(Some(token.clone())),
        TokenSource::File(path) => {
            let text = read_secret_text(path, TOKEN_BYTES_MAX as u64 + 2);
            let text = text.map_err(|error| not_asked(error.to_string()))?;
            let text =
                text.ok_or_else(|| not_asked(format!("there is no token at {}", path.display())))?;
            let token = Token::parse(&text);
            token
                .map(Some)
                .map_err(|error| not_asked(format!("{}: {error}", path.display())))
        }
    }
}

/// What the records mean to a member.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    members: Vec<Announced>,
    expired: usize,
    foreign: usize,
}

impl Read {
    /// Ages are counted in the registry's time: back from this node's own heartbeat, which was written just now, or from
    /// the latest one.
    fn of(mesh: MeshId, me: NodeId, records: &[Listed], now: Timestamp) -> Self {
        let own = record_id(mesh, me);
        let mut others: Vec<&Listed> = records.iter().filter(|one| one.id != own).collect();
        others.sort_by_key(|listed| std::cmp::Reverse(listed.heartbeat));
        let own = records.iter().find(|one| one.id == own);
        let latest = own.or(others.first().copied());
        let latest = Timestamp(latest.map_or(0, |listed| listed.heartbeat));
        let mut read = Self::default();
        for listed in others {
            let age = latest.since(Timestamp(listed.heartbeat));
            match member(mesh, listed, now) {
                _ if !listed.online || age > RECORD_LIFETIME => read.expired += 1,
                Some(announced) if read.members.len() < SIGHTINGS_MAX => {
                    read.members.push(announced);
                }
                _ => read.foreign += 1,
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ed25519_dalek::SigningKey;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn mesh() -> MeshId {
        MeshId::from_public_key([1; 32])
    }

    fn listed(byte: u8, heartbeat: u64) -> Listed {
        let key = SigningKey::from_bytes(&[byte; 32]);
        let node = NodeId::from_public_key(key.verifying_key().to_bytes());
        let address = format!("/ip4/192.0.2.{byte}/tcp/1").parse().unwrap();
        let record = record(mesh(), &key, &[address], None, NOW).unwrap();
        let parts = record["multiaddrs"].as_array().unwrap().iter();
        Listed {
            id: record_id(mesh(), node),
            endpoint: String::new(),
            addresses: parts
                .map(|part| part.as_str().unwrap().to_owned())
                .collect(),
            online: true,
            heartbeat,
        }
    }

    fn read(records: &[Listed]) -> Read {
        let me = SigningKey::from_bytes(&[1; 32]).verifying_key();
        Read::of(mesh(), NodeId::from_public_key(me.to_bytes()), records, NOW)
    }

    #[test]
    fn a_record_expires_in_the_registrys_time_whatever_this_machine_says() {
        let lifetime = u64::try_from(RECORD_LIFETIME.as_millis()).unwrap();
        // The registry is a year ahead.
        let there = NOW.0 + 365 * 24 * 60 * 60 * 1_000;
        let read = read(&[
            listed(1, there),
            listed(2, there - lifetime),
            listed(3, there - lifetime - 1),
            Listed {
                online: false,
                ..listed(4, there)
            },
        ]);
        assert_eq!((read.members.len(), read.expired, read.foreign), (1, 2, 0));
    }

    #[test]
    fn records_that_are_no_members_word_are_counted_and_left_out() {
        let mut stolen = listed(2, 1);
        stolen.id = "nobody".to_owned();
        let mut open = listed(3, 1);
        open.addresses = vec!["/ip4/192.0.2.66/tcp/1".to_owned()];
        let read = read(&[listed(1, 1), stolen, open]);
        assert_eq!((read.members.len(), read.foreign), (0, 2));
    }

    #[test]
    fn a_token_is_read_anew_each_time_and_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let source = TokenSource::File(path.clone());
        assert!(token(&source).is_err());
        crate::home::write_secret(&path, b"one\n").unwrap();
        assert_eq!(token(&source).unwrap().unwrap().reveal(), "one");
        crate::home::write_secret(&path, b"two").unwrap();
        assert_eq!(token(&source).unwrap().unwrap().reveal(), "two");
        crate::home::write_secret(&path, b"a secret & more").unwrap();
        let refused = token(&source).unwrap_err().to_string();
        assert!(!refused.contains("secret"), "{refused}");
    }
}
