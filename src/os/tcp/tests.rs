use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[tokio::test]
async fn bytes_cross_from_the_address_that_was_asked_for() {
    let listener = listen(Place::default(), loopback(0)).unwrap();
    let remote = listener.local_addr().unwrap();
    let local = IpAddr::from([127, 0, 0, 2]);
    let (client, server) =
        tokio::join!(connect(Place::default(), local, remote, PATIENCE), listener.accept());
    let (mut client, (mut server, from)) = (client.unwrap(), server.unwrap());
    assert_eq!(from.ip(), local);

    client.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    server.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
}

#[tokio::test]
async fn a_closed_port_is_an_error_that_names_both_ends() {
    let closed = {
        let listener = listen(Place::default(), loopback(0)).unwrap();
        listener.local_addr().unwrap()
    };
    let error =
        connect(Place::default(), closed.ip(), closed, PATIENCE).await.unwrap_err().to_string();
    assert!(error.contains(&closed.to_string()), "{error}");
}
