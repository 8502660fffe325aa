use super::*;
use crate::net::Asn;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

fn requests() -> Vec<Request> {
    let peer = || "north-a".to_owned();
    vec![
        Request::Peers,
        Request::Peer(peer()),
        Request::Routes,
        Request::Sas,
        Request::Vrrp,
        Request::Stats,
        Request::Metrics,
        Request::Why { to: Ipv4Addr::LOCALHOST.into(), from: None, ports: None },
        Request::Why {
            to: "::1".parse().unwrap(),
            from: Some("fd00::1".parse().unwrap()),
            ports: None,
        },
        Request::Why {
            to: "10.2.0.9".parse().unwrap(),
            from: Some("10.1.0.9".parse().unwrap()),
            ports: Some(Ports { protocol: 6, source: 40_000, destination: 443 }),
        },
        Request::Events { after: 0 },
        Request::Vpcs,
        Request::Nat,
        Request::Events { after: 17 },
        Request::Plan,
        Request::Confirm,
        Request::Reload { confirm: None },
        Request::Reload { confirm: Some(300) },
        Request::Log { filter: None },
        Request::Log { filter: Some("info,vpngw::ike=trace".to_owned()) },
        Request::Rekey { peer: peer(), sa: SaKind::Ike },
        Request::Rekey { peer: peer(), sa: SaKind::Child },
        Request::Keys { peer: peer() },
        Request::Arrivals { peer: peer() },
        Request::Initiate { peer: peer() },
        Request::Terminate { peer: peer() },
        Request::Drain,
        Request::Undrain,
        Request::DrainState,
        Request::Disable { peer: peer() },
        Request::Enable { peer: peer() },
    ]
}

pub(crate) fn gateway() -> GatewayView {
    GatewayView {
        name: "east-a".to_owned(),
        region: "cn-east".to_owned(),
        zone: "a".to_owned(),
        version: "0.1.0".to_owned(),
        identity: "east-a".to_owned(),
        asn: Some(Asn(4_200_000_001)),
        router_id: Ipv4Addr::new(10, 79, 1, 10),
        up_for_ms: 90_500,
        drain: None,
    }
}

fn vpc_router() -> VpcRouterView {
    let bgp = BgpView {
        state: "Connect".to_owned(),
        state_for_ms: 61_000,
        local: [10, 1, 0, 10].into(),
        remote: [10, 1, 0, 1].into(),
        local_asn: Asn(4_200_000_001),
        remote_asn: Asn(65_010),
        hold_time_ms: 9000,
        prefixes_announced: 0,
        last_down: Some("TCP connection closed".to_owned()),
        peer_can: Vec::new(),
        prefixes_stale: 0,
    };
    let trouble = FailureView {
        code: Code::BgpUnreachable,
        reason: "BGP session down: TCP connection closed".to_owned(),
        remedy: Some("does tor-1 speak BGP at 10.1.0.1?".to_owned()),
        ..FailureView::default()
    };
    VpcRouterView {
        name: "tor-1".to_owned(),
        bgp,
        up: false,
        prefixes_accepted: 0,
        prefixes_rejected: 2,
        trouble: Some(trouble),
    }
}

