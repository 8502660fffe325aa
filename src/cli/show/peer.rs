//! One peer in depth.

use super::super::look::{BAD, FAINT, GOOD, Look, STRONG};
use super::super::sheet::wrapped;
use super::super::units::{rate, round_trip, span, volume};
use super::peers::weak_suites;
use crate::control::{
    BfdView, BgpView, CertificateView, CertificatesView, ChildSaView, FailureView, IkeSaView,
    LivenessView, NameView, PathState, PeerState, PeerSummary, PeerView, PlaceView, ProbeState,
    ProbeView, RefusalView, Traffic,
};
use crate::net::is_streamed;
use std::net::SocketAddr;

/// By then a peer has been asked at its addresses, and has had the time to answer.
const FIRST_ANSWERS_MS: u64 = 10_000;
/// Width of the column of names.
const NAMES: usize = 13;

/// One peer in depth: a name and a fact on each line.
pub(in super::super) fn peer(view: &PeerView, look: Look) -> String {
    let mut facts = Facts { lines: vec![title(view, look)], look };
    identity(view, &mut facts);
    tunnel(view, &mut facts);
    if let Some(ike) = &view.ike_sa {
        facts.add("key exchange", &key_exchange(ike, view.summary.key_exchange.as_deref()));
    }
    if let Some(bgp) = &view.bgp {
        facts.add("BGP", &session(bgp));
        if !bgp.peer_can.is_empty() {
            facts.add("the peer can", &bgp.peer_can.join(", "));
        }
        if bgp.prefixes_stale > 0 {
            let stale = counted(bgp.prefixes_stale.into(), "prefix waits", "prefixes wait");
            facts.add("stale", &format!("{stale} to be announced again"));
        }
    }
    facts.add("prefixes", &prefixes(view));
    for map in &view.maps {
        facts.add("known as", &format!("{}, which is {} here", map.outside, map.inside));
    }
    for (reason, count) in &view.discards {
        facts.add("discarded", &format!("{count} × {}", reason.replace('_', " ")));
    }
    for prefix in &view.unreached {
        facts.add("not carried", &format!("{prefix}: no Child SA permits it"));
    }
    for part in &view.parts {
        facts.add("carried only", part);
    }
    for refusal in &view.refusals {
        let RefusalView { what, reason, times } = refusal;
        let times = counted((*times).into(), "time", "times");
        facts.add("refused", &format!("by the host, {times}: {what}: {reason}"));
    }
    if let Some(suites) = weak_suites(&view.summary) {
        facts.add("warning", &format!("may use weak algorithms (allow_weak): {suites}"));
    }
    failures(view, &mut facts);
    if let Some(name) = &view.host_name
        && let Some(ms) = name.next_look_up_in_ms
    {
        facts.add("next", &format!("in {}: look {} up", span(ms), name.name));
    }
    for timer in &view.timers {
        facts.add("next", &format!("in {}: {}", span(timer.in_ms), timer.what));
    }
    for event in &view.events {
        facts.add("event", &format!("{} ago: {}", span(event.ago_ms), event.what));
    }
    facts.lines.join("\n")
}

/// Whether all is well with the peer.
pub(in super::super) fn is_well(view: &PeerView) -> bool {
    view.summary.verdict.is_well()
}

/// What the peer has done wrong, and what somebody at its address.
fn failures(view: &PeerView, facts: &mut Facts) {
    let words = |failure: &FailureView| {
        let FailureView { ago_ms, reason, code, .. } = failure;
        format!("{} ago: {reason} [{code}]", span(*ago_ms))
    };
    if let Some(failure) = view.summary.last_failure.as_ref().filter(|failure| !failure.unproven) {
        facts.add("last failure", &words(failure));
        remedy(failure, facts);
    }
    if let Some(refused) = &view.suspicion {
        let somebody = "(somebody at its address, not proved to be the peer)";
        facts.add("refused", &format!("{} {somebody}", words(refused)));
        remedy(refused, facts);
    }
    if view.excess > 0 {
        let times = counted(view.excess, "time", "times");
        facts.add("put off", &format!("{times}: it asks for more than one peer may have"));
    }
}

