//! A peer that says whatever a test wants it to say, with the right keys: an initiator that
//! takes no care of its own state, opposite one real endpoint.

use super::net::*;
use crate::crypto::kex::{Group, KeyExchange};
use crate::crypto::suite::{EspSuite, IkeSuite};
use crate::ike::auth::{hash_algorithms, prove_now};
use crate::ike::keys::{IkeKeys, Nonces, Spis};
use crate::ike::path::{Path, detection_payloads};
use crate::ike::payloads::Payloads;
use crate::ike::proposal;
use crate::ike::transcript::Transcript;
use crate::ike::*;
use crate::moment::Moment;
use crate::random::Seeded;
use crate::time::Timestamp;
use crate::wire::ike::{
    ExchangeType, Flags, Header, Identification, IkeSpi, KeyExchange as PublicValue, Message,
    MessageId, Notify, NotifyType, Payload,
};
use std::net::SocketAddr;

/// Our SPI of the first Child SA.
pub(super) const FIRST_SPI: u32 = 0x0000_5001;

pub(super) struct RawPeer {
    pub endpoint: Endpoint,
    pub events: Vec<Event>,
    pub config: ConnectionConfig,
    pub now: Timestamp,
    pub random: Seeded,
    pub keys: IkeKeys,
    pub spis: Spis,
    pub next_id: u32,
    /// The endpoint's SPI of the first Child SA.
    pub first_outbound: Vec<u8>,
    pub credentials: Credentials,
}

/// What became of another handshake.
pub(super) enum Again {
    /// IKE_SA_INIT is not answered.
    Ignored,
    /// IKE_AUTH, which is not answered.
    PutOff(Vec<u8>),
    /// The answer to IKE_AUTH.
    Answered(Vec<Payload>),
}

/// What a handshake needs to go on.
struct Init {
    request: Vec<u8>,
    keys: IkeKeys,
    nonces: Nonces,
    spis: Spis,
}

impl RawPeer {
    /// Connects to an endpoint whose connection only answers.
    pub(super) fn connect() -> RawPeer {
        let (mut peer, request) = RawPeer::half_open();
        peer.authenticate(&request);
        peer
    }

    /// IKE_SA_INIT is over; returns IKE_AUTH, too, which is yet to be sent.
    pub(super) fn half_open() -> (RawPeer, Vec<u8>) {
        let [_, east] = config_pair((psk("shared"), psk("shared")));
        RawPeer::half_open_with(east, &[])
    }

    /// The same, and it says that its addresses may change (RFC 4555).
    pub(super) fn mobile() -> (RawPeer, Vec<u8>) {
        let mobile = Payload::Notify(Notify::new(NotifyType::MOBIKE_SUPPORTED, []));
        RawPeer::half_open_saying(|payloads| payloads.push(mobile))
    }

    /// The same, with an IKE_AUTH that is changed so before it is sealed.
    pub(super) fn half_open_saying(change: impl FnOnce(&mut Vec<Payload>)) -> (RawPeer, Vec<u8>) {
        let [_, east] = config_pair((psk("shared"), psk("shared")));
        RawPeer::beginning(east, &[], change)
    }

    /// The same with an endpoint that is configured so, and with more in IKE_SA_INIT.
    pub(super) fn half_open_with(east: ConnectionConfig, more: &[Payload]) -> (RawPeer, Vec<u8>) {
        RawPeer::beginning(east, more, |_| {})
    }

    /// The same with more in IKE_SA_INIT, and a change to IKE_AUTH.
    fn beginning(
        east: ConnectionConfig,
        more: &[Payload],
        change: impl FnOnce(&mut Vec<Payload>),
    ) -> (RawPeer, Vec<u8>) {
        let [west, _] = config_pair((psk("shared"), psk("shared")));
        let mut random = Seeded::new(42);
        let now = Timestamp::from_millis(1);
        let mut endpoint =
            Endpoint::new(EndpointConfig::default(), &mut Moment::simulated(now, &mut random));
        endpoint.add_connection(CONNECTION, east.clone(), &mut Moment::simulated(now, &mut random));
        let init = init(&mut endpoint, &west, more, now, &mut random);
        let init = init.expect("an answer to IKE_SA_INIT");
        let mut peer = RawPeer {
            endpoint,
            events: Vec::new(),
            credentials: west.credentials.clone(),
            config: west,
            now,
            random,
            keys: init.keys,
            spis: init.spis,
            next_id: 1,
            first_outbound: Vec::new(),
        };
        let request = peer.auth_request(&init.request, &init.nonces, change);
        (peer, request)
    }

