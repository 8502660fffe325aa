//! What stands in tables of the packet filter: who may send into segments, and what is translated.

use super::super::admission::{Admissions, Counters};
use super::super::translation;
use super::{COUNTING, Carrier, STATIONS, judge};
use crate::gateway::world::{Answer, Change, NatCounters, Translation, Wish};
use crate::net::{MacAddress, VpcId};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::net::IpAddr;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::Instant;
use tracing::debug;

impl Carrier {
    /// All guards of segments are one table, which is replaced once for a crowd of changes.
    pub(super) async fn change_guards(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let admission = |change: &Change| match change {
            Change::Set(Wish::Admission(admission)) => {
                Some((admission.vpc, Some(admission.as_ref().clone())))
            }
            Change::Remove(Wish::Admission(admission)) => Some((admission.vpc, None)),
            Change::Set(_) | Change::Remove(_) => None,
        };
        let wanted = changes.iter().filter_map(admission).collect();
        let mut admissions = self.admissions.clone();
        let changed = spawn_blocking(move || admissions.change(wanted).map(|()| admissions));
        let why = match changed.await.context("asking nft").and_then(|outcome| outcome) {
            Ok(admissions) => {
                self.admissions = admissions;
                None
            }
            Err(error) => Some(format!("{error:#}")),
        };
        let answer = |change| match &why {
            None => Answer::Done(change),
            Some(why) => Answer::Refused(change, why.clone()),
        };
        self.answer(changes.into_iter().map(answer).collect());
        self.set_count();
    }

    fn set_count(&mut self) {
        let counts = !self.admissions.is_empty() || !self.translations.is_empty();
        let counts = counts && self.counting.is_none();
        self.next_count = counts.then(|| Instant::now() + COUNTING);
    }

    /// Replaces what translates the public addresses of one VPC.
    pub(super) async fn translate(&mut self, change: Change) {
        let (translation, wanted) = match &change {
            Change::Set(Wish::Translation(translation)) => (translation.as_ref().clone(), true),
            Change::Remove(Wish::Translation(translation)) => (translation.as_ref().clone(), false),
            Change::Set(_) | Change::Remove(_) => return,
        };
        let mut translations = std::mem::take(&mut self.translations);
        let changed = spawn_blocking(move || {
            let outcome = translations.change(translation, wanted);
            (translations, outcome)
        });
        let outcome = match changed.await {
            Ok((translations, outcome)) => {
                self.translations = translations;
                outcome
            }
            Err(error) => Err(error.into()),
        };
        self.answer(vec![judge(change, outcome)]);
        self.set_count();
    }

    /// Begins to count, in a thread of its own: `nft` takes its time, and nobody waits for it.
    pub(super) fn begin_count(&mut self) {
        self.next_count = None;
        let (admissions, translations) =
            (self.admissions.clone(), self.translations.next_to_count());
        self.counting = Some(spawn_blocking(move || Tally::take(&admissions, translations)));
    }

    /// Tells what was counted. A table that somebody else has taken away is put back.
    pub(super) async fn counted(&mut self, tally: Result<Tally, JoinError>) {
        self.set_count();
        match tally {
            Ok(Tally { translated, admitted }) => {
                for (translation, counters) in translated {
                    self.counted_translation(translation, counters);
                }
                self.counted_admissions(admitted).await;
            }
            Err(error) => debug!(%error, "nothing was counted"),
        }
    }

    fn counted_translation(
        &mut self,
        translation: Translation,
        counters: Result<Option<NatCounters>>,
    ) {
        // What was replaced meanwhile is counted next time.
        if !self.translations.is_standing(&translation) {
            return;
        }
        match counters {
            Ok(Some(counters)) => {
                self.answer(vec![Answer::Translated(translation.vpc, counters)]);
            }
            Ok(None) => {
                self.translations.forget(translation.vpc);
                self.answer(vec![Answer::Lost(Wish::Translation(translation.into()))]);
            }
            Err(error) => debug!(error = format!("{error:#}"), "translations cannot be counted"),
        }
    }

    async fn counted_admissions(
        &mut self,
        (admissions, counters): (Admissions, Result<Option<Counters>>),
    ) {
        if admissions != self.admissions || admissions.is_empty() {
            return;
        }
        match counters {
            Ok(Some(mut counters)) => {
                for (vpc, counters) in &mut counters {
                    counters.stations = self.stations(*vpc).await.unwrap_or_default();
                }
                self.answer(vec![Answer::Segments(counters)]);
            }
            Ok(None) => {
                let lost = self.admissions.standing().cloned().map(Box::new);
                let lost = lost.map(|admission| Answer::Lost(Wish::Admission(admission))).collect();
                self.admissions.forget();
                self.answer(lost);
            }
            Err(error) => debug!(error = format!("{error:#}"), "segments cannot be counted"),
        }
    }

    async fn stations(&mut self, vpc: VpcId) -> Result<BTreeMap<MacAddress, IpAddr>> {
        let (namespace, device) = self.segments.get(&vpc).context("no segment")?.clone();
        let stations = self.grounds.enter(&namespace)?.stations(&device).await?;
        Ok(stations.into_iter().take(STATIONS).collect())
    }
}

/// What was counted of the tables that stood when counting began.
#[derive(Debug)]
pub(super) struct Tally {
    translated: Vec<(Translation, Result<Option<NatCounters>>)>,
    admitted: (Admissions, Result<Option<Counters>>),
}

impl Tally {
    fn take(admissions: &Admissions, translations: Vec<Translation>) -> Tally {
        let of_one = |one: Translation| {
            let counters = translation::count(&one);
            (one, counters)
        };
        Tally {
            translated: translations.into_iter().map(of_one).collect(),
            admitted: (admissions.clone(), admissions.count()),
        }
    }
}
