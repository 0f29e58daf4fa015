//! Why a message was not published.

use libp2p::gossipsub;
use peerage_protocol::limits::GOSSIP_BYTES_MAX;

/// Why nobody was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// No linked member listens yet: say it again later.
    #[error("no linked member listens to gossip yet")]
    NobodySubscribed,
    /// Every linked member is too slow to take it now: say less, or say it again later.
    #[error("every linked member is too far behind to take more gossip")]
    Busy,
    /// It is over the bound; nothing was sent.
    #[error("a gossip message of {bytes} bytes is over the limit of {GOSSIP_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
    /// The gossip layer itself failed.
    #[error("the gossip layer failed: {why}")]
    Failed {
        /// What it says.
        why: String,
    },
}

/// Refuses what is over the bound, by name.
pub(crate) fn check_size(bytes: usize) -> Result<(), PublishError> {
    if bytes > GOSSIP_BYTES_MAX {
        return Err(PublishError::TooLarge { bytes });
    }
    Ok(())
}

/// What came of publishing `bytes` bytes; a message that was published before has been told.
pub(crate) fn published(
    outcome: Result<gossipsub::MessageId, gossipsub::PublishError>,
    bytes: usize,
) -> Result<(), PublishError> {
    use gossipsub::PublishError as Error;
    match outcome {
        Ok(_) | Err(Error::Duplicate) => Ok(()),
        Err(Error::NoPeersSubscribedToTopic) => Err(PublishError::NobodySubscribed),
        Err(Error::AllQueuesFull(_)) => Err(PublishError::Busy),
        Err(Error::MessageTooLarge) => Err(PublishError::TooLarge { bytes }),
        Err(error @ (Error::SigningError(_) | Error::TransformFailed(_))) => {
            Err(PublishError::Failed {
                why: error.to_string(),
            })
        }
    }
}
