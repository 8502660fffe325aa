//! X.509 certificates: our daemon with strongSwan, and with itself. OpenSSL is the authority.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use pki_types::PrivatePkcs8KeyDer;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, KeyUsagePurpose, SanType,
    SerialNumber,
};
use vpngw::control::SaKind;
use vpngw::crypto::pem;
use vpngw::crypto::private_key::PrivateKey;
use vpngw::crypto::signature::{Algorithm, Hash};
use vpngw::os::clock::Clock;
use vpngw::pki::{self, Certificate, Question, Trust};

use crate::rekeying::keys;
use crate::support::authority::{Authority, Key};
use crate::support::charon::{self, Charon, Connection};
use crate::support::eventually;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, config, static_routes, write_keys};

/// Who speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Initiator {
    Us,
    Them,
}

/// A pair without daemons, with the files that they need but certificates.
fn pair() -> Pair {
    let pair = Pair::new();
    write_keys(&pair);
    pair
}

fn ours(pair: &Pair, initiator: Initiator) -> Gateway {
    ours_with(pair, initiator, "")
}

fn ours_with(pair: &Pair, initiator: Initiator, more: &str) -> Gateway {
    let more = format!(
        "{more}\nesp_suites = [\"aes256gcm16-curve25519\"]\ninitiate = {}",
        initiator == Initiator::Us
    );
    let routes = static_routes(Side::Left);
    let text = config(pair, Side::Left, Auth::Certificate, &routes, &more);
    Gateway::start(pair, Side::Left, &text)
}

/// We are left, a strongSwan is right, and traffic passes.
fn connect(pair: &Pair, initiator: Initiator, connection: &Connection) -> (Gateway, Charon) {
    let (ours, theirs) = match initiator {
        Initiator::Us => {
            let theirs = Charon::start(pair, Side::Right, connection);
            (ours(pair, initiator), theirs)
        }
        Initiator::Them => {
            let ours = ours(pair, initiator);
            let theirs = Charon::start(pair, Side::Right, connection);
            let said = theirs.initiate();
            assert!(said.status.success(), "{}\n{}", charon::text(&said), ours.log());
            (ours, theirs)
        }
    };
    assert!(theirs.comes_up(), "{}\n{}", theirs.sas(), ours.log());
    assert!(ours.comes_up(), "{}", ours.log());
    assert!(pair.comes_to_work(), "{}\n{:#?}", theirs.sas(), ours.peer());
    (ours, theirs)
}

fn by_certificate() -> Connection {
    Connection { auth: Auth::Certificate, ..Connection::default() }
}

#[test]
fn strongswan_and_we_know_each_other_by_certificates_of_every_kind() {
    for (authority, left, right) in [
        (Key::P256, Key::P256, Key::P256),
        (Key::P384, Key::Ed25519, Key::P384),
        (Key::Ed25519, Key::P384, Key::Ed25519),
        (Key::Rsa2048, Key::Rsa2048, Key::Rsa2048),
    ] {
        let pair = pair();
        let ca = Authority::new(&pair, "ca", authority);
        ca.issue(Side::Left, left);
        ca.issue(Side::Right, right);
        for initiator in [Initiator::Us, Initiator::Them] {
            let (ours, theirs) = connect(&pair, initiator, &by_certificate());
            println!("    {authority:?} for {left:?} and {right:?}: {initiator:?} came up");
            rekey(&pair, &ours, &theirs);
            ours.stop();
            theirs.kill();
        }
    }
}

/// Both SAs are replaced by either end without a packet lost.
fn rekey(pair: &Pair, ours: &Gateway, theirs: &Charon) {
    for (kind, words) in [(SaKind::Child, "child"), (SaKind::Ike, "ike")] {
        for by_us in [true, false] {
            let before = keys(ours, kind);
            let reports = pair.probing(Duration::from_millis(20), || {
                if by_us {
                    ours.rekey(kind)
                } else {
                    theirs.rekey(words)
                }
                assert!(eventually(|| keys(ours, kind) != before), "{}", ours.log());
                std::thread::sleep(Duration::from_millis(300));
            });
            let lost: usize = reports.iter().map(|report| report.lost()).sum();
            assert_eq!(lost, 0, "{words}");
        }
    }
}

