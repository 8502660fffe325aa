//! A schedule that broke a rule, for people: what happened at which end, one line after the other.

use super::node::Input;
use super::search::Failure;
use super::world::{Action, Universe, World};
use crate::ike::tests::net::WEST;
use std::fmt::Write;

/// The columns of West, of the way between, and of East.
const WAY: usize = 78;
/// So many steps of a long calm are drawn from its beginning, and as many from its end.
const SHOWN: usize = 24;

/// Draws what led from `root` to a failure.
pub(super) fn draw(universe: &Universe, root: &World, failure: &Failure) -> String {
    let mut ladder =
        Ladder { universe, world: root.clone(), text: String::new(), line: 0, hidden: false };
    let _ = writeln!(ladder.text, "\n{}: {}", universe.scenario.name, failure.what);
    let _ = writeln!(ladder.text, "{:>3}  {:<WAY$} East", "", "West");
    failure.actions.iter().for_each(|action| ladder.action(*action));
    if !failure.calm.is_empty() {
        let _ = writeln!(ladder.text, "     the adversary goes; what is under way arrives");
        for (number, (end, input)) in failure.calm.iter().enumerate() {
            ladder.hidden = number >= SHOWN && number + SHOWN < failure.calm.len();
            ladder.input(*end, *input, "");
        }
    }
    let _ = writeln!(ladder.text, "     {}\n     {:?}", failure.what, failure.actions);
    ladder.text
}

struct Ladder<'u> {
    universe: &'u Universe,
    world: World,
    text: String,
    line: usize,
    hidden: bool,
}

impl Ladder<'_> {
    fn action(&mut self, action: Action) {
        match action {
            Action::Deliver(number) => self.deliver(number, ""),
            Action::Copy(number) => self.deliver(number, " (a copy stays under way)"),
            Action::Lose(number) => {
                let end = self.universe.receiver(number);
                self.message(end, number, " ✗ lost");
            }
            Action::Timeout(end) => self.input(end, Input::Timeout, ""),
            Action::Work(end) => self.input(end, Input::Work, ""),
            Action::Wish(number) => {
                let (end, wish) = self.universe.wish(number);
                self.input(end, Input::Wish(wish), "");
            }
            Action::Inner(from) => self.note(from, "sends an inner packet, which arrives"),
        }
        self.follow(action);
    }

    fn deliver(&mut self, number: u32, remark: &str) {
        self.message(self.universe.receiver(number), number, remark);
    }

    fn input(&mut self, end: usize, input: Input, remark: &str) {
        match input {
            Input::Datagram(number) => self.message(end, number, remark),
            Input::Timeout => {
                let node = self.universe.node(end, self.world.ends[end]);
                let reason = node.endpoint().poll_timeout().map(|(_, reason)| reason);
                let reason = reason.map_or(String::new(), |reason| format!("{reason:?}"));
                let wait = node.wait().unwrap_or_default();
                self.note(end, &format!("{reason} after {wait:?}"));
            }
            Input::Work => self.note(end, "a key exchange is computed"),
            Input::Wish(wish) => self.note(end, &format!("{wish:?}")),
            Input::Inner(_) => self.note(end, "an inner packet arrives"),
        }
        if let Some((after, _)) = self.universe.known_step(end, self.world.ends[end], input) {
            self.world.ends[end] = after;
        }
    }

    /// Goes on to the world after a move, as far as it is known.
    fn follow(&mut self, action: Action) {
        let (Action::Deliver(number) | Action::Copy(number)) = action else { return };
        let end = self.universe.receiver(number);
        let input = Input::Datagram(number);
        if let Some((after, _)) = self.universe.known_step(end, self.world.ends[end], input) {
            self.world.ends[end] = after;
        }
    }

    fn note(&mut self, end: usize, what: &str) {
        self.line += 1;
        let line = self.line;
        if self.hidden {
            return;
        }
        let _ = match end == WEST {
            true => writeln!(self.text, "{line:>3}  * {what}"),
            false => writeln!(self.text, "{line:>3}  {:>WAY$} * {what}", ""),
        };
    }

    fn message(&mut self, end: usize, number: u32, remark: &str) {
        self.line += 1;
        if self.hidden {
            return;
        }
        let node = self.universe.node(end, self.world.ends[end]);
        let what = format!("{}{remark}", self.universe.datagram(number).describe(node));
        let line = self.line;
        let _ = match end == WEST {
            true => writeln!(self.text, "{line:>3}  ◄─ {what} {:─<1$}", "", left(&what)),
            false => writeln!(self.text, "{line:>3}  {:─<1$} {what} ─►", "", left(&what)),
        };
    }
}

fn left(what: &str) -> usize {
    WAY.saturating_sub(what.chars().count() + 4)
}
