use super::*;
use crate::wire::stream::frame;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

/// Nobody takes out what is told.
fn context() -> (Context, mpsc::Receiver<FromStreams>) {
    let (told, messages) = mpsc::channel(IKE_BACKLOG);
    let context = Context {
        table: Arc::default(),
        seats: Arc::default(),
        places: Arc::new(Semaphore::new(1)),
        ears: Arc::from([]),
        told,
        counters: Arc::default(),
    };
    (context, messages)
}

/// Both ends of a connection: ours, and that of a stranger.
async fn connected() -> (StreamWay, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let target = listener.local_addr().expect("its address");
    let (stranger, accepted) = tokio::join!(TcpStream::connect(target), listener.accept());
    let (ours, remote): (TcpStream, SocketAddr) = accepted.expect("a connection");
    ((target.ip(), remote), ours, stranger.expect("a connection"))
}

#[tokio::test]
async fn a_stranger_that_sends_too_much_ike_is_left_without_waiting_and_leaves_room() {
    let (context, messages) = context();
    let (way, ours, mut stranger) = connected().await;
    let request = frame(&[0; 32]).expect("it is short");
    let flood: Vec<u8> = PREFIX.iter().copied().chain(request.repeat(STRANGERS_IKE + 1)).collect();
    stranger.write_all(&flood).await.expect("room for it");
    let pipe = context.table.accept(way).expect("a free way");
    let seat = context.seats.take(way.1.ip()).expect("a free place");
    let conversation = respond(way, ours, pipe, seat, context.clone());
    let ended = tokio::time::timeout(UNUSED / 3, conversation).await;
    assert!(ended.is_ok(), "it waits for a stranger");
    assert_eq!(messages.len(), IKE_BACKLOG / 2);
    assert!(context.table.find(way).is_none());
}

#[tokio::test]
async fn a_stranger_that_gives_way_is_counted_as_refused() {
    let (context, _messages) = context();
    let (way, ours, _stranger) = connected().await;
    let pipe = context.table.accept(way).expect("a free way");
    let seat = context.seats.take(way.1.ip()).expect("a free place");
    seat.taken.notify_one();
    respond(way, ours, pipe, seat, context.clone()).await;
    assert_eq!(context.counters.streams_refused.read(), 1);
}
