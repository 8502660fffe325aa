//! The corners that RFC 7296 names, and that schedules must have come by.

use super::message::Datagram;
use super::node::{Input, Node, Step};
use crate::ike::sa::Asked;
use crate::ike::*;
use crate::wire::ike::{ExchangeType, Header, NotifyType, Payload, ProtocolId};

/// Something that happened at one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Corner {
    /// Both rekeyed the same Child SA, and ours stays (RFC 7296 §2.8.1).
    ChildRekeysCrossOursStays,
    /// … the peer's stays.
    ChildRekeysCrossTheirsStays,
    /// Both rekeyed the IKE SA, and ours stays (RFC 7296 §2.8.2).
    IkeRekeysCrossOursStays,
    /// … the peer's stays.
    IkeRekeysCrossTheirsStays,
    /// The peer rekeys a Child SA that we are deleting or have replaced (RFC 7296 §2.25.1).
    RekeyOfChildThatGoes,
    /// The peer rekeys a Child SA that we do not have (RFC 7296 §2.25.1).
    RekeyOfUnknownChild,
    /// Both delete the same Child SA (RFC 7296 §2.25.1).
    ChildDeletesCross,
    /// The peer rekeys an IKE SA while an exchange of ours is under way (RFC 7296 §2.25.2).
    IkeRekeyMeetsOurExchange,
    /// The peer asks for a Child SA under an IKE SA that is being rekeyed or deleted
    /// (RFC 7296 §2.25.2).
    ChildRequestMeetsIkeRekey,
    /// Both delete the IKE SA (RFC 7296 §2.25.2).
    IkeDeletesCross,
    /// A request came again and was answered from the cache (RFC 7296 §2.1).
    AnsweredAgain,
    /// The last request of an IKE SA that is gone was answered again.
    AnsweredAgainAfterTheEnd,
    /// A message of an IKE SA that is not there any more (RFC 7296 §2.21.4).
    UnknownSpi,
    /// INITIAL_CONTACT ended an older IKE SA (RFC 7296 §2.4).
    InitialContact,
    /// Two IKE SAs came up at once, and one was closed.
    HandshakesCross,
    /// A request was repeated for lack of an answer.
    Repeated,
    /// A Child SA of which the peer's first packet tells that it may be sent on (RFC 7296 §2.8).
    SendableByTraffic,
    /// A fragment came after one with a higher number (RFC 7383 §2.6).
    FragmentsOutOfOrder,
    /// Fragments of a message came together.
    Assembled,
    /// A peer counts as unreachable, or as gone.
    Silent,
    /// A half-open IKE SA was given up.
    HalfOpenExpired,
    /// Both asked for the first Child SA of a slot at once.
    TwinChildren,
    /// CREATE_CHILD_SA before IKE_AUTH was left unanswered (CVE-2026-78135).
    PresumptionIgnored,
    /// A peer that could not prove itself was refused.
    StrangerRefused,
    /// IKE_INTERMEDIATE came again and was answered from the cache (RFC 9242 §3.2).
    IntermediateAnsweredAgain,
    /// IKE_FOLLOWUP_KE came while an exchange of ours makes an SA, too (RFC 9370 §2.2.4).
    FollowupsCross,
    /// Of what we have been granted we leave the rest undone, for the peer makes the same
    /// (RFC 9370 §2.2.4).
    LeftToThePeer,
    /// IKE_FOLLOWUP_KE came for what is not to be any more: STATE_NOT_FOUND (RFC 9370 §2.2.4).
    FollowupWithoutState,
    /// We have moved, and say so (RFC 4555 §3.5).
    WeMoved,
    /// The peer has moved, and is followed.
    PeerFollowed,
    /// The peer has shown that it has lost an IKE SA (RFC 6290 §4.5).
    TokenBelieved,
    /// Somebody has shown a token that was not the peer's.
    TokenNotBelieved,
}

use Corner::*;

/// What an event tells; `node` is as it was before the event.
pub(super) fn of_event(node: &Node, event: &Event) -> Option<Corner> {
    match event {
        Event::ChildUp(up) => {
            let rival = |known: &super::owner::Outbound| {
                known.role == Role::Responder && known.replaces == up.replaces
            };
            let crossing = up.role == Role::Initiator
                && up.replaces.is_some()
                && node.owner.outbound.values().any(rival);
            let twin = up.role == Role::Initiator
                && up.replaces.is_none()
                && node.endpoint().established() == 1
                && node.owner.outbound.values().any(|known| known.slot == up.slot);
            match (crossing, up.sendable) {
                (true, true) => Some(ChildRekeysCrossOursStays),
                (true, false) => Some(ChildRekeysCrossTheirsStays),
                (false, _) => twin.then_some(TwinChildren),
            }
        }
        Event::ChildDown { reason: DownReason::PeerRestarted, .. } => Some(InitialContact),
        Event::ChildDown { reason: DownReason::Duplicate, .. } => Some(HandshakesCross),
        Event::Unreachable { .. } => Some(Silent),
        Event::Moved { ours, .. } => Some(if *ours { WeMoved } else { PeerFollowed }),
        _ => None,
    }
}

