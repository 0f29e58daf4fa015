//! Keeps control told of the members whose unread messages fill their share: nothing more is taken of them meanwhile.

use std::collections::BTreeSet;

use peerage_protocol::id::NodeId;
use peerage_protocol::messaging::shares::Shares;
use peerage_protocol::node_state::Input;

use crate::control::ControlHandle;
use crate::store::{Store, StoreError};

/// Who is held.
pub(super) struct Holding {
    store: Store,
    control: ControlHandle,
    held: BTreeSet<NodeId>,
}

impl Holding {
    /// Nobody yet.
    pub(super) fn new(store: Store, control: ControlHandle) -> Self {
        Self {
            store,
            control,
            held: BTreeSet::new(),
        }
    }

    /// Whether anybody is.
    pub(super) fn any(&self) -> bool {
        !self.held.is_empty()
    }

    /// Looks at what is unread, and tells control of any change.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub(super) async fn refresh(&mut self) -> Result<(), StoreError> {
        let unread = self.store.unread().await?;
        let held = Shares::DEFAULT.held(&unread, &self.held);
        if held == self.held {
            return Ok(());
        }
        for sender in held.difference(&self.held) {
            tracing::warn!(%sender, "its unread messages fill its share of the inboxes: it waits until they are read");
        }
        for sender in self.held.difference(&held) {
            tracing::info!(%sender, "enough of its messages are read: it goes on");
        }
        self.held.clone_from(&held);
        self.control.tell(Input::HoldDirect { authors: held }).await;
        Ok(())
    }
}
