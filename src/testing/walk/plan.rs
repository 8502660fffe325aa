//! A deployment made by a seed: regions and zones, VPCs, BFD, preferences, sharing, and what may be announced.

use super::super::deployment::{self, Deployment, NO_BFD, Region, Site, VPCS};
use crate::random::{Random, Seeded};
use std::collections::BTreeSet;
use std::time::Duration;

/// What a seed has made.
#[derive(Debug)]
pub(super) struct Plan {
    regions: Vec<Region>,
    vpcs: usize,
    bfd: Option<Duration>,
    /// How much each gateway prefers those of each zone; by the gateway's region and zone.
    preferences: Vec<[u8; 3]>,
    /// Whether gateways share flows that rank alike.
    multipath: bool,
    /// The pairs of regions, the lower first, between which IPv6 is not accepted.
    closed: BTreeSet<(u8, u8)>,
}

impl Plan {
    /// The plan of a seed: three regions with two zones each, or larger.
    pub(super) fn of(seed: u64) -> Plan {
        let random = &mut Seeded::new(seed ^ 0x5eed_0f0a_01a2);
        let count = 3 + random.below(2) as u8;
        let zones = |random: &mut Seeded| if random.below(4) == 0 { 3 } else { 2 };
        let regions: Vec<Region> =
            (1..=count).map(|number| Region { number, gateways: zones(random) }).collect();
        let bfd = [None, Some(300), Some(100)][random.below(3) as usize];
        let preferences = (0..usize::from(count) * 3).map(|_| {
            let mut any = || random.below(3) as u8;
            [any(), any(), any()]
        });
        let preferences = preferences.collect();
        let pairs = (1..=count).flat_map(|low| (low + 1..=count).map(move |high| (low, high)));
        let closed = pairs.filter(|_| random.below(4) == 0).collect();
        let vpcs = 1 + random.below(2) as usize;
        let multipath = random.below(2) == 0;
        let bfd = bfd.map(Duration::from_millis);
        Plan { regions, vpcs, bfd, preferences, multipath, closed }
    }

    /// How long a pair may be without a path that there is: BFD, or else questions inside ESP and IKE,
    /// have to notice, and then the virtual routers of a region.
    pub(super) fn bound(&self) -> Duration {
        const VIRTUAL_ROUTERS: Duration = Duration::from_millis(1500);
        let notice = self.bfd.map_or(Duration::from_millis(3500), |interval| 4 * interval);
        notice + VIRTUAL_ROUTERS
    }

    /// The gateways and their configurations.
    pub(super) fn deployment(&self) -> Deployment {
        deployment::edited(&self.regions, self.vpcs, |site, text| self.edit(site, text))
    }

    /// The configuration of a gateway as it is after so many reloads.
    pub(super) fn text(&self, site: Site, sites: &[Site], reloads: u32) -> String {
        let text = self.edit(site, deployment::text(site, sites, &VPCS[..self.vpcs]));
        text.replace("hold_time = \"9s\"", &format!("hold_time = \"{}s\"", 9 + reloads % 3))
    }

    /// Whether the policy lets packets pass between two regions.
    pub(super) fn permits(&self, a: u8, b: u8, ipv4: bool) -> bool {
        ipv4 || !self.closed.contains(&(a.min(b), a.max(b)))
    }

    fn edit(&self, site: Site, text: String) -> String {
        let bfd = self.bfd.map_or(NO_BFD.to_owned(), |interval| {
            format!("bfd = {{ interval = \"{}ms\", multiplier = 3 }}\n", interval.as_millis())
        });
        let mut text = text.replace(NO_BFD, &format!("{bfd}hold_time = \"9s\"\n"));
        if self.multipath {
            text = text.replace("[[vpc]]\n", "[[vpc]]\nmultipath = true\n");
        }
        let own = usize::from(site.region - 1) * 3 + usize::from(site.zone - 1);
        for zone in 1..=3_u8 {
            let preferred = self.preferences[own][usize::from(zone - 1)];
            let (old, new) = (200 - u32::from(zone), 100 + u32::from(preferred));
            text = text.replace(
                &format!("local_preference = {old}\n"),
                &format!("local_preference = {new}\n"),
            );
        }
        for other in self.regions.iter().map(|region| region.number) {
            if !self.permits(site.region, other, false) {
                let accept = format!("accept = [\"10.{other}.0.0/16\", \"fd00:{other}::/48\"]\n");
                let rule =
                    format!("import = [{{ prefixes = [\"fd00:{other}::/48\"], reject = true }}]\n");
                text = text.replace(&accept, &format!("{accept}{rule}"));
            }
        }
        text
    }
}
