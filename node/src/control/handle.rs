//! How the rest of the node speaks to control.

use std::time::Duration;

use peerage_protocol::node_state::{Input, Reply, RequestId};
use tokio::sync::{mpsc, oneshot};

/// Inputs waiting for control; a sender beyond it waits in turn.
pub(super) const INPUTS_WAITING_MAX: usize = 1_024;

/// How long a request waits for control, disk included.
const REPLY_WITHIN: Duration = Duration::from_secs(8);

/// An input once it is known which request it belongs to.
pub(super) type MakeInput = Box<dyn FnOnce(RequestId) -> Input + Send>;

pub(super) enum Command {
    Tell(Box<Input>),
    Ask(MakeInput, oneshot::Sender<Reply>),
}

/// A cloneable handle to the control task.
#[derive(Clone)]
pub struct ControlHandle {
    commands: mpsc::Sender<Command>,
}

impl ControlHandle {
    pub(super) fn new() -> (Self, mpsc::Receiver<Command>) {
        let (commands, received) = mpsc::channel(INPUTS_WAITING_MAX);
        (Self { commands }, received)
    }

    /// Hands in an input that wants no answer.
    pub async fn tell(&self, input: Input) {
        // A closed channel means that the node is stopping: nobody is left to be told.
        let _ = self.commands.send(Command::Tell(Box::new(input))).await;
    }

    /// Hands in an input and waits for its reply.
    pub async fn ask(
        &self,
        input: impl FnOnce(RequestId) -> Input + Send + 'static,
    ) -> Result<Reply, ControlClosed> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            let command = Command::Ask(Box::new(input), answer);
            self.commands
                .send(command)
                .await
                .map_err(|_| ControlClosed)?;
            answered.await.map_err(|_| ControlClosed)
        };
        tokio::time::timeout(REPLY_WITHIN, asked)
            .await
            .map_err(|_| ControlClosed)?
    }
}

/// Control is stopping, or too busy to answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping or too busy to answer; try again")]
pub struct ControlClosed;