    /// Sends IKE_AUTH.
    pub(super) fn authenticate(&mut self, request: &[u8]) {
        let answer = self.deliver_and_open(request).expect("an answer to IKE_AUTH");
        let sa = Payloads(&answer).sa().expect("a Child SA").clone();
        self.first_outbound = sa.proposals[0].spi.clone();
    }

    /// Begins another IKE SA with the same endpoint, beside the one that there is.
    pub(super) fn connect_again(&mut self) -> Again {
        let again = init(&mut self.endpoint, &self.config, &[], self.now, &mut self.random);
        let Some(init) = again else { return Again::Ignored };
        (self.keys, self.spis, self.next_id) = (init.keys, init.spis, 1);
        let request = self.auth_request(&init.request, &init.nonces, |_| {});
        self.deliver_and_open(&request).map_or(Again::PutOff(request), Again::Answered)
    }

    fn auth_request(
        &mut self,
        init: &[u8],
        nonces: &Nonces,
        change: impl FnOnce(&mut Vec<Payload>),
    ) -> Vec<u8> {
        // What stands in the reserved octets is ignored, and covered by AUTH as it stands there.
        let identity = Identification { reserved: [1, 2, 3], ..self.config.local_id.to_wire() };
        let transcript = Transcript::new(init.to_vec(), Vec::new(), false);
        let signed = transcript.signed(Role::Initiator, self.keys.proving(None), nonces, &identity);
        let auth = prove_now(&self.credentials, &signed);
        let mut payloads =
            vec![Payload::IdInitiator(identity.clone()), Payload::Authentication(auth)];
        payloads.extend(self.child_offer("aes256gcm16-esn", FIRST_SPI));
        change(&mut payloads);
        self.seal_next(ExchangeType::IKE_AUTH, &payloads)
    }

    /// SA, TSi and TSr for a Child SA.
    pub(super) fn child_offer(&self, suite: &str, spi: u32) -> Vec<Payload> {
        let suite: EspSuite = suite.parse().unwrap();
        let (_, slot) = self.config.first_slot().expect("a connection of one slot");
        vec![
            Payload::SecurityAssociation(proposal::offer(
                &[suite],
                proposal::Beside::NOTHING,
                &spi.to_be_bytes(),
            )),
            Payload::TrafficSelectorsInitiator(slot.local_ts.clone().into()),
            Payload::TrafficSelectorsResponder(slot.remote_ts.clone().into()),
        ]
    }

    /// SA, TSi, TSr and a nonce: all that CREATE_CHILD_SA needs without a key exchange.
    pub(super) fn child_request(&self, suite: &str, spi: u32) -> Vec<Payload> {
        let mut payloads = self.child_offer(suite, spi);
        payloads.push(Payload::Nonce(vec![7; 32]));
        payloads
    }

    pub(super) fn header(&self, exchange: ExchangeType, response: bool, id: u32) -> Header {
        let flags = Flags { initiator: true, response, version: false };
        Header::new(self.spis.initiator, self.spis.responder, exchange, flags, MessageId(id))
    }

    /// The next request with these payloads, sealed.
    pub(super) fn seal_next(&mut self, exchange: ExchangeType, payloads: &[Payload]) -> Vec<u8> {
        let header = self.header(exchange, false, self.next_id);
        self.next_id += 1;
        self.keys.seal.seal(&header, payloads)
    }

    /// What the endpoint sends after one datagram, as it stands on the wire.
    pub(super) fn deliver(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        let [to, from] = [self.config.remote, RemoteAddress::At((self.config.local, 0).into())]
            .map(|address| match address {
                RemoteAddress::At(address) => SocketAddr::new(address.ip(), 4500),
                RemoteAddress::Any => unreachable!("the pair has addresses"),
            });
        let marked = [&[0; 4], message].concat();
        self.endpoint.handle_datagram(
            to,
            from,
            &marked,
            &mut Moment::simulated(self.now, &mut self.random),
        );
        self.drain()
    }

    pub(super) fn drain(&mut self) -> Vec<Vec<u8>> {
        self.endpoint.run_jobs(&mut Moment::simulated(self.now, &mut self.random));
        while let Some((_, event)) = self.endpoint.poll_event() {
            self.events.push(event);
        }
        let transmits = std::iter::from_fn(|| self.endpoint.poll_transmit());
        transmits.map(|transmit| transmit.bytes[4..].to_vec()).collect()
    }

