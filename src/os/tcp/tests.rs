use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const HERE: (Place<'_>, Terms<'_>) =
    (Place { namespace: None, device: None }, Terms { password: None, unforwarded: false });
const PATIENCE: Duration = Duration::from_secs(5);

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[tokio::test]
async fn bytes_cross_from_the_address_that_was_asked_for() {
    let listener = listen(Place::default(), loopback(0)).unwrap();
    let remote = listener.local_addr().unwrap();
    let local = IpAddr::from([127, 0, 0, 2]);
    let (client, server) = tokio::join!(connect(HERE, local, remote, PATIENCE), listener.accept());
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
    let error = connect(HERE, closed.ip(), closed, PATIENCE).await.unwrap_err().to_string();
    assert!(error.contains(&closed.to_string()), "{error}");
}

#[tokio::test]
async fn only_who_knows_the_password_connects() {
    let listener = listen(Place::default(), loopback(0)).unwrap();
    let (knows, does_not) = (IpAddr::from([127, 0, 0, 2]), IpAddr::from([127, 0, 0, 3]));
    sign(&listener, knows, b"secret").unwrap();
    sign(&listener, does_not, b"secret").unwrap();
    let remote = listener.local_addr().unwrap();
    let with = |password| (Place::default(), Terms { password: Some(password), unforwarded: true });
    let wrong = connect(with(b"guessed".as_slice()), does_not, remote, Duration::from_millis(300));
    assert!(wrong.await.is_err());
    let right = connect(with(b"secret".as_slice()), knows, remote, PATIENCE);
    let (right, accepted) = tokio::join!(right, listener.accept());
    assert_eq!(right.unwrap().local_addr().unwrap().ip(), knows);
    assert_eq!(accepted.unwrap().1.ip(), knows);
}

#[tokio::test]
async fn a_password_that_is_too_long_is_an_error() {
    let listener = listen(Place::default(), loopback(0)).unwrap();
    assert!(sign(&listener, [127, 0, 0, 2].into(), &[b'x'; 81]).is_err());
}
