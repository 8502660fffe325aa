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

/// So many connections, each of which wants a key.
fn endpoint_of(connections: usize, at: &mut Moment<'_>) -> Endpoint {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), at);
    for number in 0..connections {
        endpoint.add_connection(ConnectionId(number as u32), initiator(number), at);
    }
    endpoint
}

fn sent(endpoint: &mut Endpoint) -> usize {
    std::iter::from_fn(|| endpoint.poll_transmit()).count()
}

#[tokio::test]
async fn every_job_is_answered_and_no_more_are_taken_than_fit() {
    const CONNECTIONS: usize = CAPACITY + 10;
    let mut random = Seeded::new(1);
    let mut at = Moment::simulated(Timestamp::ZERO, &mut random);
    let mut endpoint = endpoint_of(CONNECTIONS, &mut at);
    let (mut pool, mut answers) = JobPool::start().unwrap();
    let mut done_here = HERE;

    assert!(pool.fill(&mut done_here, || endpoint.poll_job()).is_none());
    assert_eq!(pool.under_way, CAPACITY);
    for _ in 0..CONNECTIONS {
        let answer = answers.recv().await.unwrap();
        pool.on_answer();
        endpoint.handle_job(answer, &mut at);
        assert!(pool.fill(&mut done_here, || endpoint.poll_job()).is_none());
    }

    assert_eq!(pool.under_way, 0);
    assert_eq!(sent(&mut endpoint), CONNECTIONS, "every connection has sent IKE_SA_INIT");
}

#[test]
fn the_first_brief_jobs_come_back_at_once_and_no_thread_has_them() {
    let mut random = Seeded::new(1);
    let mut at = Moment::simulated(Timestamp::ZERO, &mut random);
    let mut endpoint = endpoint_of(HERE + 2, &mut at);
    let (mut pool, _answers) = JobPool::start().unwrap();
    let mut done_here = 0;
    while let Some(answer) = pool.fill(&mut done_here, || endpoint.poll_job()) {
        endpoint.handle_job(answer, &mut at);
    }
    assert_eq!((done_here, pool.under_way), (HERE, 2));
    assert_eq!(sent(&mut endpoint), HERE);
}
