//! The settings of a tunnel that `[defaults]` may give for all peers and `[[peer]]` for one.

use super::diagnostics::{Fault, Report};
use super::reader::{Section, described};
use super::{Bfd, Lifetimes, Liveness, defaults, limits, rate, words};
use crate::crypto::suite::{
    DEFAULT_IKE_SUITES, EspSuite, IkeSuite, PostQuantum, default_esp_suites,
};
use crate::net::{Encapsulation, OuterDscp, Prefix};
use std::num::NonZeroU64;
use std::time::Duration;
use toml::de::DeValue;

pub(super) const KEYS: [&str; 22] = [
    "ike_suites",
    "esp_suites",
    "post_quantum",
    "ike_lifetime",
    "child_lifetime",
    "child_bytes",
    "child_packets",
    "liveness",
    "bfd",
    "replay_window",
    "local_preference",
    "hold_time",
    "ttl_security",
    "max_prefixes",
    "initiate",
    "force_encapsulation",
    "mobike",
    "aggfrag",
    "encapsulation",
    "constant_rate",
    "rate_limit",
    "dscp",
];

const LIVENESS_KEYS: [&str; 3] = ["interval", "timeout", "give_up"];
const BFD_KEYS: [&str; 2] = ["interval", "multiplier"];

/// How a tunnel is run.
#[derive(Clone, Debug)]
pub(super) struct Tuning {
    pub(super) ike_suites: Vec<IkeSuite>,
    /// As written; without that they follow `ike_suites`.
    pub(super) esp_suites: Option<Vec<EspSuite>>,
    pub(super) post_quantum: PostQuantum,
    pub(super) lifetimes: Lifetimes,
    pub(super) liveness: Liveness,
    pub(super) bfd: Option<Bfd>,
    pub(super) replay_window: u32,
    pub(super) local_preference: u32,
    pub(super) hold_time: Duration,
    pub(super) ttl_security: Option<bool>,
    pub(super) max_prefixes: u32,
    pub(super) initiate: Option<bool>,
    pub(super) force_encapsulation: bool,
    pub(super) mobike: bool,
    pub(super) aggfrag: bool,
    pub(super) encapsulation: Encapsulation,
    pub(super) constant_rate: Option<NonZeroU64>,
    pub(super) rate_limit: Option<NonZeroU64>,
    pub(super) dscp: OuterDscp,
    /// Selectors of both sides where the file says none; else what the routing suggests.
    pub(super) selectors: Option<Vec<Prefix>>,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            ike_suites: DEFAULT_IKE_SUITES.to_vec(),
            esp_suites: None,
            post_quantum: PostQuantum::default(),
            lifetimes: defaults::LIFETIMES,
            liveness: defaults::LIVENESS,
            bfd: Some(defaults::BFD),
            replay_window: defaults::REPLAY_WINDOW,
            local_preference: defaults::LOCAL_PREFERENCE,
            hold_time: defaults::BGP_HOLD_TIME,
            ttl_security: None,
            max_prefixes: defaults::MAX_PREFIXES,
            initiate: None,
            force_encapsulation: true,
            mobike: false,
            aggfrag: false,
            encapsulation: Encapsulation::default(),
            constant_rate: None,
            rate_limit: None,
            dscp: OuterDscp::default(),
            selectors: None,
        }
    }
}

impl Tuning {
    /// These settings, changed by what stands in `section`.
    pub(super) fn read_over(&self, section: &Section<'_>, report: &mut Report) -> Tuning {
        let hold_time = words::duration("the hold time", limits::BGP_HOLD_TIME);
        let local_preference = words::integer("the local preference", 0..=u32::MAX);
        let max_prefixes = words::integer("a number of prefixes", 1..=1_000_000);
        Tuning {
            ike_suites: suites(section, "ike_suites", words::ike_suite, report)
                .unwrap_or_else(|| self.ike_suites.clone()),
            esp_suites: suites(section, "esp_suites", words::esp_suite, report)
                .or_else(|| self.esp_suites.clone()),
            post_quantum: section
                .optional("post_quantum", words::post_quantum, report)
                .unwrap_or(self.post_quantum),
            lifetimes: lifetimes(section, self.lifetimes, report),
            liveness: liveness(section, self.liveness, report),
            bfd: bfd(section, self.bfd, report),
            replay_window: section
                .optional("replay_window", words::replay_window, report)
                .unwrap_or(self.replay_window),
            local_preference: section
                .optional("local_preference", local_preference, report)
                .unwrap_or(self.local_preference),
            hold_time: section
                .optional("hold_time", hold_time, report)
                .map_or(self.hold_time, whole_seconds),
            ttl_security: section
                .optional("ttl_security", words::boolean, report)
                .or(self.ttl_security),
            max_prefixes: section
                .optional("max_prefixes", max_prefixes, report)
                .unwrap_or(self.max_prefixes),
            initiate: section.optional("initiate", words::boolean, report).or(self.initiate),
            force_encapsulation: section
                .optional("force_encapsulation", words::boolean, report)
                .unwrap_or(self.force_encapsulation),
            mobike: section.optional("mobike", words::boolean, report).unwrap_or(self.mobike),
            aggfrag: section.optional("aggfrag", words::boolean, report).unwrap_or(self.aggfrag),
            encapsulation: section
                .optional("encapsulation", words::encapsulation, report)
                .unwrap_or(self.encapsulation),
            constant_rate: section
                .optional("constant_rate", rate::constant, report)
                .or(self.constant_rate),
            rate_limit: section.optional("rate_limit", rate::limit, report).or(self.rate_limit),
            dscp: section.optional("dscp", words::outer_dscp, report).unwrap_or(self.dscp),
            selectors: self.selectors.clone(),
        }
    }

