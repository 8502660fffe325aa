//! Two VPCs with equal prefixes over the same gateways never meet.

use super::deployment::{self, Region};
use super::network::Network;
use super::two_gateways::{assert_sound, trouble};
use std::time::Duration;

#[test]
fn two_vpcs_with_equal_prefixes_stay_apart() {
    for seed in 0..5 {
        let one = |number| Region { number, gateways: 1 };
        let mut network = Network::start(deployment::regions(&[one(1), one(2)], 2), seed);
        network.run(Duration::from_secs(6));
        assert_sound(&mut network, seed);
        trouble(&mut network);
        network.heal();
        network.run(Duration::from_secs(45));
        assert_sound(&mut network, seed);
    }
}
