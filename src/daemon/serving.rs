//! Answering HTTP for those who look at the gateway or steer it: connections within bounds, and
//! requests that wait for the loop, which answers one page after another.

use crate::control::{FailureKind, HttpReply, Mark, Page, Reply, Request};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// The wait after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

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

    /// The next one.
    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        Ok(self.accept().await?.0)
    }
}

/// Answers whoever connects. A connection that is silent, or does not take its answer, ends; when
/// all places are taken the next ones wait in the kernel.
pub(super) async fn serve(listener: impl Listener, app: Router, limits: Limits) {
    let places = Arc::new(Semaphore::new(limits.connections));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.next().await {
            Ok(stream) => {
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(limits.silence)
                    .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app.clone()));
                tokio::spawn(async move {
                    // How a client ends is its own matter.
                    let _ = timeout(limits.patience, connection).await;
                    drop(place);
                });
            }
            // No descriptor is free; one will be.
            Err(error) => {
                tracing::warn!(%error, "a connection is not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
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
