//! What `vpnctl top` shows: the last answers of the gateways, what was pressed, and what follows from both.
//! No clock and no terminal: answers and keys come in, and what is asked of it comes out.

use super::super::args::Order;
use crate::control::{EventView, EventsView, PeerSummary, PeersView, SasView};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// Looks back for the loss, in answers.
const LOSS_OVER: usize = 30;

/// What all gateways have answered to one question.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// Their peers.
    pub(super) peers: Vec<PeersView>,
    /// Their SAs, whose windows count what was lost.
    pub(super) sas: Vec<SasView>,
    /// What happened at them.
    pub(super) events: Vec<EventsView>,
    /// Gateways that do not answer, and why.
    pub(super) silent: Vec<(String, String)>,
}

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Up,
    Down,
    First,
    Last,
    Sort,
    OnlyDown,
    Pause,
    OnlyEvents,
}

/// The keys, for people.
pub(super) const KEYS: &str = "q quit  ↑↓ choose  s sort  d only down  e its events  p pause";

impl Key {
    /// The keys that were pressed. Arrows come as several octets (ECMA-48 CUU, CUD; or SS3).
    pub(super) fn read(octets: &[u8]) -> Vec<Key> {
        let mut keys = Vec::new();
        let mut rest = octets;
        while let Some((key, length)) = Key::first(rest) {
            keys.extend(key);
            rest = rest.get(length..).unwrap_or_default();
        }
        keys
    }

    fn first(octets: &[u8]) -> Option<(Option<Key>, usize)> {
        Some(match octets {
            [] => return None,
            [0x1b, b'[' | b'O', code, ..] => match code {
                b'A' => (Some(Key::Up), 3),
                b'B' => (Some(Key::Down), 3),
                b'H' => (Some(Key::First), 3),
                b'F' => (Some(Key::Last), 3),
                // Parameters, until a letter or a tilde ends them (ECMA-48 §5.4).
                _ => {
                    let end = octets.iter().skip(2).position(|octet| (0x40..=0x7e).contains(octet));
                    (None, end.map_or(octets.len(), |end| end + 3))
                }
            },
            // Escape alone, and Ctrl-C and Ctrl-D, which are keys like others in raw mode.
            [0x1b] | [b'q' | b'Q' | 3 | 4, ..] => (Some(Key::Quit), 1),
            [b'k', ..] => (Some(Key::Up), 1),
            [b'j', ..] => (Some(Key::Down), 1),
            [b'g', ..] => (Some(Key::First), 1),
            [b'G', ..] => (Some(Key::Last), 1),
            [b's', ..] => (Some(Key::Sort), 1),
            [b'd', ..] => (Some(Key::OnlyDown), 1),
            [b'e' | b'\r', ..] => (Some(Key::OnlyEvents), 1),
            [b'p' | b' ', ..] => (Some(Key::Pause), 1),
            [_, ..] => (None, 1),
        })
    }
}

/// A peer of a gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'m> {
    /// The gateway.
    pub(super) gateway: &'m str,
    /// The peer.
    pub(super) peer: &'m PeerSummary,
    /// How many of its packets were lost on the way here of late, in a thousand; `None` when none came.
    pub(super) loss: Option<u64>,
}

/// A peer by its names.
type Name = (String, String);

/// Packets of a peer that came, and that are missing.
type Counts = (u64, u64);

/// What is shown.
#[derive(Debug, Default)]
pub(super) struct Model {
    answers: Answers,
    counts: BTreeMap<Name, VecDeque<Counts>>,
    chosen: Option<Name>,
    sort: Order,
    only_down: bool,
    only_events: bool,
    paused: bool,
}

impl Model {
    /// Takes answers, unless it is paused.
    pub(super) fn take(&mut self, answers: Answers) {
        if self.paused {
            return;
        }
        let is_there = |name: &Name| {
            let views = answers.sas.iter().filter(|view| view.gateway == name.0);
            views.flat_map(|view| &view.tunnels).any(|tunnel| tunnel.peer == name.1)
        };
        self.counts.retain(|name, _| is_there(name));
        for view in &answers.sas {
            for tunnel in &view.tunnels {
                let sum = |of: fn(&crate::control::ChildSaView) -> u64| {
                    tunnel.child_sas.iter().map(of).sum::<u64>()
                };
                let name = (view.gateway.clone(), tunnel.peer.clone());
                let counts = self.counts.entry(name).or_default();
                counts.push_back((sum(|sa| sa.received.packets), sum(|sa| sa.replay.lost)));
                if counts.len() > LOSS_OVER {
                    counts.pop_front();
                }
            }
        }
        self.answers = answers;
        if self.index().is_none() {
            self.chosen = self.rows().first().map(Row::name);
        }
    }