/// A VPC in a segment and one that is in none, for tests here and of `vpnctl`.
pub(crate) fn vpcs() -> VpcsView {
    let vtep = |last: u8, packets| VtepView {
        address: [10, 9, 1, last].into(),
        packets,
        bytes: 100 * packets,
    };
    let red = VpcView {
        vpc: "red".to_owned(),
        netns: Some("red".to_owned()),
        device: "vpn-red".to_owned(),
        mtu: 1438,
        interface: Some("vx-red".to_owned()),
        prefixes: vec!["10.1.0.0/16".parse().unwrap()],
        maps: vec![MapView {
            inside: "10.1.0.0/16".parse().unwrap(),
            outside: "100.64.0.0/16".parse().unwrap(),
            towards: Some(vec!["north-a".to_owned(), "north-b".to_owned()]),
        }],
        segment: Some(SegmentView {
            vni: 100,
            local: [10, 9, 1, 2].into(),
            port: 4789,
            mtu: 1450,
            up: true,
            vteps: vec![vtep(3, 0), vtep(11, 12)],
            stations: vec![StationView {
                mac: "02:00:00:00:00:09".to_owned(),
                vtep: [10, 9, 1, 11].into(),
            }],
            refused: 4,
        }),
        routers: Vec::new(),
        refusals: Vec::new(),
    };
    let plain = VpcView {
        routers: vec![vpc_router()],
        vpc: "shop".to_owned(),
        netns: None,
        device: "vpn-shop".to_owned(),
        interface: Some("vpc0".to_owned()),
        maps: Vec::new(),
        segment: None,
        ..red.clone()
    };
    VpcsView { gateway: "east-a".to_owned(), vpcs: vec![red, plain], unknown_vni: 9 }
}

/// A VPC with a service, a whole address and egress, for tests here and of `vpnctl`.
pub(crate) fn nat() -> NatView {
    let public = |address: [u8; 4], ports: Option<&str>, to: &str, connections| PublicView {
        address: address.into(),
        ports: ports.map(str::to_owned),
        to: to.to_owned(),
        connections,
    };
    let red = VpcNatView {
        vpc: "red".to_owned(),
        outlet: "pub-red".to_owned(),
        up: true,
        serving: true,
        public: vec![
            public([203, 0, 113, 18], Some("tcp/80"), "10.1.1.10:8080", 1000),
            public([203, 0, 113, 19], None, "10.1.2.10", 3),
        ],
        egress: vec![EgressView {
            address: [203, 0, 113, 18].into(),
            from: vec!["10.1.0.0/16".parse().unwrap()],
            first_port: 1024,
            last_port: 32767,
            connections: 12,
        }],
        open: 1007,
        refused: 5,
        spoofed: 10,
        lost: 0,
        untranslated: 0,
        refusals: Vec::new(),
    };
    NatView { gateway: "east-a".to_owned(), vpcs: vec![red] }
}

