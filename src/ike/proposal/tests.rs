use super::*;

/// As in the parent, without key exchanges beside the first.
fn offer<S: Suite>(suites: &[S], spi: &[u8]) -> SecurityAssociation {
    super::offer(suites, Beside::NOTHING, spi)
}

fn offer_by_group(suites: &[EspSuite], spi: &[u8]) -> SecurityAssociation {
    super::offer_by_group(suites, Beside::NOTHING, spi)
}

fn choose<S: Suite>(
    offered: &SecurityAssociation,
    suites: &[S],
    begun: Option<Group>,
) -> Result<Choice<S>, NoProposal> {
    super::choose(offered, suites, Beside::NOTHING, begun)
}

fn chosen<S: Suite>(answer: &SecurityAssociation, suites: &[S]) -> Option<Choice<S>> {
    super::chosen(answer, suites, Beside::NOTHING)
}

fn ike(text: &str) -> IkeSuite {
    text.parse().expect("an IKE suite in a test")
}

fn esp(text: &str) -> EspSuite {
    text.parse().expect("an ESP suite in a test")
}

/// A proposal as strongSwan makes it: all alternatives of a type in one.
fn mixed(transforms: Vec<Transform>) -> SecurityAssociation {
    let proposal = Proposal { number: 1, protocol: ProtocolId::IKE, spi: Vec::new(), transforms };
    SecurityAssociation { proposals: vec![proposal] }
}

fn ke(method: KeyExchangeMethod) -> Transform {
    Transform::new(TransformType::KE, method)
}

fn gcm(bits: u16) -> Transform {
    Transform::new(TransformType::ENCR, EncryptionId::AES_GCM_16).with_key_length(bits)
}

fn prf(id: PrfId) -> Transform {
    Transform::new(TransformType::PRF, id)
}

#[test]
fn every_suite_is_chosen_from_its_own_offer_and_recognised_in_the_answer() {
    for text in ["aes128gcm16-prfsha256-ecp256", "chacha20poly1305-prfsha512-curve25519"] {
        let suite = ike(text);
        let choice = choose(&offer(&[suite], &[]), &[suite], Some(suite.group)).expect("chosen");
        let answer = answer(&choice, &[9; 8]);
        assert_eq!(answer.proposals[0].transforms, suite.transforms());
        let chosen = chosen(&answer, &[suite]).expect("recognised");
        assert_eq!((chosen.suite, chosen.spi), (suite, vec![9; 8]));
    }
}

#[test]
fn suites_that_differ_in_their_key_exchange_only_share_a_proposal() {
    let suites = ["aes256gcm16-ecp256-esn", "aes256gcm16-curve25519-esn", "aes256gcm16-esn"];
    let suites = suites.map(esp);
    let offered = offer_by_group(&suites, &[7; 4]);
    assert_eq!(offered.proposals.len(), 2);
    for suite in suites {
        let choice = choose(&offered, &[suite], suite.group).expect("chosen");
        let answer = answer(&choice, &[9; 4]);
        assert_eq!(chosen(&answer, &suites).expect("recognised").suite, suite);
    }
}

#[test]
fn the_group_of_the_ike_sa_goes_first_among_equals() {
    let suites = ["aes128gcm16", "aes256gcm16-curve25519", "aes256gcm16-ecp256", "aes256gcm16"];
    let sorted = with_group_first(&suites.map(esp), Group::Ecp256);
    let expected = ["aes128gcm16", "aes256gcm16-ecp256", "aes256gcm16-curve25519", "aes256gcm16"];
    assert_eq!(sorted, expected.map(esp));
    assert_eq!(with_group_first(&suites.map(esp), Group::Ecp384), suites.map(esp));
}

#[test]
fn the_initiators_order_decides_among_proposals() {
    let (one, two) = (ike("aes128gcm16-prfsha256-ecp256"), ike("aes256gcm16-prfsha384-ecp384"));
    let choice = choose(&offer(&[one, two], &[]), &[two, one], None).expect("chosen");
    assert_eq!((choice.suite, choice.number), (one, 1));
}

#[test]
fn our_own_order_decides_between_aeads_and_cbc() {
    let (aead, cbc) = (ike("aes256gcm16-prfsha384-ecp384"), ike("aes256-sha256-ecp384"));
    for (ours, preferred) in [([aead, cbc], aead), ([cbc, aead], cbc)] {
        for theirs in [[aead, cbc], [cbc, aead]] {
            let choice = choose(&offer(&theirs, &[]), &ours, None).expect("chosen");
            assert_eq!(choice.suite, preferred);
        }
    }
    assert_eq!(choose(&offer(&[cbc], &[]), &[aead, cbc], None).expect("chosen").suite, cbc);
}

