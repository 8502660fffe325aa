//! Connections of BGP sessions, over the loopback device.

use super::*;

fn key() -> (VpcId, ConnectionId) {
    (VpcId(0), ConnectionId::accepted(1))
}

fn guests(descriptors: usize) -> Arc<Guests> {
    Guests::in_house(&Arc::new(House::of(descriptors)))
}

fn seat() -> Seat {
    guests(1024).seat(IpAddr::from([127, 0, 0, 1])).expect("the first place")
}

struct Conversation {
    connections: Connections,
    events: mpsc::Receiver<TcpEvent>,
    peer: TcpStream,
}

async fn conversation() -> Conversation {
    let (mut connections, events) = Connections::new(BTreeMap::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let peer = TcpStream::connect(listener.local_addr().expect("an address")).await;
    let (stream, _) = listener.accept().await.expect("a connection");
    let newcomer = Newcomer { vpc: key().0, stream, seat: seat(), is_inside: true };
    connections.accepted.send(newcomer).await.expect("room");
    let accepted = connections.accept().await.expect("a connection");
    assert_eq!((accepted.vpc, accepted.connection), key());
    Conversation { connections, events, peer: peer.expect("a connection") }
}

fn send(connections: &mut Connections, bytes: Vec<u8>) {
    connections.send(key(), bytes);
}

async fn input(events: &mut mpsc::Receiver<TcpEvent>) -> TcpInput {
    events.recv().await.expect("an event").input
}

#[tokio::test]
async fn what_is_queued_is_sent_before_the_connection_closes() {
    let Conversation { mut connections, mut events, mut peer } = conversation().await;
    send(&mut connections, b"last ".to_vec());
    send(&mut connections, b"words".to_vec());
    connections.writers.remove(&key());
    let mut heard = String::new();
    peer.read_to_string(&mut heard).await.expect("an orderly end");
    assert_eq!(heard, "last words");
    drop(peer);
    assert_eq!(input(&mut events).await, TcpInput::Closed);
}

#[tokio::test]
async fn bytes_that_were_read_make_room_for_others() {
    let Conversation { mut connections, mut peer, .. } = conversation().await;
    let mut heard = vec![0; WAITING_MAX / 2];
    for _ in 0..4 {
        send(&mut connections, heard.clone());
        peer.read_exact(&mut heard).await.expect("bytes");
        tokio::task::yield_now().await;
    }
    assert!(connections.writers.contains_key(&key()));
}

#[tokio::test]
async fn a_peer_that_never_reads_loses_the_connection() {
    let Conversation { mut connections, mut events, peer } = conversation().await;
    send(&mut connections, vec![0; WAITING_MAX]);
    assert!(connections.writers.contains_key(&key()));
    send(&mut connections, vec![0; WAITING_MAX]);
    assert!(!connections.writers.contains_key(&key()));
    drop(peer);
    assert_eq!(input(&mut events).await, TcpInput::Closed);
}

#[test]
fn one_address_holds_few_places_and_gets_them_back() {
    let guests = guests(1024);
    let address = IpAddr::from([10, 0, 0, 1]);
    let mut seats: Vec<Seat> =
        (0..GUESTS_FROM_ONE).map(|_| guests.seat(address).expect("a place")).collect();
    assert!(guests.seat(address).is_none());
    assert!(guests.seat(IpAddr::from([10, 0, 0, 2])).is_some(), "another address is another guest");
    seats.pop();
    assert!(guests.seat(address).is_some());
    drop(seats);
    assert!(guests.seated.lock().expect("not poisoned").is_empty());
}

#[test]
fn guests_of_all_vpcs_leave_descriptors_for_the_rest() {
    let house = Arc::new(House::of(4 * GUESTS_SHARE));
    let [one, other] = [0, 1].map(|_| Guests::in_house(&house));
    let address = |number| IpAddr::from([10, 0, 0, number]);
    let mut seats: Vec<Seat> = (0..3).filter_map(|number| one.seat(address(number))).collect();
    seats.extend(other.seat(address(9)));
    assert_eq!(seats.len(), 4);
    assert!(other.seat(address(8)).is_none(), "the house is full");
    drop(seats.pop());
    assert!(one.seat(address(7)).is_some());
}

#[tokio::test]
async fn a_connection_that_is_refused_ends_at_once() {
    let Conversation { mut connections, mut events, mut peer } = conversation().await;
    connections.writers.remove(&key());
    let ended = tokio::time::timeout(LINGER / 2, input(&mut events)).await;
    assert_eq!(ended.expect("without lingering"), TcpInput::Closed);
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).await.expect("closed");
}