/// A peer that is up, for tests here and of `vpnctl`.
pub(crate) fn peer() -> PeerView {
    let traffic = |packets, bytes, bits_per_second| Traffic { packets, bytes, bits_per_second };
    PeerView {
        gateway: "east-a".to_owned(),
        host_name: None,
        places: Vec::new(),
        summary: PeerSummary {
            name: "north-a".to_owned(),
            vpc: "shop".to_owned(),
            remote: Some("10.79.2.10:4500".parse().unwrap()),
            verdict: Verdict::Rejecting,
            state: PeerState::Up,
            state_for_ms: 61_000,
            ike_suite: Some("aes256gcm16-prfsha384-curve25519".to_owned()),
            esp_suite: Some("aes256gcm16-esn".to_owned()),
            key_exchange: Some("curve25519+mlkem768".to_owned()),
            rtt_us: Some(1500),
            received: traffic(10, 1000, 2_500_000),
            sent: traffic(20, 2_000_000, 0),
            prefixes_accepted: 2,
            prefixes_rejected: 1,
            prefixes_active: 2,
            prefixes_refused: 0,
            refusal: None,
            weak_suites: Vec::new(),
            bfd: Some(BfdView {
                path: PathState::Works,
                why: None,
                one_way: false,
                state: "Up".to_owned(),
                state_for_ms: 61_000,
                diagnostic: "NONE".to_owned(),
                remote_state: Some("Up".to_owned()),
                remote_diagnostic: Some("NONE".to_owned()),
                interval_us: 50_000,
                detection_time_us: 150_000,
                rtt_us: Some(1400),
                losses: 0,
            }),
            bgp_waits: None,
            in_tcp: true,
            probe: None,
            planned: None,
            last_failure: Some(FailureView {
                code: Code::NoAnswer,
                reason: "no answer".to_owned(),
                ago_ms: 3_700_000,
                ..FailureView::default()
            }),
        },
        certificates: CertificatesView::default(),
        local_identity: "east-a".to_owned(),
        remote_identity: "north-a".to_owned(),
        authentication: "public_key".to_owned(),
        local: Some("10.79.1.10:4500".parse().unwrap()),
        netns: None,
        inside_local: Some("fd76:706e:6777::1".parse().unwrap()),
        udp_silent_for_ms: Some(90_000),
        inside_remote: Some("fd76:706e:6777::2".parse().unwrap()),
        local_preference: 200,
        weight: Some(2),
        shares_with: vec!["north-b".to_owned()],
        inner_mtu: Some(1438),
        aggfrag: false,
        constant_rate: None,
        rate_limit: None,
        path_mtu: Some(PathMtuView {
            bytes: 1500,
            known_by: "probed".to_owned(),
            configured: 1500,
        }),
        ike_sa: Some(IkeSaView {
            beside: "mlkem768".to_owned(),
            transcript: true,
            ppk: true,
            initiator_spi: "0102030405060708".to_owned(),
            responder_spi: "1112131415161718".to_owned(),
            role: Role::Initiator,
            suite: "aes256gcm16-prfsha384-curve25519".to_owned(),
            local: "10.79.1.10:4500".parse().unwrap(),
            remote: "10.79.2.10:4500".parse().unwrap(),
            nat: "none".to_owned(),
            age_ms: 61_000,
            rekey_in_ms: Some(12_000_000),
        }),
        child_sas: vec![ChildSaView {
            inbound_spi: "c0000001".to_owned(),
            outbound_spi: "c0000002".to_owned(),
            suite: "aes256gcm16-esn".to_owned(),
            aggfrag: false,
            state: ChildSaState::Active,
            age_ms: 61_000,
            rekey_in_ms: Some(3_000_000),
            received: traffic(10, 1000, 0),
            sent: traffic(20, 2000, 0),
            replay: ReplayView { window: 8192, replayed: 1, late: 2, lost: 3 },
            local_ts: vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()],
            remote_ts: vec!["0.0.0.0/0".to_owned()],
        }],
        discards: BTreeMap::from([("not_authentic".to_owned(), 4)]),
        liveness: LivenessView {
            interval_ms: 1000,
            timeout_ms: 1500,
            give_up_ms: 30_000,
            heard_ago_ms: Some(120),
        },
        data_path: DataPath::Passes,
        bgp: Some(BgpView {
            state: "Established".to_owned(),
            state_for_ms: 60_000,
            local: "fd76:706e:6777::1".parse().unwrap(),
            remote: "fd76:706e:6777::2".parse().unwrap(),
            local_asn: Asn(4_200_000_001),
            remote_asn: Asn(4_200_000_002),
            hold_time_ms: 9000,
            prefixes_announced: 2,
            last_down: None,
            peer_can: Vec::new(),
            prefixes_stale: 0,
        }),
        maps: Vec::new(),
        unreached: vec![],
        parts: vec![],
        refusals: vec![],
        suspicion: None,
        excess: 0,
        timers: vec![TimerView { what: "liveness probe".to_owned(), in_ms: 300 }],
        events: vec![EventView {
            number: 0,
            ago_ms: 60_000,
            code: Code::BgpUp,
            severity: Severity::Info,
            peer: String::new(),
            what: "BGP session up".to_owned(),
            ours: None,
            theirs: None,
            remedy: None,
        }],
    }
}

#[test]
fn every_request_survives_its_http_form() {
    for request in requests() {
        let (method, target) = request.to_http();
        assert_eq!(Request::from_http(method.as_str(), &target), Ok(request));
    }
}

#[test]
fn looking_never_acts() {
    for request in requests() {
        let (method, target) = request.to_http();
        let other = if method == Method::Get { "POST" } else { "GET" };
        let refusal = Request::from_http(other, &target).unwrap_err();
        assert_eq!(refusal.kind, FailureKind::BadRequest, "{other} {target}");
    }
}

