//! Proposals in words, for an operator.

use super::beside::is_additional;
use super::{
    Beside, SUITES_ONE_BY_ONE, Suite, encryption, integrity, method_of, offer, prf_id,
    same_algorithm,
};
use crate::crypto::aead::AeadAlgorithm;
use crate::crypto::cbc::CbcAlgorithm;
use crate::crypto::cipher::Cipher;
use crate::crypto::integrity::Integrity;
use crate::crypto::kex::Group;
use crate::crypto::prf::Prf;
use crate::wire::ike::{
    EncryptionId, EsnId, IntegrityId, KeyExchangeMethod, PrfId, Proposal, SecurityAssociation,
    Transform, TransformType,
};

/// Suites in words, for an operator; many as the proposals that they make, and so those that must
/// have more key exchanges beside the first.
pub(in super::super) fn describe_suites<S: Suite>(suites: &[S], beside: Beside) -> String {
    if suites.len() > SUITES_ONE_BY_ONE || beside.is_required() {
        return describe(&offer(suites, beside, &[]));
    }
    let words: Vec<String> = suites.iter().map(ToString::to_string).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// Proposals of an offer, and transforms of one type, that are put into words: an honest peer has
/// fewer, and a hostile one shall not fill a log.
const PROPOSALS_SHOWN: usize = 8;
const TRANSFORMS_SHOWN: usize = 12;

/// Words for what is left out beyond `shown` of `count`.
fn and_more(count: usize, shown: usize) -> Option<String> {
    count.checked_sub(shown).filter(|more| *more > 0).map(|more| format!("{more} more"))
}

/// An offer in words, for an operator: alternatives of one type with slashes between.
pub(super) fn describe(offered: &SecurityAssociation) -> String {
    let proposals = without_choices(offered);
    let shown = proposals.iter().take(PROPOSALS_SHOWN);
    let mut words: Vec<String> = shown.map(|proposal| describe_proposal(proposal)).collect();
    words.extend(and_more(proposals.len(), PROPOSALS_SHOWN));
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// The proposals but those that are offered without their additional key exchanges, too: these are
/// no reason to refuse.
fn without_choices(offered: &SecurityAssociation) -> Vec<&Proposal> {
    let is_plain = |one: &&Proposal| !one.transforms.iter().any(is_additional);
    let bare = |one: &Proposal| -> Vec<Transform> {
        one.transforms.iter().filter(|transform| !is_additional(transform)).cloned().collect()
    };
    let plain: Vec<&Proposal> = offered.proposals.iter().filter(is_plain).collect();
    let is_a_choice = |one: &Proposal| plain.iter().any(|plain| plain.transforms == bare(one));
    offered.proposals.iter().filter(|one| is_plain(one) || !is_a_choice(one)).collect()
}

fn describe_proposal(proposal: &Proposal) -> String {
    const ORDER: [TransformType; 5] = [
        TransformType::ENCR,
        TransformType::INTEG,
        TransformType::PRF,
        TransformType::KE,
        TransformType::ESN,
    ];
    let of_type = |wanted: TransformType| {
        let fitting = proposal.transforms.iter().filter(|one| one.transform_type == wanted);
        let count = fitting.clone().count();
        let words = fitting.take(TRANSFORMS_SHOWN).map(describe_transform);
        words.chain(and_more(count, TRANSFORMS_SHOWN)).collect::<Vec<_>>().join("/")
    };
    // What we do not know is shown as well: it may be why the rest does not fit.
    let mut others: Vec<TransformType> = Vec::new();
    for one in proposal.transforms.iter().map(|transform| transform.transform_type) {
        if !ORDER.contains(&one) && !others.contains(&one) && others.len() < TRANSFORMS_SHOWN {
            others.push(one);
        }
    }
    let words = ORDER.into_iter().chain(others).map(of_type);
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// A transform as suites are written, where we have a word for it.
fn describe_transform(transform: &Transform) -> String {
    let aeads =
        AeadAlgorithm::ALL.iter().map(|aead| (encryption(Cipher::Aead(*aead)), aead.to_string()));
    let with_mac = |cbc| Cipher::CbcHmac(cbc, Integrity::HmacSha256_128);
    let cbcs = CbcAlgorithm::ALL.iter().map(|cbc| (encryption(with_mac(*cbc)), cbc.to_string()));
    let macs = Integrity::ALL.iter().map(|mac| (integrity(*mac), mac.to_string()));
    let prfs = Prf::ALL
        .iter()
        .map(|prf| (Transform::new(TransformType::PRF, prf_id(*prf)), prf.to_string()));
    let groups = Group::DIFFIE_HELLMAN
        .iter()
        .map(|group| (Transform::new(TransformType::KE, method_of(*group)), group.to_string()));
    let word = aeads
        .chain(cbcs)
        .chain(macs)
        .chain(prfs)
        .chain(groups)
        .find(|(one, _)| same_algorithm(transform, one));
    word.map_or_else(|| registered_name(transform), |(_, word)| word)
}

fn registered_name(transform: &Transform) -> String {
    let name = match transform.transform_type {
        TransformType::ENCR => EncryptionId(transform.id).to_string(),
        TransformType::PRF => format!("PRF_{}", PrfId(transform.id)),
        TransformType::INTEG => IntegrityId(transform.id).to_string(),
        TransformType::KE => KeyExchangeMethod(transform.id).to_string(),
        TransformType::ESN => EsnId(transform.id).to_string(),
        other => super::beside::describe(transform)
            .unwrap_or_else(|| format!("{other}={}", transform.id)),
    };
    match transform.key_length {
        Some(bits) => format!("{name}_{bits}"),
        None => name,
    }
    .to_lowercase()
}
