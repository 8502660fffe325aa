//! Key exchanges beside the first in proposals (RFC 9370 §2.2.1, §2.2.2).
//!
//! A peer that does not know them refuses a proposal with a transform type that it does not know
//! (RFC 7296 §3.3.6). So whatever is offered with them is offered without them, too, further down,
//! unless they are required.

use super::super::config::PostQuantum;
use super::{group_of, method_of};
use crate::crypto::kex::Group;
use crate::crypto::suite::Additional;
use crate::wire::ike::{
    KeyExchangeMethod, Proposal, SecurityAssociation, Transform, TransformType,
};
use std::borrow::Cow;

/// More proposals are not offered with additional key exchanges.
const MOST_WITH: usize = 6;

/// Which key exchanges an SA may have beside the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Beside {
    which: Which,
    /// Whether it may do without.
    or_none: bool,
    /// So many proposals are offered with them at most.
    most: usize,
    /// Whether the peer can do them at all.
    able: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// None.
    None,
    /// ML-KEM with any parameters: ours to offer as the first one, the peer's to offer as it likes.
    AnyKem,
    /// These.
    These(Additional),
}

/// A proposal without its additional key exchanges, and which of them are chosen.
pub(super) struct Reading<'a> {
    pub rest: Cow<'a, Proposal>,
    pub additional: Additional,
    /// One transform for each type of them in the proposal.
    pub transforms: Vec<Transform>,
}

impl Beside {
    /// None.
    pub(crate) const NOTHING: Beside =
        Beside { which: Which::None, or_none: true, most: MOST_WITH, able: true };
    /// ML-KEM, or none.
    pub(crate) const ANY_KEM_OR_NONE: Beside = Beside { which: Which::AnyKem, ..Beside::NOTHING };

    /// Those of an IKE SA that begins.
    pub(crate) fn initial(wanted: PostQuantum) -> Beside {
        match wanted {
            PostQuantum::Off => Beside::NOTHING,
            PostQuantum::Prefer => Beside::ANY_KEM_OR_NONE,
            PostQuantum::Require => Beside { or_none: false, ..Beside::ANY_KEM_OR_NONE },
        }
    }

    /// Those that several connections take together, of which it is not known which is meant.
    pub(crate) fn of_all(wanted: impl Iterator<Item = PostQuantum> + Clone) -> Beside {
        let any_kem = wanted.clone().any(|one| one != PostQuantum::Off);
        let which = if any_kem { Which::AnyKem } else { Which::None };
        let or_none = wanted.clone().any(|one| one != PostQuantum::Require);
        Beside { which, or_none, ..Beside::NOTHING }
    }

    /// Those that we offer for a successor of an IKE SA that has `present` ones, or none if we take
    /// one without.
    pub(crate) fn again(present: Additional, or_none: bool) -> Beside {
        match present.is_none() {
            true => Beside::NOTHING,
            false => Beside { which: Which::These(present), or_none, ..Beside::NOTHING },
        }
    }

    /// Those that we take for a Child SA.
    pub(crate) fn of_requested_child(wanted: PostQuantum) -> Beside {
        Beside { or_none: true, ..Beside::initial(wanted) }
    }

    /// Those that we offer for a Child SA under an IKE SA that has `present` ones. Its keys rest on
    /// those of the IKE SA all the same.
    pub(crate) fn of_child(present: Additional) -> Beside {
        Beside::again(present, true)
    }

    /// Whether an SA without is none that was wanted.
    pub(super) fn is_required(self) -> bool {
        !self.or_none
    }

    /// What is left with a peer that does none.
    pub(crate) fn without(self) -> Beside {
        Beside { able: false, ..self }
    }

    /// The same with fewer proposals, at last with one that has but one method; `None` then.
    pub(crate) fn fewer(self) -> Option<Beside> {
        (self.most > 1).then_some(Beside { most: self.most / 2, ..self })
    }

    /// The transforms that a proposal offers.
    fn offered(self) -> Vec<Transform> {
        let transform = |place: usize, group: Group| {
            let number = TransformType::ADDKE1.0 + place as u8; // below seven
            Transform::new(TransformType(number), method_of(group))
        };
        match self.which {
            Which::None => Vec::new(),
            Which::AnyKem => {
                let offered = if self.most == 1 { 1 } else { Group::KEMS.len() };
                let best = Group::KEMS.into_iter().take(offered);
                best.map(|group| transform(0, group)).collect()
            }
            Which::These(these) => these.places().map(|(at, group)| transform(at, group)).collect(),
        }
    }

