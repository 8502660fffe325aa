//! Whether the packet filter of this host forwards a VPC's packets: one that begins a connection, and of
//! which only the devices are known, goes through the chains of the forward hook
//! (`libnftables-json(5)`). Only what is sure is told: where a rule asks for more than is known, the
//! packet may pass.

use super::Finding;
use crate::config::VpcConfig;
use crate::os::nft;
use serde::Deserialize;
use serde_json::Value;

/// Chains that call each other are followed so far.
const DEPTH: usize = 16;
/// Tables of ours begin so.
const OURS: &str = "vpngw";

/// The devices of a packet.
#[derive(Clone, Copy, Debug)]
struct Way<'a> {
    from: &'a str,
    to: &'a str,
}

/// What becomes of a packet in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Accepted,
    Dropped,
    /// It depends on what is not known here.
    Open,
}

/// Whether a packet is one that a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Meant {
    No,
    Perhaps,
    Yes,
}

#[derive(Debug, Deserialize)]
struct Document {
    nftables: Vec<Item>,
}

/// What there is in a ruleset; of what is none of these nothing is said.
#[derive(Debug, Default, Deserialize)]
struct Item {
    chain: Option<Chain>,
    rule: Option<Rule>,
}

#[derive(Debug, Deserialize)]
struct Chain {
    family: String,
    table: String,
    name: String,
    hook: Option<String>,
    policy: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    family: String,
    table: String,
    chain: String,
    #[serde(default)]
    expr: Vec<Value>,
}

/// What the packet filter does with packets between a VPC's hosts and its tunnels.
pub(super) fn of(vpc: &VpcConfig) -> Vec<Finding> {
    let Some(interface) = &vpc.interface else { return Vec::new() };
    let namespace = vpc.netns.as_deref();
    let Ok(Some(json)) = nft::ruleset(namespace) else { return Vec::new() };
    let Ok(ruleset) = serde_json::from_str::<Document>(&json) else { return Vec::new() };
    let ways = [Way { from: interface, to: &vpc.tun }, Way { from: &vpc.tun, to: interface }];
    let inside = namespace.map_or_else(String::new, |name| format!("ip netns exec {name} "));
    let findings = ways.iter().filter_map(|way| ruleset.stops(*way).map(|chain| (way, chain)));
    findings
        .map(|(Way { from, to }, chain)| {
            let Chain { family, table, name, .. } = chain;
            let what = format!(
                "the packet filter drops what VPC {} forwards from {from} to {to}: chain {name} of table \
                 {family} {table} accepts none of it",
                vpc.name
            );
            Finding::bad("firewall", what, format!("{inside}{}", chain.opening(from, to)))
        })
        .collect()
}

impl Chain {
    /// The command that lets packets pass.
    fn opening(&self, from: &str, to: &str) -> String {
        let Chain { family, table, name, .. } = self;
        match (family.as_str(), table.as_str(), name.as_str()) {
            ("ip", "filter", "FORWARD") => {
                format!("iptables -I FORWARD -i {from} -o {to} -j ACCEPT")
            }
            ("ip6", "filter", "FORWARD") => {
                format!("ip6tables -I FORWARD -i {from} -o {to} -j ACCEPT")
            }
            _ => format!(
                "nft insert rule {family} {table} {name} iifname {from} oifname {to} accept \
                 (and where the rules are kept, such as /etc/nftables.conf)"
            ),
        }
    }
}

impl Document {
    /// The chain of the forward hook that drops a packet for sure.
    fn stops(&self, way: Way<'_>) -> Option<&Chain> {
        let chains = self.nftables.iter().filter_map(|item| item.chain.as_ref());
        let mut base = chains.filter(|chain| {
            chain.hook.as_deref() == Some("forward") && !chain.table.starts_with(OURS)
        });
        base.find(|chain| {
            let unless = match chain.policy.as_deref() {
                Some("drop") => Fate::Dropped,
                Some(_) | None => Fate::Accepted,
            };
            self.fate(chain, &chain.name, way, DEPTH).unwrap_or(unless) == Fate::Dropped
        })
    }

    /// What becomes of a packet in a chain of the table of `base`; `None` when it comes to the end.
    fn fate(&self, base: &Chain, name: &str, way: Way<'_>, depth: usize) -> Option<Fate> {
        let Some(depth) = depth.checked_sub(1) else { return Some(Fate::Open) };
        let rules = self.nftables.iter().filter_map(|item| item.rule.as_ref());
        let of_chain = rules.filter(|rule| {
            rule.family == base.family && rule.table == base.table && rule.chain == name
        });
        for rule in of_chain {
            match rule.says(way) {
                Says::Nothing => {}
                Says::Ends(fate) => return fate,
                Says::GoesTo(callee) => return self.fate(base, callee, way, depth),
                Says::Calls(meant, callee) => match (self.fate(base, callee, way, depth), meant) {
                    (None, _) | (Some(Fate::Dropped), Meant::No | Meant::Perhaps) => {}
                    (Some(fate), Meant::Yes) => return Some(fate),
                    (Some(Fate::Accepted | Fate::Open), _) => return Some(Fate::Open),
                },
            }
        }
        None
    }
}

