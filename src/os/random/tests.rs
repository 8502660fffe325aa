use super::*;

#[test]
fn two_fills_differ() {
    let (mut one, mut two) = ([0; 32], [0; 32]);
    OsRandom.fill(&mut one);
    OsRandom.fill(&mut two);
    assert_ne!(one, two);
}
