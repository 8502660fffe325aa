//! What was found on the host, held against what is wanted: so many wishes at a time, since there may
//! be as many as peers have prefixes. What changes meanwhile may be asked for once more, which does no
//! harm.

use super::{Change, Wish, World};
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::ops::Bound;

/// Wishes that are looked at in a turn.
pub(super) const TURN: usize = 512;

/// A look at a network namespace whose findings are not all taken in yet.
#[derive(Debug)]
pub(super) struct Look {
    /// When it was told.
    pub since: Timestamp,
    namespace: Option<String>,
    /// What it has found and what was not compared yet.
    found: BTreeSet<Wish>,
    /// The wish up to which was compared.
    behind: Option<Wish>,
    /// What nobody wants.
    foreign: Vec<Wish>,
}

impl World {
    /// What stands and was not found is put back, what was refused is tried at once, and what
    /// nobody wants is removed: by this turn and those that follow.
    pub(super) fn on_found(
        &mut self,
        namespace: Option<String>,
        found: BTreeSet<Wish>,
        lives_in: &impl Fn(&Wish, Option<&str>) -> bool,
        now: Timestamp,
    ) {
        let concerns = |wish: &&Wish| lives_in(wish, namespace.as_deref());
        let refused: Vec<Wish> = self.refused.iter().filter(concerns).cloned().collect();
        refused.into_iter().for_each(|wish| self.repeat(wish));
        let look = Look { since: now, namespace, found, behind: None, foreign: Vec::new() };
        self.looks.push_back(look);
        self.compare(lives_in);
    }

    /// Whether a look is not taken in yet.
    pub fn is_looking(&self) -> bool {
        !self.looks.is_empty()
    }

    /// Takes in more of a look. `lives_in` says whether a wish is one for a network namespace.
    pub fn compare(&mut self, lives_in: &impl Fn(&Wish, Option<&str>) -> bool) {
        let Some(mut look) = self.looks.pop_front() else { return };
        let behind = look.behind.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let wanted = self.wanted.range((behind, Bound::Unbounded)).map(|(wish, _)| wish);
        let wanted: Vec<Wish> = wanted.take(TURN).cloned().collect();
        let mut room = TURN;
        for wish in &wanted {
            room = look.pass(room, |found| found < wish, |found| self.is_foreign(found));
            if room == 0 {
                break;
            }
            let is_there = look.found.remove(wish);
            if !is_there && wish.is_found() && lives_in(wish, look.namespace.as_deref()) {
                self.on_lost(wish);
            }
            look.behind = Some(wish.clone());
        }
        if wanted.len() < TURN {
            room = look.pass(room, |_| true, |found| self.is_foreign(found));
        }
        match room > 0 && wanted.len() < TURN {
            true => self.changes.extend(look.foreign.into_iter().rev().map(Change::Remove)),
            false => self.looks.push_front(look),
        }
    }

    /// Whether nobody wants this, and nothing that takes its place.
    fn is_foreign(&self, wish: &Wish) -> bool {
        let has_successor =
            || self.same_route(wish).is_some() || self.same_segment(wish) || self.same_outlet(wish);
        wish.outlives_us() && !self.wanted.contains_key(wish) && !has_successor()
    }
}

impl Look {
    /// Takes out the first of what was found, as long as there is room; comes back with what is left
    /// of it.
    fn pass(
        &mut self,
        mut room: usize,
        is_next: impl Fn(&Wish) -> bool,
        is_foreign: impl Fn(&Wish) -> bool,
    ) -> usize {
        while room > 0 && self.found.first().is_some_and(&is_next) {
            self.foreign.extend(self.found.pop_first().filter(&is_foreign));
            room -= 1;
        }
        room
    }
}