/// What both sides have or want, where they differ, and what to do.
fn remedy(failure: &FailureView, facts: &mut Facts) {
    let lines = [("ours", &failure.ours), ("theirs", &failure.theirs), ("to do", &failure.remedy)];
    for (name, text) in lines {
        text.iter().for_each(|text| facts.add(name, text));
    }
}

/// Lines of a name and a fact; a name that repeats is written once.
struct Facts {
    lines: Vec<String>,
    look: Look,
}

impl Facts {
    fn add(&mut self, name: &str, fact: &str) {
        if !self.look.aligned {
            self.lines.push(format!("{name}\t{}", fact.replace(['\t', '\n'], " ")));
            return;
        }
        let room = self.look.width.saturating_sub(NAMES + 2);
        let mut name = format!("{name:NAMES$}");
        for line in wrapped(fact, room) {
            self.lines.push(format!("  {}{line}", self.look.paint(FAINT, &name)));
            name = " ".repeat(NAMES);
        }
    }
}

fn title(view: &PeerView, look: Look) -> String {
    let summary = &view.summary;
    let style = if summary.verdict.is_well() { GOOD } else { BAD };
    let state = look.paint(style, &summary.verdict.to_string());
    let since = span(summary.state_for_ms);
    if !look.aligned {
        let PeerSummary { name, vpc, .. } = summary;
        let gateway = &view.gateway;
        return format!("gateway\t{gateway}\npeer\t{name}\nVPC\t{vpc}\nstate\t{state} for {since}");
    }
    let name = look.paint(STRONG, &summary.name);
    format!("{} → {name} is {state} for {since}, VPC {}", view.gateway, summary.vpc)
}

fn identity(view: &PeerView, facts: &mut Facts) {
    let unknown = if view.host_name.is_some() { "no address yet" } else { "any address" };
    let remote = view.summary.remote.map_or(unknown.to_owned(), |remote| remote.to_string());
    let how = view.authentication.replace('_', " ");
    facts.add("remote", &format!("{remote} as {}, by {how}", view.remote_identity));
    if let Some(name) = &view.host_name {
        host_name(name, facts);
    }
    for place in &view.places {
        facts.add("address", &address(place));
    }
    if let Some(why) = unmeasured(view) {
        facts.add("measured", why);
    }
    let local = view.local.map_or("no address yet".to_owned(), end);
    facts.add("local", &format!("{local} as {}", view.local_identity));
    if let Some(why) = carrier(view) {
        facts.add("carried", &why);
    }
    let CertificatesView { own, peer } = &view.certificates;
    for (whose, view) in [("peer's", peer), ("our own", own)] {
        if let Some(view) = view {
            facts.add("certificate", &format!("{whose}: {}", certificate(view)));
        }
    }
}

/// Our end of the tunnel: in TCP it has no port.
fn end(local: SocketAddr) -> String {
    if is_streamed(local) { local.ip().to_string() } else { local.to_string() }
}

/// In what the tunnel goes, and why, if that is not UDP.
fn carrier(view: &PeerView) -> Option<String> {
    let silent = view.udp_silent_for_ms.map(span);
    match (view.summary.in_tcp, silent) {
        (true, Some(since)) => Some(format!("in TCP: UDP has not been answered for {since}")),
        (true, None) => Some("in TCP".to_owned()),
        (false, Some(since)) => {
            Some(format!("tried in TCP: UDP has not been answered for {since}"))
        }
        (false, None) => None,
    }
}

