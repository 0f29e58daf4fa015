//! Deliberate breaks of the rules, so that the simulations can show that they notice: feature `mutations`, for tests
//! only. Without it nothing here is compiled in but constants that say no.

/// Declares the mutations, and with them the list of all.
macro_rules! mutations {
    ($($(#[$meaning:meta])* $name:ident,)*) => {
        /// One rule that is broken on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutation {
            $($(#[$meaning])* $name,)*
        }

        #[cfg(feature = "mutations")]
        impl Mutation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

mutations! {
    /// Expired certificates are let in.
    AcceptExpiredCertificate,
    /// Signatures on certificates are not looked at.
    AcceptForgedCertificate,
    /// A ticket is redeemed any number of times.
    ReuseTicket,
    /// A redemption is answered and never written.
    ForgetRedemption,
    /// Servers that are not shared are in the manifest.
    ListUnsharedServer,
    /// A name goes to whoever claimed it last.
    NamesFollowTheNewest,
    /// Any number of sighted strangers is remembered.
    RememberEveryStranger,
    /// Whoever left comes back with anybody's old word.
    BringBackLeavers,
    /// An older record replaces a newer one.
    TakeOlderRecords,
    /// Signatures on records are not looked at.
    AcceptForgedRecords,
    /// A manifest is taken whatever its hash.
    TakeAnyManifest,
    /// Nobody is asked for what gossip missed.
    NeverReconcile,
    /// A lost link is not made again.
    NeverRedial,
    /// Links to members whose certificates have expired stay.
    KeepExpiredLinks,
    /// A member may change as often as it likes.
    HearEveryChange,
    /// Whoever was put out stays in.
    IgnoreRevocations,
    /// Nobody is told of a revocation.
    KeepRevocationsSecret,
    /// A watcher says nothing.
    AccuseNobody,
    /// Nobody answers an accusation.
    NeverRefute,
    /// A result counts under whatever fence.
    SkipFence,
    /// An arbiter that has started anew grants at once.
    GrantAtOnce,
    /// An arbiter of several accepts what it has promised not to.
    ForgetPromise,
    /// Whoever votes twice is counted twice.
    CountDuplicateVotes,
    /// Once a proposal's deadline has passed, whatever leads is decided.
    DeadlineDecides,
    /// Votes of those who are not in the electorate count.
    AcceptUnlistedVoter,
    /// Whoever waits first is let in, whatever words were typed.
    ApproveAnyWords,
    /// A member's place is given to whoever wants it.
    AcceptForgedRotation,
    /// Who has another key is not put out under the one before.
    KeepReplacedKey,
    /// Whoever fills its share of the inboxes goes on filling them.
    SkipShares,
    /// Direct messages are not sealed.
    SendPlain,
    /// Every member holds every direct lane.
    HoldAnybodysDirect,
}

#[cfg(feature = "mutations")]
mod switch {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Mutation;

    static CHOSEN: AtomicU8 = AtomicU8::new(0);

    impl Mutation {
        /// Breaks one rule in this whole process, or with `None` keeps them all.
        pub fn choose(mutation: Option<Self>) {
            let number = mutation.map_or(0, |mutation| mutation as u8 + 1);
            CHOSEN.store(number, Ordering::Relaxed);
        }

        pub(crate) fn is_on(self) -> bool {
            CHOSEN.load(Ordering::Relaxed) == self as u8 + 1
        }
    }
}

#[cfg(not(feature = "mutations"))]
impl Mutation {
    pub(crate) const fn is_on(self) -> bool {
        false
    }
}
