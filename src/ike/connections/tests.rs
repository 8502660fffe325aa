use super::*;
use crate::crypto::secret::Secret;
use crate::crypto::suite::DEFAULT_IKE_SUITES;
use crate::pki::{Credentials, Ppk, samples};
use proptest::collection::vec;
use proptest::prelude::*;
use std::net::SocketAddr;
use std::sync::OnceLock;

/// What a model of the index does: it looks at all connections.
fn walk(connections: &Connections) -> impl Iterator<Item = Candidate> + '_ {
    connections.all.iter().map(|(id, connection)| (*id, connection.config.clone()))
}

fn admitted(connections: &Connections, path: Path) -> impl Iterator<Item = Candidate> + '_ {
    walk(connections).filter(move |(_, config)| admits(config, path))
}

fn address(host: u8) -> IpAddr {
    [192, 0, 2, host].into()
}

fn name(number: u8) -> Identity {
    Identity::Fqdn(format!("{number}.example"))
}

fn path(local: u8, remote: u8) -> Path {
    let at = |host| SocketAddr::new(address(host), 500);
    Path { local: at(local), remote: at(remote) }
}

/// A step in the life of an endpoint: an odd `kind` removes, an even one adds.
type Step = (u8, u32, (u8, u8), (u8, u8), (usize, usize, bool));

fn step() -> impl Strategy<Value = Step> {
    (
        any::<u8>(),
        0..12u32,
        (0..2u8, 0..3u8),
        (0..2u8, 0..3u8),
        (0..3usize, 1..4usize, any::<bool>()),
    )
}

/// Credentials of one of two authorities.
fn by_certificate(authority: usize) -> Credentials {
    static ALL: OnceLock<[Credentials; 2]> = OnceLock::new();
    let make = |name| samples::credential_pair(&samples::Authority::new(name), ["a", "b"]).0;
    ALL.get_or_init(|| ["one", "other"].map(make))[authority].clone()
}

fn connection((_, _, addresses, names, (skip, take, force)): &Step) -> Connection {
    let remote = match addresses.1 {
        0 => RemoteAddress::Any,
        host => RemoteAddress::At(SocketAddr::new(address(host), 500)),
    };
    let config = ConnectionConfig::new(
        address(addresses.0),
        remote,
        (name(names.0), name(names.1)),
        match (*force, *take) {
            (false, _) => Credentials::Psk(Secret::copy_of(b"secret")),
            (true, take) => by_certificate(take % 2),
        },
        (Vec::new(), Vec::new()),
    );
    let suites = DEFAULT_IKE_SUITES.iter().skip(*skip).take(*take);
    let secret = Secret::copy_of(&[1; 32]);
    let ppk = Ppk { id: "red".to_owned(), secret, required: false };
    Connection::new(ConnectionConfig {
        ike_suites: suites.copied().collect(),
        force_encapsulation: *force,
        ppk: Some(ppk).filter(|_| *take == 1),
        post_quantum: match skip % 3 {
            0 => PostQuantum::Prefer,
            1 => PostQuantum::Require,
            _ => PostQuantum::Off,
        },
        anywhere: *force != (*take > 1),
        ..config
    })
}

fn after(steps: &[Step]) -> Connections {
    let mut connections = Connections::default();
    for step in steps {
        let id = ConnectionId(step.1);
        match step.0 % 3 {
            0 => connections.remove(id),
            _ => connections.insert(id, connection(step)),
        }
    }
    connections
}

fn acceptable_by_walk(connections: &Connections, path: Path) -> Option<Acceptable> {
    let candidates: Vec<Candidate> = admitted(connections, path).collect();
    let mut suites = Vec::new();
    for suite in candidates.iter().flat_map(|(_, config)| &config.ike_suites) {
        if !suites.contains(suite) {
            suites.push(*suite);
        }
    }
    let force_encapsulation = candidates.iter().any(|(_, config)| config.force_encapsulation);
    let named = candidates.iter().flat_map(|(_, config)| config.credentials.authorities());
    let authorities = named.collect::<BTreeSet<_>>().into_iter().collect();
    let wanted = candidates.iter().map(|(_, config)| config.post_quantum);
    let beside = Beside::of_all(wanted);
    let has_ppk = candidates.iter().any(|(_, config)| config.ppk.is_some());
    let acceptable = Acceptable { suites, beside, force_encapsulation, authorities, has_ppk };
    (!candidates.is_empty()).then_some(acceptable)
}

proptest! {
    #[test]
    fn the_indices_find_what_a_walk_finds(
        steps in vec(step(), 0..40),
        (local, remote) in (0..2u8, 0..3u8),
        (own, peer) in (0..2u8, 0..3u8),
    ) {
        let connections = after(&steps);
        let (path, own, peer) = (path(local, remote), name(own), name(peer));
        let exact_first = |mut candidates: Vec<Candidate>| {
            candidates.sort_by_key(|(_, config)| config.local != path.local.ip());
            candidates
        };
        let found = |candidates: Vec<Candidate>| -> Vec<ConnectionId> {
            candidates.into_iter().map(|(id, _)| id).collect()
        };

        prop_assert_eq!(connections.acceptable(path), acceptable_by_walk(&connections, path));

        let named = connections.named(&peer, Some(&own), path).collect();
        let walked = admitted(&connections, path)
            .filter(|(_, config)| config.remote_id == peer && config.local_id == own);
        prop_assert_eq!(found(named), found(exact_first(walked.collect())));

        let named = connections.named(&peer, None, path).collect();
        let walked = admitted(&connections, path).filter(|(_, config)| config.remote_id == peer);
        prop_assert_eq!(found(named), found(exact_first(walked.collect())));

        let other = connections.of_somebody_else(&peer, path).map(|(id, _)| id);
        let walked = admitted(&connections, path).find(|(_, config)| config.remote_id != peer);
        prop_assert_eq!(other, walked.map(|(id, _)| id));

        let walked = admitted(&connections, path)
            .filter(|(_, config)| config.remote != RemoteAddress::Any);
        prop_assert_eq!(connections.at_address(path), found(walked.collect()));

        for (_, config) in walk(&connections) {
            let walked = walk(&connections).filter(|(_, other)| {
                (&other.local_id, &other.remote_id) == (&config.local_id, &config.remote_id)
            });
            prop_assert_eq!(connections.between_the_same(&config), found(walked.collect()));
        }
    }

    #[test]
    fn nothing_remains_of_what_was_removed(steps in vec(step(), 0..40)) {
        let mut connections = after(&steps);
        for id in 0..12 {
            connections.remove(ConnectionId(id));
        }
        prop_assert!(connections.all.is_empty());
        prop_assert!(connections.places.is_empty());
        prop_assert!(connections.identities.is_empty());
    }
}
