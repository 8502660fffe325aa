//! IKE_AUTH by X.509 certificates: what comes up, and what both sides hear when it does not.

use super::net::*;
use crate::ike::*;
use crate::pki::samples::{Authority, DAY, Leaf, credential_pair, credentials};
use crate::pki::{Certificate, Crl, OwnCertificate, Trust};
use crate::time::WallTime;
use crate::wire::ike::{ExchangeType, Message, Payload};
use std::sync::Arc;

const WEST_NAME: &str = "west.example";
const EAST_NAME: &str = "east.example";

fn trust(authorities: &[&Authority], crls: Vec<Crl>) -> Trust {
    let anchors: Vec<Certificate> =
        authorities.iter().map(|authority| authority.certificate()).collect();
    Trust::new(anchors, crls).unwrap()
}

/// West as it should be, and East with this certificate, of one authority.
fn with_east(authority: &Authority, east: Leaf<'_>) -> (Credentials, Credentials) {
    let west = authority.issue(Leaf::of(&[WEST_NAME]));
    let both = || trust(&[authority], Vec::new());
    (credentials(west, both()), credentials(authority.issue(east), both()))
}

/// West initiates, and neither side gets anywhere.
fn refused(credentials: (Credentials, Credentials)) -> [Vec<String>; 2] {
    let mut net = Net::new(1, config_pair(credentials));
    net.run(ms(400));
    assert_eq!([WEST, EAST].map(|end| net.ends[end].ike_sas().len()), [0, 0]);
    [WEST, EAST].map(|end| net.ends[end].failures())
}

#[test]
fn a_tunnel_comes_up_with_certificates() {
    let authority = Authority::new("test CA");
    let mut net = Net::new(1, config_pair(credential_pair(&authority, [WEST_NAME, EAST_NAME])));
    net.run(secs(1));
    net.assert_one_tunnel();
    for (end, peer) in [(WEST, EAST_NAME), (EAST, WEST_NAME)] {
        let sas = net.ends[end].ike_sas();
        let vouched = sas[0].certificate.as_ref().unwrap();
        assert!(vouched.certificate().is_for(&peer.parse().unwrap()));
        assert_eq!(vouched.authority(), &authority.certificate());
    }
}

/// The responder asks in IKE_SA_INIT, the initiator in IKE_AUTH (RFC 7296 §1.2, §3.7).
#[test]
fn both_sides_name_the_authorities_of_which_they_take_certificates() {
    let authority = Authority::new("test CA");
    let pair = credential_pair(&authority, [WEST_NAME, EAST_NAME]);
    let name = pair.0.authorities()[0].to_vec();
    let mut net = Net::new(1, config_pair(pair));
    net.run(secs(1));
    let asked = net.log.iter().filter_map(|datagram| {
        let header = datagram.header();
        let answers = header.exchange_type == ExchangeType::IKE_SA_INIT && header.flags.response;
        let message = Message::decode(datagram.message()).ok().filter(|_| answers)?;
        message.payloads.into_iter().find_map(|payload| match payload {
            Payload::CertificateRequest(request) => Some(request.data),
            _ => None,
        })
    });
    assert_eq!(asked.collect::<Vec<_>>(), [name]);

    let mut net = Net::new(1, config_pair((psk("one secret"), psk("one secret"))));
    net.run(secs(1));
    let asks = |payload: &Payload| matches!(payload, Payload::CertificateRequest(_));
    let init = Message::decode(net.log[1].message()).unwrap();
    assert!(!init.payloads.iter().any(asks), "nobody is known by a certificate");
}

#[test]
fn a_chain_of_authorities_leads_to_the_one_that_is_trusted() {
    let root = Authority::new("root");
    let between = root.below("between");
    let chained = |name| {
        let issued = between.issue(Leaf::of(&[name]));
        let chain = vec![between.certificate()];
        let own = OwnCertificate::new(issued.key, issued.certificate, chain).unwrap();
        let trust = trust(&[&root], Vec::new());
        Credentials::Certificate { own: Arc::new(own), trust: Arc::new(trust) }
    };
    let mut net = Net::new(1, config_pair((chained(WEST_NAME), chained(EAST_NAME))));
    net.run(secs(1));
    net.assert_one_tunnel();
}

