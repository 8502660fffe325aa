use super::*;
use crate::config::tests::errors::complaint;
use crate::config::tests::{EXAMPLE, peer, valid};
use crate::config::{BgpConfig, Routing};
use crate::net::Asn;

const ACCEPT: &str = "accept = [\"10.2.0.0/16\", \"fd00:2::/48\"]\n";

/// The example, with this in the section of north-a.
fn with(lines: &str) -> String {
    assert!(EXAMPLE.contains(ACCEPT));
    EXAMPLE.replacen(ACCEPT, &format!("{ACCEPT}{lines}\n"), 1)
}

fn bgp(lines: &str) -> BgpConfig {
    match &peer(&valid(&with(lines)), "north-a").routing {
        Routing::Bgp(bgp) => bgp.clone(),
        Routing::Static { .. } => panic!("north-a speaks BGP"),
    }
}

#[track_caller]
fn assert_says(lines: &str, words: &[&str]) {
    let said = complaint(&with(lines));
    assert_eq!(said.matches("error: ").count(), 1, "one mistake, one error:\n{said}");
    for expected in words {
        assert!(said.contains(expected), "{expected:?} is missing in:\n{said}");
    }
}

#[test]
fn rules_are_read_in_their_order_with_all_that_they_say() {
    let bgp = bgp(r#"
import = [
    { prefixes = ["10.2.0.0/16"], lengths = "25-32", reject = true },
    { community = "65002:100", through = 65010, origin = 65020, longer_than = 4, local_preference = 200, med = 5 },
]
announce = [
    { lengths = 24, add = ["no-export", "4200000001:1:2"], remove = ["65001:9"], prepend = 3, med = 50 },
    { reject = true },
]
max_prefixes = 500"#);
    let community = |text: &str| text.parse::<Community>().unwrap();
    let within = ["10.2.0.0/16".parse().unwrap()].into_iter().collect();
    let narrow = Fits { prefixes: Some(within), lengths: Some(25..=32), ..Fits::default() };
    assert_eq!(bgp.import[0], Rule { fits: narrow, then: Then::Reject });
    let marked = Fits {
        community: Some(community("65002:100")),
        through: Some(Asn(65_010)),
        origin: Some(Asn(65_020)),
        longer_than: Some(4),
        ..Fits::default()
    };
    let preferred = Change { local_preference: Some(200), med: Some(5), ..Change::default() };
    assert_eq!(bgp.import[1], Rule { fits: marked, then: Then::Take(preferred) });
    let change = Change {
        med: Some(50),
        add: vec![community("no-export"), community("4200000001:1:2")],
        remove: vec![community("65001:9")],
        prepend: 3,
        ..Change::default()
    };
    let fits = Fits { lengths: Some(24..=24), ..Fits::default() };
    assert_eq!(bgp.announce[0], Rule { fits, then: Then::Take(change) });
    assert_eq!(bgp.announce[1], Rule { fits: Fits::default(), then: Then::Reject });
    assert_eq!(bgp.max_prefixes, 500);
}

#[test]
fn rules_may_stand_in_sections_of_their_own_and_there_are_none_unless_written() {
    let none = bgp("");
    assert_eq!((none.import.len(), none.announce.len(), none.max_prefixes), (0, 0, 100_000));
    let bgp = bgp("[[peer.import]]\nreject = true\ncommunity = \"blackhole\"");
    assert_eq!(bgp.import.len(), 1);
}

#[test]
fn what_a_rule_cannot_say_is_shown_with_the_remedy() {
    assert_says(
        "import = [{ prefix = [\"10.2.0.0/16\"] }]",
        &["unknown key `prefix`", "did you mean `prefixes`"],
    );
    assert_says("import = [{ prepend = 2 }]", &["unknown key `prepend`", "[[peer.import]]"]);
    assert_says("announce = [{ local_preference = 2 }]", &["unknown key `local_preference`"]);
    assert_says("import = [{ community = \"65002\" }]", &["a community is expected", "65001:100"]);
    assert_says("announce = [{ add = [\"1:2:3:4\"] }]", &["a community is expected"]);
    assert_says(
        "import = [{ lengths = \"32-24\", reject = true }]",
        &["lengths of prefixes", "\"16-24\""],
    );
    assert_says("import = [{ lengths = 129 }]", &["lengths of prefixes"]);
    assert_says("import = [{ lengths = [24] }]", &["lengths of prefixes", "a list"]);
    assert_says(
        "announce = [{ reject = true, med = 5 }]",
        &["a rule that rejects changes nothing", "`med`", "leave one of the two out"],
    );
    assert_says("import = [{ prefixes = [], reject = true }]", &["`prefixes` is empty"]);
    assert_says("announce = [{ prepend = 17 }]", &["how often our AS is put in front"]);
    assert_says("import = { reject = true }", &["`import` is a list of sections"]);
    assert_says("max_prefixes = 0", &["a number of prefixes"]);
    let many = "{ reject = true }, ".repeat(MOST + 1);
    assert_says(&format!("import = [{many}]"), &["257 rules are too many", "256"]);
}

#[test]
fn rules_without_bgp_have_nothing_to_rule() {
    let routes = "static_routes = [\"10.20.0.0/16\"]\n";
    let text = EXAMPLE.replacen(routes, &format!("{routes}announce = [{{ reject = true }}]\n"), 1);
    let said = complaint(&text);
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
    assert!(said.contains("`announce` is for peers with BGP"), "{said}");
}
