//! The scenarios.

use super::corners::Corner::*;
use super::scenario::{Budget, Scenario, Start, Wish};
use crate::crypto::secret::Secret;
use crate::ike::tests::net::*;
use crate::ike::*;
use crate::wire::ike::Identity;

/// Two ends with as few alternatives as they can have, of which West initiates.
fn configs() -> [ConnectionConfig; 2] {
    config_pair((psk("a secret"), psk("a secret"))).map(|mut config| {
        slot(&mut config).local_ts.truncate(1);
        slot(&mut config).remote_ts.truncate(1);
        slot(&mut config).aggfrag = true;
        slot(&mut config).esp_suites = vec!["aes256gcm16-esn".parse().unwrap()];
        let liveness = LivenessConfig { interval: secs(10), ..LivenessConfig::default() };
        let ike_suites = vec!["aes256gcm16-prfsha384-curve25519".parse().unwrap()];
        let post_quantum = PostQuantum::Off;
        ConnectionConfig { ike_suites, post_quantum, liveness, ..config }
    })
}

/// Two ends whose IKE_AUTH is too long for one datagram.
fn wordy() -> [ConnectionConfig; 2] {
    let long = |identity: &Identity| Identity::Fqdn(format!("{identity}.{}", "a".repeat(220)));
    configs().map(|config| {
        let (local_id, remote_id) = (long(&config.local_id), long(&config.remote_id));
        ConnectionConfig { local_id, remote_id, ..config }
    })
}

fn both_initiate(configs: [ConnectionConfig; 2]) -> [ConnectionConfig; 2] {
    configs.map(|config| ConnectionConfig { initiate: true, ..config })
}

const fn budget(losses: u8, copies: u8, timeouts: [u8; 2], inner: u8) -> Budget {
    Budget { losses, copies, timeouts, inner }
}

/// A tunnel that is up, and wishes.
fn up(name: &'static str, seed: u64, wishes: &[(usize, Wish)], budget: Budget) -> Scenario {
    Scenario {
        name,
        seed,
        configs: configs().map(|config| vec![config]),
        settings: EndpointConfig::default(),
        start: Start::Up,
        wishes: wishes.to_vec(),
        budget,
        keeps: true,
        handshakes: 1,
        strangers: false,
        turns_tokens: false,
        thief: false,
        real_keys: false,
        slow_work: false,
        exact: false,
        fault: None,
        corners: &[],
        limit: usize::MAX,
    }
}

/// Two ends that have just started.
fn cold(
    name: &'static str,
    seed: u64,
    configs: [ConnectionConfig; 2],
    wishes: &[(usize, Wish)],
    budget: Budget,
) -> Scenario {
    let configs = configs.map(|config| vec![config]);
    Scenario {
        start: Start::Cold,
        keeps: false,
        handshakes: 2,
        configs,
        ..up(name, seed, wishes, budget)
    }
}

/// Both rekey the same Child SA (RFC 7296 §2.8.1).
pub(super) fn child_rekeys(seed: u64) -> Scenario {
    let wishes = [(WEST, Wish::RekeyChild(SLOT)), (EAST, Wish::RekeyChild(SLOT))];
    Scenario {
        corners: &[
            ChildRekeysCrossOursStays,
            ChildRekeysCrossTheirsStays,
            RekeyOfChildThatGoes,
            RekeyOfUnknownChild,
            ChildDeletesCross,
            SendableByTraffic,
            AnsweredAgain,
            Repeated,
        ],
        ..up("Child rekeys cross", seed, &wishes, budget(1, 0, [1, 1], 1))
    }
}

/// Both rekey the IKE SA (RFC 7296 §2.8.2).
pub(super) fn ike_rekeys(seed: u64) -> Scenario {
    let wishes = [(WEST, Wish::RekeyIke), (EAST, Wish::RekeyIke)];
    Scenario {
        corners: &[
            IkeRekeysCrossOursStays,
            IkeRekeysCrossTheirsStays,
            AnsweredAgainAfterTheEnd,
            UnknownSpi,
        ],
        ..up("IKE rekeys cross", seed, &wishes, budget(1, 0, [1, 1], 1))
    }
}

/// One rekeys the IKE SA, the other a Child SA (RFC 7296 §2.25.2).
pub(super) fn ike_and_child_rekey(seed: u64) -> Scenario {
    let wishes = [(WEST, Wish::RekeyIke), (EAST, Wish::RekeyChild(SLOT))];
    Scenario {
        corners: &[IkeRekeyMeetsOurExchange, ChildRequestMeetsIkeRekey],
        ..up("IKE rekey meets Child rekey", seed, &wishes, budget(1, 0, [1, 1], 1))
    }
}