    /// The proposals of an offer with them, then without, if that may be.
    pub(crate) fn spread(self, offer: SecurityAssociation) -> SecurityAssociation {
        let more = self.offered();
        if more.is_empty() {
            return offer;
        }
        let has_exchange = |proposal: &&Proposal| {
            proposal.transforms.iter().any(|one| one.transform_type == TransformType::KE)
        };
        let with = offer.proposals.iter().filter(has_exchange).take(self.most).map(|proposal| {
            let transforms = [proposal.transforms.as_slice(), &more].concat();
            Proposal { transforms, ..proposal.clone() }
        });
        let without = offer.proposals.iter().filter(|one| self.or_none || !has_exchange(one));
        let all = with.chain(without.cloned()).zip(1..=u8::MAX);
        let proposals = all.map(|(proposal, number)| Proposal { number, ..proposal });
        SecurityAssociation { proposals: proposals.collect() }
    }

    /// What a proposal is without its additional key exchanges, and which of them to choose; `None`
    /// when it wants one that is not to be, or the SA needs one that it lacks.
    pub(super) fn read(self, proposal: &Proposal) -> Option<Reading<'_>> {
        if !proposal.transforms.iter().any(is_additional) {
            let rest = Cow::Borrowed(proposal);
            let nothing = Reading { rest, additional: Additional::NONE, transforms: Vec::new() };
            return self.or_none_in(proposal).then_some(nothing);
        }
        let (mut additional, mut transforms) = (Additional::NONE, Vec::new());
        for place in 0..Additional::MOST {
            let of_type = |one: &&Transform| place_of(one) == Some(place);
            let offered: Vec<&Transform> = proposal.transforms.iter().filter(of_type).collect();
            if offered.is_empty() {
                continue;
            }
            let (chosen, transform) = self.choose(place, &offered, additional)?;
            additional = chosen;
            transforms.push(transform);
        }
        let mut rest = proposal.clone();
        rest.transforms.retain(|one| !is_additional(one));
        let fits = !additional.is_none() || self.or_none_in(&rest);
        fits.then_some(Reading { rest: Cow::Owned(rest), additional, transforms })
    }

    /// The best of the transforms `offered` at one place, beside those already `chosen`.
    fn choose(
        self,
        place: usize,
        offered: &[&Transform],
        chosen: Additional,
    ) -> Option<(Additional, Transform)> {
        let plain = |id: u16| {
            offered
                .iter()
                .find(|one| one.id == id && one.key_length.is_none() && one.attributes.is_empty())
        };
        let wanted = self.at(place).find_map(|group| {
            let transform = plain(method_of(group).0)?;
            Some((chosen.with(place, group)?, (*transform).clone()))
        });
        wanted.or_else(|| Some((chosen, (**plain(KeyExchangeMethod::NONE.0)?).clone())))
    }

    /// What there may be at a place, best first.
    fn at(self, place: usize) -> impl Iterator<Item = Group> {
        let any = (self.able && self.which == Which::AnyKem).then_some(Group::KEMS);
        let these = match self.which {
            Which::These(these) if self.able => these.places().find(|(at, _)| *at == place),
            Which::None | Which::AnyKem | Which::These(_) => None,
        };
        any.into_iter().flatten().chain(these.map(|(_, group)| group))
    }

    /// Whether a proposal without will do: a Child SA without a key exchange of its own has none to
    /// stand beside.
    fn or_none_in(self, proposal: &Proposal) -> bool {
        let is_exchange = |one: &Transform| one.transform_type == TransformType::KE && one.id != 0;
        self.or_none || !proposal.transforms.iter().any(is_exchange)
    }

    /// Whether the peer could choose these from what we offer.
    pub(super) fn could_choose(self, additional: Additional) -> bool {
        match self.which {
            _ if additional.is_none() => true,
            Which::None => false,
            Which::AnyKem => Group::KEMS.into_iter().any(|one| additional == Additional::one(one)),
            Which::These(these) => additional == these,
        }
    }
}

/// Which place among the additional key exchanges a transform is for.
fn place_of(transform: &Transform) -> Option<usize> {
    let TransformType(number) = transform.transform_type;
    let place = usize::from(number.checked_sub(TransformType::ADDKE1.0)?);
    (place < Additional::MOST).then_some(place)
}

pub(super) fn is_additional(transform: &Transform) -> bool {
    place_of(transform).is_some()
}

/// A transform of an additional key exchange as suites are written, as strongSwan does.
pub(super) fn describe(transform: &Transform) -> Option<String> {
    let place = place_of(transform)? + 1;
    let method = KeyExchangeMethod(transform.id);
    let word = group_of(method).map_or_else(|| method.to_string(), |group| group.to_string());
    Some(format!("ke{place}_{}", word.to_lowercase()))
}