#[test]
fn unknown_paths_are_refused() {
    for target in [
        "/",
        "",
        "/v1",
        "/v2/peers",
        "/v1/peers/a/b",
        "/v1/peers/a/rekey?sa=esp",
        "//",
        "/v1/events?after=x",
        "/v1/events?before=1",
        "/v1/events?after=1&after=2",
    ] {
        for method in ["GET", "POST", "DELETE", ""] {
            assert!(Request::from_http(method, target).is_err(), "{method} {target}");
        }
    }
}

#[test]
fn statuses_are_those_of_http() {
    let status = |kind| Reply::failed(kind, "why").to_http().status;
    assert_eq!(status(FailureKind::BadRequest), 400);
    assert_eq!(status(FailureKind::NoSuchPeer), 404);
    assert_eq!(status(FailureKind::NotNow), 409);
    assert_eq!(status(FailureKind::InvalidConfig), 422);
    assert_eq!(Reply::done("begun").to_http().status, 202);
}

#[test]
fn a_failure_is_json_too() {
    let failure = Failure::no_such_peer("x", ["a", "b"].into_iter());
    let reply = Reply::Failed(failure.clone()).to_http();
    assert_eq!(serde_json::from_str::<Failure>(&reply.body).unwrap(), failure);
    assert_eq!(
        reply.body,
        "{\"kind\":\"no_such_peer\",\"message\":\"there is no peer \\\"x\\\"; the peers are: a, b\"}\n"
    );
}

#[test]
fn codes_are_told_apart_and_a_new_one_does_not_stop_an_old_reader() {
    let names: std::collections::BTreeSet<&str> =
        Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names.len(), Code::ALL.len());
    for &code in Code::ALL {
        let json = serde_json::to_string(&code).unwrap();
        assert_eq!(json, format!("\"{code}\""));
        assert_eq!(serde_json::from_str::<Code>(&json).unwrap(), code);
    }
    assert_eq!(serde_json::from_str::<Code>("\"made-in-the-future\"").unwrap(), Code::Unknown);
}

#[test]
fn every_code_is_documented_with_its_severity() {
    let page = include_str!("../../docs/events.md");
    for code in Code::ALL {
        let severity = match code.severity() {
            Severity::Info => "info",
            Severity::Warning => "warning",
        };
        let row = format!("| `{code}` | {severity} | ");
        assert!(page.lines().any(|line| line.starts_with(&row)), "{row} is not in docs/events.md");
    }
}

#[test]
fn a_verdict_counts_everything_and_the_worst_wins() {
    let of = |change: fn(&mut PeerSummary), path| {
        let mut summary = PeerSummary { prefixes_rejected: 0, ..peer().summary };
        change(&mut summary);
        Verdict::of(&summary, path)
    };
    let passes = DataPath::Passes;
    assert_eq!(of(|_| {}, passes), Verdict::Up);
    assert_eq!(of(|peer| peer.prefixes_rejected = 1, passes), Verdict::Rejecting);
    assert_eq!(of(|peer| peer.prefixes_accepted = 0, passes), Verdict::NoRoutes);
    let waits = |peer: &mut PeerSummary| {
        (peer.bgp_waits, peer.prefixes_accepted) = (Some("Active".to_owned()), 0);
    };
    assert_eq!(of(waits, passes), Verdict::NoBgp);
    let silent = |peer: &mut PeerSummary| peer.state = PeerState::Unreachable;
    assert_eq!(of(silent, DataPath::NothingComes), Verdict::Unreachable);
    assert_eq!(of(silent, DataPath::NothingArrives), Verdict::OneWay);
    let unheard = |peer: &mut PeerSummary| {
        peer.state = PeerState::Unreachable;
        let lost = |bfd| BfdView { path: PathState::Lost, one_way: true, ..bfd };
        peer.bfd = peer.bfd.take().map(lost);
    };
    assert_eq!(of(unheard, DataPath::Unknown), Verdict::OneWay);
    assert!(Verdict::Up.is_well() && Verdict::Rejecting.is_well());
    assert!(!Verdict::NoRoutes.is_well() && !Verdict::NoBgp.is_well());
}