/// Each rekeys both.
pub(super) fn all_rekeys(seed: u64) -> Scenario {
    let wishes = [
        (WEST, Wish::RekeyIke),
        (WEST, Wish::RekeyChild(SLOT)),
        (EAST, Wish::RekeyChild(SLOT)),
        (EAST, Wish::RekeyIke),
    ];
    Scenario {
        corners: &[
            ChildRekeysCrossOursStays,
            ChildRekeysCrossTheirsStays,
            IkeRekeysCrossOursStays,
            IkeRekeysCrossTheirsStays,
            IkeRekeyMeetsOurExchange,
            ChildRequestMeetsIkeRekey,
        ],
        ..up("all rekeys cross", seed, &wishes, budget(0, 0, [1, 1], 0))
    }
}

/// One rekeys, the other takes the connection down, and the first brings it up again.
pub(super) fn rekeys_and_delete(seed: u64) -> Scenario {
    let wishes = [(WEST, Wish::RekeyIke), (WEST, Wish::RekeyChild(SLOT)), (EAST, Wish::Terminate)];
    let scenario = up("rekeys meet Delete", seed, &wishes, budget(1, 0, [1, 1], 0));
    Scenario {
        corners: &[IkeDeletesCross, AnsweredAgainAfterTheEnd],
        keeps: false,
        handshakes: usize::MAX,
        ..scenario
    }
}

/// One takes the connection down and brings it up again, while the other rekeys.
pub(super) fn down_and_up(seed: u64) -> Scenario {
    let wishes = [
        (WEST, Wish::Terminate),
        (WEST, Wish::Initiate),
        (EAST, Wish::RekeyIke),
        (EAST, Wish::RekeyChild(SLOT)),
    ];
    let scenario = up("down and up again", seed, &wishes, budget(1, 0, [1, 1], 0));
    Scenario { corners: &[IkeDeletesCross], keeps: false, handshakes: usize::MAX, ..scenario }
}

/// Both take the connection down while one rekeys; then nothing is left.
pub(super) fn deletes(seed: u64) -> Scenario {
    let wishes = [
        (WEST, Wish::RekeyIke),
        (WEST, Wish::Terminate),
        (EAST, Wish::RekeyChild(SLOT)),
        (EAST, Wish::Terminate),
    ];
    Scenario {
        corners: &[IkeDeletesCross, IkeRekeyMeetsOurExchange],
        keeps: false,
        handshakes: usize::MAX,
        ..up("Deletes cross", seed, &wishes, budget(1, 0, [1, 1], 0))
    }
}

/// Signs of life are asked for while both rekey.
pub(super) fn rekeys_and_liveness(seed: u64) -> Scenario {
    let wishes = [
        (WEST, Wish::Probe),
        (WEST, Wish::RekeyChild(SLOT)),
        (EAST, Wish::Probe),
        (EAST, Wish::RekeyIke),
    ];
    Scenario {
        corners: &[IkeRekeyMeetsOurExchange, ChildRequestMeetsIkeRekey, AnsweredAgain],
        ..up("rekeys meet liveness", seed, &wishes, budget(1, 0, [1, 1], 0))
    }
}

/// Both initiate at once.
pub(super) fn handshakes(seed: u64) -> Scenario {
    Scenario {
        corners: &[HandshakesCross, HalfOpenExpired],
        ..cold("handshakes cross", seed, both_initiate(configs()), &[], budget(1, 0, [2, 2], 0))
    }
}

/// An end restarts while the tunnel comes up.
pub(super) fn restart_amid_handshake(seed: u64) -> Scenario {
    let wishes = [(EAST, Wish::Restart), (WEST, Wish::Restart)];
    let scenario =
        cold("restarts meet the handshake", seed, configs(), &wishes, budget(0, 0, [1, 1], 0));
    Scenario { corners: &[InitialContact, UnknownSpi, Silent], handshakes: usize::MAX, ..scenario }
}

/// An end restarts while the tunnel is up and is rekeyed.
pub(super) fn restart_amid_rekey(seed: u64) -> Scenario {
    let wishes = [(WEST, Wish::Restart), (EAST, Wish::RekeyIke), (EAST, Wish::RekeyChild(SLOT))];
    let scenario = up("a restart meets rekeys", seed, &wishes, budget(0, 0, [2, 2], 0));
    Scenario {
        corners: &[InitialContact, UnknownSpi],
        keeps: false,
        handshakes: usize::MAX,
        ..scenario
    }
}