    /// A `constant_rate` of one peer goes before the `rate_limit` of all; anything else is a contradiction.
    pub(super) fn check_one_rate(&self, section: &Section<'_>, report: &mut Report) {
        if self.constant_rate.is_some() && section.raw("rate_limit").is_some() {
            let fault =
                Fault::new("`rate_limit` stands beside `constant_rate`, which is a limit already")
                    .label("one of them")
                    .help("leave one of them out");
            report.add(section.span_of("rate_limit"), fault);
        }
    }

    /// Offered and accepted for Child SAs.
    pub(super) fn esp_suites(&self) -> Vec<EspSuite> {
        self.esp_suites.clone().unwrap_or_else(|| default_esp_suites(&self.ike_suites))
    }
}

/// Hold Time travels in whole seconds (RFC 4271 §4.2).
fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

fn suites<S: PartialEq>(
    section: &Section<'_>,
    key: &str,
    parser: impl super::reader::Parser<S>,
    report: &mut Report,
) -> Option<Vec<S>> {
    let written = section.list(key, parser, report)?;
    let nothing_written = section.raw(key).and_then(|raw| raw.get_ref().as_array());
    if nothing_written.is_some_and(|items| items.is_empty()) {
        let fault = Fault::new(format!("`{key}` is empty, so no tunnel could come up"));
        report.add(section.span_of(key), fault.help("leave it out for the default suites"));
    }
    Some(written.into_iter().map(|at| at.value).collect())
}

fn lifetimes(section: &Section<'_>, base: Lifetimes, report: &mut Report) -> Lifetimes {
    let time = || words::duration("a lifetime", limits::LIFETIME);
    let bytes = words::integer("a lifetime in bytes", limits::CHILD_BYTES);
    let packets = words::integer("a lifetime in packets", limits::CHILD_PACKETS);
    Lifetimes {
        ike: section.optional("ike_lifetime", time(), report).unwrap_or(base.ike),
        child: section.optional("child_lifetime", time(), report).unwrap_or(base.child),
        child_bytes: section.optional("child_bytes", bytes, report).unwrap_or(base.child_bytes),
        child_packets: section
            .optional("child_packets", packets, report)
            .unwrap_or(base.child_packets),
    }
}

fn liveness(section: &Section<'_>, base: Liveness, report: &mut Report) -> Liveness {
    let Some(section) = section.subsection("liveness", &LIVENESS_KEYS, report) else { return base };
    let time = || words::duration("a time of liveness", limits::LIVENESS);
    let read = Liveness {
        interval: section.optional("interval", time(), report).unwrap_or(base.interval),
        timeout: section.optional("timeout", time(), report).unwrap_or(base.timeout),
        give_up: section.optional("give_up", time(), report).unwrap_or(base.give_up),
    };
    if read.timeout < read.interval || read.give_up <= read.timeout {
        let Liveness { interval, timeout, give_up } = read;
        let fault = Fault::new(format!(
            "`timeout` ({timeout:?}) must not be shorter than `interval` ({interval:?}), \
             and `give_up` ({give_up:?}) must be longer than both"
        ));
        let fault = fault.label("out of order").help(
            "for example liveness = { interval = \"1s\", timeout = \"1.5s\", give_up = \"30s\" }",
        );
        report.add(section.span(), fault);
    }
    read
}

/// `bfd = { interval = "50ms", multiplier = 3 }`, or `bfd = false`.
fn bfd(section: &Section<'_>, base: Option<Bfd>, report: &mut Report) -> Option<Bfd> {
    let raw = section.raw("bfd").map(|raw| raw.get_ref());
    if let Some(on) = raw.and_then(DeValue::as_bool) {
        return on.then(|| base.unwrap_or(defaults::BFD));
    }
    if let Some(other) = raw.filter(|raw| !matches!(raw, DeValue::Table(_))) {
        let message = format!("`bfd` is neither a table nor false, but {}", described(other));
        let help = "write bfd = { interval = \"50ms\", multiplier = 3 }, or bfd = false";
        report.add(section.span_of("bfd"), Fault::new(message).label("here").help(help));
        return base;
    }
    let Some(section) = section.subsection("bfd", &BFD_KEYS, report) else { return base };
    let interval = words::duration("the interval of BFD", limits::BFD_INTERVAL);
    let multiplier = words::integer("the multiplier of BFD", limits::BFD_MULTIPLIER);
    let base = base.unwrap_or(defaults::BFD);
    Some(Bfd {
        interval: section.optional("interval", interval, report).unwrap_or(base.interval),
        multiplier: section.optional("multiplier", multiplier, report).unwrap_or(base.multiplier),
    })
}
