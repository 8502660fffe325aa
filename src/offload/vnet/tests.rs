use super::*;

#[test]
fn every_kind_survives_a_round_trip() {
    let kinds = [Segmentation::None, Segmentation::TcpV4, Segmentation::TcpV6, Segmentation::Udp];
    for segmentation in kinds {
        let header = VirtioNetHeader {
            needs_checksum: true,
            segmentation,
            head_len: 40,
            segment_size: 1400,
            checksum_start: 20,
            checksum_offset: 16,
        };
        let mut bytes = header.encode().to_vec();
        bytes.extend([1, 2, 3]);
        let (decoded, packet) = VirtioNetHeader::split_from(&mut bytes).unwrap();
        assert_eq!(decoded, header);
        assert_eq!(packet, [1, 2, 3]);
    }
}

#[test]
fn the_ecn_modifier_does_not_change_the_kind() {
    let mut bytes =
        VirtioNetHeader { segmentation: Segmentation::TcpV4, ..Default::default() }.encode();
    bytes[1] |= GSO_ECN;
    let (decoded, _) = VirtioNetHeader::split_from(&mut bytes).unwrap();
    assert_eq!(decoded.segmentation, Segmentation::TcpV4);
}

#[test]
fn truncations_and_unknown_kinds_are_refused() {
    for length in 0..VirtioNetHeader::LEN {
        assert!(VirtioNetHeader::split_from(&mut vec![0; length]).is_err());
    }
    let mut unknown = [0; VirtioNetHeader::LEN];
    unknown[1] = 3; // VIRTIO_NET_HDR_GSO_UDP: fragmentation, never asked for
    assert!(VirtioNetHeader::split_from(&mut unknown).is_err());
}
