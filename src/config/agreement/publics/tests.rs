use super::*;

/// What the two gateways of a region say when both have a public address, and egress, and the second
/// differs by `change`.
fn said_of_publics(change: impl Fn(&mut VpcConfig)) -> Vec<String> {
    let mut configs = crate::testing::deployment::with_publics().configs;
    let mut other = configs.remove(1);
    change(other.vpcs.values_mut().next().expect("a VPC"));
    crate::config::compare(&configs[0], &other).into_iter().map(|found| found.message).collect()
}

#[test]
fn gateways_of_a_region_translate_alike_and_speak_by_ports_of_their_own() {
    assert_eq!(said_of_publics(|_| {}), Vec::<String>::new());
    let moved = said_of_publics(|red| red.public[0].to = [10, 1, 0, 66].into());
    assert_eq!(
        moved,
        ["r1z1 and r1z2 translate 203.0.113.10 of VPC red to 10.1.0.50 in different ways"]
    );
    let missing = said_of_publics(|red| red.public.clear());
    assert_eq!(missing.len(), 1, "{missing:?}");
    let shared = said_of_publics(|red| red.egress[0].ports = 20_000..=40_000);
    assert_eq!(
        shared,
        [
            "r1z1 and r1z2 both speak from ports of 203.0.113.10 to the world, 1024-32767 and 20000-40000"
        ]
    );
}

fn sharing(local: u8, sibling: u8) -> Option<SharingConfig> {
    let address = |last| [10, 9, 1, last].into();
    Some(SharingConfig { sibling: address(sibling), local: address(local), port: 3780 })
}

#[test]
fn connections_are_shared_by_both_and_with_each_other() {
    let mut configs = crate::testing::deployment::with_publics().configs;
    let mut said = |ours: Option<SharingConfig>, theirs: Option<SharingConfig>| {
        for (config, sharing) in configs.iter_mut().zip([ours, theirs]) {
            config.vpcs.values_mut().next().expect("a VPC").sharing = sharing;
        }
        let found = crate::config::compare(&configs[0], &configs[1]);
        found.into_iter().map(|found| found.message).collect::<Vec<_>>()
    };
    assert_eq!(said(sharing(2, 3), sharing(3, 2)), Vec::<String>::new());
    let alone = ["r1z1 shares connections of VPC red, and r1z2 does not"];
    assert_eq!(said(sharing(2, 3), None), alone);
    let alone = ["r1z2 shares connections of VPC red, and r1z1 does not"];
    assert_eq!(said(None, sharing(3, 2)), alone);
    let apart = "r1z1 shares connections of VPC red from 10.9.1.2 with 10.9.1.3, port 3780, and r1z2 \
                 from 10.9.1.3 with 10.9.1.4, port 3780";
    assert_eq!(said(sharing(2, 3), sharing(3, 4)), [apart]);
}