/// Two slots with the same traffic are filled by both sides.
pub(super) fn slots(seed: u64) -> Scenario {
    let configs = red_and_blue(configs());
    Scenario {
        corners: &[HandshakesCross],
        ..cold("two slots come up", seed, configs, &[], budget(0, 0, [2, 2], 0))
    }
}

/// A slot goes and comes at both ends.
pub(super) fn slots_change(seed: u64) -> Scenario {
    let [[west, east], [fewer_west, fewer_east]] = [red_and_blue(configs()), only_blue(configs())];
    let wishes = [
        (WEST, Wish::Configure(1)),
        (WEST, Wish::Configure(0)),
        (EAST, Wish::Configure(1)),
        (EAST, Wish::Configure(0)),
    ];
    let scenario = up("a slot goes and comes", seed, &wishes, budget(0, 0, [1, 1], 0));
    let configs = [vec![west, fewer_west], vec![east, fewer_east]];
    Scenario { handshakes: 2, corners: &[TwinChildren, ChildDeletesCross], configs, ..scenario }
}

/// IKE_AUTH comes in fragments (RFC 7383).
pub(super) fn fragments(seed: u64) -> Scenario {
    Scenario {
        corners: &[FragmentsOutOfOrder, Assembled],
        ..cold("fragments", seed, wordy(), &[], budget(1, 1, [2, 1], 0))
    }
}

/// The peer cannot prove who it is.
pub(super) fn strangers(seed: u64) -> Scenario {
    let [west, east] = both_initiate(configs());
    let east = ConnectionConfig { credentials: psk("another secret"), ..east };
    let scenario = cold("strangers", seed, [west, east], &[], budget(0, 0, [1, 1], 0));
    Scenario { corners: &[StrangerRefused], strangers: true, ..scenario }
}

/// A peer asks for a Child SA before it has proved who it is (CVE-2026-78135).
pub(super) fn presumption(seed: u64) -> Scenario {
    let wishes = [(WEST, Wish::Presume), (WEST, Wish::RekeyChild(SLOT))];
    Scenario {
        corners: &[PresumptionIgnored],
        ..cold("presumption", seed, configs(), &wishes, budget(1, 1, [1, 1], 0))
    }
}

/// Both rekey the same Child SA, with a key exchange that takes its time.
pub(super) fn slow_child_rekeys(seed: u64) -> Scenario {
    let configs = configs().map(|mut config| {
        slot(&mut config).esp_suites = vec!["aes256gcm16-curve25519-esn".parse().unwrap()];
        vec![config]
    });
    let scenario = child_rekeys(seed);
    let corners = &[ChildRekeysCrossOursStays, ChildRekeysCrossTheirsStays, RekeyOfChildThatGoes];
    Scenario { name: "slow Child rekeys cross", slow_work: true, configs, corners, ..scenario }
}

/// Both rekey the IKE SA, with a key exchange that takes its time.
pub(super) fn slow_ike_rekeys(seed: u64) -> Scenario {
    let scenario = ike_rekeys(seed);
    Scenario { name: "slow IKE rekeys cross", slow_work: true, ..scenario }
}

/// One rekeys the IKE SA, the other a Child SA and then takes the connection down; work is slow.
pub(super) fn slow_rekeys_and_delete(seed: u64) -> Scenario {
    let wishes = [(WEST, Wish::RekeyIke), (EAST, Wish::RekeyChild(SLOT)), (EAST, Wish::Terminate)];
    let scenario = slow_child_rekeys(seed);
    let name = "slow rekeys meet Delete";
    let wishes = wishes.to_vec();
    let budget = budget(1, 0, [1, 1], 0);
    let corners = &[IkeDeletesCross];
    Scenario { name, wishes, budget, corners, keeps: false, handshakes: usize::MAX, ..scenario }
}

/// Both initiate at once, and work is slow.
pub(super) fn slow_handshakes(seed: u64) -> Scenario {
    let budget = budget(0, 0, [2, 2], 0);
    let scenario = handshakes(seed);
    Scenario {
        name: "slow handshakes cross",
        slow_work: true,
        budget,
        corners: &[HandshakesCross],
        ..scenario
    }
}

/// Two ends that have ML-KEM beside the key exchange of every SA.
fn hybrid(configs: [ConnectionConfig; 2]) -> [ConnectionConfig; 2] {
    configs.map(|mut config| {
        for slot in config.slots.values_mut() {
            slot.esp_suites = vec!["aes256gcm16-curve25519-esn".parse().unwrap()];
        }
        ConnectionConfig { post_quantum: PostQuantum::Require, ..config }
    })
}