    /// Does what a key says; whether it goes on.
    pub(super) fn press(&mut self, key: Key) -> bool {
        match key {
            Key::Quit => return false,
            Key::Up => self.choose(|index, _| index.saturating_sub(1)),
            Key::Down => self.choose(|index, last| (index + 1).min(last)),
            Key::First => self.choose(|_, _| 0),
            Key::Last => self.choose(|_, last| last),
            Key::Sort => {
                self.sort = match self.sort {
                    Order::Name => Order::State,
                    Order::State => Order::Rtt,
                    Order::Rtt => Order::Traffic,
                    Order::Traffic => Order::Name,
                };
            }
            Key::OnlyDown => {
                self.only_down = !self.only_down;
                if self.index().is_none() {
                    self.chosen = self.rows().first().map(Row::name);
                }
            }
            Key::OnlyEvents => self.only_events = !self.only_events,
            Key::Pause => self.paused = !self.paused,
        }
        true
    }

    fn choose(&mut self, to: impl Fn(usize, usize) -> usize) {
        let rows = self.rows();
        let last = rows.len().saturating_sub(1);
        let index = to(self.index().unwrap_or(0), last);
        self.chosen = rows.get(index).map(Row::name);
    }

    /// The peers in their order.
    pub(super) fn rows(&self) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> = Vec::new();
        for view in &self.answers.peers {
            let gateway = &view.gateway.name;
            rows.extend(view.peers.iter().map(|peer| {
                let counts = self.counts.get(&(gateway.clone(), peer.name.clone()));
                Row { gateway, peer, loss: counts.and_then(loss) }
            }));
        }
        rows.retain(|row| !self.only_down || !row.peer.verdict.is_well());
        match self.sort {
            // So they come.
            Order::Name => {}
            Order::State => rows.sort_by_key(|row| row.peer.verdict),
            Order::Rtt => rows.sort_by_key(|row| row.peer.rtt_us.unwrap_or(u64::MAX)),
            Order::Traffic => rows.sort_by_key(|row| {
                let (received, sent) = (&row.peer.received, &row.peer.sent);
                Reverse(received.bits_per_second.saturating_add(sent.bits_per_second))
            }),
        }
        rows
    }

    /// Which row is chosen.
    pub(super) fn index(&self) -> Option<usize> {
        let chosen = self.chosen.as_ref()?;
        self.rows().iter().position(|row| row.name() == *chosen)
    }

    /// What happened last, the newest first: where, what and when.
    pub(super) fn events(&self) -> Vec<(&str, &EventView)> {
        let views = self.answers.events.iter();
        let all =
            views.flat_map(|view| view.events.iter().map(|event| (view.gateway.as_str(), event)));
        let is_chosen = |gateway: &str, event: &EventView| {
            let of = |(at, peer): &Name| at == gateway && *peer == event.peer;
            self.chosen.as_ref().is_some_and(of)
        };
        let mut events: Vec<_> =
            all.filter(|(at, event)| !self.only_events || is_chosen(at, event)).collect();
        events.sort_by_key(|(_, event)| event.ago_ms);
        events
    }

    /// Whose events are shown, when not those of all.
    pub(super) fn events_of(&self) -> Option<&str> {
        self.chosen.as_ref().filter(|_| self.only_events).map(|(_, peer)| peer.as_str())
    }

    /// How many peers there are, and with how many all is well.
    pub(super) fn tally(&self) -> (usize, usize) {
        let peers = || self.answers.peers.iter().flat_map(|view| &view.peers);
        (peers().filter(|peer| peer.verdict.is_well()).count(), peers().count())
    }

    /// The names of the gateways that answer.
    pub(super) fn gateways(&self) -> Vec<&str> {
        self.answers.peers.iter().map(|view| view.gateway.name.as_str()).collect()
    }

    /// Those that do not, and why.
    pub(super) fn silent(&self) -> &[(String, String)] {
        &self.answers.silent
    }

    /// In what order peers stand, and what else is unusual, in words.
    pub(super) fn manner(&self) -> String {
        let order = match self.sort {
            Order::Name => "by name",
            Order::State => "the worst first",
            Order::Rtt => "by round trip",
            Order::Traffic => "by traffic",
        };
        let down = if self.only_down { ", only what is down" } else { "" };
        let paused = if self.paused { ", PAUSED" } else { "" };
        format!("{order}{down}{paused}")
    }
}

impl Row<'_> {
    fn name(&self) -> Name {
        (self.gateway.to_owned(), self.peer.name.clone())
    }
}

/// Missing packets in a thousand, between the first and the last look.
fn loss(counts: &VecDeque<Counts>) -> Option<u64> {
    let ((came, lost), (came_by_now, lost_by_now)) = (counts.front()?, counts.back()?);
    // Both grow, until other SAs take their place and begin anew.
    let (came, lost) = (came_by_now.checked_sub(*came)?, lost_by_now.checked_sub(*lost)?);
    (came + lost > 0).then(|| lost * 1000 / (came + lost))
}

#[cfg(test)]
pub(super) mod tests;