/// One of the addresses of a peer that has several.
fn address(place: &PlaceView) -> String {
    let PlaceView { address, local, in_use, mean_rtt_us, jitter_us, asked, lost } = place;
    let from = local.map_or("no way from here".to_owned(), |local| format!("from {local}"));
    let used = if *in_use { ", in use" } else { "" };
    let fares = match (mean_rtt_us.zip(*jitter_us), asked == lost) {
        (Some(times), _) => quality(times, (*lost, *asked)),
        (None, true) if *asked > 0 => format!(", {asked} questions without an answer"),
        (None, _) => String::new(),
    };
    format!("{address} {from}{used}{fares}")
}

/// Why the addresses of a peer that is up are not measured.
fn unmeasured(view: &PeerView) -> Option<&'static str> {
    let is_asked = view.places.iter().any(|place| place.asked > 0 || place.mean_rtt_us.is_some());
    let is_new = view.summary.state_for_ms < FIRST_ANSWERS_MS;
    if view.places.is_empty() || is_asked || is_new || view.summary.state != PeerState::Up {
        return None;
    }
    Some(match view.summary.in_tcp {
        true => "nothing, in TCP",
        false => "nothing from here: the peer has begun the IKE SA",
    })
}

/// What the name of the peer means, and what it should not.
fn host_name(view: &NameView, facts: &mut Facts) {
    let NameView { name, addresses, complaints, failure, .. } = view;
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let known = match addresses.as_slice() {
        [] => "not resolved yet".to_owned(),
        _ => addresses.join(", "),
    };
    let ago = |ms: u64| format!("; looked up {} ago", span(ms));
    let when = view.looked_up_ago_ms.map(ago).unwrap_or_default();
    facts.add("name", &format!("{name}: {known}{when}"));
    failure.iter().chain(complaints).for_each(|text| facts.add("warning", text));
}

fn certificate(view: &CertificateView) -> String {
    let CertificateView { certificate, authority, expires, expires_in_s, .. } = view;
    let distance = span(expires_in_s.unsigned_abs().saturating_mul(1000));
    let when = match *expires_in_s < 0 {
        true => format!("EXPIRED {distance} ago, on {expires}"),
        false => format!("until {expires}, for {distance}"),
    };
    let list = match &view.stale_crl {
        Some(issuer) => {
            format!("; the revocation list of {issuer} is old: put a newer one into `crl`")
        }
        None => String::new(),
    };
    format!("{certificate}, by {authority}, {when}{list}")
}

fn tunnel(view: &PeerView, facts: &mut Facts) {
    facts.add("liveness", &liveness(&view.liveness, view.summary.rtt_us));
    if let Some(probe) = &view.summary.probe {
        facts.add("beyond", &beyond(probe));
    }
    if let Some(bfd) = &view.summary.bfd {
        facts.add("BFD", &path(bfd));
    }
    facts.add("ESP", &view.data_path.to_string());
    facts.add("received", &traffic(&view.summary.received));
    facts.add("sent", &traffic(&view.summary.sent));
    if let Some(bits) = view.rate_limit {
        facts.add("rate limit", &limit(bits.get(), view));
    }
    if let Some(mtu) = view.inner_mtu {
        facts.add("MTU", &format!("{mtu} bytes inside the tunnel{}", underlay(view)));
    }
    match &view.ike_sa {
        Some(sa) => facts.add("IKE SA", &ike_sa(sa)),
        None => facts.add("IKE SA", "none"),
    }
    if let Some(packing) = packing(view) {
        facts.add("AGGFRAG", &packing);
    }
    for sa in &view.child_sas {
        child_sa(sa, facts);
    }
}

/// What the peer is sent at most, and what that has cost.
fn limit(bits: u64, view: &PeerView) -> String {
    let dropped = view.discards.get("rate_limit").copied().unwrap_or(0);
    let packets = if dropped == 1 { "packet" } else { "packets" };
    format!("{} to the peer, {dropped} {packets} dropped so that flows slow down", rate(bits))
}

