use super::*;
use crate::crypto::secret::Secret;
use crate::ike::{
    ConnectionConfig, ConnectionId, Credentials, Endpoint, EndpointConfig, Identity, RemoteAddress,
};
use crate::moment::Moment;
use crate::random::Seeded;
use crate::time::Timestamp;
use std::net::{IpAddr, SocketAddr};

/// A connection that sends IKE_SA_INIT as soon as it has a key.
fn initiator(number: usize) -> ConnectionConfig {
    let [local, remote]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [198, 51, 100, 1].into()];
    ConnectionConfig::new(
        local,
        RemoteAddress::At(SocketAddr::new(remote, 500)),
        (Identity::Fqdn("west".into()), Identity::Fqdn(format!("east-{number}"))),
        Credentials::Psk(Secret::copy_of(b"shared")),
        (Vec::new(), Vec::new()),
    )
}

#[tokio::test]
async fn every_job_is_answered_and_no_more_are_taken_than_fit() {
    const CONNECTIONS: usize = CAPACITY + 10;
    let mut random = Seeded::new(1);
    let mut at = Moment::simulated(Timestamp::ZERO, &mut random);
    let mut endpoint = Endpoint::new(EndpointConfig::default(), &mut at);
    for number in 0..CONNECTIONS {
        endpoint.add_connection(ConnectionId(number as u32), initiator(number), &mut at);
    }
    let (mut pool, mut answers) = JobPool::start().unwrap();

    pool.fill(|| endpoint.poll_job());
    assert_eq!(pool.under_way, CAPACITY);
    for _ in 0..CONNECTIONS {
        let answer = answers.recv().await.unwrap();
        pool.on_answer();
        endpoint.handle_job(answer, &mut at);
        pool.fill(|| endpoint.poll_job());
    }

    assert_eq!(pool.under_way, 0);
    let sent = std::iter::from_fn(|| endpoint.poll_transmit()).count();
    assert_eq!(sent, CONNECTIONS, "every connection has sent IKE_SA_INIT");
}