#[test]
fn json_of_the_peers_is_stable() {
    // Scripts read this. Adding a field is fine; this test then grows. Renaming one is not.
    let view = PeersView { gateway: gateway(), peers: vec![peer().summary] };
    let body = Reply::Peers(view).to_http().body;
    let expected = concat!(
        r#"{"gateway":{"name":"east-a","region":"cn-east","zone":"a","version":"0.1.0","#,
        r#""identity":"east-a","asn":4200000001,"router_id":"10.79.1.10","up_for_ms":90500},"#,
        r#""peers":[{"name":"north-a","vpc":"shop","remote":"10.79.2.10:4500","verdict":"rejecting","#,
        r#""state":"up","#,
        r#""state_for_ms":61000,"ike_suite":"aes256gcm16-prfsha384-curve25519","#,
        r#""esp_suite":"aes256gcm16-esn","rtt_us":1500,"#,
        r#""received":{"packets":10,"bytes":1000,"bits_per_second":2500000},"#,
        r#""sent":{"packets":20,"bytes":2000000,"bits_per_second":0},"#,
        r#""prefixes_accepted":2,"prefixes_rejected":1,"prefixes_active":2,"#,
        r#""prefixes_refused":0,"refusal":null,"key_exchange":"curve25519+mlkem768","in_tcp":true,"#,
        r#""weak_suites":[],"#,
        r#""bfd":{"path":"works","why":null,"one_way":false,"state":"Up","state_for_ms":61000,"#,
        r#""diagnostic":"NONE","remote_state":"Up","remote_diagnostic":"NONE","#,
        r#""interval_us":50000,"detection_time_us":150000,"rtt_us":1400,"losses":0},"#,
        r#""bgp_waits":null,"#,
        r#""last_failure":{"code":"no-answer","reason":"no answer","ago_ms":3700000}}]}"#,
        "\n"
    );
    assert_eq!(body, expected);
}

