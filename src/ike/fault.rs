//! Faults on purpose, one at a time and in tests only: a test that looks for faults must find each
//! of them. In the product none is ever on.

/// A mistake that an engine could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// The responder of a rekeying sends on the new Child SA before the peer can receive on it
    /// (RFC 7296 §2.8).
    SendsEarly,
    /// Nonces are compared the wrong way round (RFC 7296 §2.8.1).
    KeepsLowestNonce,
    /// A simultaneous rekeying of the same Child SA is not noticed (RFC 7296 §2.8.1).
    MissesRival,
    /// Two Child SAs of one slot for the same traffic both stay.
    KeepsTwins,
    /// An IKE SA is rekeyed although an exchange of ours is under way that it cuts off
    /// (RFC 7296 §2.25.2).
    RekeysWhileBusy,
    /// The Child SAs move to the peer's successor while we make one, too (RFC 7296 §2.8.2).
    MovesTooSoon,
    /// A repeated request is processed anew (RFC 7296 §2.1).
    AnswersAnew,
    /// The message IDs of a successor do not begin with zero (RFC 7296 §2.18).
    CountsOn,
    /// The keys of the two directions are taken the wrong way round (RFC 7296 §2.17).
    SwapsKeys,
    /// INITIAL_CONTACT also ends what came up after it was said (RFC 7296 §2.4).
    ContactEndsAll,
    /// CREATE_CHILD_SA is answered before the peer has proved its identity (CVE-2026-78135).
    AnswersBeforeAuth,
    /// A wrong AUTH payload proves an identity.
    BelievesAnybody,
    /// Fragments are put together in the order in which they come (RFC 7383 §2.6).
    JoinsAsTheyCome,
    /// As responder, AUTH does not cover IKE_INTERMEDIATE (RFC 9242 §3.3.2).
    TrustsIntermediate,
    /// As responder, the keys stay as they were before IKE_INTERMEDIATE (RFC 9370 §2.2.2).
    KeepsFirstKeys,
    /// As responder, the secrets of IKE_FOLLOWUP_KE do not go into the keys (RFC 9370 §2.2.4).
    ForgetsFollowups,
    /// A Child SA is installed before all of its key exchanges are made (RFC 9370 §2.2.4).
    InstallsTooSoon,
    /// A token does not tell whose of the two SPIs is whose (RFC 6290 §9.2).
    SortsTokens,
    /// The peer is followed to where it says it is before it has answered from there (RFC 4555 §3.7).
    FollowsAtOnce,
    /// As responder, a pre-shared key does not go into the keys (RFC 8784 §3).
    ForgetsPpk,
    /// Any token shows that the peer has lost an IKE SA (RFC 6290 §4.5).
    BelievesAnyToken,
}

/// Whether the engine is to make this mistake now.
pub(super) fn is_on(fault: Fault) -> bool {
    #[cfg(test)]
    return tests::is_on(fault);
    #[cfg(not(test))]
    {
        let _ = fault;
        false
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use tests::with;
