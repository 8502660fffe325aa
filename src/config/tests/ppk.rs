//! What is said of post-quantum pre-shared keys.

use super::errors::complaint;
use super::{EXAMPLE, keys};
use crate::config::{Config, parse};

const LONG: &str = "a key of thirty-two octets or more";

fn example(lines: &str) -> String {
    EXAMPLE.replacen("psk_file =", &format!("{lines}psk_file ="), 1)
}

fn parsed(lines: &str) -> Config {
    parse(&example(lines), "gateway.toml", &keys().with("red.ppk", LONG)).unwrap()
}

#[test]
fn a_ppk_has_a_file_a_name_and_may_be_required() {
    let config = parsed("ppk_file = \"red.ppk\"\nppk_id = \"red\"\nppk_required = true\n");
    let ppks: Vec<_> = config.peers.values().filter_map(|peer| peer.ppk.as_ref()).collect();
    let [ppk] = ppks.as_slice() else { panic!("{ppks:?}") };
    assert_eq!((ppk.id.as_str(), ppk.required), ("red", true));
    assert_eq!(ppk.secret.as_bytes(), LONG.as_bytes());
}

#[test]
fn what_is_missing_of_a_ppk_is_said() {
    for (lines, expected) in [
        ("ppk_file = \"red.ppk\"\n", "cannot be read"),
        ("ppk_id = \"red\"\n", "`ppk_id` needs `ppk_file` beside it"),
        ("ppk_required = true\n", "`ppk_required` needs `ppk_file` beside it"),
        ("ppk_file = \"red.ppk\"\nppk_id = \"\"\n", "cannot name a post-quantum pre-shared key"),
        ("ppk_file = \"red.ppk\"\nppk_id = \"é\"\n", "cannot name a post-quantum pre-shared key"),
    ] {
        let said = complaint(&example(lines));
        assert!(said.contains(expected), "{said}");
    }
    let nameless =
        parse(&example("ppk_file = \"red.ppk\"\n"), "g.toml", &keys().with("red.ppk", LONG));
    let said = nameless.unwrap_err().to_string();
    assert!(said.contains("needs the name that both sides give it"), "{said}");
    let short = keys().with("red.ppk", "only sixteen char");
    let lines = "ppk_file = \"red.ppk\"\nppk_id = \"red\"\n";
    let said = parse(&example(lines), "g.toml", &short).unwrap_err().to_string();
    assert!(said.contains("at least 32 are needed"), "{said}");
}
