//! Names of hosts: the host's own table, then the DNS servers that `/etc/resolv.conf` names. Both
//! files are read for every question, for they change with the networks that the host is in.
//!
//! It asks by itself rather than by `getaddrinfo`, which does not say for how long an answer holds.

use crate::net::HostName;
use anyhow::{Context, Result, anyhow, bail};
use domain::base::iana::{Rcode, Rtype};
use domain::base::name::Name;
use domain::rdata::{A, Aaaa};
use domain::resolv::StubResolver;
use domain::resolv::stub::Answer;
use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::time::Duration;

/// The host's own table (`hosts(5)`).
const HOSTS: &str = "/etc/hosts";
/// For how long an entry of the table holds.
const HOSTS_TTL: Duration = Duration::from_secs(60);
/// Addresses of one name at most: what is judged of each must not cost more than a peer is worth.
const MAX_ADDRESSES: usize = 64;
/// How long a question may take, with all its repetitions.
const PATIENCE: Duration = Duration::from_secs(10);

/// The addresses of a name, and for how long they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Of both families, 64 at most.
    pub all: BTreeSet<IpAddr>,
    /// The shortest TTL of what led to them.
    pub ttl: Duration,
}

/// Looks a name up. Both families are asked for at once; one of them is enough.
///
/// # Errors
///
/// When there is no such name, or neither question had an answer within ten seconds: with the reason
/// of the DNS.
pub async fn look_up(name: &HostName) -> Result<Addresses> {
    let table = fs::read_to_string(HOSTS).unwrap_or_default();
    let listed = in_table(&table, name);
    if !listed.is_empty() {
        return Ok(Addresses { all: bounded(listed), ttl: HOSTS_TTL });
    }
    let resolver = StubResolver::new();
    let both =
        async { tokio::join!(ask(&resolver, name, Rtype::AAAA), ask(&resolver, name, Rtype::A)) };
    let (six, four) = tokio::time::timeout(PATIENCE, both)
        .await
        .map_err(|_| anyhow!("no DNS server answers about {name} within {PATIENCE:?}"))?;
    join(name, [six, four])
}

/// What the answers to both questions say together.
fn join(name: &HostName, answers: [Result<Addresses>; 2]) -> Result<Addresses> {
    let mut all = BTreeSet::new();
    let (mut ttl, mut failure) = (Duration::MAX, None);
    for answer in answers {
        match answer {
            Ok(found) if found.all.is_empty() => {}
            Ok(found) => {
                ttl = ttl.min(found.ttl);
                all.extend(found.all.into_iter().take(MAX_ADDRESSES / 2));
            }
            Err(error) => failure = Some(error),
        }
    }
    match (all.is_empty(), failure) {
        (false, _) => Ok(Addresses { all, ttl }),
        (true, Some(error)) => Err(error),
        (true, None) => bail!("{name} has no address in the DNS"),
    }
}

fn bounded(all: BTreeSet<IpAddr>) -> BTreeSet<IpAddr> {
    all.into_iter().take(MAX_ADDRESSES).collect()
}

/// The addresses of a name in a table.
fn in_table(table: &str, name: &HostName) -> BTreeSet<IpAddr> {
    let address = |line: &str| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(name.as_str())).then_some(address)
    };
    table.lines().filter_map(address).collect()
}

async fn ask(resolver: &StubResolver, name: &HostName, kind: Rtype) -> Result<Addresses> {
    let question = name.as_str().parse::<Name<Vec<u8>>>().context("writing a name for the DNS")?;
    let asked = resolver.query((question, kind)).await;
    let answer = asked.with_context(|| format!("asking the DNS about {name}"))?;
    match answer.header().rcode() {
        Rcode::NOERROR => {
            read(&answer).with_context(|| format!("reading what the DNS says of {name}"))
        }
        Rcode::NXDOMAIN => bail!("there is no {name} in the DNS"),
        code => bail!("the DNS does not know of {name} now ({code})"),
    }
}

/// The addresses of the name at the end of the aliases. Other records are left alone.
fn read(answer: &Answer) -> Result<Addresses> {
    let owner = answer.canonical_name().context("aliases that lead nowhere")?;
    let mut found = Addresses { all: BTreeSet::new(), ttl: Duration::MAX };
    for record in answer.answer()? {
        let record = record?;
        found.ttl = found.ttl.min(record.ttl().into_duration());
        if record.owner() != owner {
            continue;
        }
        let four = record.to_record::<A>()?.map(|a| IpAddr::V4(a.data().addr()));
        let six = record.to_record::<Aaaa>()?.map(|aaaa| IpAddr::V6(aaaa.data().addr()));
        found.all.extend(four.or(six));
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
