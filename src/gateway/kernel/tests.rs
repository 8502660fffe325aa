//! The kernel's items as a difference.

use super::*;

const VPC: VpcId = VpcId(0);

fn route(text: &str) -> KernelItem {
    KernelItem::Route { vpc: VPC, prefix: text.parse().expect("a prefix") }
}

fn guard(text: &str) -> KernelItem {
    KernelItem::Guard { vpc: VPC, prefix: text.parse().expect("a prefix") }
}

fn drain(table: &mut KernelTable) -> Vec<KernelEffect> {
    std::iter::from_fn(|| table.poll_effect()).collect()
}

#[test]
fn wanting_twice_is_one_effect() {
    let mut table = KernelTable::default();
    table.add(route("10.2.0.0/16"));
    table.add(route("10.2.0.0/16"));
    assert_eq!(drain(&mut table), [KernelEffect::Add(route("10.2.0.0/16"))]);
    table.remove(route("10.3.0.0/16"));
    assert!(drain(&mut table).is_empty());
}

#[test]
fn reconcile_adds_before_it_removes_and_spares_learned_routes() {
    let mut table = KernelTable::default();
    table.add(guard("10.2.0.0/16"));
    table.add(route("10.2.0.0/16"));
    drain(&mut table);
    let configured = BTreeSet::from([guard("10.3.0.0/16")]);
    table.reconcile(&configured, |item| matches!(item, KernelItem::Guard { .. }));
    let expected =
        [KernelEffect::Add(guard("10.3.0.0/16")), KernelEffect::Remove(guard("10.2.0.0/16"))];
    assert_eq!(drain(&mut table), expected);
    assert!(table.wants(&route("10.2.0.0/16")));
}

#[test]
fn shutdown_keeps_the_guards() {
    let mut table = KernelTable::default();
    table.add(guard("10.2.0.0/16"));
    table.add(route("10.2.0.0/16"));
    drain(&mut table);
    table.clear_all_but_guards();
    assert_eq!(drain(&mut table), [KernelEffect::Remove(route("10.2.0.0/16"))]);
}
