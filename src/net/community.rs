//! Communities: marks that routes carry (RFC 1997, RFC 8092).

use super::Asn;
use std::fmt;
use std::str::FromStr;

/// A mark of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Community {
    /// Of four octets (RFC 1997): an AS number of two, and a number of its own.
    Standard(u32),
    /// Of twelve (RFC 8092): an AS number of four, and two numbers of its own.
    Large(Asn, u32, u32),
}

/// Those with a meaning that everybody knows, by the names of the IANA registry.
const WELL_KNOWN: [(&str, u32); 5] = [
    ("graceful-shutdown", 0xffff_0000),
    ("blackhole", 0xffff_029a),
    ("no-export", 0xffff_ff01),
    ("no-advertise", 0xffff_ff02),
    ("no-export-subconfed", 0xffff_ff03),
];

/// A text that is no community.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no community")]
pub struct ParseCommunityError(String);

impl FromStr for Community {
    type Err = ParseCommunityError;

    /// Reads `65001:100`, `4200000001:1:2`, or the name of a well-known one.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseCommunityError(text.to_owned());
        if let Some((_, value)) = WELL_KNOWN.iter().find(|(name, _)| *name == text) {
            return Ok(Community::Standard(*value));
        }
        let number = |word: &str| {
            let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| word.parse::<u32>().ok()).flatten().ok_or_else(wrong)
        };
        match text.split(':').collect::<Vec<_>>().as_slice() {
            [high, low] => {
                let half = |word| u16::try_from(number(word)?).map_err(|_| wrong());
                Ok(Community::Standard((u32::from(half(high)?) << 16) | u32::from(half(low)?)))
            }
            [asn, one, two] => Ok(Community::Large(Asn(number(asn)?), number(one)?, number(two)?)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Community::Standard(value) => {
                match WELL_KNOWN.iter().find(|(_, known)| known == value) {
                    Some((name, _)) => f.write_str(name),
                    None => write!(f, "{}:{}", value >> 16, value & 0xffff),
                }
            }
            Community::Large(asn, one, two) => write!(f, "{asn}:{one}:{two}"),
        }
    }
}

#[cfg(test)]
mod tests;
