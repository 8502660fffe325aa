//! Key exchanges beside the first (RFC 9370), and whether there must be one.

use super::super::kex::Group;
use std::fmt;

/// Which key exchanges follow the first one: of every transform type from Additional Key Exchange 1
/// to 7 one at most, no method twice (RFC 9370 §2.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Additional([Option<Group>; Additional::MOST]);

impl Additional {
    /// So many at most.
    pub const MOST: usize = 7;
    /// None.
    pub const NONE: Additional = Additional([None; Additional::MOST]);

    /// One, as Additional Key Exchange 1.
    pub fn one(group: Group) -> Additional {
        Additional::NONE.with(0, group).unwrap_or(Additional::NONE)
    }

    /// With `group` as the one of this place, from 0; `None` when there is no such place, or it is
    /// taken, or the method is there already.
    pub fn with(mut self, place: usize, group: Group) -> Option<Additional> {
        if self.0.contains(&Some(group)) {
            return None;
        }
        let free = self.0.get_mut(place).filter(|one| one.is_none())?;
        *free = Some(group);
        Some(self)
    }

    /// Those that there are, with their places from 0.
    pub fn places(self) -> impl Iterator<Item = (usize, Group)> {
        self.0.into_iter().enumerate().filter_map(|(place, group)| Some((place, group?)))
    }

    /// Those that there are, in the order in which they take place.
    pub fn groups(self) -> impl Iterator<Item = Group> {
        self.0.into_iter().flatten()
    }

    /// Whether there is none.
    pub fn is_none(self) -> bool {
        self == Additional::NONE
    }

    /// Whether one of them holds against quantum computers.
    pub fn is_post_quantum(self) -> bool {
        self.groups().any(|group| Group::KEMS.contains(&group))
    }
}

/// The methods, with `+` between; nothing when there is none.
impl fmt::Display for Additional {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, group) in self.groups().enumerate() {
            write!(f, "{}{group}", if number == 0 { "" } else { "+" })?;
        }
        Ok(())
    }
}

/// Whether keys must hold against those who record today and have a quantum computer later: by
/// ML-KEM beside the first key exchange (RFC 9370).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PostQuantum {
    /// With a peer that knows how; other peers get an IKE SA without.
    #[default]
    Prefer,
    /// Or no IKE SA.
    Require,
    /// Neither offered nor accepted.
    Off,
}

impl PostQuantum {
    /// Whether an IKE SA will do that has such a key exchange, or has none.
    pub fn admits(self, is_post_quantum: bool) -> bool {
        match self {
            PostQuantum::Prefer => true,
            PostQuantum::Require => is_post_quantum,
            PostQuantum::Off => !is_post_quantum,
        }
    }
}

/// As the configuration has it.
impl fmt::Display for PostQuantum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PostQuantum::Prefer => "prefer",
            PostQuantum::Require => "require",
            PostQuantum::Off => "off",
        })
    }
}
