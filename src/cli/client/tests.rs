use super::*;
use crate::control::{FailureKind, Reply};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread::JoinHandle;

/// A gateway that answers one request with `reply` and gives back the request's first line.
fn gateway(reply: Reply) -> (tempfile::TempDir, PathBuf, JoinHandle<String>) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("east-a.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
        let http = reply.to_http();
        let (status, length) = (http.status, http.body.len());
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{}", http.body).as_bytes()).unwrap();
        first
    });
    (folder, socket, answering)
}

#[test]
fn an_answer_comes_back_as_it_was_sent() {
    let (_folder, socket, answering) = gateway(Reply::done("begun"));
    let body = ask(&socket, &Request::Initiate { peer: "north-a".to_owned() }).unwrap();
    assert_eq!(body, "{\"message\":\"begun\"}\n");
    assert_eq!(answering.join().unwrap(), "POST /v1/peers/north-a/initiate HTTP/1.1");
}

#[test]
fn a_refusal_is_an_error_in_the_gateways_words() {
    let (_folder, socket, answering) =
        gateway(Reply::failed(FailureKind::NotNow, "there is no SA to rekey"));
    let error = ask(&socket, &Request::Peers).unwrap_err();
    assert_eq!(error.downcast_ref::<Failure>().unwrap().kind, FailureKind::NotNow);
    assert_eq!(error.to_string(), "there is no SA to rekey");
    answering.join().unwrap();
}

#[test]
fn a_missing_gateway_is_told_how_to_be_started() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("east-a.sock");
    let error = ask(&socket, &Request::Peers).unwrap_err();
    assert!(error.is::<NotRunning>());
    assert!(error.to_string().contains("start it with `vpngwd --config FILE`"), "{error}");

    drop(UnixListener::bind(&socket).unwrap());
    let error = ask(&socket, &Request::Peers).unwrap_err();
    assert!(error.is::<NotRunning>(), "a socket file that was left over: {error}");
    assert!(error.to_string().contains("nobody answers"), "{error}");
}
