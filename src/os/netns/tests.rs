use super::*;

#[test]
fn names_that_could_leave_the_directory_are_refused() {
    for name in ["", "..", ".hidden", "a/b", "a b", &"x".repeat(65)] {
        assert!(check_name(name).is_err(), "{name:?}");
    }
    assert!(check_name("vpngw-east-a").is_ok());
}

#[test]
fn a_missing_namespace_is_named_in_the_error() {
    let error = within("vpngw-no-such-namespace", || ()).unwrap_err();
    assert!(error.to_string().contains("vpngw-no-such-namespace"));
}

#[test]
fn deleting_what_is_not_there_succeeds() {
    assert!(delete("vpngw-no-such-namespace").is_ok());
}