#[test]
fn the_default_suites_fold_into_few_proposals_that_hold_exactly_them() {
    use crate::crypto::suite::{DEFAULT_IKE_SUITES, default_esp_suites};
    let esp = default_esp_suites(&DEFAULT_IKE_SUITES);
    let ike = offer(&DEFAULT_IKE_SUITES, &[]);
    assert_eq!((DEFAULT_IKE_SUITES.len(), ike.proposals.len()), (162, 2));
    assert_eq!(
        describe(&ike),
        "aes256gcm16/chacha20poly1305/aes128gcm16-prfsha384/prfsha256/prfsha512-\
         curve25519/ecp384/ecp256/modp3072/modp2048/modp4096, \
         aes256/aes128-sha256/sha384/sha512-prfsha384/prfsha256/prfsha512-\
         curve25519/ecp384/ecp256/modp3072/modp2048/modp4096"
    );
    for suite in DEFAULT_IKE_SUITES.iter() {
        let choice = choose(&ike, &[*suite], Some(suite.group)).expect("each can be chosen");
        assert_eq!(chosen(&answer(&choice, &[]), &DEFAULT_IKE_SUITES).unwrap().suite, *suite);
    }
    assert_eq!(offer_by_group(&esp, &[]).proposals.len(), 4);
    assert_eq!(offer_by_group(&with_group_first(&esp, Group::Ecp384), &[]).proposals.len(), 4);
    assert_eq!(offer_by_group(&without_group(&esp), &[]).proposals.len(), 2);
}

/// All combinations but one: what is folded must not let the missing one be chosen.
#[test]
fn folding_adds_no_suite() {
    let all: Vec<IkeSuite> = ["aes128gcm16", "aes256gcm16", "chacha20poly1305"]
        .iter()
        .flat_map(|cipher| ["prfsha256", "prfsha384"].map(|prf| format!("{cipher}-{prf}")))
        .flat_map(|both| {
            ["ecp256", "ecp384", "curve25519"].map(|group| ike(&format!("{both}-{group}")))
        })
        .collect();
    for (at, missing) in all.iter().enumerate() {
        let mut ours = all.clone();
        ours.remove(at);
        let offered = offer(&ours, &[]);
        assert!(offered.proposals.len() < ours.len());
        assert!(choose(&offered, &[*missing], None).is_err(), "{missing}");
        for suite in ours {
            assert!(choose(&offered, &[suite], None).is_ok(), "{suite}");
        }
    }
}

#[test]
fn within_a_proposal_the_begun_key_exchange_is_preferred() {
    let offered = mixed(vec![
        gcm(128),
        gcm(256),
        prf(PrfId::HMAC_SHA2_256),
        prf(PrfId::HMAC_SHA2_384),
        ke(KeyExchangeMethod::ECP_256),
        ke(KeyExchangeMethod::CURVE25519),
    ]);
    let ours = [ike("aes256gcm16-prfsha384-curve25519"), ike("aes256gcm16-prfsha384-ecp256")];
    let choice = choose(&offered, &ours, Some(Group::Ecp256)).expect("chosen");
    assert_eq!(choice.suite, ours[1]);
    let choice = choose(&offered, &ours, Some(Group::Ecp384)).expect("chosen");
    assert_eq!(choice.suite, ours[0]);
}

#[test]
fn key_lengths_and_unknown_attributes_make_another_algorithm() {
    use crate::wire::ike::{Attribute, AttributeValue};
    let ours = [ike("aes256gcm16-prfsha384-curve25519")];
    let rest = [prf(PrfId::HMAC_SHA2_384), ke(KeyExchangeMethod::CURVE25519)];
    let with = |encryption: Transform| mixed([vec![encryption], rest.to_vec()].concat());
    assert!(choose(&with(gcm(256)), &ours, None).is_ok());
    assert!(choose(&with(gcm(192)), &ours, None).is_err());
    assert!(choose(&with(Transform { key_length: None, ..gcm(256) }), &ours, None).is_err());
    let attributes = vec![Attribute { attribute_type: 99, value: AttributeValue::Short(1) }];
    assert!(choose(&with(Transform { attributes, ..gcm(256) }), &ours, None).is_err());
}

#[test]
fn integrity_that_must_be_chosen_is_not_ours_and_none_may_be() {
    let ours = [ike("aes256gcm16-prfsha384-curve25519")];
    let with = |id: IntegrityId| {
        mixed(vec![
            gcm(256),
            prf(PrfId::HMAC_SHA2_384),
            ke(KeyExchangeMethod::CURVE25519),
            Transform::new(TransformType::INTEG, id),
        ])
    };
    assert!(choose(&with(IntegrityId::HMAC_SHA2_256_128), &ours, None).is_err());
    let choice = choose(&with(IntegrityId::NONE), &ours, None).expect("chosen");
    assert_eq!(answer(&choice, &[]).proposals[0].transforms.len(), 4, "one of each type offered");
}