#[test]
fn who_is_refused_hears_so_and_the_other_side_knows_why() {
    let authority = Authority::new("test CA");
    let expired = Leaf { until: WallTime::SIMULATED, ..Leaf::of(&[EAST_NAME]) };
    let early = Leaf { from: WallTime::SIMULATED + DAY, ..Leaf::of(&[EAST_NAME]) };
    let other_name = Leaf::of(&["elsewhere.example"]);
    for (leaf, why) in [
        (expired, "expired on 2025-01-01"),
        (early, "valid from 2025-01-02"),
        (other_name, "is not for east.example but for elsewhere.example"),
    ] {
        let [west, east] = refused(with_east(&authority, leaf));
        assert!(west[0].contains(why), "{west:?}");
        assert!(east.is_empty(), "its own certificate was for somebody: {east:?}");
    }
    // West shows it, and East refuses: both have a failure to tell.
    let expired = Leaf { until: WallTime::SIMULATED, ..Leaf::of(&[WEST_NAME]) };
    let both = || trust(&[&authority], Vec::new());
    let west = credentials(authority.issue(expired), both());
    let east = credentials(authority.issue(Leaf::of(&[EAST_NAME])), both());
    let [west, east] = refused((west, east));
    assert!(west[0].contains("AUTHENTICATION_FAILED"), "{west:?}");
    assert!(east[0].contains("west.example: the certificate CN=west.example"), "{east:?}");
}

#[test]
fn an_authority_that_is_not_trusted_is_named() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let west = credentials(ours.issue(Leaf::of(&[WEST_NAME])), trust(&[&ours], Vec::new()));
    let east = credentials(theirs.issue(Leaf::of(&[EAST_NAME])), trust(&[&ours], Vec::new()));
    let [west, _] = refused((west, east));
    assert!(west[0].contains("signed by CN=theirs, and `ca` has CN=ours"), "{west:?}");
}

#[test]
fn what_the_authority_has_revoked_is_refused() {
    let authority = Authority::new("test CA");
    let list = authority.revoke(&[13], WallTime::SIMULATED + 7 * DAY);
    let west =
        credentials(authority.issue(Leaf::of(&[WEST_NAME])), trust(&[&authority], vec![list]));
    let east = Leaf { serial: 13, ..Leaf::of(&[EAST_NAME]) };
    let east = credentials(authority.issue(east), trust(&[&authority], Vec::new()));
    let [west, _] = refused((west, east));
    assert!(west[0].contains("is revoked"), "{west:?}");
}

#[test]
fn a_secret_is_no_answer_to_a_certificate() {
    let authority = Authority::new("test CA");
    let (west, _) = credential_pair(&authority, [WEST_NAME, EAST_NAME]);
    let [_, east] = refused((west, psk("a secret")));
    assert!(east[0].contains("DIGITAL_SIGNATURE, but SHARED_KEY_MIC"), "{east:?}");
}

