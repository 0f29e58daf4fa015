//! What every other part of a node stands on: its home, its store, its key, and control, loaded and not yet running.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use peerage_protocol::id::{NodeId, NodeName};
use peerage_protocol::node_state::{Input, Keys};
use peerage_protocol::signature::{Ed25519, Signer};

use super::StartError;
use super::own_key::OwnKey;
use crate::config::settings::Settings;
use crate::control::{Clock, Control, ControlHandle, Snapshots};
use crate::home::{Home, HomeLock};
use crate::identity::{Agents, Tokens};
use crate::keys;
use crate::store::Store;

pub(super) struct Foundation {
    pub(super) home: Home,
    pub(super) lock: HomeLock,
    pub(super) clock: Clock,
    pub(super) store: Store,
    pub(super) own: OwnKey,
    pub(super) me: NodeId,
    /// As the settings say; in its mesh the node may have another.
    pub(super) name: NodeName,
    pub(super) tokens: Tokens,
    pub(super) agents: Agents,
    pub(super) handle: ControlHandle,
    pub(super) snapshots: Arc<Snapshots>,
}

impl Foundation {
    /// Takes the home. The control that comes with it is to be run once the network is there.
    pub(super) async fn lay(settings: &Settings) -> Result<(Self, Control), StartError> {
        let home = settings.home.prepare()?;
        let lock = home.lock()?;
        let clock = Clock::start();
        let store = Store::open(&home.store())?;
        let own = OwnKey::load(&home, &store).await?;
        let tokens = Tokens::load(store.clone()).await?;
        let control = load_control(clock, settings, &own.key, store.clone()).await?;
        let handle = control.handle();
        let region = settings.region.clone();
        handle.tell(Input::Region { region }).await;
        let foundation = Self {
            home,
            lock,
            clock,
            store,
            me: NodeId::from_public_key(own.key.public_key()),
            own,
            name: settings.name.clone(),
            tokens,
            agents: Agents::default(),
            handle,
            snapshots: control.snapshots(),
        };
        Ok((foundation, control))
    }
}

async fn load_control(
    clock: Clock,
    settings: &Settings,
    key: &SigningKey,
    store: Store,
) -> Result<Control, StartError> {
    let root = keys::load(&settings.home.root_key())?;
    let keys = Keys {
        node: Arc::new(key.clone()),
        root: root.map(|root| Arc::new(root) as Arc<dyn Signer>),
        verifier: Arc::new(Ed25519),
    };
    Ok(Control::load(clock, keys, store).await?)
}
