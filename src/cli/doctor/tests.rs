use super::*;
use crate::cli::look::tests::{PLAIN, TABLE};

#[test]
fn a_finding_is_a_sign_a_fact_and_a_remedy() {
    let bad = Finding::bad("ports", "UDP port 500 is taken", "stop the other one");
    let good = Finding::good("ports", "free");
    assert_eq!(shown(&good, TABLE).unwrap(), "✓ ports         free");
    assert_eq!(
        shown(&bad, Look { width: 36, ..TABLE }).unwrap(),
        "✗ ports         UDP port 500 is\n                taken\n                → stop the other\n                one"
    );
    assert_eq!(
        shown(&bad, PLAIN).unwrap(),
        "wrong\tports\tUDP port 500 is taken\tstop the other one"
    );
}