/// While one authority takes the place of another, gateways trust both and change their own
/// certificates one after the other; nobody has to hurry.
#[test]
fn an_authority_is_replaced_without_a_tunnel_lost() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let of = |authority: &Authority, name, trusted: &[&Authority]| {
        credentials(authority.issue(Leaf::of(&[name])), trust(trusted, Vec::new()))
    };
    let steps = [
        (of(&old, WEST_NAME, &[&old, &new]), of(&old, EAST_NAME, &[&old])),
        (of(&old, WEST_NAME, &[&old, &new]), of(&old, EAST_NAME, &[&old, &new])),
        (of(&new, WEST_NAME, &[&old, &new]), of(&old, EAST_NAME, &[&old, &new])),
        (of(&new, WEST_NAME, &[&old, &new]), of(&new, EAST_NAME, &[&old, &new])),
        (of(&new, WEST_NAME, &[&new]), of(&new, EAST_NAME, &[&new])),
    ];
    let first = (of(&old, WEST_NAME, &[&old]), of(&old, EAST_NAME, &[&old]));
    let mut net = Net::new(1, config_pair(first));
    net.run(secs(1));
    for credentials in steps {
        for (end, config) in config_pair(credentials).into_iter().enumerate() {
            net.at(end, |endpoint, at| endpoint.update_connection(CONNECTION, config, at));
        }
        net.run(secs(20));
        net.assert_one_tunnel();
    }
    let downs = |event: &Event| matches!(event, Event::Down { .. });
    assert_eq!([WEST, EAST].map(|end| net.ends[end].count(downs)), [0, 0]);
    assert!(net.ends[EAST].ike_sas()[0].certificate.is_some());
}

/// Both ends, with keys that are replaced every 90 seconds or so, and East with this certificate.
fn short_lived(east: Leaf<'_>, authority: &Authority) -> [ConnectionConfig; 2] {
    let mut configs = config_pair(with_east(authority, east));
    for config in &mut configs {
        config.ike_lifetime = Lifetime::of(secs(100));
    }
    configs
}

fn until(seconds: u64) -> Leaf<'static> {
    Leaf { until: WallTime::SIMULATED + secs(seconds), ..Leaf::of(&[EAST_NAME]) }
}

fn downs(net: &Net, end: usize) -> Vec<String> {
    let reason = |event: &Event| match event {
        Event::Down { reason } => Some(reason.to_string()),
        _ => None,
    };
    net.ends[end].events.iter().filter_map(reason).collect()
}

#[test]
fn a_certificate_that_expires_is_found_out_when_keys_are_replaced() {
    let authority = Authority::new("test CA");
    let mut net = Net::new(1, short_lived(until(50), &authority));
    net.run(secs(60));
    net.assert_one_tunnel();
    net.run(secs(40));
    net.assert_one_tunnel();
    let asked = net.ends[WEST].failures();
    assert!(
        asked[0].contains("expired on 2025-01-01T00:00:50Z"),
        "a newer one is asked for: {asked:?}"
    );
    net.run(secs(60));
    let said = downs(&net, WEST);
    assert!(
        said[0].contains("does not hold any more: the certificate CN=east.example"),
        "{said:?}"
    );
    assert!(net.ends[WEST].ike_sas().is_empty());
}

/// East has a newer one by then: another IKE SA takes the place of the first, and nobody notices.
#[test]
fn a_renewed_certificate_is_asked_for_before_a_tunnel_is_lost() {
    let authority = Authority::new("test CA");
    let configs = short_lived(until(50), &authority);
    let mut net = Net::new(1, configs.clone());
    net.run(secs(10));
    let trusted = trust(&[&authority], Vec::new());
    let renewed = Leaf { serial: 8, ..Leaf::of(&[EAST_NAME]) };
    let east = ConnectionConfig {
        credentials: credentials(authority.issue(renewed), trusted),
        ..configs[EAST].clone()
    };
    net.at(EAST, |endpoint, at| endpoint.update_connection(CONNECTION, east, at));
    net.run(secs(240));
    net.assert_one_tunnel();
    assert_eq!([WEST, EAST].map(|end| downs(&net, end)), [[""; 0]; 2]);
    let shown = net.ends[WEST].ike_sas()[0].certificate.clone().unwrap();
    assert_eq!(shown.certificate().serial(), "08");
}

