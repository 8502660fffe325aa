//! What `vpnctl --json` really prints is what docs/schema.json says, field by field: at a gateway of the
//! lab whose hosts are virtual machines, with everything that a view can show; and of every command that
//! asks no gateway.

use crate::support::charon::text as said;
use crate::support::schema::Schema;
use crate::support::stage::{Place, Stage};

/// Commands at a gateway: the name in the schema, the arguments, how it ends.
const AT_GATEWAY: &[(&str, &str, i32)] = &[
    ("peers", "peers", 0),
    ("peers NAME", "peers north-a/red", 0),
    ("events", "events", 0),
    ("why", "why 10.2.1.10 --from 10.1.1.10", 0),
    ("why", "why 192.0.2.1", 1),
    ("routes", "routes", 0),
    ("sas", "sas", 0),
    ("vrrp", "vrrp", 0),
    ("vpcs", "vpcs", 0),
    ("nat", "nat", 0),
    ("stats", "stats", 0),
    ("ping", "ping north-a/red -c 1", 0),
    ("diff", "diff", 0),
    ("reload --dry-run", "reload --dry-run", 0),
    ("reload", "reload --confirm 1m", 0),
    ("confirm", "confirm", 0),
    ("log", "log", 0),
    ("rekey", "rekey north-a/red", 0),
    ("disable", "disable north-a/red", 0),
    ("peers NAME", "peers north-a/red", 1),
    ("enable", "enable north-a/red", 0),
    ("terminate", "terminate north-a/blue", 0),
    ("initiate", "initiate north-a/blue", 0),
    ("drain", "drain --wait 0s", 1),
    ("undrain", "undrain", 0),
    ("an error", "peers nobody", 2),
    ("lab status", "lab status", 0),
    ("lab fail", "lab fail north-b lan-down", 0),
    ("lab heal", "lab heal", 0),
];

/// Commands in a folder.
const IN_FOLDER: &[(&str, &str, i32)] = &[
    ("keygen", "keygen --psk", 0),
    ("keygen", "keygen --psk -o shared.psk", 0),
    ("keygen", "keygen -o other.key", 0),
    ("pubkey", "pubkey other.key", 0),
    (
        "init",
        "init --name west --prefix 10.1.0.0/16 --listen 192.0.2.1 --interface eth1 --config west.toml",
        0,
    ),
    (
        "peer add",
        "peer add east --address 192.0.2.2 --psk-file shared.psk --asn 64600 --accept 10.2.0.0/16 --config west.toml",
        0,
    ),
    ("check", "check west.toml", 0),
    ("peer remove", "peer remove east --config west.toml", 0),
    ("check", "check missing.toml", 1),
    ("ca init", "ca init ca", 0),
    ("ca issue", "ca issue ca hq.example.com", 0),
    ("ca renew", "ca renew ca hq.example.com.crt", 0),
    ("ca renew", "ca renew ca --due", 0),
    ("ca list", "ca list ca", 0),
    ("ca revoke", "ca revoke ca hq.example.com", 0),
    ("an error", "peers -g nobody", 3),
];

/// What none of the tables above prints, and where it is seen.
const ELSEWHERE: [&str; 3] = ["lab up", "lab down", "doctor"];

#[test]
fn what_json_says_is_what_the_schema_says() {
    let (stage, schema) = (Stage::set(), Schema::read());
    let mut wrong = Vec::new();
    let mut hold = |place: Place, (name, arguments, ends): (&str, &str, i32)| {
        let output = stage.run(place, &format!("vpnctl --json {arguments}"));
        let text = String::from_utf8_lossy(&output.stdout);
        if output.status.code() != Some(ends) || text.is_empty() {
            wrong.push(format!("{arguments}: {:?}, {}", output.status.code(), said(&output)));
        }
        for line in text.lines() {
            let judged = schema.judge(name, line);
            wrong.extend(judged.err().map(|why| format!("{arguments}: {why} in {line}")));
        }
    };
    // What the machine has no time for at first it may have at the second.
    stage.must(Place::Checkout, "vpnctl lab up --compute || vpnctl lab up --compute");
    let config = "--config /etc/vpngw/compute/east-a.toml";
    hold(Place::Gateway, ("doctor", &format!("doctor {config}"), 0));
    AT_GATEWAY.iter().for_each(|one| hold(Place::Gateway, *one));
    IN_FOLDER.iter().for_each(|one| hold(Place::Folder, *one));
    hold(Place::Checkout, ("check", "check configs/east-a.toml configs/north-a.toml", 0));
    hold(Place::Checkout, ("lab up", "lab up", 0));
    hold(Place::Checkout, ("lab down", "lab down", 0));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_command_of_the_schema_is_left_out() {
    let seen = AT_GATEWAY.iter().chain(IN_FOLDER).map(|(name, ..)| *name).chain(ELSEWHERE);
    let seen: Vec<&str> = seen.collect();
    let schema = Schema::read();
    let missing: Vec<&String> =
        schema.commands().keys().filter(|name| !seen.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
