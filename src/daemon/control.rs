//! The control socket: JSON over HTTP on a Unix socket, for `vpnctl` and `curl --unix-socket`.
//!
//! Whoever may open the socket may steer the gateway; its permissions (0660) are the access
//! control; the keys of SAs are told to root alone. Requests wait in a queue for the loop, which answers one
//! page after another.

use super::exit::{Cause, Failure, OrFail, Outcome};
use super::serving::{self, Call, Caller, Limits, serve};
use crate::control::{FailureKind, Reply, Request};
use anyhow::anyhow;
use axum::Extension;
use axum::Router;
use axum::extract::State;
use axum::http::{Method, Uri};
use axum::response::Response;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::warn;

/// Requests that wait for the loop.
const BACKLOG: usize = 16;
/// The owner and the group may connect.
const MODE: u32 = 0o660;
/// How often we look whether the socket's file is still there.
const LOOKING: Duration = Duration::from_secs(1);
const LIMITS: Limits =
    Limits { connections: 32, silence: Duration::from_secs(5), patience: Duration::from_secs(60) };

/// The open socket; its file is removed when this is dropped.
#[derive(Debug)]
pub(super) struct ControlSocket {
    path: PathBuf,
    server: JoinHandle<()>,
    calls: mpsc::Sender<Call>,
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
        let app = Router::new().fallback(handle).with_state(calls.clone());
        let server = tokio::spawn(keep(listener, path.clone(), app, LOOKING));
        Ok((ControlSocket { path, server, calls }, receiver))
    }

    /// Where others put requests for the loop.
    pub(super) fn calls(&self) -> mpsc::Sender<Call> {
        self.calls.clone()
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.server.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Serves, and opens the socket anew when somebody has removed its file, as cleaners of `/run` do.
async fn keep(mut listener: UnixListener, path: PathBuf, app: Router, looking: Duration) {
    loop {
        let file = identity(&path);
        let taken_away = async {
            while file.is_some() && identity(&path) == file {
                tokio::time::sleep(looking).await;
            }
        };
        tokio::select! {
            () = serve(listener, app.clone(), LIMITS) => return,
            () = taken_away => {}
        }
        warn!("somebody has removed the control socket {}; it is opened again", path.display());
        listener = loop {
            // What stands in its place now may be another daemon's.
            match identity(&path).is_none().then(|| bind(&path)) {
                Some(Ok(listener)) => break listener,
                Some(Err(failure)) => warn!(error = format!("{:#}", failure.error), "not opened"),
                None => {}
            }
            tokio::time::sleep(looking).await;
        };
    }
}

/// Which file this is.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let file = std::fs::symlink_metadata(path).ok()?;
    Some((file.dev(), file.ino()))
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

async fn handle(
    State(calls): State<mpsc::Sender<Call>>,
    Extension(caller): Extension<Caller>,
    method: Method,
    uri: Uri,
) -> Response {
    let target = uri.path_and_query().map_or(uri.path(), |target| target.as_str());
    let answer = match Request::from_http(method.as_str(), target) {
        // The group may steer; keys are for who could read them out of the process anyway.
        Ok(Request::Keys { .. }) if !caller.is_root() => {
            Reply::failed(FailureKind::NotAllowed, "the keys of SAs are told to root only")
        }
        Ok(request) => serving::ask(&calls, request).await,
        Err(failure) => Reply::Failed(failure),
    };
    serving::response(serving::written(answer).await)
}

#[cfg(test)]
mod tests;
