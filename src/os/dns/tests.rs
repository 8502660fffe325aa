use super::*;
use domain::base::iana::Class;
use domain::base::message_builder::MessageBuilder;
use domain::base::{Message, Ttl};
use domain::rdata::Cname;
use domain::resolv::stub::conf::{ResolvConf, ServerConf, Transport};
use std::net::UdpSocket;

const TABLE: &str = "127.0.0.1 localhost\n# 192.0.2.9 vpn.example\n\
                     192.0.2.7\tVPN.example gateway # of the north\n\
                     2001:db8::7 vpn.example\nnonsense vpn.example\n";

fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

fn dns_name(text: &str) -> Name<Vec<u8>> {
    text.parse().unwrap()
}

fn addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// An answer about vpn.example, which is an alias of gw.example, with an address of another host.
fn aliased() -> Answer {
    let mut question = MessageBuilder::new_vec().question();
    question.push((dns_name("vpn.example"), Rtype::A)).unwrap();
    let mut answer = question.answer();
    let alias = Cname::new(dns_name("gw.example"));
    answer.push((dns_name("vpn.example"), Class::IN, Ttl::from_secs(30), alias)).unwrap();
    for (owner, last) in [("gw.example", 7), ("gw.example", 8), ("other.example", 9)] {
        let address = A::from_octets(192, 0, 2, last);
        answer.push((dns_name(owner), Class::IN, Ttl::from_secs(300), address)).unwrap();
    }
    Message::from_octets(answer.finish().into()).unwrap().into()
}

#[test]
fn the_table_of_the_host_knows_names_in_any_case_and_no_comments() {
    let all = in_table(TABLE, &name("vpn.example"));
    assert_eq!(all, addresses(&["192.0.2.7", "2001:db8::7"]));
    assert_eq!(in_table(TABLE, &name("gateway.")), addresses(&["192.0.2.7"]));
    assert_eq!(in_table(TABLE, &name("north.")), BTreeSet::new());
}

#[test]
fn aliases_are_followed_and_the_shortest_ttl_counts() {
    let found = read(&aliased()).unwrap();
    assert_eq!(found.all, addresses(&["192.0.2.7", "192.0.2.8"]));
    assert_eq!(found.ttl, Duration::from_secs(30));
}

#[test]
fn one_family_is_enough_and_none_is_told_with_its_reason() {
    let vpn = name("vpn.example");
    let found = |texts: &[&str], ttl| {
        Ok(Addresses { all: addresses(texts), ttl: Duration::from_secs(ttl) })
    };
    let joined = join(&vpn, [found(&[], 5), found(&["192.0.2.7"], 60)]).unwrap();
    assert_eq!(joined, found(&["192.0.2.7"], 60).unwrap());
    let joined = join(&vpn, [found(&["2001:db8::7"], 30), found(&["192.0.2.7"], 60)]).unwrap();
    assert_eq!(joined, found(&["192.0.2.7", "2001:db8::7"], 30).unwrap());
    let joined = join(&vpn, [Err(anyhow!("silence")), found(&["192.0.2.7"], 60)]).unwrap();
    assert_eq!(joined.all, addresses(&["192.0.2.7"]));
    let none = join(&vpn, [found(&[], 5), Err(anyhow!("silence"))]).unwrap_err();
    assert_eq!(none.to_string(), "silence");
    let none = join(&vpn, [found(&[], 5), found(&[], 5)]).unwrap_err();
    assert_eq!(none.to_string(), "vpn.example has no address in the DNS");
}

#[test]
fn of_a_name_with_very_many_addresses_64_are_kept() {
    let table: String = (0..200).map(|last| format!("192.0.2.{last} many\n")).collect();
    let many = in_table(&table, &name("many."));
    assert_eq!((many.len(), bounded(many.clone()).len()), (200, 64));
    let found = || Ok(Addresses { all: many.clone(), ttl: Duration::from_secs(9) });
    let other = Ok(Addresses { all: addresses(&["2001:db8::7"]), ttl: Duration::from_secs(9) });
    let joined = join(&name("many."), [other, found()]).unwrap();
    assert_eq!(joined.all.len(), 33);
}

/// A server that answers one question, that there is no such name.
fn denying() -> (ResolvConf, std::thread::JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut conf = ResolvConf::new();
    conf.servers.push(ServerConf::new(socket.local_addr().unwrap(), Transport::UdpTcp));
    conf.finalize();
    let thread = std::thread::spawn(move || {
        let mut question = [0; 512];
        let (length, asker) = socket.recv_from(&mut question).unwrap();
        // A response, recursion available, NXDOMAIN; the question alone stays.
        question[2..4].copy_from_slice(&[0x81, 0x83]);
        question[11] = 0;
        let end = 12 + question[12..length].iter().position(|octet| *octet == 0).unwrap() + 5;
        socket.send_to(&question[..end], asker).unwrap();
    });
    (conf, thread)
}

#[test]
fn a_name_that_is_not_there_is_told_and_nothing_of_the_question_goes_on() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (conf, server) = denying();
    let error = runtime.block_on(async {
        let resolver = StubResolver::from_conf(conf);
        let error = ask(&resolver, &name("vpn.example"), Rtype::A).await.unwrap_err();
        drop(resolver);
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        error
    });
    assert_eq!(error.to_string(), "there is no vpn.example in the DNS");
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    server.join().unwrap();
}
