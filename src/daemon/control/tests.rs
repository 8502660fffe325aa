//! The control socket: who may open it, and what happens to a file that is in the way.

use super::*;
use crate::control::{Mark, Page, SasView, TunnelSas};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn path(folder: &tempfile::TempDir) -> String {
    folder.path().join("run/gateway.sock").display().to_string()
}

async fn ask_over(path: &str, request: &str) -> String {
    let mut stream = UnixStream::connect(path).await.expect("the socket is open");
    let request = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test]
async fn requests_reach_the_loop_and_replies_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_socket, mut calls) = ControlSocket::open(&path(&folder)).await.expect("open");
    let mode = std::fs::metadata(path(&folder)).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    tokio::spawn(async move {
        while let Some(call) = calls.recv().await {
            let _ = call.reply.send(Reply::done(format!("{:?}", call.request)).into());
        }
    });
    let answer = ask_over(&path(&folder), "POST /v1/reload").await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(answer.contains("Reload"), "{answer}");
    let answer = ask_over(&path(&folder), "GET /nothing").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn pages_come_back_as_one_document() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_socket, mut calls) = ControlSocket::open(&path(&folder)).await.expect("open");
    tokio::spawn(async move {
        let page = |peer: &str, next| {
            let ike_sa = None;
            let tunnel = TunnelSas {
                peer: peer.to_owned(),
                vpc: "shop".to_owned(),
                ike_sa,
                child_sas: vec![],
            };
            let view = SasView { gateway: "east-a".to_owned(), tunnels: vec![tunnel] };
            Page { reply: Reply::Sas(view), next }
        };
        while let Some(call) = calls.recv().await {
            let first = Mark::Peer("a".to_owned());
            let _ = call.reply.send(match call.after {
                None => page("a", Some(first)),
                Some(mark) if mark == first => page("b", None),
                Some(other) => panic!("{other:?}"),
            });
        }
    });
    let answer = ask_over(&path(&folder), "GET /v1/sas").await;
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let view: SasView = serde_json::from_str(body).expect("one document");
    let peers: Vec<_> = view.tunnels.iter().map(|tunnel| tunnel.peer.as_str()).collect();
    assert_eq!(peers, ["a", "b"]);
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_a_stale_file_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, _calls) = ControlSocket::open(&path(&folder)).await.expect("open");
    let second = ControlSocket::open(&path(&folder)).await.expect_err("the first one answers");
    assert_eq!(second.cause, Cause::Busy);
    drop(first);
    assert!(!Path::new(&path(&folder)).exists());
    drop(std::os::unix::net::UnixListener::bind(path(&folder)).expect("a stale socket"));
    ControlSocket::open(&path(&folder)).await.expect("the stale file is replaced");
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file").display().to_string();
    std::fs::write(&file, "precious").expect("written");
    let failure = ControlSocket::open(&file).await.expect_err("it is no socket");
    assert_eq!(failure.cause, Cause::Configuration);
    assert_eq!(std::fs::read_to_string(&file).expect("still there"), "precious");
}

#[tokio::test]
async fn whoever_only_connects_keeps_nobody_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.sock").display().to_string();
    let listener = UnixListener::bind(&path).expect("bound");
    let (calls, mut requests) = mpsc::channel(BACKLOG);
    tokio::spawn(async move {
        while let Some(call) = requests.recv().await {
            let Call { reply, .. } = call;
            let _ = reply.send(Reply::done("begun").into());
        }
    });
    let limits = Limits { connections: 2, ..LIMITS };
    let app = Router::new().fallback(handle).with_state(calls);
    tokio::spawn(serve(listener, app, limits));

    let connect = || UnixStream::connect(&path);
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(connect().await.expect("open"));
    }
    let asked = tokio::time::Instant::now();
    let answer = ask_over(&path, "POST /v1/reload").await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(asked.elapsed() < LIMITS.silence, "the silent ones had to be waited for");
    for mut stream in silent.into_iter().take(18) {
        let mut rest = Vec::new();
        // Closed, or with a reset: over in any case.
        let _ = stream.read_to_end(&mut rest).await;
    }
}

#[tokio::test]
async fn a_socket_that_somebody_removes_is_opened_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, looking) = (folder.path().join("gateway.sock"), Duration::from_millis(5));
    let listener = bind(&path).expect("bound");
    let kept = tokio::spawn(keep(listener, path.clone(), Router::new(), looking));
    for _ in 0..2 {
        std::fs::remove_file(&path).expect("removed");
        while !path.exists() {
            tokio::time::sleep(looking).await;
        }
        UnixStream::connect(&path).await.expect("open again");
    }
    // What somebody else puts there is theirs.
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, "precious").expect("written");
    tokio::time::sleep(looking * 20).await;
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), "precious");
    kept.abort();
}

#[tokio::test]
async fn keys_are_told_to_root_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_socket, mut calls) = ControlSocket::open(&path(&folder)).await.expect("open");
    tokio::spawn(async move {
        while let Some(call) = calls.recv().await {
            let _ = call.reply.send(Reply::done("told").into());
        }
    });
    let answer = ask_over(&path(&folder), "POST /v1/peers/north-a/keys").await;
    let expected = if nix::unistd::geteuid().is_root() { "told" } else { "root only" };
    assert!(answer.contains(expected), "{answer}");
    assert!(!Caller { user: Some(1000) }.is_root() && !Caller { user: None }.is_root());
}
