//! What one of a register's nodes promises and accepts.

use super::Ballot;

/// An acceptor's state: on disk before any answer that follows from it is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acceptor<V> {
    promised: Option<Ballot>,
    accepted: Option<(Ballot, V)>,
    /// It knows all that it ever answered.
    sure: bool,
}

impl<V> Default for Acceptor<V> {
    /// One that has never answered anything.
    fn default() -> Self {
        Self {
            promised: None,
            accepted: None,
            sure: true,
        }
    }
}

impl<V: Clone> Acceptor<V> {
    /// One that may have answered what it does not know: it has left the quorum.
    pub fn lost() -> Self {
        Self::recalled(None, None, false)
    }

    /// One of which this is known; `sure` where it is all that it ever answered.
    pub fn recalled(promised: Option<Ballot>, accepted: Option<(Ballot, V)>, sure: bool) -> Self {
        let promised = promised.max(accepted.as_ref().map(|(ballot, _)| *ballot));
        Self {
            promised,
            accepted,
            sure,
        }
    }

    /// The latest ballot that it promised.
    pub fn promise(&self) -> Option<Ballot> {
        self.promised
    }

    /// What it accepted last.
    pub fn last(&self) -> Option<&(Ballot, V)> {
        self.accepted.as_ref()
    }

    /// Promises to accept nothing of an earlier ballot; gives what was accepted last.
    ///
    /// # Errors
    ///
    /// When a later ballot was promised, or the state was lost.
    pub fn prepare(&mut self, ballot: Ballot) -> Result<Option<(Ballot, V)>, Refused> {
        self.admit(ballot)?;
        Ok(self.accepted.clone())
    }

    /// Accepts a value.
    ///
    /// # Errors
    ///
    /// When a later ballot was promised, or the state was lost.
    pub fn accept(&mut self, ballot: Ballot, value: V) -> Result<(), Refused> {
        self.admit(ballot)?;
        self.accepted = Some((ballot, value));
        Ok(())
    }

    fn admit(&mut self, ballot: Ballot) -> Result<(), Refused> {
        match self.promised {
            _ if !self.sure => Err(Refused::Lost),
            Some(promised) if promised > ballot => Err(Refused::Promised { to: promised }),
            _ => {
                self.promised = Some(ballot);
                Ok(())
            }
        }
    }
}

/// Why an acceptor does not go along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refused {
    /// It may have answered what it does not know.
    #[error("this acceptor has lost its state, and counts no more")]
    Lost,
    /// It has promised a later ballot.
    #[error("a later attempt, no. {}, was promised", to.number)]
    Promised {
        /// Which.
        to: Ballot,
    },
}