/// The initiator shows its new certificate when the keys are due to be replaced.
#[test]
fn a_new_certificate_of_ours_is_shown_at_the_next_change_of_keys() {
    let authority = Authority::new("test CA");
    let configs = short_lived(Leaf::of(&[EAST_NAME]), &authority);
    let mut net = Net::new(1, configs.clone());
    net.run(secs(10));
    let trusted = trust(&[&authority], Vec::new());
    let renewed = Leaf { serial: 8, ..Leaf::of(&[WEST_NAME]) };
    let west = ConnectionConfig {
        credentials: credentials(authority.issue(renewed), trusted),
        ..configs[WEST].clone()
    };
    let serial = |net: &Net| {
        let shown = net.ends[EAST].ike_sas()[0].certificate.clone().unwrap();
        shown.certificate().serial().to_owned()
    };
    net.at(WEST, |endpoint, at| endpoint.update_connection(CONNECTION, west, at));
    net.run(secs(1));
    assert_eq!(serial(&net), "07", "there is no hurry");
    net.run(secs(120));
    net.assert_one_tunnel();
    assert_eq!(serial(&net), "08");
    assert_eq!([WEST, EAST].map(|end| downs(&net, end)), [[""; 0]; 2]);
}

#[test]
fn a_certificate_that_is_revoked_ends_its_tunnel_at_once() {
    let authority = Authority::new("test CA");
    let configs = short_lived(Leaf { serial: 13, ..Leaf::of(&[EAST_NAME]) }, &authority);
    let mut net = Net::new(1, configs.clone());
    net.run(secs(10));
    let Credentials::Certificate { own, .. } = &configs[WEST].credentials else { panic!("none") };
    let list = |serials: &[u64]| authority.revoke(serials, WallTime::SIMULATED + 7 * DAY);
    let revoking = |serials| ConnectionConfig {
        credentials: Credentials::Certificate {
            own: own.clone(),
            trust: Arc::new(trust(&[&authority], vec![list(serials)])),
        },
        ..configs[WEST].clone()
    };
    net.at(WEST, |endpoint, at| endpoint.update_connection(CONNECTION, revoking(&[12]), at));
    net.run(secs(1));
    net.assert_one_tunnel();
    net.at(WEST, |endpoint, at| endpoint.update_connection(CONNECTION, revoking(&[13]), at));
    net.run(secs(1));
    assert!(downs(&net, WEST)[0].contains("is revoked"), "{:?}", downs(&net, WEST));
    assert_eq!(downs(&net, EAST)[0], "deleted by the peer");
    net.run(secs(5));
    assert!(net.ends[WEST].ike_sas().is_empty(), "and it does not come back");
}

/// What the peer has shown goes with the IKE SA into another process, which looks at it again.
#[test]
fn another_process_knows_the_certificates() {
    let authority = Authority::new("test CA");
    let configs = short_lived(Leaf::of(&[EAST_NAME]), &authority);
    let mut net = Net::new(1, configs.clone());
    net.run(secs(10));
    super::handover::hand_over(&mut net, WEST, &configs);
    let shown = net.ends[WEST].ike_sas()[0].certificate.clone().unwrap();
    assert_eq!(shown.authority(), &authority.certificate());
    net.run(secs(120));
    net.assert_one_tunnel();
}

/// While one IKE SA takes the place of another, who answered sends on the old one until the other
/// side shows that it has the new one.
#[test]
fn nothing_is_sent_that_the_other_side_cannot_open_yet() {
    let authority = Authority::new("test CA");
    let configs = short_lived(Leaf::of(&[EAST_NAME]), &authority);
    let mut net = Net::new(1, configs.clone());
    net.run(secs(10));
    let trusted = trust(&[&authority], Vec::new());
    let west = ConnectionConfig {
        credentials: credentials(authority.issue(Leaf::of(&[WEST_NAME])), trusted),
        ..configs[WEST].clone()
    };
    net.at(WEST, |endpoint, at| endpoint.update_connection(CONNECTION, west, at));
    let before = net.ends[WEST].ike_sas()[0].id;
    net.at(WEST, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
    for _ in 0..1000 {
        assert!(net.ping(EAST) && net.ping(WEST), "at {}", net.now);
        net.run(ms(1));
    }
    net.assert_one_tunnel();
    assert_ne!(net.ends[WEST].ike_sas()[0].id, before);
}
