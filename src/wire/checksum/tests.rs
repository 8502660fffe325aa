use super::*;
use hex_literal::hex;
use proptest::prelude::*;

/// The definition, word by word (RFC 1071 §1).
fn by_definition(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[test]
fn the_example_of_rfc_1071_comes_out() {
    let sum = Sum::of(&hex!("0001 f203 f4f5 f6f7"));
    assert_eq!(sum.folded(), 0xddf2);
    assert_eq!(sum.finish(), 0x220d);
}

#[test]
fn the_checksum_of_an_ipv4_header_makes_its_sum_zero() {
    let header = hex!("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7");
    assert_eq!(Sum::of(&header).finish(), 0);
}

#[test]
fn a_pseudo_header_is_the_sum_of_its_fields() {
    let (a, b) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
    let header = hex!("0a000001 0a000002 00 11 0008");
    assert_eq!(pseudo_header_v4(a, b, 17, 8).finish(), by_definition(&header));
    assert_eq!(pseudo_header(a.into(), b.into(), 17, 8), Some(pseudo_header_v4(a, b, 17, 8)));
    assert_eq!(pseudo_header(a.into(), Ipv6Addr::LOCALHOST.into(), 17, 8), None);
}

#[test]
fn the_counterexample_of_rfc_1624_comes_out() {
    // RFC 1624 §4: checksum DD2F, the word 5555 becomes 3285, the new checksum is 0000.
    assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
}

#[test]
fn a_udp_checksum_is_never_zero() {
    assert_eq!(Sum::of(&[0xff, 0xff]).finish_udp(), 0xffff);
    assert_eq!(Sum::of(&[0x00, 0x01]).finish_udp(), 0xfffe);
}

/// Every length around a block and around the step to wider instructions, of the heaviest octets too.
#[test]
fn every_length_is_summed_to_its_end() {
    let light: Vec<u8> = (0..600_u32).map(|at| ((at * 7919) >> 3) as u8).collect();
    for octets in [light, vec![0xff; 600], vec![0; 600]] {
        for length in 0..octets.len() {
            let part = &octets[..length];
            assert_eq!(Sum::of(part).finish(), by_definition(part), "{length} octets");
        }
    }
}

#[test]
fn wide_instructions_give_the_sum_that_narrow_ones_give() {
    let octets: Vec<u8> =
        (0..65_536_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let blocks = octets.as_chunks::<BLOCK>().0;
    for count in 0..blocks.len() {
        assert_eq!(sum_of_many(&blocks[..count]), sum_of(&blocks[..count]));
    }
}

proptest! {
    #[test]
    fn the_fast_sum_is_the_sum_by_definition(bytes: Vec<u8>) {
        prop_assert_eq!(Sum::of(&bytes).finish(), by_definition(&bytes));
    }

    #[test]
    fn a_sum_in_pieces_is_the_sum_of_the_whole(pairs: Vec<[u8; 2]>, rest: Vec<u8>) {
        let head = pairs.concat();
        let whole = [head.clone(), rest.clone()].concat();
        prop_assert_eq!(Sum::of(&head).bytes(&rest).finish(), Sum::of(&whole).finish());
        prop_assert_eq!(Sum::of(&head).and(Sum::of(&rest)).finish(), Sum::of(&whole).finish());
    }

    #[test]
    fn an_update_is_as_good_as_a_new_sum(mut words: Vec<u16>, at: prop::sample::Index, new: u16) {
        // A header is never all zeros, so both forms of zero cannot meet.
        words.push(0x4500);
        let bytes = |words: &[u16]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<_>>();
        let at = at.index(words.len() - 1 + usize::from(words.len() == 1));
        prop_assume!(at + 1 < words.len());
        let before = Sum::of(&bytes(&words)).finish();
        let old = std::mem::replace(&mut words[at], new);
        let after = Sum::of(&bytes(&words)).finish();
        prop_assert_eq!(update(before, old, new), after);
    }
}
