//! The control socket: JSON over HTTP on a Unix socket, for `vpnctl` and `curl --unix-socket`.
//!
//! Whoever may open the socket may steer the gateway; its permissions (0660) are the access
//! control. Requests wait in a queue for the loop, which answers one page after another.

use super::exit::{Cause, Failure, OrFail, Outcome};
use crate::control::{FailureKind, Mark, Page, Reply, Request};
use anyhow::anyhow;
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Requests that wait for the loop.
const BACKLOG: usize = 16;
/// The owner and the group may connect.
const MODE: u32 = 0o660;
/// The wait after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// What clients may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Connections at a time.
    connections: usize,
    /// How long a client may take to say what it wants, and between two requests.
    silence: Duration,
    /// How long a connection may live in all.
    patience: Duration,
}

const LIMITS: Limits =
    Limits { connections: 32, silence: Duration::from_secs(5), patience: Duration::from_secs(60) };

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

/// The open socket; its file is removed when this is dropped.
#[derive(Debug)]
pub(super) struct ControlSocket {
    path: PathBuf,
    server: JoinHandle<()>,
}

impl ControlSocket {
    /// Opens the socket; requests come out of the receiver. A file that a crash left behind is
    /// replaced.
    ///
    /// # Errors
    ///
    /// When another daemon answers on the socket, or the place is not writable.
    pub(super) async fn open(path: &str) -> Outcome<(ControlSocket, mpsc::Receiver<Call>)> {
        let path = PathBuf::from(path);
        claim(&path).await?;
        let listener = bind(&path)?;
        let (calls, receiver) = mpsc::channel(BACKLOG);
        let app = Router::new().fallback(handle).with_state(calls);
        let server = tokio::spawn(serve(listener, app, LIMITS));
        Ok((ControlSocket { path, server }, receiver))
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.server.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Makes sure that nobody answers on the socket, and removes a file that is left over.
async fn claim(path: &Path) -> Outcome<()> {
    // A daemon that is busy does not answer at once (EAGAIN), and is one all the same.
    let answer = UnixStream::connect(path).await.map_err(|error| error.kind());
    if matches!(answer, Ok(_) | Err(ErrorKind::WouldBlock)) {
        let error = anyhow!("another vpngwd answers on {}; stop it first", path.display());
        return Err(Failure { cause: Cause::Busy, error });
    }
    match std::fs::symlink_metadata(path) {
        Ok(file) if file.file_type().is_socket() => {
            std::fs::remove_file(path).map_err(|error| explain(path, error))
        }
        Ok(_) => {
            let error = anyhow!("{} is there and is no socket; remove it", path.display());
            Err(Failure { cause: Cause::Configuration, error })
        }
        Err(_) => Ok(()),
    }
}

fn bind(path: &Path) -> Outcome<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| explain(path, error))?;
    }
    let listener = UnixListener::bind(path).map_err(|error| explain(path, error))?;
    let permissions = std::fs::Permissions::from_mode(MODE);
    std::fs::set_permissions(path, permissions).or_fail(Cause::Runtime)?;
    Ok(listener)
}

fn explain(path: &Path, error: std::io::Error) -> Failure {
    let context = format!("opening the control socket {}", path.display());
    Failure::of(anyhow::Error::new(error).context(context))
}

/// Answers whoever connects. A connection that is silent, or does not take its answer, ends; when
/// all places are taken the next ones wait in the kernel.
async fn serve(listener: UnixListener, app: Router, limits: Limits) {
    let places = Arc::new(Semaphore::new(limits.connections));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
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
                tracing::warn!(%error, "a connection to the control socket is not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn handle(State(calls): State<mpsc::Sender<Call>>, method: Method, uri: Uri) -> Response {
    let target = uri.path_and_query().map_or(uri.path(), |target| target.as_str());
    let answer = match Request::from_http(method.as_str(), target) {
        Ok(request) => ask(&calls, request).await,
        Err(failure) => Reply::Failed(failure),
    };
    // A long view takes a while to write, and this thread keeps the tunnels alive.
    let http = tokio::task::spawn_blocking(move || answer.to_http()).await;
    let Ok(http) = http else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let status = StatusCode::from_u16(http.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, http.content_type)], http.body).into_response()
}

/// Asks for page after page and puts them together; between two pages the loop does what else
/// there is to do.
async fn ask(calls: &mpsc::Sender<Call>, request: Request) -> Reply {
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

#[cfg(test)]
mod tests;
