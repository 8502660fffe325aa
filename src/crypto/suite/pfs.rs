//! Perfect forward secrecy follows the IKE SA: who may agree on it with a group may use the same
//! group for new keys of a Child SA. Peers differ in what they propose there: the group of the
//! IKE SA, another one that they know, or none.

use super::{DEFAULT_ESP_SUITES, EspSuite, IkeSuite};
use crate::crypto::kex::Group;

/// What is offered and accepted for Child SAs under IKE SAs of `ike` when nothing is configured,
/// best first: every default with each of their groups, then every default without.
pub fn default_esp_suites(ike: &[IkeSuite]) -> Vec<EspSuite> {
    let bare = unique(DEFAULT_ESP_SUITES.iter().map(|suite| EspSuite { group: None, ..*suite }));
    let groups: Vec<Group> = unique(ike.iter().map(|suite| suite.group));
    let with_groups = |suite: &EspSuite| {
        let suite = *suite;
        groups.iter().map(move |&group| EspSuite { group: Some(group), ..suite })
    };
    bare.iter().flat_map(with_groups).chain(bare.iter().copied()).collect()
}

/// Each of them once, where it came first.
fn unique<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for one in all {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    once
}
