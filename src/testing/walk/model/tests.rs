use super::*;

/// Three regions with two gateways each: the nodes 0 and 1, 2 and 3, 4 and 5.
fn six() -> Model {
    let sites = (1..=3).flat_map(|region| (1..=2).map(move |zone| Site { region, zone }));
    Model::new(&sites.collect::<Vec<_>>())
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(seconds)
}

fn cut(model: &mut Model, a: usize, b: usize) {
    model.cut(a, b, at(1000));
    model.cut(b, a, at(1000));
}

#[test]
fn one_path_of_the_first_gateway_is_enough() {
    let mut model = six();
    assert!(model.should_reach(1, 2, at(1000)));
    cut(&mut model, 0, 2);
    assert!(model.should_reach(1, 2, at(1000)) && model.should_reach(2, 1, at(1000)));
    cut(&mut model, 0, 3);
    assert!(!model.should_reach(1, 2, at(1000)), "the first still answers, for region 3");
    cut(&mut model, 0, 4);
    cut(&mut model, 0, 5);
    assert!(model.should_reach(1, 2, at(1000)), "it reaches nobody, so the second answers");
}

#[test]
fn a_path_that_works_one_way_is_none() {
    let mut model = six();
    for far in [2, 3] {
        model.cut(far, 0, at(1000));
    }
    assert!(!model.should_reach(1, 2, at(1000)));
}

#[test]
fn what_has_just_come_back_is_not_counted_on_and_what_goes_is_missed_at_once() {
    let mut model = six();
    model.change(2, at(1000), |gateway| gateway.runs = false);
    assert!(model.should_reach(1, 2, at(1000)));
    model.change(3, at(1000), |gateway| gateway.has_lan = false);
    assert!(!model.should_reach(1, 2, at(1000)));
    model.change(3, at(1010), |gateway| gateway.has_lan = true);
    assert!(!model.should_reach(1, 2, at(1010)));
    assert!(model.should_reach(1, 2, at(1200)));
}

#[test]
fn who_is_drained_answers_only_when_nobody_else_does() {
    let mut model = six();
    model.change(0, at(1000), |gateway| gateway.is_drained = true);
    for far in [2, 3] {
        cut(&mut model, 1, far);
    }
    assert!(!model.should_reach(1, 2, at(1200)), "the other answers, and has no path there");
    model.change(1, at(1200), |gateway| gateway.runs = false);
    assert!(model.should_reach(1, 2, at(1400)));
}

#[test]
fn a_tunnel_that_one_operator_has_closed_is_none_until_that_one_opens_it() {
    let mut model = six();
    [2, 3].into_iter().for_each(|far| model.close(0, far, at(1000)));
    assert!(!model.should_reach(1, 2, at(1000)) && !model.should_reach(1, 2, at(2000)));
    model.open_all_of(2, at(2000));
    assert!(!model.should_reach(1, 2, at(3000)));
    model.open_all_of(0, at(3000));
    assert!(!model.should_reach(1, 2, at(3001)) && model.should_reach(1, 2, at(3200)));
}