/// What came of the wish that packets share datagrams.
fn packing(view: &PeerView) -> Option<String> {
    let sa = view.child_sas.first().filter(|_| view.aggfrag)?;
    Some(match (sa.aggfrag, view.constant_rate) {
        (true, None) => "small packets share datagrams, long ones are cut (RFC 9347)".to_owned(),
        (true, Some(bits)) => {
            format!("datagrams leave at {}, whatever is inside (RFC 9347)", rate(bits.get()))
        }
        (false, _) => {
            "the peer has not agreed: it needs `aggfrag = true`, too, or does not know it"
                .to_owned()
        }
    })
}

fn underlay(view: &PeerView) -> String {
    let Some(path) = &view.path_mtu else { return String::new() };
    let how = match path.known_by.as_str() {
        "icmp" => "as a router says",
        "probed" => "as probed",
        _ => "as configured, not probed",
    };
    let less = match path.bytes < path.configured {
        true => format!(", less than `underlay_mtu` = {}", path.configured),
        false => String::new(),
    };
    format!("; the path carries {}, {how}{less}", path.bytes)
}

/// Whether the host behind the peer answers.
fn beyond(probe: &ProbeView) -> String {
    let address = probe.address;
    let times = probe.mean_rtt_us.zip(probe.jitter_us);
    let quality = times.map(|times| quality(times, (probe.lost, probe.asked)));
    let quality = quality.unwrap_or_default();
    match (probe.state, probe.rtt_us) {
        (ProbeState::Unknown, _) => format!("{address} is asked"),
        (ProbeState::Answers, None) => format!("{address} answers{quality}"),
        (ProbeState::Answers, Some(rtt)) => {
            format!("{address} answers, round trip {}{quality}", round_trip(rtt))
        }
        (ProbeState::Silent, _) => format!("{address} does not answer: others go first"),
        (ProbeState::Poor, _) => {
            format!("{address} answers, and the way there is poor: others go first{quality}")
        }
    }
}

/// What the last questions to that host have shown, once they are enough.
fn quality((mean, jitter): (u64, u64), (lost, asked): (u32, u32)) -> String {
    let [mean, jitter] = [mean, jitter].map(round_trip);
    format!(", mean {mean}, jitter {jitter}, {lost} of {asked} lost")
}

fn liveness(view: &LivenessView, rtt_us: Option<u64>) -> String {
    let mut facts = Vec::new();
    facts.extend(rtt_us.map(|rtt| format!("round trip {}", round_trip(rtt))));
    facts.push(match view.heard_ago_ms {
        Some(ago) => format!("heard {} ago", span(ago)),
        None => "never heard".to_owned(),
    });
    facts.push(format!(
        "probed every {}, unreachable after {}, given up after {}",
        span(view.interval_ms),
        precise_span(view.timeout_ms),
        span(view.give_up_ms)
    ));
    facts.join("; ")
}

fn path(view: &BfdView) -> String {
    let why = view.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
    let mut facts = vec![format!("the path {}{why}", said(view))];
    facts.push(format!("{} for {}", view.state, span(view.state_for_ms)));
    facts.extend(view.remote_state.as_ref().map(|state| format!("the peer's is {state}")));
    let every = round_trip(view.interval_us);
    let after = round_trip(view.detection_time_us);
    facts.push(format!("a packet every {every}, lost after {after}"));
    facts.extend(view.rtt_us.map(|rtt| format!("round trip {}", round_trip(rtt))));
    if view.losses > 0 {
        facts.push(format!("lost {} of late", counted(view.losses.into(), "time", "times")));
    }
    facts.join("; ")
}

fn said(view: &BfdView) -> &'static str {
    match view.path {
        PathState::Unwatched => "is not watched: the peer does not speak BFD",
        PathState::Works => "works",
        PathState::Lost => "is lost",
        PathState::Held => "works again, and others are preferred for a while",
    }
}

/// A short span to the tenth of a second.
fn precise_span(millis: u64) -> String {
    match millis {
        1000..60_000 if !millis.is_multiple_of(1000) => format!("{:.1}s", millis as f64 / 1e3),
        _ => span(millis),
    }
}

