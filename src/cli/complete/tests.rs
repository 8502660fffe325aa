use super::*;

#[test]
fn names_are_offered_once_and_as_they_begin() {
    let names = ["north-b", "north-a", "south-a", "north-a"].map(str::to_owned);
    let offered = offered(names.into_iter(), OsStr::new("no"));
    let offered: Vec<_> = offered.iter().map(|one| one.get_value().to_owned()).collect();
    assert_eq!(offered, ["north-a", "north-b"]);
}

#[test]
fn every_shell_gets_a_script_that_asks_us() {
    for shell in ["bash", "zsh", "fish", "elvish"] {
        let script = script(shell).unwrap();
        assert!(script.contains(VARIABLE) && script.contains("vpnctl"), "{shell}: {script}");
    }
    assert!(script("zsh").unwrap().starts_with("#compdef vpnctl"));
    assert!(script("sh").is_err());
}
