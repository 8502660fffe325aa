//! Suites as proposals, and the choice among proposals (RFC 7296 §2.7, §3.3).
//!
//! Every suite goes out as a proposal of its own, so what was chosen is always a whole suite. Many
//! suites are folded: suites that are all combinations of some algorithms go out as one proposal
//! with alternatives, which holds exactly them.
//!
//! Of what comes in, AEADs go before AES-CBC if they do so in our own order, or the other way
//! round, whatever the peer's. Among suites of one kind, the first proposal that holds one of ours
//! wins; within it, a suite whose key exchange the peer has already begun, else our own order.

mod beside;
mod words;

use super::failure::NoProposal;
use crate::crypto::aead::AeadAlgorithm;
use crate::crypto::cbc::CbcAlgorithm;
use crate::crypto::cipher::Cipher;
use crate::crypto::integrity::Integrity;
use crate::crypto::kex::Group;
use crate::crypto::prf::Prf;
use crate::crypto::suite::{Additional, EspSuite, IkeSuite};
use crate::wire::ike::{
    EncryptionId, EsnId, IntegrityId, KeyExchangeMethod, PrfId, Proposal, ProtocolId,
    SecurityAssociation, Transform, TransformType,
};
pub(super) use beside::Beside;
use beside::Reading;
use std::fmt::Display;
use words::describe;
pub(super) use words::describe_suites;

/// A set of algorithms that a proposal can hold.
pub(super) trait Suite: Copy + PartialEq + Display {
    /// The protocol of the SA.
    const PROTOCOL: ProtocolId;
    /// One transform of each type that the suite needs.
    fn transforms(&self) -> Vec<Transform>;
    /// The key exchange that the suite wants.
    fn group(&self) -> Option<Group>;
    /// What encrypts and authenticates.
    fn cipher(&self) -> Cipher;
}

impl Suite for IkeSuite {
    const PROTOCOL: ProtocolId = ProtocolId::IKE;

    fn transforms(&self) -> Vec<Transform> {
        let mut transforms = vec![encryption(self.cipher)];
        transforms.extend(self.cipher.integrity().map(integrity));
        transforms.push(Transform::new(TransformType::PRF, prf_id(self.prf)));
        transforms.push(Transform::new(TransformType::KE, method_of(self.group)));
        transforms
    }

    fn group(&self) -> Option<Group> {
        Some(self.group)
    }

    fn cipher(&self) -> Cipher {
        self.cipher
    }
}

impl Suite for EspSuite {
    const PROTOCOL: ProtocolId = ProtocolId::ESP;

    fn transforms(&self) -> Vec<Transform> {
        let esn = if self.esn { EsnId::ESN } else { EsnId::NO_ESN };
        let mut transforms = vec![encryption(self.cipher)];
        transforms.extend(self.cipher.integrity().map(integrity));
        transforms
            .extend(self.group.map(|group| Transform::new(TransformType::KE, method_of(group))));
        transforms.push(Transform::new(TransformType::ESN, esn));
        transforms
    }

    fn group(&self) -> Option<Group> {
        self.group
    }

    fn cipher(&self) -> Cipher {
        self.cipher
    }
}

/// A suite chosen from an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice<S> {
    pub suite: S,
    /// The key exchanges that follow the first.
    pub additional: Additional,
    /// Number of the proposal.
    pub number: u8,
    /// The SPI that the peer gave with it.
    pub spi: Vec<u8>,
    /// One transform of each type in the proposal.
    transforms: Vec<Transform>,
}

/// So many suites go out one by one, in their order; more are folded.
const SUITES_ONE_BY_ONE: usize = 12;

/// The offer of `suites`, best first, with the key exchanges that may stand `beside` the first.
pub(super) fn offer<S: Suite>(suites: &[S], beside: Beside, spi: &[u8]) -> SecurityAssociation {
    beside.spread(offer_bare(suites, spi))
}

fn offer_bare<S: Suite>(suites: &[S], spi: &[u8]) -> SecurityAssociation {
    let mut choices: Vec<Vec<Transform>> = suites.iter().map(Suite::transforms).collect();
    if choices.len() > SUITES_ONE_BY_ONE {
        choices = fold(choices);
    }
    let numbered = choices.into_iter().zip(1..=u8::MAX);
    let proposals = numbered.map(|(transforms, number)| Proposal {
        number,
        protocol: S::PROTOCOL,
        spi: spi.to_vec(),
        transforms,
    });
    SecurityAssociation { proposals: proposals.collect() }
}