/// What a rule does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says<'a> {
    /// The next rule is asked.
    Nothing,
    /// Here the chain ends: with a fate, or back to where it was called.
    Ends(Option<Fate>),
    /// Another chain is asked, and then the next rule.
    Calls(Meant, &'a str),
    /// Another chain is asked, and no rule behind.
    GoesTo(&'a str),
}

impl Rule {
    fn says(&self, way: Way<'_>) -> Says<'_> {
        let mut meant = Meant::Yes;
        for expression in &self.expr {
            let Some((kind, value)) = expression.as_object().and_then(|one| one.iter().next())
            else {
                continue;
            };
            let verdict = match kind.as_str() {
                "match" => {
                    meant = meant.min(matches(value, way));
                    continue;
                }
                "xt" => {
                    meant = meant.min(self.extension(value));
                    continue;
                }
                "limit" | "quota" | "connlimit" => {
                    meant = meant.min(Meant::Perhaps);
                    continue;
                }
                "vmap" => match of_map(value, way) {
                    Mapped::To(verdict) => verdict,
                    Mapped::Nowhere => return Says::Nothing,
                    Mapped::Somewhere => return Says::Ends(Some(Fate::Open)),
                },
                _ => expression,
            };
            match says(verdict, meant) {
                None => {}
                Some(says) => return says,
            }
        }
        Says::Nothing
    }

    /// An extension of iptables, of which only the name is told. One that asks for the state of the
    /// connection and for nothing else lets answers pass, and not what begins.
    fn extension(&self, value: &Value) -> Meant {
        let asks_more = self.expr.iter().any(|expression| expression.get("match").is_some());
        match value.get("name").and_then(Value::as_str) {
            Some("comment" | "LOG") => Meant::Yes,
            Some("conntrack" | "state") if !asks_more => Meant::No,
            Some(_) | None => Meant::Perhaps,
        }
    }
}

/// What a verdict says to a packet that the rule is meant for so far; `None` when it is no verdict.
fn says(verdict: &Value, meant: Meant) -> Option<Says<'_>> {
    let (kind, value) = verdict.as_object().and_then(|one| one.iter().next())?;
    let target = value.get("target").and_then(Value::as_str).unwrap_or_default();
    let says = match (kind.as_str(), meant) {
        ("accept" | "drop" | "reject" | "return" | "jump" | "goto" | "queue", Meant::No) => {
            Says::Nothing
        }
        ("accept", Meant::Yes) => Says::Ends(Some(Fate::Accepted)),
        ("drop" | "reject", Meant::Yes) => Says::Ends(Some(Fate::Dropped)),
        ("drop" | "reject", Meant::Perhaps) => Says::Nothing,
        ("return", Meant::Yes) => Says::Ends(None),
        ("jump", meant) => Says::Calls(meant, target),
        ("goto", Meant::Yes) => Says::GoesTo(target),
        ("accept" | "return" | "goto" | "queue", _) => Says::Ends(Some(Fate::Open)),
        _ => return None,
    };
    Some(says)
}

/// What a map of verdicts has for a packet.
enum Mapped<'a> {
    To(&'a Value),
    Nowhere,
    Somewhere,
}

fn of_map<'a>(map: &'a Value, way: Way<'_>) -> Mapped<'a> {
    let Some(pairs) = map.pointer("/data/set").and_then(Value::as_array) else {
        return Mapped::Somewhere;
    };
    let known = map.get("key").and_then(|key| known(key, way));
    let Some(known) = known else { return Mapped::Somewhere };
    let named = |pair: &&'a Value| pair.get(0).is_some_and(|name| covers(name, known));
    match pairs.iter().find(named).and_then(|pair| pair.get(1)) {
        Some(verdict) => Mapped::To(verdict),
        None => Mapped::Nowhere,
    }
}

/// Whether a packet is one that a match is for.
fn matches(value: &Value, way: Way<'_>) -> Meant {
    let (Some(left), Some(right)) = (value.get("left"), value.get("right")) else {
        return Meant::Perhaps;
    };
    let Some(known) = known(left, way) else { return Meant::Perhaps };
    if right.as_str().is_some_and(|name| name.starts_with('@')) {
        return Meant::Perhaps;
    }
    let is_so = covers(right, known);
    let wanted = value.get("op").and_then(Value::as_str) != Some("!=");
    if is_so == wanted { Meant::Yes } else { Meant::No }
}

/// What is known of a packet that begins a connection.
fn known<'a>(asked: &Value, way: Way<'a>) -> Option<&'a str> {
    let key = |of: &str| asked.get(of).and_then(|asked| asked.get("key")).and_then(Value::as_str);
    match (key("meta"), key("ct")) {
        (Some("iifname" | "iif"), _) => Some(way.from),
        (Some("oifname" | "oif"), _) => Some(way.to),
        (_, Some("state")) => Some("new"),
        _ => None,
    }
}

/// Whether a value, or one of several, is this word; `lan*` is all that begins so.
fn covers(value: &Value, word: &str) -> bool {
    match value {
        Value::String(text) => match text.strip_suffix('*') {
            Some(start) => word.starts_with(start),
            None => text == word,
        },
        Value::Array(several) => several.iter().any(|one| covers(one, word)),
        Value::Object(set) => set.get("set").is_some_and(|several| covers(several, word)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
