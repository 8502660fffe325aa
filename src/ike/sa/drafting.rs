//! Our requests that take a key exchange go out when our half of it is made: that is public-key
//! work, too. By then something may have happened; a request that is not wanted any more is
//! dropped, as if it had never been due.

use super::super::context::Context;
use super::super::event::ChildId;
use super::super::job::{Ephemeral, Work};
use super::super::selector::Lack;
use super::Established;
use super::asking::Purpose;
use super::children::ChildState;
use super::create::{self, Asked, ChildAttempt};
use super::following::Halves;
use super::rekey::IkeAttempt;
use super::replacement::REFUSED;
use crate::crypto::kex::{Group, KeyExchange};
use crate::wire::ike::ExchangeType;

/// A request of ours without its key exchange.
#[derive(Clone, Copy, Debug)]
pub(super) enum Draft {
    /// For a Child SA that a slot lacks, or one in place of another.
    Child {
        lack: Lack,
        replaces: Option<ChildId>,
        /// Whether it is the second try, with the group that the peer asked for.
        regrouped: bool,
    },
    /// For a successor of the IKE SA.
    RekeyIke { regrouped: bool },
}

impl Established {
    /// Asks for a Child SA that a slot lacks, or for one in place of `replaces`, with a key exchange
    /// of `group` instead of the one that we would choose.
    pub(super) fn start_child(
        &mut self,
        lack: Lack,
        replaces: Option<ChildId>,
        group: Option<Group>,
        ctx: &mut Context<'_>,
    ) {
        let Some(config) = self.config.slots.get(&lack.slot) else {
            return self.children.want_no_more(lack);
        };
        let chosen = create::first_group(config, self.suite().group);
        let draft = Draft::Child { lack, replaces, regrouped: group.is_some() };
        match group.or(chosen) {
            Some(group) => self.hold_draft(draft, group, ctx),
            None => self.send_draft(draft, None, ctx),
        }
    }

    /// Asks for a successor, with a key exchange of `group` instead of the present one's.
    pub(super) fn start_rekey(&mut self, group: Option<Group>, ctx: &mut Context<'_>) {
        let draft = Draft::RekeyIke { regrouped: group.is_some() };
        self.hold_draft(draft, group.unwrap_or(self.suite().group), ctx);
    }

    /// The key exchanges beside the first are those of the present IKE SA: what the peer knows.
    fn hold_draft(&mut self, draft: Draft, group: Group, ctx: &mut Context<'_>) {
        let all = std::iter::once(group).chain(self.additional.groups());
        let work = Work::Prepare(all.map(|group| Ephemeral::new(group, ctx)).collect());
        let job = ctx.jobs.ask(self.client(), self.id().local, work);
        self.held.hold_draft(job, draft);
    }

    /// Our halves of the key exchanges are made, or could not be.
    pub(super) fn resume_draft(
        &mut self,
        draft: Draft,
        ours: Option<Vec<KeyExchange>>,
        ctx: &mut Context<'_>,
    ) {
        match ours {
            _ if !self.wants(draft) => {}
            Some(ours) => self.send_draft(draft, Some(Halves::new(ours)), ctx),
            None => self.postpone_draft(draft, ctx),
        }
    }

    /// Whether what a draft asks for is still to be asked for.
    fn wants(&self, draft: Draft) -> bool {
        let installed =
            |child| self.children.get(child).is_some_and(|sa| sa.state == ChildState::Installed);
        self.is_active()
            && self.exchanges.is_free()
            && self.followups.is_none()
            && match draft {
                Draft::Child { replaces: Some(old), .. } => installed(old),
                Draft::Child { lack, replaces: None, .. } => !self.children.serves(&lack),
                Draft::RekeyIke { .. } => true,
            }
    }

    fn postpone_draft(&mut self, draft: Draft, ctx: &mut Context<'_>) {
        let again = ctx.now + REFUSED;
        match draft {
            Draft::Child { lack, replaces, .. } => self.retry_child(lack, replaces, again),
            Draft::RekeyIke { .. } => self.life.rekey_at = again,
        }
    }

    fn send_draft(&mut self, draft: Draft, ours: Option<Halves>, ctx: &mut Context<'_>) {
        let (payloads, purpose) = match (draft, ours) {
            (Draft::Child { lack, replaces, regrouped }, halves) => {
                let Some(config) = self.config.slots.get(&lack.slot) else {
                    return self.children.want_no_more(lack);
                };
                let old = replaces.and_then(|child| Some((child, self.children.get(child)?)));
                let (replaced, traffic) =
                    old.map(|(_, sa)| (sa.inbound, sa.traffic.clone())).unzip();
                let replaces = replaces.zip(traffic);
                let halves = halves.unwrap_or_default();
                let asked = Asked { lack, config, replaces, halves, regrouped };
                let naming = self.descent.names_slots;
                let ike = (self.suite().group, self.additional);
                let attempt = ChildAttempt::begin(asked, ike, naming, ctx);
                (attempt.request(replaced), Purpose::Child(Box::new(attempt)))
            }
            (Draft::RekeyIke { regrouped }, Some(ours)) => {
                let beside = (self.additional, self.config.post_quantum);
                let suites = self.rekey_suites();
                let attempt = IkeAttempt::begin(suites, beside, ours, regrouped, ctx);
                (attempt.request(), Purpose::RekeyIke(Box::new(attempt)))
            }
            (Draft::RekeyIke { .. }, None) => return self.postpone_draft(draft, ctx),
        };
        self.request(ExchangeType::CREATE_CHILD_SA, &payloads, purpose, ctx);
    }
}