/// As [`offer`], with one proposal for suites that differ only in their key exchange, however few.
pub(super) fn offer_by_group(
    suites: &[EspSuite],
    beside: Beside,
    spi: &[u8],
) -> SecurityAssociation {
    beside.spread(by_group(suites, spi))
}

fn by_group(suites: &[EspSuite], spi: &[u8]) -> SecurityAssociation {
    if suites.len() > SUITES_ONE_BY_ONE {
        return offer_bare(suites, spi);
    }
    let mut offer = SecurityAssociation { proposals: Vec::new() };
    let bare = |suite: &EspSuite| EspSuite { group: None, ..*suite };
    let mut offered: Vec<&EspSuite> = Vec::new();
    for suite in suites {
        let shares = |known: &&EspSuite| bare(known) == bare(suite) && known.group.is_some();
        let place = suite.group.and_then(|_| offered.iter().position(shares));
        let number = u8::try_from(offer.proposals.len() + 1).unwrap_or(u8::MAX);
        match (place.and_then(|place| offer.proposals.get_mut(place)), suite.group) {
            (Some(proposal), Some(group)) => {
                proposal.transforms.push(Transform::new(TransformType::KE, method_of(group)));
            }
            (_, _) => {
                offered.push(suite);
                let (protocol, spi) = (ProtocolId::ESP, spi.to_vec());
                let transforms = suite.transforms();
                offer.proposals.push(Proposal { number, protocol, spi, transforms });
            }
        }
    }
    offer
}

/// Fewer sets of transforms with the same choices: neighbours that differ in one type become one
/// set with alternatives of this type, again and again. What can be chosen, and the order between
/// sets, stay.
fn fold(mut sets: Vec<Vec<Transform>>) -> Vec<Vec<Transform>> {
    loop {
        let before = sets.len();
        let mut folded: Vec<Vec<Transform>> = Vec::new();
        for set in sets {
            match folded.last_mut() {
                Some(last) if differ_in_one_type(last, &set) => join(last, &set),
                Some(_) | None => folded.push(set),
            }
        }
        if folded.len() == before {
            return folded;
        }
        sets = folded;
    }
}

/// Whether all transforms but those of one type are the same, and of this one none are.
fn differ_in_one_type(one: &[Transform], other: &[Transform]) -> bool {
    let missing = |from: &[Transform], in_set: &[Transform]| -> Vec<Transform> {
        from.iter().filter(|transform| !in_set.contains(transform)).cloned().collect()
    };
    let (mine, theirs) = (missing(one, other), missing(other, one));
    let (Some(first), false) = (mine.first(), theirs.is_empty()) else { return false };
    let of_type = |transform: &Transform| transform.transform_type == first.transform_type;
    let whole = |differing: &[Transform], set: &[Transform]| {
        differing.iter().all(of_type)
            && differing.len() == set.iter().filter(|transform| of_type(transform)).count()
    };
    whole(&mine, one) && whole(&theirs, other)
}

/// Adds what is not there yet, beside its like.
fn join(set: &mut Vec<Transform>, other: &[Transform]) {
    for transform in other {
        if set.contains(transform) {
            continue;
        }
        let like = |one: &Transform| one.transform_type == transform.transform_type;
        let at = set.iter().rposition(like).map_or(set.len(), |last| last + 1);
        set.insert(at, transform.clone());
    }
}

/// The answer to an offer: exactly one transform of each type that the proposal holds.
pub(super) fn answer<S: Suite>(choice: &Choice<S>, spi: &[u8]) -> SecurityAssociation {
    let proposal = Proposal {
        number: choice.number,
        protocol: S::PROTOCOL,
        spi: spi.to_vec(),
        transforms: choice.transforms.clone(),
    };
    SecurityAssociation { proposals: vec![proposal] }
}

/// Chooses from the peer's offer one of `suites`, whose peer has begun a key exchange of
/// `begun`: one with more key exchanges `beside` it, if there is any.
pub(super) fn choose<S: Suite>(
    offered: &SecurityAssociation,
    suites: &[S],
    beside: Beside,
    begun: Option<Group>,
) -> Result<Choice<S>, NoProposal> {
    let readings = offered.proposals.iter().filter_map(|proposal| beside.read(proposal));
    let (without, with): (Vec<_>, Vec<_>) =
        readings.partition(|reading| reading.additional.is_none());
    let chosen =
        choose_among(&with, suites, begun).or_else(|| choose_among(&without, suites, begun));
    chosen.ok_or_else(|| NoProposal::OursToRefuse {
        offered: describe(offered),
        accepted: describe_suites(suites, beside),
    })
}

