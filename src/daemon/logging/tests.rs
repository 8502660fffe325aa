use super::*;

#[test]
fn a_word_that_is_no_level_is_refused_and_not_taken_for_a_part_of_the_program() {
    for wrong in ["loud", "info,loud", "", "vpngw=loud"] {
        let error = parse(wrong).expect_err(wrong).to_string();
        assert!(error.contains("level") || error.contains("no filter"), "{error}");
    }
    for right in ["info", "DEBUG", "off", "info,vpngw::ike=trace", "vpngw::esp", "warn,hyper=off"] {
        parse(right).expect(right);
    }
}