#[test]
fn a_peer_in_depth_reads_back() {
    let body = Reply::Peer(Box::new(peer())).to_http().body;
    assert_eq!(serde_json::from_str::<PeerView>(&body).unwrap(), peer());
    assert!(body.starts_with("{\"gateway\":\"east-a\",\"name\":\"north-a\","), "one flat object");
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let measured = || {
        let PeerView { summary, discards, .. } = peer();
        PeerMetrics {
            summary,
            path_mtu: Some(1492),
            events: BTreeMap::from([("psk-mismatch".to_owned(), 3)]),
            rekeys: [(SaKind::Ike, 1), (SaKind::Child, 9)],
            rekey_in_ms: [(SaKind::Ike, Some(1500)), (SaKind::Child, None)],
            lost: 6,
            announced: Some(2),
            discards,
            own_certificate_expires: Some(1_798_761_600),
            peer_certificate_expires: None,
            places: Vec::new(),
        }
    };
    let mut odd = measured();
    odd.summary.name = "a \"quoted\\ name\"\n".to_owned();
    let router = VirtualRouterView {
        vpc: "shop".to_owned(),
        interface: "vpc0".to_owned(),
        vrid: 1,
        family: Family::Ipv4,
        state: VirtualRouterState::Active,
        state_for_ms: 1,
        priority: 200,
        addresses: vec![],
        active_router: None,
        discards: BTreeMap::from([("version".to_owned(), 2)]),
        last_trouble: None,
    };
    let stats = StatsView {
        gateway: "east-a".to_owned(),
        ike: BTreeMap::from([("received".to_owned(), 7)]),
        discards: BTreeMap::new(),
        dataplane: BTreeMap::from([("keepalives".to_owned(), 3)]),
        host: BTreeMap::from([("retried".to_owned(), 5)]),
        host_refuses: 1,
        host_rules: Vec::new(),
    };
    let mut probed = measured();
    probed.summary.name = "probed".to_owned();
    probed.summary.probe = Some(ProbeView {
        address: Ipv4Addr::new(10, 2, 0, 10).into(),
        state: ProbeState::Poor,
        rtt_us: Some(110_000),
        mean_rtt_us: Some(90_000),
        jitter_us: Some(20_000),
        asked: 48,
        lost: 12,
    });
    let text = render_metrics(&MetricsView {
        gateway: gateway(),
        unix_ms: 1_800_000_000_000,
        events: BTreeMap::from([("reload-failed".to_owned(), 1)]),
        reload_successful: false,
        reloaded_ago_ms: 60_000,
        peers: vec![measured(), odd, probed],
        virtual_routers: vec![router],
        vpcs: vpcs(),
        nat: nat(),
        stats,
    });
    for line in [
        "# TYPE vpngw_peer_state gauge",
        "vpngw_uptime_seconds{gateway=\"east-a\"} 90.5",
        "vpngw_start_time_seconds{gateway=\"east-a\"} 1799999909.5",
        "vpngw_config_last_reload_successful{gateway=\"east-a\"} 0",
        "vpngw_config_last_reload_success_timestamp_seconds{gateway=\"east-a\"} 1799999940",
        "vpngw_events_total{gateway=\"east-a\",code=\"reload-failed\"} 1",
        "vpngw_drained{gateway=\"east-a\"} 0",
        "vpngw_peer_up{gateway=\"east-a\",peer=\"north-a\",vpc=\"shop\"} 1",
        "vpngw_peer_verdict{gateway=\"east-a\",peer=\"north-a\",vpc=\"shop\",verdict=\"up, rejects\"} 1",
        "vpngw_peer_events_total{gateway=\"east-a\",peer=\"north-a\",vpc=\"shop\",code=\"psk-mismatch\"} 3",
        "vpngw_peer_rekeys_total{gateway=\"east-a\",peer=\"north-a\",vpc=\"shop\",sa=\"child\"} 9",
        "vpngw_peer_next_rekey_timestamp_seconds{gateway=\"east-a\",peer=\"north-a\",vpc=\"shop\",sa=\"ike\"} 1800000001.5",
        "vpngw_peer_lost_packets{gateway=\"east-a\",peer=\"north-a\",vpc=\"shop\"} 6",
        "vpngw_peer_bgp_up{gateway=\"east-a\",peer=\"north-a\",vpc=\"shop\"} 1",
        "vpngw_peer_state{gateway=\"east-a\",peer=\"north-a\",vpc=\"shop\",state=\"up\"} 1",
        "vpngw_peer_state{gateway=\"east-a\",peer=\"north-a\",vpc=\"shop\",state=\"down\"} 0",
        "vpngw_certificate_expires_seconds{gateway=\"east-a\",peer=\"north-a\",vpc=\"shop\",\
         side=\"own\"} 1798761600",
        "vpngw_peer_rtt_seconds{gateway=\"east-a\",peer=\"north-a\",vpc=\"shop\"} 0.0015",
        "vpngw_peer_sent_bytes_total{gateway=\"east-a\",peer=\"north-a\",vpc=\"shop\"} 2000000",
        "vpngw_peer_discards_total{gateway=\"east-a\",peer=\"a \\\"quoted\\\\ name\\\"\\n\",\
         vpc=\"shop\",reason=\"not_authentic\"} 4",
        "vpngw_peer_probe_answers{gateway=\"east-a\",peer=\"probed\",vpc=\"shop\"} 1",
        "vpngw_peer_probe_poor{gateway=\"east-a\",peer=\"probed\",vpc=\"shop\"} 1",
        "vpngw_peer_probe_rtt_seconds{gateway=\"east-a\",peer=\"probed\",vpc=\"shop\"} 0.09",
        "vpngw_peer_probe_jitter_seconds{gateway=\"east-a\",peer=\"probed\",vpc=\"shop\"} 0.02",
        "vpngw_peer_probe_loss_ratio{gateway=\"east-a\",peer=\"probed\",vpc=\"shop\"} 0.25",
        "vpngw_vrrp_active{gateway=\"east-a\",vpc=\"shop\",interface=\"vpc0\",vrid=\"1\",\
         family=\"IPv4\"} 1",
        "vpngw_vrrp_discards_total{gateway=\"east-a\",vpc=\"shop\",interface=\"vpc0\",vrid=\"1\",\
         family=\"IPv4\",reason=\"version\"} 2",
        "vpngw_segment_up{gateway=\"east-a\",vpc=\"red\"} 1",
        "vpngw_segment_stations{gateway=\"east-a\",vpc=\"red\"} 1",
        "vpngw_segment_refused_packets_total{gateway=\"east-a\",vpc=\"red\"} 4",
        "vpngw_vtep_received_packets_total{gateway=\"east-a\",vpc=\"red\",vtep=\"10.9.1.11\"} 12",
        "vpngw_unknown_vni_packets_total{gateway=\"east-a\"} 9",
        "vpngw_nat_up{gateway=\"east-a\",vpc=\"red\"} 1",
        "vpngw_nat_connections{gateway=\"east-a\",vpc=\"red\"} 1007",
        "vpngw_nat_spoofed_packets_total{gateway=\"east-a\",vpc=\"red\"} 10",
        "vpngw_nat_begun_connections_total{gateway=\"east-a\",vpc=\"red\",address=\"203.0.113.18\",\
         ports=\"tcp/80\"} 1000",
        "vpngw_nat_begun_connections_total{gateway=\"east-a\",vpc=\"red\",address=\"203.0.113.18\",\
         ports=\"egress\"} 12",
        "vpngw_ike_total{gateway=\"east-a\",outcome=\"received\"} 7",
        "vpngw_dataplane_total{gateway=\"east-a\",event=\"keepalives\"} 3",
        "vpngw_host_total{gateway=\"east-a\",event=\"retried\"} 5",
        "vpngw_host_refusals{gateway=\"east-a\"} 1",
        "vpngw_peer_prefixes{gateway=\"east-a\",peer=\"north-a\",vpc=\"shop\",\
         state=\"refused_by_host\"} 0",
    ] {
        assert!(text.lines().any(|have| have == line), "{line}\nis missing in\n{text}");
    }
    let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let mut once = headings.clone();
    once.dedup();
    assert_eq!(headings, once, "a metric is declared once");
}

