use super::*;
use crate::crypto::cipher::Cipher;
use crate::crypto::secret::Secret;
use crate::random::{Random, Seeded};
use crate::wire::ike::{ExchangeType, Flags, IkeSpi, MessageId};

fn keys_of(cipher: Cipher) -> (SealKey, OpenKey) {
    let keymat = || {
        let fits =
            |length: &usize| SealKey::new(cipher, Secret::copy_of(&vec![7; *length])).is_ok();
        Secret::copy_of(&vec![7; (0..256).find(fits).unwrap()])
    };
    (SealKey::new(cipher, keymat()).unwrap(), OpenKey::new(cipher, keymat()).unwrap())
}

/// Those of an AEAD, whose lengths are exact.
fn keys() -> (SealKey, OpenKey) {
    keys_of(Cipher::all().next().unwrap())
}

fn header(id: u32) -> Header {
    let flags = Flags { initiator: true, ..Flags::default() };
    let spis = (IkeSpi([1; 8]), IkeSpi([2; 8]));
    Header::new(spis.0, spis.1, ExchangeType::IKE_AUTH, flags, MessageId(id))
}

fn payloads(octets: usize) -> Vec<Payload> {
    (0..octets / 100).map(|n| Payload::VendorId(vec![n as u8; 96])).collect()
}

fn remote(ipv4: bool) -> SocketAddr {
    let text = if ipv4 { "192.0.2.1:4500" } else { "[2001:db8::1]:4500" };
    text.parse().unwrap()
}

fn cut(key: &mut SealKey, id: u32, octets: usize, path_mtu: Option<u16>) -> Vec<Vec<u8>> {
    let fragmentation = Fragmentation { agreed: true, path_mtu };
    fragmentation.seal(key, &header(id), &payloads(octets), remote(true)).0
}

fn open(to: &mut Reassembly, key: &OpenKey, datagram: &[u8]) -> Result<Option<Opened>, Discard> {
    to.open(key, true, datagram, Timestamp::ZERO)
}

#[test]
fn fragments_come_together_in_any_order_under_every_cipher() {
    let mut random = Seeded::new(1);
    for cipher in Cipher::all() {
        let (mut seal, key) = keys_of(cipher);
        for _ in 0..20 {
            let mut fragments = cut(&mut seal, 1, 5000, None);
            assert!(fragments.len() > 5);
            assert!(fragments.iter().all(|fragment| fragment.len() + 32 <= 576));
            for last in (1..fragments.len()).rev() {
                fragments.swap(last, random.below(last as u64 + 1) as usize);
            }
            let mut reassembly = Reassembly::default();
            let (last, others) = fragments.split_last().unwrap();
            for fragment in others {
                assert!(open(&mut reassembly, &key, fragment).unwrap().is_none());
            }
            let opened = open(&mut reassembly, &key, last).unwrap().unwrap();
            assert_eq!(opened.payloads().unwrap(), payloads(5000));
            assert!(reassembly.partial.is_none());
        }
    }
}

#[test]
fn a_message_that_fits_stays_whole_and_one_octet_more_does_not() {
    let (mut seal, key) = keys();
    for (ipv4, mtu, headers) in [(true, 576, 32), (false, 1280, 52)] {
        let fragmentation = Fragmentation::agreed(true);
        for padding in 400..1300 {
            let inner = [Payload::VendorId(vec![0; padding])];
            let whole = seal.seal(&header(1), &inner).len();
            let sealed = fragmentation.seal(&mut seal, &header(1), &inner, remote(ipv4));
            assert_eq!(sealed.0.len() == 1, whole + headers <= mtu, "{padding}");
            assert!(sealed.datagrams().all(|datagram| datagram.len() + headers <= mtu));
            let mut reassembly = Reassembly::default();
            let opened =
                sealed.datagrams().filter_map(|one| open(&mut reassembly, &key, one).unwrap());
            assert_eq!(opened.last().unwrap().payloads().unwrap(), inner);
        }
    }
}

#[test]
fn a_known_path_makes_larger_fragments_up_to_what_every_path_carries_later() {
    let (mut seal, _) = keys();
    let longest = |fragments: &[Vec<u8>]| fragments.iter().map(Vec::len).max().unwrap() + 32;
    assert_eq!(longest(&cut(&mut seal, 1, 5000, None)), 576);
    assert_eq!(longest(&cut(&mut seal, 1, 5000, Some(1000))), 1000);
    assert_eq!(longest(&cut(&mut seal, 1, 5000, Some(1500))), 1280);
    assert_eq!(longest(&cut(&mut seal, 1, 1000, Some(0))), usize::from(SMALLEST));
}

#[test]
fn a_very_long_message_is_cut_into_larger_parts() {
    let (mut seal, _) = keys();
    let fragments = cut(&mut seal, 1, 15_000, None);
    assert!(fragments.len() <= MANY_FRAGMENTS, "{}", fragments.len());
}