fn choose_among<S: Suite>(
    offered: &[Reading<'_>],
    suites: &[S],
    begun: Option<Group>,
) -> Option<Choice<S>> {
    let is_aead = |suite: &S| matches!(suite.cipher(), Cipher::Aead(_));
    let preferred = suites.first().is_some_and(is_aead);
    let of_kind = |aead: bool| {
        let ours = move || suites.iter().filter(move |suite| is_aead(suite) == aead);
        offered.iter().find_map(move |reading| {
            let fitting = || ours().filter(|suite| admits(&reading.rest, *suite));
            let suite =
                fitting().find(|suite| suite.group() == begun).or_else(|| fitting().next())?;
            Some(Choice::of(reading, suite))
        })
    };
    of_kind(preferred).or_else(|| of_kind(!preferred))
}

/// The suite that the peer chose from our offer of `suites`; `None` when it is none of them, or
/// more than one.
pub(super) fn chosen<S: Suite>(
    answer: &SecurityAssociation,
    suites: &[S],
    beside: Beside,
) -> Option<Choice<S>> {
    let [proposal] = answer.proposals.as_slice() else { return None };
    let reading = beside.read(proposal)?;
    let suite = suites.iter().find(|suite| admits(&reading.rest, *suite))?;
    let choice = Choice::of(&reading, suite);
    let whole = choice.transforms.len() == proposal.transforms.len();
    (whole && beside.could_choose(choice.additional)).then_some(choice)
}

impl<S: Suite> Choice<S> {
    fn of(reading: &Reading<'_>, suite: &S) -> Self {
        let proposal = &reading.rest;
        let offers = |wanted: TransformType| {
            proposal.transforms.iter().any(|one| one.transform_type == wanted)
        };
        let wanted = suite.transforms();
        let is_wanted = |one: &Transform| {
            wanted.iter().any(|transform| transform.transform_type == one.transform_type)
        };
        let nones = proposal.transforms.iter().filter(|one| one.id == 0 && !is_wanted(one));
        let nones: Vec<Transform> = nones.cloned().collect();
        let mut transforms = wanted;
        transforms.retain(|transform| offers(transform.transform_type));
        transforms.extend(nones);
        transforms.extend(reading.transforms.iter().cloned());
        let (number, spi) = (proposal.number, proposal.spi.clone());
        Choice { suite: *suite, additional: reading.additional, number, spi, transforms }
    }
}

/// Whether the proposal lets a peer choose exactly this suite.
fn admits<S: Suite>(proposal: &Proposal, suite: &S) -> bool {
    let wanted = suite.transforms();
    let has = |transform: &Transform| {
        proposal.transforms.iter().any(|offered| same_algorithm(offered, transform))
            || is_default(proposal, transform)
    };
    let covered = |offered: &Transform| {
        wanted.iter().any(|transform| transform.transform_type == offered.transform_type)
            || may_be_none(proposal, offered.transform_type)
    };
    proposal.protocol == S::PROTOCOL
        && wanted.iter().all(has)
        && proposal.transforms.iter().all(covered)
}

/// Attributes that we do not know make another algorithm of it (RFC 7296 §3.3.6).
fn same_algorithm(offered: &Transform, transform: &Transform) -> bool {
    offered.transform_type == transform.transform_type
        && offered.id == transform.id
        && offered.key_length == transform.key_length
        && offered.attributes.is_empty()
}

/// "No Extended Sequence Numbers" goes without saying when the type is not in the proposal.
fn is_default(proposal: &Proposal, transform: &Transform) -> bool {
    let no_esn = Transform::new(TransformType::ESN, EsnId::NO_ESN);
    let unsaid = |offered: &Transform| offered.transform_type != TransformType::ESN;
    *transform == no_esn && proposal.transforms.iter().all(unsaid)
}

/// Integrity algorithm and key exchange may be offered as "none" (RFC 7296 §3.3.3).
fn may_be_none(proposal: &Proposal, transform_type: TransformType) -> bool {
    let optional = [TransformType::INTEG, TransformType::KE].contains(&transform_type);
    let none = |offered: &Transform| offered.transform_type == transform_type && offered.id == 0;
    optional && proposal.transforms.iter().any(none)
}

fn encryption(cipher: Cipher) -> Transform {
    let transform = |id: EncryptionId| Transform::new(TransformType::ENCR, id);
    match cipher {
        Cipher::Aead(AeadAlgorithm::Aes128Gcm16) => {
            transform(EncryptionId::AES_GCM_16).with_key_length(128)
        }
        Cipher::Aead(AeadAlgorithm::Aes256Gcm16) => {
            transform(EncryptionId::AES_GCM_16).with_key_length(256)
        }
        // The key length attribute must not be there (RFC 7634 §3).
        Cipher::Aead(AeadAlgorithm::ChaCha20Poly1305) => transform(EncryptionId::CHACHA20_POLY1305),
        Cipher::CbcHmac(CbcAlgorithm::Aes128Cbc, _) => {
            transform(EncryptionId::AES_CBC).with_key_length(128)
        }
        Cipher::CbcHmac(CbcAlgorithm::Aes256Cbc, _) => {
            transform(EncryptionId::AES_CBC).with_key_length(256)
        }
    }
}

fn integrity(integrity: Integrity) -> Transform {
    let id = match integrity {
        Integrity::HmacSha1_96 => IntegrityId::HMAC_SHA1_96,
        Integrity::HmacSha256_128 => IntegrityId::HMAC_SHA2_256_128,
        Integrity::HmacSha384_192 => IntegrityId::HMAC_SHA2_384_192,
        Integrity::HmacSha512_256 => IntegrityId::HMAC_SHA2_512_256,
    };
    Transform::new(TransformType::INTEG, id)
}

fn prf_id(prf: Prf) -> PrfId {
    match prf {
        Prf::HmacSha1 => PrfId::HMAC_SHA1,
        Prf::HmacSha256 => PrfId::HMAC_SHA2_256,
        Prf::HmacSha384 => PrfId::HMAC_SHA2_384,
        Prf::HmacSha512 => PrfId::HMAC_SHA2_512,
    }
}

/// The number of a group on the wire.
pub(super) fn method_of(group: Group) -> KeyExchangeMethod {
    match group {
        Group::Curve25519 => KeyExchangeMethod::CURVE25519,
        Group::Ecp256 => KeyExchangeMethod::ECP_256,
        Group::Ecp384 => KeyExchangeMethod::ECP_384,
        Group::Ecp521 => KeyExchangeMethod::ECP_521,
        Group::Modp1024 => KeyExchangeMethod::MODP_1024,
        Group::Modp1536 => KeyExchangeMethod::MODP_1536,
        Group::Modp2048 => KeyExchangeMethod::MODP_2048,
        Group::Modp3072 => KeyExchangeMethod::MODP_3072,
        Group::Modp4096 => KeyExchangeMethod::MODP_4096,
        Group::MlKem512 => KeyExchangeMethod::ML_KEM_512,
        Group::MlKem768 => KeyExchangeMethod::ML_KEM_768,
        Group::MlKem1024 => KeyExchangeMethod::ML_KEM_1024,
    }
}

/// The group of a number; `None` for one that we do not have.
pub(super) fn group_of(method: KeyExchangeMethod) -> Option<Group> {
    let all = Group::DIFFIE_HELLMAN.into_iter().chain(Group::KEMS);
    all.into_iter().find(|&group| method_of(group) == method)
}

/// The same suites; of those that differ only in the key exchange, the one with `group` first,
/// which is that of the IKE SA: the peer has shown to know it.
pub(super) fn with_group_first(suites: &[EspSuite], group: Group) -> Vec<EspSuite> {
    let mut sorted: Vec<EspSuite> = Vec::with_capacity(suites.len());
    for suite in suites {
        let preferred = EspSuite { group: suite.group.map(|_| group), ..*suite };
        for next in [preferred, *suite] {
            if suites.contains(&next) && !sorted.contains(&next) {
                sorted.push(next);
            }
        }
    }
    sorted
}

/// Without the key exchange: what can be chosen in IKE_AUTH (RFC 7296 §1.2).
pub(super) fn without_group(suites: &[EspSuite]) -> Vec<EspSuite> {
    let mut bare: Vec<EspSuite> = Vec::new();
    for suite in suites.iter().map(|suite| EspSuite { group: None, ..*suite }) {
        if !bare.contains(&suite) {
            bare.push(suite);
        }
    }
    bare
}

#[cfg(test)]
mod tests;