/// What a step shows.
pub(super) fn of_step(
    before: &Node,
    input: Input,
    datagram: Option<&Datagram>,
    after: &Step,
) -> Vec<Corner> {
    let counted = |reason| after.node.discarded(reason) > before.discarded(reason);
    let mut corners = Vec::new();
    let answered = !after.sent.is_empty();
    let mut note = |corner, happened: bool| corners.extend(happened.then_some(corner));
    note(AnsweredAgain, counted(Discard::Retransmission) && answered);
    note(HalfOpenExpired, counted(Discard::HalfOpenExpired));
    note(UnknownSpi, counted(Discard::UnknownSpi));
    note(StrangerRefused, counted(Discard::Authentication));
    let stats = [before, &after.node].map(|node| node.endpoint().stats().retransmitted);
    note(Repeated, stats[1] > stats[0]);
    let sends = |node: &Node| node.owner.senders.values().copied().collect::<Vec<_>>();
    let moved = sends(before) != sends(&after.node);
    note(SendableByTraffic, matches!(input, Input::Inner(_)) && moved);
    let Some(datagram) = datagram else { return corners };
    let Ok(header) = Header::decode(datagram.message()) else { return corners };
    let left = [before, &after.node].map(|node| node.endpoint().established());
    note(TokenBelieved, datagram.shows_token() && left[1] < left[0]);
    note(TokenNotBelieved, datagram.shows_token() && counted(Discard::NotAuthentic));
    let intermediate = header.exchange_type == ExchangeType::IKE_INTERMEDIATE;
    note(IntermediateAnsweredAgain, intermediate && counted(Discard::Retransmission) && answered);
    note(PresumptionIgnored, presumes(before, &header) && !answered);
    let over = before.endpoint().is_over(datagram.message());
    note(AnsweredAgainAfterTheEnd, over && answered && !counted(Discard::UnknownSpi));
    if let Some((part, (number, total))) = datagram.fragment() {
        let later = before.fragment.filter(|(known, _)| *known == part);
        note(FragmentsOutOfOrder, later.is_some_and(|(_, known)| known > number));
        note(Assembled, total > 1 && answered);
    }
    if let Some(message) = before.endpoint().read_message(datagram.message()) {
        corners.extend(of_message(before, &header, &message, after));
    }
    corners
}

/// Whether a request for a Child SA comes before IKE_AUTH.
fn presumes(before: &Node, header: &Header) -> bool {
    let half_open = before.endpoint().is_half_open(header.responder_spi);
    header.exchange_type == ExchangeType::CREATE_CHILD_SA && half_open
}

/// What an authentic message shows to an end that has asked something itself.
fn of_message(before: &Node, header: &Header, message: &[Payload], after: &Step) -> Vec<Corner> {
    let notifies = |wanted: NotifyType| {
        message.iter().any(
            |payload| matches!(payload, Payload::Notify(notify) if notify.notify_type == wanted),
        )
    };
    let deletes = |protocol: ProtocolId| {
        message.iter().any(
            |payload| matches!(payload, Payload::Delete(delete) if delete.protocol == protocol),
        )
    };
    let asks_for = |protocol: ProtocolId| {
        let first = message.iter().find_map(|payload| match payload {
            Payload::SecurityAssociation(sa) => sa.proposals.first(),
            _ => None,
        });
        first.is_some_and(|first| first.protocol == protocol)
    };
    let makes = |asked| [Some(Asked::Child), Some(Asked::RekeyIke)].contains(&asked);
    let asked = before.endpoint().asked(header);
    let is_request = !header.flags.response;
    let decided = before.endpoint().is_contested(header);
    let ours = after.node.endpoint().newest_role() == Some(Role::Initiator);
    let rekeys = notifies(NotifyType::REKEY_SA);
    let found = [
        (RekeyOfChildThatGoes, is_request && rekeys && asked == Some(Asked::DeleteChild)),
        (RekeyOfUnknownChild, notifies(NotifyType::CHILD_SA_NOT_FOUND)),
        (
            ChildDeletesCross,
            is_request && deletes(ProtocolId::ESP) && asked == Some(Asked::DeleteChild),
        ),
        (
            IkeRekeyMeetsOurExchange,
            is_request
                && asks_for(ProtocolId::IKE)
                && [Some(Asked::Child), Some(Asked::DeleteChild)].contains(&asked),
        ),
        (
            ChildRequestMeetsIkeRekey,
            is_request && asks_for(ProtocolId::ESP) && asked == Some(Asked::RekeyIke),
        ),
        (
            IkeDeletesCross,
            is_request && deletes(ProtocolId::IKE) && asked == Some(Asked::DeleteIke),
        ),
        (
            FollowupsCross,
            is_request && header.exchange_type == ExchangeType::IKE_FOLLOWUP_KE && makes(asked),
        ),
        (
            LeftToThePeer,
            !is_request
                && notifies(NotifyType::ADDITIONAL_KEY_EXCHANGE)
                && makes(asked)
                && !makes(after.node.endpoint().asked(header)),
        ),
        (FollowupWithoutState, notifies(NotifyType::STATE_NOT_FOUND)),
        (IkeRekeysCrossOursStays, !is_request && decided && ours),
        (IkeRekeysCrossTheirsStays, !is_request && decided && !ours),
    ];
    found.into_iter().filter(|(_, happened)| *happened).map(|(corner, _)| corner).collect()
}
