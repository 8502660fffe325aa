use super::*;

#[test]
fn every_cause_has_the_codes_of_the_registry() {
    let cause_and_words = [
        (Cause::NotSynchronized, 1, 1, "Message Header Error: Connection Not Synchronized"),
        (Cause::BadLength(18), 1, 2, "Message Header Error: Bad Message Length"),
        (Cause::BadType(9), 1, 3, "Message Header Error: Bad Message Type"),
        (Cause::MalformedOpen, 2, 0, "OPEN Message Error"),
        (Cause::UnsupportedVersion, 2, 1, "OPEN Message Error: Unsupported Version Number"),
        (
            Cause::BadPeerAs { got: Asn(2), expected: Asn(1) },
            2,
            2,
            "OPEN Message Error: Bad Peer AS",
        ),
        (Cause::BadIdentifier, 2, 3, "OPEN Message Error: Bad BGP Identifier"),
        (Cause::UnsupportedParameter, 2, 4, "OPEN Message Error: Unsupported Optional Parameter"),
        (Cause::UnacceptableHoldTime, 2, 6, "OPEN Message Error: Unacceptable Hold Time"),
        (Cause::MalformedAttributeList, 3, 1, "UPDATE Message Error: Malformed Attribute List"),
        (
            Cause::UnrecognizedWellKnown(vec![0x40, 99, 0]),
            3,
            2,
            "UPDATE Message Error: Unrecognized Well-known Attribute",
        ),
        (
            Cause::MalformedMultiprotocol(vec![0x80, 14, 0]),
            3,
            9,
            "UPDATE Message Error: Optional Attribute Error",
        ),
        (Cause::InvalidNetworkField, 3, 10, "UPDATE Message Error: Invalid Network Field"),
        (Cause::HoldTimerExpired, 4, 0, "Hold Timer Expired"),
        (
            Cause::Unexpected(State::OpenSent),
            5,
            1,
            "Finite State Machine Error: Unexpected Message in OpenSent",
        ),
        (
            Cause::Unexpected(State::Established),
            5,
            3,
            "Finite State Machine Error: Unexpected Message in Established",
        ),
        (
            Cause::Cease(CeaseReason::TooManyPrefixes),
            6,
            1,
            "Cease: Maximum Number of Prefixes Reached",
        ),
        (Cause::Cease(CeaseReason::OutOfResources), 6, 8, "Cease: Out of Resources"),
        (Cause::Cease(CeaseReason::Collision), 6, 7, "Cease: Connection Collision Resolution"),
    ];
    for (cause, code, subcode, words) in cause_and_words {
        let notification = cause.notification();
        assert_eq!((notification.code, notification.subcode), (code, subcode), "{cause:?}");
        assert_eq!(notification.to_string(), words);
    }
    assert_eq!(Cause::BadLength(18).notification().data, [0, 18]);
    assert_eq!(Cause::UnsupportedVersion.notification().data, [0, 4]);
}

#[test]
fn unknown_codes_are_shown_as_numbers() {
    let unknown = Notification { code: 77, subcode: 3, data: vec![] };
    assert_eq!(unknown.to_string(), "error 77/3");
    let subcode = Notification { code: 6, subcode: 99, data: vec![] };
    assert_eq!(subcode.to_string(), "Cease (subcode 99)");
}
