use super::*;
use hex_literal::hex;
use proptest::prelude::*;

/// Version 1, Control Detection Time Expired, Up, Poll, multiplier 3, 24 octets, 50 ms, 6.25 ms.
const UP: [u8; LEN] = hex!("21 e0 03 18 11223344 55667788 0000c350 0000186a 00000000");

fn up() -> ControlPacket {
    ControlPacket {
        diagnostic: Diagnostic::CONTROL_DETECTION_TIME_EXPIRED,
        state: State::Up,
        poll: true,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: 3,
        my_discriminator: 0x1122_3344,
        your_discriminator: 0x5566_7788,
        desired_min_tx: 50_000,
        required_min_rx: 6_250,
        required_min_echo_rx: 0,
    }
}

fn refusal(change: impl FnOnce(&mut [u8; LEN])) -> Fault {
    let mut bytes = UP;
    change(&mut bytes);
    ControlPacket::decode(&bytes).unwrap_err().why
}

#[test]
fn a_control_packet_has_the_octets_of_rfc_5880() {
    assert_eq!(up().encode(), UP);
    assert_eq!(ControlPacket::decode(&UP), Ok(up()));
}

#[test]
fn every_flag_has_its_bit() {
    let plain = ControlPacket { poll: false, ..up() };
    assert_eq!(plain.encode()[1], 0xc0);
    let flags = [
        (0xd0, ControlPacket { is_final: true, ..plain }),
        (0xc8, ControlPacket { control_plane_independent: true, ..plain }),
        (0xc2, ControlPacket { demand: true, ..plain }),
        (0x80, ControlPacket { state: State::Init, ..plain }),
        (0x40, ControlPacket { state: State::Down, ..plain }),
        (0x00, ControlPacket { state: State::AdminDown, ..plain }),
    ];
    for (octet, packet) in flags {
        assert_eq!(packet.encode()[1], octet);
        assert_eq!(ControlPacket::decode(&packet.encode()), Ok(packet));
    }
}

#[test]
fn every_truncation_is_refused() {
    for length in 0..LEN {
        assert!(ControlPacket::decode(&UP[..length]).is_err(), "{length}");
    }
}

#[test]
fn octets_behind_the_packet_are_no_fault() {
    assert_eq!(ControlPacket::decode(&[&UP[..], &[0; 9]].concat()), Ok(up()));
}

#[test]
fn another_version_is_refused() {
    for version in [0, 2, 7] {
        let why = refusal(|bytes| bytes[0] = version << 5 | 1);
        assert_eq!(why, Fault::Invalid("the version is not 1"));
    }
}

#[test]
fn a_length_that_cannot_be_is_refused() {
    assert_eq!(refusal(|bytes| bytes[3] = 23), Fault::Length(23));
    assert_eq!(refusal(|bytes| bytes[3] = 25), Fault::Length(25));
    let longer = [&[0x21, 0xe0, 3, 26][..], &UP[4..], &[0; 2]].concat();
    assert!(ControlPacket::decode(&longer).is_err(), "longer without an authentication section");
}

#[test]
fn an_authentication_section_is_refused() {
    let password = hex!("01 05 01 61 62");
    let packet = [&[0x21, 0xe4, 3, 29][..], &UP[4..], &password].concat();
    let why = ControlPacket::decode(&packet).unwrap_err().why;
    assert_eq!(why, Fault::Invalid("an authentication section, which is not in use"));
}

#[test]
fn what_names_no_session_is_refused() {
    assert_eq!(refusal(|b| b[2] = 0), Fault::Invalid("Detect Mult is zero"));
    assert_eq!(refusal(|b| b[1] |= 1), Fault::Invalid("the Multipoint bit is set"));
    assert_eq!(refusal(|b| b[4..8].fill(0)), Fault::Invalid("My Discriminator is zero"));
    for (flags, is_refused) in [(0x00, false), (0x40, false), (0x80, true), (0xc0, true)] {
        let mut bytes = UP;
        bytes[1] = flags;
        bytes[8..12].fill(0);
        assert_eq!(ControlPacket::decode(&bytes).is_err(), is_refused, "{flags:#x}");
    }
}

#[test]
fn unassigned_diagnostics_survive() {
    for diagnostic in 0..32 {
        let packet = ControlPacket { diagnostic: Diagnostic(diagnostic), ..up() };
        assert_eq!(ControlPacket::decode(&packet.encode()), Ok(packet));
    }
}

proptest! {
    #[test]
    fn whatever_is_read_reads_back(bytes: [u8; LEN]) {
        if let Ok(packet) = ControlPacket::decode(&bytes) {
            prop_assert_eq!(packet.encode(), bytes);
        }
    }
}