fn traffic(traffic: &Traffic) -> String {
    let Traffic { packets, bytes, bits_per_second } = *traffic;
    format!("{} in {packets} packets, now {}", volume(bytes), rate(bits_per_second))
}

/// Whether keys hold against who has a quantum computer later, and whether somebody between both ends
/// could have made them worse than both can.
fn key_exchange(sa: &IkeSaView, by: Option<&str>) -> String {
    let holds = match (sa.beside.is_empty(), sa.ppk) {
        (true, false) => "not post-quantum: the peer, or post_quantum, leaves ML-KEM out",
        (true, true) => "post-quantum by the pre-shared key in use (ppk_file)",
        (false, false) => "post-quantum",
        (false, true) => "post-quantum, with a pre-shared key in use (ppk_file), too",
    };
    let transcript = match sa.transcript {
        true => "all of IKE_SA_INIT authenticated",
        false => "the peer does not authenticate all of IKE_SA_INIT",
    };
    format!("{}, {holds}; {transcript}", by.unwrap_or("unknown"))
}

fn ike_sa(sa: &IkeSaView) -> String {
    let nat = match sa.nat.as_str() {
        "none" => "no NAT".to_owned(),
        side => format!("NAT or forced encapsulation at {side}"),
    };
    format!(
        "{}_i {}_r, {}, we are {}, {nat}, age {}{}",
        sa.initiator_spi,
        sa.responder_spi,
        sa.suite,
        sa.role,
        span(sa.age_ms),
        rekey(sa.rekey_in_ms)
    )
}

fn rekey(in_ms: Option<u64>) -> String {
    in_ms.map_or(String::new(), |in_ms| format!(", rekeyed in {}", span(in_ms)))
}

fn child_sa(sa: &ChildSaView, facts: &mut Facts) {
    facts.add(
        "Child SA",
        &format!(
            "{}_in {}_out, {}, {}, age {}{}",
            sa.inbound_spi,
            sa.outbound_spi,
            sa.suite,
            sa.state,
            span(sa.age_ms),
            rekey(sa.rekey_in_ms)
        ),
    );
    let (received, sent) = (&sa.received, &sa.sent);
    let now = format!("{} in, {} out", rate(received.bits_per_second), rate(sent.bits_per_second));
    let whole = format!("{} in, {} out", volume(received.bytes), volume(sent.bytes));
    facts.add("carries", &format!("{now}; {whole} so far"));
    facts.add("selectors", &format!("{} ↔ {}", sa.local_ts.join(" "), sa.remote_ts.join(" ")));
    let replay = &sa.replay;
    let counts =
        format!("{} lost, {} late, {} replayed", replay.lost, replay.late, replay.replayed);
    facts.add("replay", &format!("window of {} packets: {counts}", replay.window));
}

fn session(bgp: &BgpView) -> String {
    let down = bgp.last_down.as_ref().map_or(String::new(), |why| format!("; last down: {why}"));
    format!(
        "{} for {} with AS{}, {} → {}, hold time {}, {} announced{down}",
        bgp.state,
        span(bgp.state_for_ms),
        bgp.remote_asn,
        bgp.local,
        bgp.remote,
        span(bgp.hold_time_ms),
        counted(bgp.prefixes_announced.into(), "prefix", "prefixes")
    )
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn prefixes(view: &PeerView) -> String {
    let PeerSummary { prefixes_accepted, prefixes_rejected, prefixes_active, .. } = &view.summary;
    let refused = match view.summary.prefixes_refused {
        0 => String::new(),
        refused => format!(", {refused} refused by the host"),
    };
    let weight = view.weight.map_or_else(String::new, |weight| format!(", weight {weight}"));
    let shares = match view.shares_with.as_slice() {
        [] => String::new(),
        others => format!("; shared with {}", others.join(", ")),
    };
    format!(
        "{prefixes_accepted} accepted, {prefixes_rejected} rejected, {prefixes_active} in use{refused}; \
         local preference {}{weight}{shares}",
        view.local_preference
    )
}
