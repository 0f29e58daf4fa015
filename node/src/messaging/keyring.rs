//! The keys to which messages for this node's agents are sealed: a new one every week, the old ones for as long as
//! something may come that was sealed to them.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use peerage_protocol::messaging::ItemError;
use peerage_protocol::messaging::message::{DirectMessage, LIFETIME_MAX};
use peerage_protocol::messaging::sealing::{self, Binding, KeyId, MessageKey, SealedMessage};
use peerage_protocol::time::Timestamp;
use zeroize::Zeroizing;

use crate::store::{Store, StoreError, StoredMessageKey};

/// How long a key is told to others.
pub const KEY_TOLD_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long a key is kept: told, then for the longest life of a message, and a week for clocks and old records.
const KEY_KEPT_FOR: Duration = Duration::from_secs(14 * 24 * 60 * 60).saturating_add(LIFETIME_MAX);

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncapsulatedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

struct KeyPair {
    public: MessageKey,
    private: PrivateKey,
    created: Timestamp,
}

impl KeyPair {
    fn of(stored: &StoredMessageKey) -> Self {
        let (private, public) = X25519HkdfSha256::derive_keypair(&stored.seed[..]);
        Self {
            public: MessageKey(public.to_bytes().into()),
            private,
            created: Timestamp(u64::try_from(stored.created).unwrap_or_default()),
        }
    }
}

/// The keys of this node, the latest first.
pub struct Keyring {
    store: Store,
    pairs: ArcSwap<Vec<KeyPair>>,
}

impl Keyring {
    /// Reads the keys, and makes one where there is none, or none that is new enough.
    ///
    /// # Errors
    ///
    /// When the database or the system's randomness fails.
    pub async fn load(store: Store, now: Timestamp) -> Result<Self, KeyringError> {
        let keyring = Self {
            store,
            pairs: ArcSwap::default(),
        };
        keyring.refresh().await?;
        keyring.renew(now).await?;
        Ok(keyring)
    }

    /// The key that others are to seal to, and when another takes its place.
    pub fn current(&self) -> Option<(MessageKey, Timestamp)> {
        let pairs = self.pairs.load();
        let latest = pairs.first()?;
        Some((latest.public, latest.created + KEY_TOLD_FOR))
    }

    /// Makes a new key where the latest has been told for long enough; says whether it did.
    ///
    /// # Errors
    ///
    /// When the database or the system's randomness fails.
    pub async fn renew(&self, now: Timestamp) -> Result<bool, KeyringError> {
        if self.current().is_some_and(|(_, until)| now < until) {
            return Ok(false);
        }
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut seed[..]).map_err(|_| KeyringError::NoRandomness)?;
        let millis = |time: Timestamp| i64::try_from(time.0).unwrap_or(i64::MAX);
        let created = millis(now);
        let key = StoredMessageKey { seed, created };
        let forget_before = millis(now - KEY_KEPT_FOR);
        self.store.put_message_key(key, forget_before).await?;
        self.refresh().await?;
        Ok(true)
    }

    async fn refresh(&self) -> Result<(), KeyringError> {
        let stored = self.store.message_keys().await?;
        let pairs = stored.iter().map(KeyPair::of).collect();
        self.pairs.store(Arc::new(pairs));
        Ok(())
    }

    /// Opens what was sealed to one of these keys.
    ///
    /// # Errors
    ///
    /// When no key opens it, or what is in it is no message.
    pub fn open(
        &self,
        binding: &Binding,
        sealed: &SealedMessage,
    ) -> Result<DirectMessage, SealError> {
        let pairs = self.pairs.load();
        let pair = pairs.iter().find(|pair| pair.public.id() == sealed.key);
        let pair = pair.ok_or(SealError::UnknownKey { key: sealed.key })?;
        let encapsulated =
            EncapsulatedKey::from_bytes(&sealed.encapsulated).map_err(|_| SealError::Damaged)?;
        let plain = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &pair.private,
            &encapsulated,
            &binding.info(),
            &sealed.ciphertext,
            &binding.associated_data(),
        );
        let plain = Zeroizing::new(plain.map_err(|_| SealError::Damaged)?);
        let message = DirectMessage::decode(&plain)?;
        match message.content.number == binding.number {
            true => Ok(message),
            false => Err(SealError::Damaged),
        }
    }
}