/// The same scenario between such ends, whose messages are in one piece.
fn hybrid_of(name: &'static str, scenario: Scenario) -> Scenario {
    let configs = scenario.configs.map(|of_end| {
        let hybrid = |config: ConnectionConfig| hybrid([config.clone(), config])[0].clone();
        of_end.into_iter().map(hybrid).collect()
    });
    let settings = EndpointConfig { fragmentation: false, ..scenario.settings };
    Scenario { name, configs, settings, ..scenario }
}

/// IKE_INTERMEDIATE before IKE_AUTH (RFC 9242).
pub(super) fn intermediate(seed: u64) -> Scenario {
    let scenario = cold("", seed, configs(), &[], budget(1, 1, [2, 2], 0));
    Scenario {
        corners: &[IntermediateAnsweredAgain, Repeated, HalfOpenExpired],
        ..hybrid_of("IKE_INTERMEDIATE", scenario)
    }
}

/// The same in fragments.
pub(super) fn intermediate_fragments(seed: u64) -> Scenario {
    let name = "IKE_INTERMEDIATE in fragments";
    Scenario {
        corners: &[FragmentsOutOfOrder, Assembled],
        ..cold(name, seed, hybrid(configs()), &[], budget(1, 0, [1, 1], 0))
    }
}

/// Both initiate at once, or one restarts, with IKE_INTERMEDIATE.
pub(super) fn hybrid_handshakes(seed: u64) -> Scenario {
    let wishes = [(EAST, Wish::Restart)];
    let name = "hybrid handshakes meet a restart";
    let ends = both_initiate(configs());
    let scenario = hybrid_of(name, cold("", seed, ends, &wishes, budget(0, 0, [1, 1], 0)));
    let corners = &[IntermediateAnsweredAgain, UnknownSpi];
    Scenario { corners, handshakes: usize::MAX, ..scenario }
}

/// Both rekey the same Child SA, with IKE_FOLLOWUP_KE (RFC 9370 §2.2.4). Two are never made: who would lose
/// stops, and who has not heard of the other when it goes on puts it off. So neither stays of two.
pub(super) fn hybrid_child_rekeys(seed: u64) -> Scenario {
    let corners = &[FollowupsCross, LeftToThePeer];
    let scenario = child_rekeys(seed);
    let budget = budget(1, 0, [1, 1], 0);
    Scenario { corners, budget, ..hybrid_of("hybrid Child rekeys cross", scenario) }
}

/// Both rekey the IKE SA, with IKE_FOLLOWUP_KE. What the peer has made may be there when our loser is
/// granted, and stays; ours is never made beside it.
pub(super) fn hybrid_ike_rekeys(seed: u64) -> Scenario {
    let corners = &[FollowupsCross, LeftToThePeer, IkeRekeysCrossTheirsStays];
    let scenario = ike_rekeys(seed);
    let budget = budget(0, 0, [1, 1], 0);
    Scenario { corners, budget, ..hybrid_of("hybrid IKE rekeys cross", scenario) }
}

/// One rekeys the IKE SA, the other a Child SA, with IKE_FOLLOWUP_KE.
pub(super) fn hybrid_ike_and_child_rekey(seed: u64) -> Scenario {
    let corners = &[IkeRekeyMeetsOurExchange, ChildRequestMeetsIkeRekey];
    let scenario = ike_and_child_rekey(seed);
    let budget = budget(1, 0, [1, 1], 0);
    Scenario { corners, budget, ..hybrid_of("hybrid IKE rekey meets Child rekey", scenario) }
}

/// One rekeys both, the other takes the connection down, and the first brings it up again.
pub(super) fn hybrid_rekeys_and_delete(seed: u64) -> Scenario {
    let scenario = rekeys_and_delete(seed);
    Scenario {
        corners: &[IkeDeletesCross, FollowupWithoutState],
        ..hybrid_of("hybrid rekeys meet Delete", scenario)
    }
}

/// A slot goes and comes at both ends, with IKE_FOLLOWUP_KE.
pub(super) fn hybrid_slots_change(seed: u64) -> Scenario {
    Scenario { corners: &[], ..hybrid_of("hybrid slots go and come", slots_change(seed)) }
}

/// An end restarts while the tunnel is rekeyed, with IKE_FOLLOWUP_KE.
pub(super) fn hybrid_restart_amid_rekey(seed: u64) -> Scenario {
    let scenario = restart_amid_rekey(seed);
    Scenario { corners: &[InitialContact], ..hybrid_of("a restart meets hybrid rekeys", scenario) }
}

