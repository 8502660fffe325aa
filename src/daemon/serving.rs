//! Answering HTTP for those who look at the gateway or steer it: connections within bounds, and
//! requests that wait for the loop, which answers one page after another.

use crate::control::{FailureKind, HttpReply, Mark, Page, Reply, Request};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

/// The wait after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// So long an answer that is ready may take to be written before its connection counts as silent.
const TAKING: Duration = Duration::from_millis(20);

/// What clients may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// How long a client may take to say what it wants, and between two requests.
    pub silence: Duration,
    /// How long a connection may live in all.
    pub patience: Duration,
}

/// A request for a page, and where it goes.
#[derive(Debug)]
pub(super) struct Call {
    /// What is asked.
    pub request: Request,
    /// How much of the answer is there already.
    pub after: Option<Mark>,
    /// Takes the page.
    pub reply: oneshot::Sender<Page>,
}

/// Where connections come from.
pub(super) trait Listener: Send + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next one, and who has made it.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Caller)>> + Send;
}

/// Who asks, as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// The user; `None` where that cannot be known.
    pub user: Option<u32>,
}

impl Caller {
    /// Whether it is root.
    pub(super) fn is_root(self) -> bool {
        self.user == Some(0)
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Caller)> {
        let stream = self.accept().await?.0;
        let user = stream.peer_cred().ok().map(|caller| caller.uid());
        Ok((stream, Caller { user }))
    }
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, Caller)> {
        Ok((self.accept().await?.0, Caller { user: None }))
    }
}

/// Somebody who is connected.
struct Guest {
    /// Since when no request of theirs is being answered; `None` while one is.
    idle_since: Arc<Mutex<Option<Instant>>>,
    task: AbortHandle,
}

impl Guest {
    fn is_idle_since(&self) -> Option<Instant> {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers whoever connects. A connection that is silent, or does not take its answer, ends. When all
/// places are taken, whoever has been silent for longest goes for the next one: those who only
/// connect keep nobody out.
pub(super) async fn serve(listener: impl Listener, app: Router, limits: Limits) {
    let mut guests: Vec<Guest> = Vec::new();
    loop {
        guests.retain(|guest| !guest.task.is_finished());
        if guests.len() >= limits.connections && !make_room(&mut guests) {
            tokio::time::sleep(TAKING).await;
            continue;
        }
        match listener.next().await {
            Ok(connection) => guests.push(welcome(connection, app.clone(), limits)),
            // No descriptor is free; one will be.
            Err(error) => {
                tracing::warn!(%error, "a connection is not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Ends the connection that has been silent for longest; says whether there was one.
fn make_room(guests: &mut Vec<Guest>) -> bool {
    let silent = guests.iter().enumerate().filter_map(|(place, guest)| {
        guest.is_idle_since().filter(|since| since.elapsed() >= TAKING).map(|since| (since, place))
    });
    let Some((_, place)) = silent.min() else { return false };
    guests.remove(place).task.abort();
    true
}

fn welcome<S>((stream, caller): (S, Caller), app: Router, limits: Limits) -> Guest
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let idle_since = Arc::new(Mutex::new(Some(Instant::now())));
    let note = |idle_since: &Mutex<Option<Instant>>, since| {
        *idle_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    };
    let (noted, app) = (Arc::clone(&idle_since), TowerToHyperService::new(app));
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(caller);
        let (noted, answer) = (Arc::clone(&noted), app.call(request));
        async move {
            note(&noted, None);
            let answer = answer.await;
            note(&noted, Some(Instant::now()));
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.silence)
        .serve_connection(TokioIo::new(stream), service);
    let task = tokio::spawn(async move {
        // How a client ends is its own matter.
        let _ = timeout(limits.patience, connection).await;
    });
    Guest { idle_since, task: task.abort_handle() }
}

/// A reply as HTTP has it; `None` when it could not be written.
pub(super) async fn written(reply: Reply) -> Option<HttpReply> {
    // A long view takes a while to write, and this thread keeps the tunnels alive.
    tokio::task::spawn_blocking(move || reply.to_http()).await.ok()
}

/// A reply as HTTP sends it.
pub(super) fn response(http: Option<HttpReply>) -> Response {
    let Some(http) = http else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let status = StatusCode::from_u16(http.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, http.content_type)], http.body).into_response()
}

/// Asks for page after page and puts them together; between two pages the loop does what else
/// there is to do.
pub(super) async fn ask(calls: &mpsc::Sender<Call>, request: Request) -> Reply {
    let Page { mut reply, mut next } = ask_for_page(calls, &request, None).await;
    while next.is_some() {
        let page = ask_for_page(calls, &request, next).await;
        reply.extend(page.reply);
        next = page.next;
    }
    reply
}

async fn ask_for_page(calls: &mpsc::Sender<Call>, request: &Request, after: Option<Mark>) -> Page {
    let (reply, answer) = oneshot::channel();
    let ending = || Reply::failed(FailureKind::NotNow, "the gateway is ending").into();
    if calls.send(Call { request: request.clone(), after, reply }).await.is_err() {
        return ending();
    }
    answer.await.unwrap_or_else(|_| ending())
}
