//! What is served, to whom, and how often the loop is asked for it.

use super::*;
use crate::control::{Code, EventView, EventsView, Severity};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server whose loop counts what it is asked.
async fn open() -> (Web, Arc<AtomicUsize>) {
    let (calls, mut requests) = mpsc::channel::<Call>(4);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Some(call) = requests.recv().await {
            count.fetch_add(1, Ordering::Relaxed);
            let event = |number| EventView {
                number,
                ago_ms: 0,
                code: Code::Started,
                severity: Severity::Info,
                peer: String::new(),
                what: "began".to_owned(),
                ours: None,
                theirs: None,
                remedy: None,
            };
            let reply = match call.request {
                Request::Events { .. } => Reply::Events(EventsView {
                    gateway: "east-a".to_owned(),
                    events: (1..=300).map(event).collect(),
                    last: 300,
                    missed: 0,
                }),
                other => Reply::done(format!("{other:?}")),
            };
            let _ = call.reply.send(reply.into());
        }
    });
    let address = "127.0.0.1:0".parse().expect("an address");
    (Web::open(address, calls).await, asked)
}

async fn ask(web: &Web, request: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(web.address()).await.expect("open");
    let request = format!("{request} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test]
async fn nothing_can_be_steered() {
    let (web, asked) = open().await;
    for request in ["POST /v1/reload", "POST /v1/peers/a/terminate", "POST /metrics", "PUT /"] {
        assert!(ask(&web, request, "localhost").await.starts_with("HTTP/1.1 405"), "{request}");
    }
    for request in ["GET /v1/reload", "GET /v1/log", "GET /v1/plan", "GET /../etc/passwd"] {
        let answer = ask(&web, request, "localhost").await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{request}: {answer}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn many_who_ask_the_same_cost_the_loop_one_answer() {
    let (web, asked) = open().await;
    for _ in 0..20 {
        let answer = ask(&web, "GET /metrics", "127.0.0.1:9679").await;
        assert!(answer.contains("Metrics"), "{answer}");
    }
    assert!(asked.load(Ordering::Relaxed) <= 3, "{asked:?}");
    let events = ask(&web, "GET /v1/events", "[::1]:9679").await;
    assert_eq!(events.matches("\"number\"").count(), EVENTS);
    assert!(events.contains("\"number\":300") && !events.contains("\"number\":200,"));
}

#[tokio::test]
async fn a_name_of_somebody_elses_gets_nothing() {
    let (web, asked) = open().await;
    for host in ["evil.example", "evil.example:9679", "localhost.evil.example", ""] {
        let answer = ask(&web, "GET /v1/peers", host).await;
        assert!(answer.starts_with("HTTP/1.1 421"), "{host}: {answer}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn the_page_asks_nobody_else() {
    let (web, _) = open().await;
    let answer = ask(&web, "GET /", "localhost:9679").await;
    assert!(answer.contains("content-security-policy: default-src 'none'; script-src 'sha256-"));
    assert!(
        !PAGE.contains("://")
            || PAGE.matches("://").count() == PAGE.matches("http://www.w3.org/2000/svg").count()
    );
    assert_eq!(PAGE.matches("<script>").count(), 1);
    for danger in ["innerHTML", "outerHTML", "document.write", "eval("] {
        assert!(!PAGE.contains(danger), "{danger}: names of peers are no markup");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_tried_again() {
    let (first, _) = open().await;
    let (calls, _requests) = mpsc::channel(1);
    let second = Web::open(first.address(), calls).await;
    drop(first);
    let ends = tokio::time::Instant::now() + RETRY * 5;
    while TcpStream::connect(second.address()).await.is_err() {
        assert!(tokio::time::Instant::now() < ends, "nobody listens");
        tokio::time::sleep(RETRY / 20).await;
    }
}