#[test]
fn without_an_agreement_nothing_is_cut_and_no_fragment_is_taken() {
    let (mut seal, key) = keys();
    let whole = Fragmentation::default();
    let sealed = whole.seal(&mut seal, &header(1), &payloads(5000), remote(true));
    assert_eq!(sealed.0.len(), 1);
    let fragment = cut(&mut seal, 1, 5000, None).remove(0);
    let mut reassembly = Reassembly::default();
    let taken = reassembly.open(&key, false, &fragment, Timestamp::ZERO);
    assert_eq!(taken.unwrap_err(), Discard::Fragment);
    assert!(reassembly.partial.is_none());
}

#[test]
fn a_fragment_that_is_not_authentic_is_not_kept_and_disturbs_nothing() {
    let (mut seal, key) = keys();
    let fragments = cut(&mut seal, 1, 2000, None);
    let mut reassembly = Reassembly::default();
    for (number, fragment) in fragments.iter().enumerate() {
        for octet in 0..fragment.len() {
            let mut forged = fragment.clone();
            forged[octet] ^= 0x41;
            assert!(open(&mut reassembly, &key, &forged).is_err(), "octet {octet}");
        }
        for length in 0..fragment.len() {
            assert!(open(&mut reassembly, &key, &fragment[..length]).is_err());
        }
        assert_eq!(reassembly.partial.as_ref().map_or(0, |partial| partial.parts.len()), number);
        let opened = open(&mut reassembly, &key, fragment).unwrap();
        assert_eq!(opened.is_some(), number + 1 == fragments.len());
    }
}

#[test]
fn a_fragment_that_is_there_already_is_counted() {
    let (mut seal, key) = keys();
    let fragments = cut(&mut seal, 1, 2000, None);
    let mut reassembly = Reassembly::default();
    assert!(open(&mut reassembly, &key, &fragments[1]).unwrap().is_none());
    let again = open(&mut reassembly, &key, &fragments[1]);
    assert_eq!(again.unwrap_err(), Discard::FragmentRepeated);
}

#[test]
fn a_message_cut_into_more_fragments_begins_anew_and_into_fewer_is_refused() {
    let (mut seal, key) = keys();
    let few = cut(&mut seal, 1, 3000, Some(1280));
    let many = cut(&mut seal, 1, 3000, None);
    assert!(few.len() < many.len());
    let mut reassembly = Reassembly::default();
    assert!(open(&mut reassembly, &key, &few[0]).unwrap().is_none());
    assert!(open(&mut reassembly, &key, &many[1]).unwrap().is_none());
    assert_eq!(open(&mut reassembly, &key, &few[1]).unwrap_err(), Discard::FragmentRepeated);
    assert!(open(&mut reassembly, &key, &many[0]).unwrap().is_none());
    let opened = many[2..].iter().filter_map(|one| open(&mut reassembly, &key, one).unwrap());
    assert_eq!(opened.last().unwrap().payloads().unwrap(), payloads(3000));
}

#[test]
fn fragments_of_another_message_take_the_place_of_those_that_wait() {
    let (mut seal, key) = keys();
    let (first, second) = (cut(&mut seal, 1, 1000, None), cut(&mut seal, 2, 1000, None));
    let mut reassembly = Reassembly::default();
    assert!(open(&mut reassembly, &key, &first[0]).unwrap().is_none());
    for fragment in &second[1..] {
        assert!(open(&mut reassembly, &key, fragment).unwrap().is_none());
    }
    let opened = open(&mut reassembly, &key, &second[0]).unwrap().unwrap();
    assert_eq!(opened.header().message_id, MessageId(2));
}

#[test]
fn what_waits_is_bounded_in_number_octets_and_time() {
    let (mut seal, key) = keys();
    let mut reassembly = Reassembly::default();
    let fragment = |seal: &mut SealKey, number, total, octets: usize| {
        let part = &vec![0; octets];
        let first_inner = PayloadType::VENDOR;
        seal.seal_fragment(&header(1), Fragment { first_inner, number, total, part })
    };
    let too_many = fragment(&mut seal, 1, MAX_FRAGMENTS + 1, 10);
    assert_eq!(open(&mut reassembly, &key, &too_many).unwrap_err(), Discard::FragmentLimit);
    for number in 1..=MAX_OCTETS / 1000 {
        let kept = fragment(&mut seal, number as u16, MAX_FRAGMENTS, 1000);
        assert!(open(&mut reassembly, &key, &kept).unwrap().is_none());
    }
    let too_long = fragment(&mut seal, MAX_FRAGMENTS, MAX_FRAGMENTS, 1000);
    assert_eq!(open(&mut reassembly, &key, &too_long).unwrap_err(), Discard::FragmentLimit);
    assert!(reassembly.partial.is_none());
    let kept = fragment(&mut seal, 1, 2, 1000);
    assert!(open(&mut reassembly, &key, &kept).unwrap().is_none());
    reassembly.forget_old(Timestamp::ZERO + LIFETIME);
    assert!(reassembly.partial.is_none());
}