/// The initiator gets another address, and another, while both rekey (RFC 4555).
pub(super) fn moves(seed: u64) -> Scenario {
    let wishes = [
        (WEST, Wish::Renumber(1)),
        (WEST, Wish::RekeyIke),
        (WEST, Wish::Renumber(0)),
        (EAST, Wish::RekeyIke),
        (EAST, Wish::RekeyChild(SLOT)),
    ];
    let scenario = up("moves meet rekeys", seed, &wishes, budget(1, 0, [1, 1], 0));
    Scenario { corners: &[WeMoved, PeerFollowed], ..with_addresses(scenario) }
}

/// Somebody sends a move on from elsewhere, before it arrives.
pub(super) fn stolen_moves(seed: u64) -> Scenario {
    let wishes = [(WEST, Wish::Renumber(1)), (WEST, Wish::Probe)];
    let scenario = up("stolen moves", seed, &wishes, budget(0, 0, [1, 1], 0));
    Scenario { corners: &[WeMoved, PeerFollowed], thief: true, ..with_addresses(scenario) }
}

/// West has two addresses, one after the other, and is taken from anywhere.
fn with_addresses(scenario: Scenario) -> Scenario {
    let [west, east] = configs().map(|config| ConnectionConfig { anywhere: true, ..config });
    let second = "192.0.2.2".parse().unwrap();
    let moved = ConnectionConfig { local: second, ..west.clone() };
    let east = ConnectionConfig { remote: RemoteAddress::Any, ..east };
    Scenario { configs: [vec![west, moved], vec![east]], ..scenario }
}

/// Both initiate at once, with a post-quantum pre-shared key (RFC 8784), and one restarts.
pub(super) fn mixed(seed: u64) -> Scenario {
    let secret = Secret::copy_of(&[3; 32]);
    let ppk = Some(Ppk { id: "red".to_owned(), secret, required: false });
    let ends =
        both_initiate(configs()).map(|config| ConnectionConfig { ppk: ppk.clone(), ..config });
    let wishes = [(EAST, Wish::Restart), (WEST, Wish::RekeyChild(SLOT))];
    let name = "handshakes with a PPK meet a restart";
    let scenario = cold(name, seed, ends, &wishes, budget(0, 0, [1, 1], 0));
    Scenario { corners: &[HandshakesCross], handshakes: usize::MAX, ..scenario }
}

/// Two ends whose tokens outlive restarts (RFC 6290).
fn with_tokens(scenario: Scenario) -> Scenario {
    let crash_secret = Some(Secret::copy_of(&[7; 32]));
    Scenario { settings: EndpointConfig { crash_secret, ..scenario.settings }, ..scenario }
}

/// The end that only answers restarts while the tunnel is up and is rekeyed, and shows it.
pub(super) fn tokens(seed: u64) -> Scenario {
    let wishes = [(EAST, Wish::Restart), (WEST, Wish::RekeyIke), (WEST, Wish::RekeyChild(SLOT))];
    let scenario =
        up("a restart meets rekeys, with tokens", seed, &wishes, budget(1, 0, [2, 1], 0));
    Scenario {
        corners: &[TokenBelieved, UnknownSpi],
        keeps: false,
        handshakes: usize::MAX,
        ..with_tokens(scenario)
    }
}

/// Somebody asks for tokens in the name of an end, and turns them around.
pub(super) fn pretence(seed: u64) -> Scenario {
    let wishes = [(WEST, Wish::Pretend), (WEST, Wish::RekeyIke), (EAST, Wish::Pretend)];
    let scenario = up("pretence", seed, &wishes, budget(0, 1, [1, 1], 0));
    Scenario { corners: &[TokenNotBelieved], turns_tokens: true, ..with_tokens(scenario) }
}

/// A scenario, whose nonces follow from a seed.
pub(super) type Make = fn(u64) -> Scenario;

/// All of them.
pub(super) const ALL: [Make; 34] = [
    child_rekeys,
    ike_rekeys,
    ike_and_child_rekey,
    all_rekeys,
    rekeys_and_delete,
    down_and_up,
    deletes,
    rekeys_and_liveness,
    handshakes,
    restart_amid_handshake,
    restart_amid_rekey,
    slots,
    slots_change,
    fragments,
    strangers,
    presumption,
    slow_child_rekeys,
    slow_ike_rekeys,
    slow_rekeys_and_delete,
    slow_handshakes,
    intermediate,
    intermediate_fragments,
    hybrid_handshakes,
    hybrid_child_rekeys,
    hybrid_ike_rekeys,
    hybrid_ike_and_child_rekey,
    hybrid_rekeys_and_delete,
    hybrid_slots_change,
    hybrid_restart_amid_rekey,
    tokens,
    pretence,
    mixed,
    moves,
    stolen_moves,
];