#[test]
fn pages_together_are_the_whole() {
    let route = |text: &str| RouteView {
        next_hop: None,
        prefix: text.parse().unwrap(),
        local: true,
        active: None,
        shared: vec![],
        reason: "our own".to_owned(),
        paths: vec![],
    };
    let vpc = |name: &str, routes: &[&str]| VpcRoutes {
        vpc: name.to_owned(),
        routes: routes.iter().map(|text| route(text)).collect(),
        rejected: vec![],
    };
    let page = |vpcs| Reply::Routes(RoutesView { gateway: "east-a".to_owned(), vpcs });
    let mut whole = page(vec![vpc("blue", &["10.1.0.0/16"]), vpc("red", &["10.2.0.0/16"])]);
    whole.extend(page(vec![vpc("red", &["10.3.0.0/16"]), vpc("shop", &[])]));
    let red = vpc("red", &["10.2.0.0/16", "10.3.0.0/16"]);
    assert_eq!(whole, page(vec![vpc("blue", &["10.1.0.0/16"]), red, vpc("shop", &[])]));
    whole.extend(Reply::failed(FailureKind::NotNow, "the gateway is ending"));
    assert!(matches!(whole, Reply::Failed(_)));
}

proptest! {
    #[test]
    fn any_peer_name_survives_the_path(name in "\\PC{1,40}") {
        let request = Request::Rekey { peer: name, sa: SaKind::Child };
        let (method, target) = request.to_http();
        prop_assert!(target.is_ascii());
        prop_assert_eq!(Request::from_http(method.as_str(), &target), Ok(request));
    }

    #[test]
    fn any_target_is_a_request_or_a_refusal(method in ".{0,8}", target in ".{0,60}") {
        let _ = Request::from_http(&method, &target);
        let _ = Request::from_http("GET", &format!("/v1/peers/{target}"));
    }
}