    /// Sends a request; the payloads of the answer, if there is one.
    pub(super) fn ask(
        &mut self,
        exchange: ExchangeType,
        payloads: &[Payload],
    ) -> Option<Vec<Payload>> {
        let request = self.seal_next(exchange, payloads);
        self.deliver_and_open(&request)
    }

    /// Delivers a request as it is; the payloads of the answer, if there is one.
    pub(super) fn deliver_and_open(&mut self, request: &[u8]) -> Option<Vec<Payload>> {
        let id = Header::decode(request).unwrap().message_id;
        let sent = self.deliver(request);
        let is_answer = |header: &Header| header.flags.response && header.message_id == id;
        let answer = sent
            .iter()
            .find(|bytes| Header::decode(bytes).is_ok_and(|header| is_answer(&header)))?;
        let opened = self.keys.open.open(answer).expect("an authentic answer");
        Some(opened.payloads().expect("a well-formed answer").to_vec())
    }

    /// Lets time pass until the endpoint asks something.
    pub(super) fn await_request(&mut self) -> Vec<u8> {
        for _ in 0..100 {
            let (at, _) = self.endpoint.poll_timeout().expect("something is due");
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(&mut Moment::simulated(self.now, &mut self.random));
            if let Some(request) = self.drain().into_iter().next() {
                return request;
            }
        }
        panic!("the endpoint asks nothing");
    }

    pub(super) fn is_up(&self) -> bool {
        self.endpoint.view(CONNECTION).unwrap().state == ConnectionState::Up
    }

    pub(super) fn children(&self) -> usize {
        let view = self.endpoint.view(CONNECTION).unwrap();
        view.ike_sas.iter().map(|sa| sa.children.len()).sum()
    }
}

/// IKE_SA_INIT; `None` when it is not answered.
fn init(
    endpoint: &mut Endpoint,
    config: &ConnectionConfig,
    more: &[Payload],
    now: Timestamp,
    random: &mut Seeded,
) -> Option<Init> {
    let suite: IkeSuite = "aes256gcm16-prfsha384-curve25519".parse().unwrap();
    let RemoteAddress::At(remote) = config.remote else { unreachable!("the pair has addresses") };
    let path = Path { local: SocketAddr::new(config.local, 500), remote };
    let key_exchange = KeyExchange::generate(Group::Curve25519, random).unwrap();
    let (spi, nonce) = (IkeSpi([9; 8]), vec![5; 32]);
    let flags = Flags { initiator: true, ..Flags::default() };
    let exchange = ExchangeType::IKE_SA_INIT;
    let header = Header::new(spi, IkeSpi::ZERO, exchange, flags, MessageId(0));
    let mut payloads = vec![
        Payload::SecurityAssociation(proposal::offer(&[suite], proposal::Beside::NOTHING, &[])),
        Payload::KeyExchange(PublicValue {
            method: proposal::method_of(Group::Curve25519),
            data: key_exchange.public().to_vec(),
        }),
        Payload::Nonce(nonce.clone()),
        hash_algorithms(),
    ];
    payloads.extend(detection_payloads((spi, IkeSpi::ZERO), &path, true));
    payloads.extend_from_slice(more);
    let request = Message { header, payloads }.encode();
    endpoint.handle_datagram(remote, path.local, &request, &mut Moment::simulated(now, random));
    endpoint.run_jobs(&mut Moment::simulated(now, random));
    let response = endpoint.poll_transmit()?.bytes;
    let answer = Message::decode(&response).unwrap();
    let payloads = Payloads(&answer.payloads);
    let shared = key_exchange.agree(&payloads.key_exchange().unwrap().data).unwrap();
    let nonces = Nonces { initiator: nonce, responder: payloads.nonce().unwrap().clone() };
    let spis = Spis { initiator: spi, responder: answer.header.responder_spi };
    let keys = IkeKeys::initial(suite, &shared, &nonces, spis, Role::Initiator).unwrap();
    Some(Init { request, keys, nonces, spis })
}

/// The answer to an INFORMATIONAL request.
pub(super) fn inform(peer: &mut RawPeer, payloads: &[Payload]) -> Vec<Payload> {
    peer.ask(ExchangeType::INFORMATIONAL, payloads).expect("an answer")
}

/// The IKE SA and its one Child SA are as before.
pub(super) fn assert_unharmed(peer: &mut RawPeer) {
    assert_eq!(inform(peer, &[]), []);
    assert!(peer.is_up());
    assert_eq!(peer.children(), 1);
}