/// A peer that knows no RSA-PSS is signed for as it wants (RFC 8017 §8.2).
#[test]
fn an_old_peer_gets_rsa_signatures_of_the_old_form() {
    let pair = pair();
    let ca = Authority::new(&pair, "ca", Key::Rsa2048);
    Side::BOTH.into_iter().for_each(|side| ca.issue(side, Key::Rsa2048));
    let theirs = Charon::start(&pair, Side::Right, &by_certificate());
    let ours = ours_with(&pair, Initiator::Us, "rsa_signature = \"pkcs1\"");
    assert!(ours.comes_up(), "{}", ours.log());
    let log = std::fs::read_to_string(pair.path("charon-right.log")).unwrap();
    let verified = log.lines().find(|line| line.contains("authentication of 'left.example.com'"));
    assert!(verified.is_some_and(|line| line.contains("RSA_EMSA_PKCS1_SHA2_256")), "{verified:?}");
    drop(theirs);
}

/// What OpenSSL has made, for what it is too short or good enough (RFC 8247 §3.1.1).
#[test]
fn rsa_keys_have_2048_bits_or_more() {
    let folder = tempfile::tempdir().unwrap();
    for (bits, is_good) in [(1024, false), (2048, true), (3072, true), (4096, true)] {
        let file = folder.path().join(format!("{bits}.key"));
        let made = Command::new("openssl")
            .args(["genpkey", "-algorithm", "RSA", "-pkeyopt"])
            .arg(format!("rsa_keygen_bits:{bits}"))
            .arg("-out")
            .arg(&file)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", charon::text(&made));
        let key = PrivateKey::from_pem(&std::fs::read_to_string(&file).unwrap());
        assert_eq!(key.is_ok(), is_good, "{bits}: {key:?}");
        if let Ok(key) = key {
            let signature = key.sign(Algorithm::RsaPss(Hash::Sha256), b"octets").unwrap();
            assert_eq!(signature.len() * 8, bits);
        }
    }
}

/// Both trust the root alone, and show each other what stands between.
#[test]
fn chains_are_shown_and_followed() {
    let pair = pair();
    let root = Authority::new(&pair, "ca", Key::P384);
    let between = root.below("between", Key::Rsa2048);
    for side in Side::BOTH {
        between.issue(side, Key::P256);
        between.append_to(side);
    }
    for initiator in [Initiator::Us, Initiator::Them] {
        let (ours, theirs) = connect(&pair, initiator, &by_certificate());
        ours.stop();
        theirs.kill();
    }
}

/// A strongSwan with a certificate of another authority, which it does not refuse itself.
#[test]
fn a_certificate_of_an_unknown_authority_is_explained() {
    let pair = pair();
    let ca = Authority::new(&pair, "ca", Key::P256);
    ca.issue(Side::Left, Key::P256);
    Authority::new(&pair, "another", Key::P256).issue(Side::Right, Key::P256);
    let theirs = Charon::start(&pair, Side::Right, &by_certificate());
    let ours = ours(&pair, Initiator::Us);
    let said = || ours.peer().summary.last_failure.map(|failure| failure.reason);
    let explained = || said().is_some_and(|why| why.contains("is signed by CN=another"));
    assert!(eventually(explained), "{:?}\n{}", said(), ours.log());
    assert!(said().unwrap().contains("`ca` has CN=ca"), "{:?}", said());
    assert!(pair.is_silent());
    drop(theirs);
}

