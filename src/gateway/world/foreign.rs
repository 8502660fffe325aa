//! Policy rules of somebody else's that the kernel asks before ours: what they catch goes another
//! way, by the underlay in the clear perhaps, whatever our tables say.

use super::tables::END;
use super::wish::Rule;
use crate::config::VpcOutline;
use crate::net::Prefix;

/// A rule of somebody else's that decides about packets of any mark and any socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignRule {
    /// Its address family.
    pub ipv4: bool,
    /// Its place: the lowest is asked first.
    pub priority: u32,
    /// The device that packets come in by.
    pub input: Option<String>,
    /// Where they come from.
    pub source: Option<Prefix>,
    /// Where they want to go.
    pub destination: Option<Prefix>,
}

impl ForeignRule {
    /// Whether it is asked before `rule` about packets of the VPC to what is behind its peers.
    pub fn overrules(&self, rule: &Rule, vpc: &VpcOutline) -> bool {
        let comes_first = (self.ipv4, self.priority < rule.priority) == (rule.ipv4, true);
        comes_first && self.catches_from(vpc) && self.catches_to(vpc)
    }

    fn catches_from(&self, vpc: &VpcOutline) -> bool {
        let by_device = match (&self.input, &vpc.interface) {
            (None, _) => true,
            (Some(input), Some(interface)) => input == interface,
            (Some(_), None) => false,
        };
        let of_vpc = |source: &Prefix| vpc.prefixes.iter().any(|prefix| prefix.overlaps(source));
        by_device && self.source.as_ref().is_none_or(of_vpc)
    }

    fn catches_to(&self, vpc: &VpcOutline) -> bool {
        let behind = |to: &Prefix| vpc.behind().any(|prefix| prefix.overlaps(to));
        self.destination.as_ref().is_none_or(behind)
    }

    /// What the operator is told.
    pub fn complaint(&self) -> String {
        let (family, priority) = (if self.ipv4 { 4 } else { 6 }, self.priority);
        format!(
            "the host asks its own rule {priority} first, by which packets of the VPC pass the tunnels \
             by; see `ip -{family} rule` and give it a priority above {END}"
        )
    }
}

#[cfg(test)]
mod tests;