#[test]
fn an_additional_key_exchange_that_must_be_chosen_is_not_ours() {
    let ours = [ike("aes256gcm16-prfsha384-curve25519")];
    let mut transforms = ours[0].transforms();
    transforms.push(Transform::new(TransformType::ADDKE1, KeyExchangeMethod::ML_KEM_768));
    assert!(choose(&mixed(transforms), &ours, None).is_err());
}

/// "The initiator … MUST treat the exchange as failed" (RFC 9370 §2.2.1).
#[test]
fn an_answer_of_the_same_additional_key_exchange_twice_is_none() {
    let suite = ike("aes256gcm16-prfsha384-curve25519");
    let answer = |places: &[u8]| {
        let mut transforms = suite.transforms();
        let kem = |place: &u8| {
            let kind = TransformType(TransformType::ADDKE1.0 + place);
            Transform::new(kind, KeyExchangeMethod::ML_KEM_768)
        };
        transforms.extend(places.iter().map(kem));
        super::chosen(&mixed(transforms), &[suite], Beside::ANY_KEM_OR_NONE)
    };
    assert!(answer(&[0]).is_some());
    assert_eq!(answer(&[0, 1]), None);
}

/// RFC 7296 §3.3, §3.3.1; IKE_SA_INIT names no SPI in its proposals.
#[test]
fn proposals_are_numbered_from_one_on() {
    let suites = &crate::crypto::suite::DEFAULT_IKE_SUITES;
    for beside in [Beside::NOTHING, Beside::ANY_KEM_OR_NONE] {
        let offered = super::offer(suites, beside, &[]);
        assert!(offered.proposals.len() > 1);
        for (proposal, number) in offered.proposals.iter().zip(1..) {
            assert_eq!((proposal.number, proposal.spi.len()), (number, 0));
        }
    }
}

#[test]
fn an_answer_with_alternatives_is_none() {
    let suite = ike("aes256gcm16-prfsha384-curve25519");
    let mut transforms = suite.transforms();
    transforms.push(gcm(128));
    assert_eq!(chosen(&mixed(transforms), &[suite]), None);
    assert_eq!(chosen(&offer(&[suite, suite], &[]), &[suite]), None);
}

#[test]
fn a_proposal_that_does_not_mention_esn_has_32_bit_numbers_and_so_has_the_answer() {
    let mut offered = offer(&[esp("aes256gcm16")], &[0, 0, 1, 0]);
    offered.proposals[0].transforms.retain(|one| one.transform_type != TransformType::ESN);
    assert!(choose(&offered, &[esp("aes256gcm16-esn")], None).is_err());
    let choice = choose(&offered, &[esp("aes256gcm16")], None).expect("chosen");
    let answer = answer(&choice, &[0, 0, 1, 1]);
    assert_eq!(answer.proposals[0].transforms, offered.proposals[0].transforms);
}

#[test]
fn pfs_is_neither_forced_on_nor_taken_from_a_side() {
    let (with, without) = (esp("aes256gcm16-curve25519"), esp("aes256gcm16"));
    assert!(choose(&offer(&[with], &[]), &[without], None).is_err());
    assert!(choose(&offer(&[without], &[]), &[with], None).is_err());
    assert_eq!(without_group(&[with, without]), [without]);
}

#[test]
fn a_refusal_says_what_was_offered_and_what_would_do() {
    let cbc = Transform::new(TransformType::ENCR, EncryptionId::AES_CBC).with_key_length(256);
    let hmac = Transform::new(TransformType::INTEG, IntegrityId::HMAC_SHA2_256_128);
    let offered = mixed(vec![
        cbc,
        hmac,
        prf(PrfId::HMAC_SHA2_256),
        ke(KeyExchangeMethod::MODP_2048),
        ke(KeyExchangeMethod::CURVE25519),
    ]);
    let refusal = choose(&offered, &[ike("aes256gcm16-prfsha384-ecp384")], None);
    assert_eq!(
        refusal.expect_err("nothing in common").to_string(),
        "the peer offers aes256-sha256-prfsha256-modp2048/curve25519; \
         this side accepts aes256gcm16-prfsha384-ecp384"
    );
}

#[test]
fn an_additional_key_exchange_is_named_as_what_does_not_fit() {
    let ours = ike("aes256gcm16-prfsha384-curve25519");
    let mut offered = offer(&[ours], &[]);
    let hybrid = Transform::new(TransformType::ADDKE1, KeyExchangeMethod::ML_KEM_768);
    offered.proposals[0].transforms.push(hybrid);
    let Err(NoProposal::OursToRefuse { offered, accepted }) = choose(&offered, &[ours], None)
    else {
        panic!("chosen, without its second key exchange")
    };
    assert_eq!(offered, "aes256gcm16-prfsha384-curve25519-ke1_mlkem768");
    assert_ne!(offered, accepted);
}