fn vpnctl(pair: &Pair, arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_vpnctl"))
        .arg("ca")
        .args(arguments)
        .current_dir(pair.path(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", charon::text(&output));
}

/// Two gateways of ours, with certificates that `vpnctl ca` makes, renews and revokes.
#[test]
fn certificates_are_renewed_and_revoked_while_tunnels_stand() {
    let pair = pair();
    vpnctl(&pair, &["init", "ca"]);
    for side in Side::BOTH {
        let (name, identity) = (side.name(), side.identity());
        vpnctl(&pair, &["issue", "ca", &identity]);
        for kind in ["key", "crt"] {
            let of = |name: &str| pair.path(&format!("{name}.{kind}"));
            std::fs::rename(of(&identity), of(name)).unwrap();
        }
    }
    let text = |side: Side| {
        let files = "ca = [\"ca/ca.crt\"]\ncrl = [\"ca/ca.crl\"]";
        config(&pair, side, Auth::Certificate, &static_routes(side), "")
            .replace("ca = [\"ca.crt\"]", files)
    };
    let [left, right] = Side::BOTH.map(|side| Gateway::start(&pair, side, &text(side)));
    assert!(pair.comes_to_work(), "{}", left.log());
    let shown = |gateway: &Gateway| gateway.peer().certificates.peer.map(|view| view.certificate);
    let before = shown(&right).unwrap();
    assert!(before.starts_with("CN=left.example.com"), "{before}");

    let reports = pair.probing(Duration::from_millis(10), || {
        vpnctl(&pair, &["renew", "ca", "left.crt"]);
        assert!(left.comes_to_say("certificates of tunnels changed"), "{}", left.log());
        left.rekey(SaKind::Ike);
        let newer = || shown(&right).is_some_and(|shown| shown != before);
        assert!(eventually(newer), "{:?}\n{}", shown(&right), left.log());
        std::thread::sleep(Duration::from_secs(1));
    });
    let lost: usize = reports.iter().map(|report| report.lost()).sum();
    assert_eq!(lost, 0, "a renewed certificate costs no packet");

    vpnctl(&pair, &["revoke", "ca", "left.crt"]);
    let gone = || right.peer().child_sas.is_empty();
    assert!(eventually(gone), "{:#?}", right.peer());
    let said = || right.peer().summary.last_failure.map(|failure| failure.reason);
    let explained = || said().is_some_and(|why| why.contains("is revoked"));
    assert!(eventually(explained), "{:?}\n{}", said(), right.log());
    assert!(pair.is_silent());
}

/// Signs a certificate for a side as `vpnctl ca issue` has, which ends in `left` and of whose life two
/// thirds are over.
fn sign_short(pair: &Pair, side: Side, left: Duration) {
    let key = |file: &str| {
        let text = std::fs::read_to_string(pair.path(file)).unwrap();
        let der = pem::decode(&text, "PRIVATE KEY").unwrap();
        KeyPair::try_from(&PrivatePkcs8KeyDer::from(der.as_slice())).unwrap()
    };
    let named = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let identity = side.identity();
    let mut params = named(&identity);
    let now =
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_micros(Clock::wall().as_unix_micros());
    (params.not_before, params.not_after) = (now - 2 * left, now + left);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.subject_alt_names = vec![SanType::DnsName(identity.as_str().try_into().unwrap())];
    params.serial_number = Some(SerialNumber::from_slice(&[0x47, 0x11]));
    let (signer, own) = (key("ca/ca.key"), key(&format!("{}.key", side.name())));
    let signed = params.signed_by(&own, &Issuer::from_params(&named("vpngw CA"), &signer)).unwrap();
    let text = pem::encode(signed.der(), pki::CERTIFICATE);
    for file in [format!("ca/current/{identity}.crt"), "ca/issued/4711.crt".to_owned()] {
        std::fs::write(pair.path(&file), text.as_bytes()).unwrap();
    }
}

/// A certificate for half a minute more: the command of the timer renews it, the daemon takes it by
/// itself, and when the old one is over the tunnel goes on with the new one. What is half written
/// meanwhile changes nothing.
#[test]
fn a_certificate_renews_itself_without_a_reload_and_without_a_packet_lost() {
    let pair = pair();
    vpnctl(&pair, &["init", "ca"]);
    for side in Side::BOTH {
        let identity = side.identity();
        vpnctl(&pair, &["issue", "ca", &identity]);
        let key = pair.path(&format!("{identity}.key"));
        std::fs::rename(key, pair.path(&format!("{}.key", side.name()))).unwrap();
    }
    let life = Duration::from_secs(30);
    sign_short(&pair, Side::Left, life);
    let begun = Instant::now();
    let text = |side: Side| {
        let files = "ca = [\"ca/ca.crt\"]\ncrl = [\"ca/ca.crl\"]";
        let own = format!("\"ca/current/{}.crt\"", side.identity());
        config(&pair, side, Auth::Certificate, &static_routes(side), "")
            .replace("ca = [\"ca.crt\"]", files)
            .replace(&format!("\"{}.crt\"", side.name()), &own)
    };
    let [left, right] = Side::BOTH.map(|side| Gateway::start(&pair, side, &text(side)));
    assert!(pair.comes_to_work(), "{}", left.log());
    let shown = || right.peer().certificates.peer.expect("a certificate");
    assert!(shown().expires_in_s <= 30, "{:?}", shown());

    let reports = pair.probing(Duration::from_millis(10), || {
        let file = pair.path("ca/current/left.example.com.crt");
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        let kept = "the certificate and key before go on";
        assert!(left.comes_to_say(kept), "{}", left.log());

        vpnctl(&pair, &["renew", "ca", "--due"]);
        let taken = "ca/current/left.example.com.crt, left.key changed";
        assert!(left.comes_to_say(taken), "{}", left.log());
        assert_eq!(left.log().matches(kept).count(), 1, "{}", left.log());
        std::thread::sleep(life.saturating_sub(begun.elapsed()) + Duration::from_secs(2));
        left.rekey(SaKind::Ike);
        assert!(eventually(|| shown().expires_in_s > 29 * 24 * 3600), "{:?}", shown());
        std::thread::sleep(Duration::from_secs(1));
    });
    let lost: usize = reports.iter().map(|report| report.lost()).sum();
    assert_eq!(lost, 0, "a certificate that renews itself costs no packet");
}

/// strongSwan has a certificate of ours that is replaced: another IKE SA shows the new one. While its
/// ESP in user space goes over to the new SAs on busy cores it may drop what comes.
#[test]
fn a_new_certificate_is_shown_to_strongswan_while_packets_pass() {
    let pair = pair();
    let ca = Authority::new(&pair, "ca", Key::P256);
    Side::BOTH.into_iter().for_each(|side| ca.issue(side, Key::P256));
    let (ours, theirs) = connect(&pair, Initiator::Us, &by_certificate());
    let before = keys(&ours, SaKind::Ike);
    ca.issue(Side::Left, Key::P384);
    let reports = pair.probing(Duration::from_millis(10), || {
        ours.process.signal(Signal::SIGHUP).unwrap();
        assert!(ours.comes_to_say("certificates of tunnels changed"), "{}", ours.log());
        ours.rekey(SaKind::Ike);
        assert!(eventually(|| keys(&ours, SaKind::Ike) != before), "{}", ours.log());
        std::thread::sleep(Duration::from_secs(2));
    });
    let lost: usize = reports.iter().map(|report| report.lost()).sum();
    println!("    {lost} packets lost while strongSwan took the new certificate");
    for report in reports {
        assert!(report.longest_gap() < Duration::from_millis(200), "{report}");
    }
    let sas = theirs.sas();
    assert_eq!(sas.matches("ESTABLISHED").count(), 1, "{sas}");
}

/// What is wrong with a chain, and what the certificates of it have beside the usual.
const ODD: [(&str, &str, &str, &str); 7] = [
    (
        "nothing",
        "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n",
        "",
        "30",
    ),
    ("no authority", "basicConstraints = critical, CA:FALSE\n", "", "30"),
    ("no constraints", "keyUsage = critical, keyCertSign\n", "", "30"),
    (
        "no keyCertSign",
        "basicConstraints = critical, CA:TRUE\nkeyUsage = digitalSignature\n",
        "",
        "30",
    ),
    (
        "another domain",
        "basicConstraints = critical, CA:TRUE\nnameConstraints = critical, permitted;DNS:example.org\n",
        "",
        "30",
    ),
    (
        "an unknown extension that must be understood",
        "basicConstraints = critical, CA:TRUE\n",
        "1.2.3.4 = critical, ASN1:NULL\n",
        "30",
    ),
    ("expired", "basicConstraints = critical, CA:TRUE\n", "", "0"),
];

/// Chains that are odd in one way each: OpenSSL and we judge them the same.
#[test]
fn odd_chains_are_judged_as_openssl_judges_them() {
    for (what, between, leaf, days) in ODD {
        let pair = pair();
        let root = Authority::new(&pair, "ca", Key::P256);
        let odd = root.below_with("between", Key::P256, between);
        let names = format!("DNS:{}", Side::Left.identity());
        odd.issue_with(Side::Left, Key::P256, days, &names, leaf);
        // What is valid for no day has expired a second later.
        std::thread::sleep(Duration::from_millis(1100));
        let theirs = odd.is_believed_by_openssl("left.crt");
        let read = |name: &str| {
            let text = std::fs::read_to_string(pair.path(name)).unwrap();
            pem::decode(&text, pki::CERTIFICATE).unwrap()
        };
        let anchor = Certificate::from_der(&read("ca.crt")).unwrap();
        let ours = Question {
            trust: Arc::new(Trust::new(vec![anchor], Vec::new()).unwrap()),
            presented: Arc::from([read("left.crt"), read("between.crt")]),
            identity: Side::Left.identity().parse().unwrap(),
            at: Clock::wall(),
        }
        .answer();
        println!(
            "    {what}: {}",
            ours.as_ref().map_or_else(ToString::to_string, |_| "good".into())
        );
        assert_eq!(ours.is_ok(), theirs, "{what}: {ours:?}");
        assert_eq!(theirs, what == "nothing", "{what}");
    }
}
