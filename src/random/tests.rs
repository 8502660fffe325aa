use super::*;

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (mut one, mut other) = ([0; 37], [0; 37]);
    Seeded::new(7).fill(&mut one);
    Seeded::new(7).fill(&mut other);
    assert_eq!(one, other);
}

#[test]
fn different_seeds_give_different_bytes() {
    assert_ne!(Seeded::new(1).u64(), Seeded::new(2).u64());
}

#[test]
fn below_stays_below_its_bound() {
    let mut random = Seeded::new(3);
    assert!((0..1000).all(|_| random.below(10) < 10));
    assert_eq!(random.below(0), 0);
}