/// Seals a message to the key of its recipient's node.
///
/// # Errors
///
/// When the key is none, or the system has no randomness.
pub fn seal(
    to: &MessageKey,
    binding: &Binding,
    message: &DirectMessage,
) -> Result<SealedMessage, SealError> {
    // The library panics where there is no randomness: it is asked for before.
    getrandom::u64().map_err(|_| SealError::NoRandomness)?;
    let public = PublicKey::from_bytes(&to.0).map_err(|_| SealError::NotAKey)?;
    let plain = Zeroizing::new(message.encode());
    sealing::seal(to, binding.number, &plain, |plain| {
        let sealed = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &public,
            &binding.info(),
            plain,
            &binding.associated_data(),
        );
        let (encapsulated, ciphertext) = sealed.map_err(|_| SealError::NotAKey)?;
        Ok((encapsulated.to_bytes().into(), ciphertext))
    })
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no randomness to give.
    #[error("the system's random number generator failed")]
    NoRandomness,
}

/// Why a message is not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not a public key.
    #[error("the recipient's node tells of a key that is none")]
    NotAKey,
    /// The system has no randomness to give.
    #[error("the system's random number generator failed")]
    NoRandomness,
    /// Sealed to a key that this node has not, or no more.
    #[error("it is sealed to a key that this node does not have (any more): {:016x}", key.0)]
    UnknownKey {
        /// Which.
        key: KeyId,
    },
    /// Not what was sealed, or bound to something else.
    #[error("it was changed, or is bound to another mesh, sender, recipient or place")]
    Damaged,
    /// What was sealed is not a message.
    #[error(transparent)]
    NotAMessage(#[from] ItemError),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use peerage_protocol::id::{MeshId, NodeId};
    use peerage_protocol::messaging::message::{Content, MessageId, Priority};

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn binding() -> Binding {
        Binding {
            mesh: MeshId::from_public_key([1; 32]),
            sender: NodeId::from_public_key([2; 32]),
            recipient: NodeId::from_public_key([3; 32]),
            number: 4,
        }
    }

    fn message() -> DirectMessage {
        DirectMessage {
            to: "reader".parse().unwrap(),
            content: Content {
                id: MessageId([7; 16]),
                from: "coder".parse().unwrap(),
                number: 4,
                sent: NOW,
                lifetime: 60,
                priority: Priority::Normal,
                reply_to: None,
                text: "the very text".to_owned(),
            },
        }
    }

    async fn keyring(folder: &tempfile::TempDir) -> Keyring {
        let store = Store::open(&folder.path().join("peerage.db")).unwrap();
        Keyring::load(store, NOW).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_sealed_to_a_node_is_opened_by_it_alone_and_shows_nothing() {
        let (here, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (keys, others) = (keyring(&here).await, keyring(&elsewhere).await);
        let (key, _) = keys.current().unwrap();
        let sealed = seal(&key, &binding(), &message()).unwrap();
        let text = b"the very text";
        assert!(
            !sealed
                .ciphertext
                .windows(text.len())
                .any(|part| part == text)
        );
        assert_eq!(keys.open(&binding(), &sealed), Ok(message()));
        let unknown = SealError::UnknownKey { key: key.id() };
        assert_eq!(others.open(&binding(), &sealed), Err(unknown));
    }

    #[tokio::test]
    async fn a_sealed_message_is_worth_nothing_in_another_place_or_changed() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keyring(&folder).await;
        let (key, _) = keys.current().unwrap();
        let sealed = seal(&key, &binding(), &message()).unwrap();
        let other = NodeId::from_public_key([9; 32]);
        let elsewhere = [
            Binding {
                mesh: MeshId::from_public_key([9; 32]),
                ..binding()
            },
            Binding {
                sender: other,
                ..binding()
            },
            Binding {
                recipient: other,
                ..binding()
            },
            Binding {
                number: 5,
                ..binding()
            },
        ];
        for binding in elsewhere {
            assert_eq!(keys.open(&binding, &sealed), Err(SealError::Damaged));
        }
        let mut changed = sealed;
        changed.ciphertext[0] ^= 1;
        assert_eq!(keys.open(&binding(), &changed), Err(SealError::Damaged));
    }

    #[tokio::test]
    async fn a_week_later_another_key_is_told_and_the_old_one_still_opens_for_four() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keyring(&folder).await;
        let (first, until) = keys.current().unwrap();
        let sealed = seal(&first, &binding(), &message()).unwrap();
        assert!(!keys.renew(NOW).await.unwrap());
        assert!(keys.renew(until).await.unwrap());
        assert_ne!(keys.current().unwrap().0, first);
        let again = keyring(&folder).await;
        assert_ne!(again.current().unwrap().0, first);
        assert_eq!(again.open(&binding(), &sealed), Ok(message()));
        let late = NOW + KEY_KEPT_FOR + Duration::from_secs(1);
        assert!(again.renew(late).await.unwrap());
        let forgotten = again.open(&binding(), &sealed);
        assert!(matches!(forgotten, Err(SealError::UnknownKey { .. })));
    }
}
