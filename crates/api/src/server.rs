//! Accepts connections, checks who is at their other end, and serves them within limits.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Request, State},
    middleware::Next,
    response::Response,
    routing::get,
};
use holdfast_engine::Engine;
use holdfast_wire::ErrorCode;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Notify, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;
use tracing::{Instrument, debug, info_span, warn};

use crate::{
    authorization::{self, Peer},
    errors::ApiError,
    files::Files,
    limits,
    patience::Patient,
    places::{Place, Places, UnderWay},
    routes::{self, Shared},
};

/// Pause after the system refused a connection (out of file descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the server is told to end, and tells that a client asked for it.
#[derive(Clone, Default)]
pub struct Stop {
    /// Ends the server.
    pub now: CancellationToken,
    /// Told when a client asks the agent to stop.
    pub asked: Arc<Notify>,
}

/// Serves the socket until `stop.now`; requests under way get a moment to end. Peers of another user than `own_uid`
/// are refused before a byte of theirs is read. `files` reads the files that clients name.
pub async fn serve(listener: UnixListener, engine: Engine, own_uid: u32, files: Files, stop: Stop) {
    let readers = Arc::new(Semaphore::new(limits::EVENT_READERS_MAX));
    let app = app(Shared { engine: engine.clone(), stop: stop.asked.clone(), files, readers });
    let places = Places::new(limits::CONNECTIONS_MAX);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.now.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let peer = stream.peer_cred().ok().map(Peer::from);
        let Some(peer) = peer.filter(|peer| authorization::peer_is_allowed(Some(*peer), own_uid)) else {
            warn!(?peer, "a connection of another user was refused");
            continue;
        };
        // After accepting, so that nobody gives up a place that nobody asked for.
        let place = tokio::select! {
            place = places.take() => place,
            () = stop.now.cancelled() => break,
        };
        let Some(place) = place else { break };
        connections.spawn(serve_connection(stream, peer, place, app.clone(), engine.clone(), stop.now.clone()));
    }
    connections.close();
    if tokio::time::timeout(limits::DRAIN_TIME, connections.wait()).await.is_err() {
        debug!("requests that did not end in time are cut off");
    }
}

async fn serve_connection(
    stream: UnixStream,
    peer: Peer,
    place: Arc<Place>,
    app: Router,
    engine: Engine,
    stop: CancellationToken,
) {
    let app = app.layer(axum::Extension(peer));
    let asked = AtomicBool::new(false);
    let requests = hyper::service::service_fn(|request: hyper::Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let begun = place.begin().map(|under_way| (under_way, app.clone()));
        async move {
            let (under_way, app) = begun.ok_or(PlaceGivenUp)?;
            let response = app.oneshot(request).await.unwrap_or_else(|never: Infallible| match never {});
            Ok::<_, PlaceGivenUp>(response.map(|body| Reply { body, _under_way: under_way }))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD_TIME)
        .max_buf_size(limits::HEAD_MAX)
        .serve_connection(TokioIo::new(Patient::new(stream, limits::WRITE_TIME)), requests);
    let mut connection = std::pin::pin!(connection);
    let mut closing = std::pin::pin!(engine.next_closing());
    let (mut ending, mut stopping) = (false, false);
    let ended = loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => break ended,
            () = place.given_up() => {
                debug!("a connection without a request made room for another");
                return;
            }
            // The buffers of a connection hold what was sent on it before, a passphrase say, until it ends. One on which
            // nothing was asked yet holds nothing, and whoever is just about to ask gets an answer.
            () = closing.as_mut(), if !ending => {
                if !asked.load(Ordering::Relaxed) {
                    closing.set(engine.next_closing());
                    continue;
                }
                ending = true;
            }
            () = stop.cancelled(), if !stopping => stopping = true,
        }
        connection.as_mut().graceful_shutdown();
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}

/// A request arrived in the moment in which its connection made room for another.
#[derive(Debug, thiserror::Error)]
#[error("the connection made room for another")]
struct PlaceGivenUp;

/// The body of a reply. Its request is under way until it is written.
struct Reply {
    body: axum::body::Body,
    _under_way: UnderWay,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn app(shared: Shared) -> Router {
    let (routes, _) = routes::router().split_for_parts();
    let engine = shared.engine.clone();
    routes
        .route("/v1/openapi.json", get(|| async { Json(crate::document()) }))
        .fallback(|| async {
            ApiError::new(ErrorCode::NotFound, "There is no such operation.".into(), "GET /v1/openapi.json lists them.")
        })
        .method_not_allowed_fallback(|| async {
            ApiError::new(
                ErrorCode::MethodNotAllowed,
                "This operation exists, with another method.".into(),
                "GET /v1/openapi.json lists them.",
            )
        })
        .layer(axum::middleware::from_fn_with_state(engine, authorize))
        .with_state(shared)
}

/// What says nothing about whether somebody uses the vault: faces keep it up by themselves.
const NO_USE: &[&str] = &["/v1/status", "/v1/events", "/v1/openapi.json"];

/// Every request passes here before anything of it is looked at.
async fn authorize(State(engine): State<Engine>, mut request: Request, next: Next) -> Result<Response, ApiError> {
    authorization::request_is_allowed(request.headers(), request.uri())?;
    let Some(peer) = request.extensions().get::<Peer>().copied() else {
        return Err(ApiError::new(ErrorCode::Forbidden, "The caller is not known.".into(), "Use the socket."));
    };
    request.extensions_mut().insert(authorization::caller(peer));
    request.extensions_mut().insert(engine.clone());
    if !NO_USE.contains(&route(&request)) {
        engine.used();
    }
    let span = info_span!("request", method = %request.method(), route = route(&request));
    Ok(next.run(request).instrument(span).await)
}

/// The pattern of the path: the path itself may hold a label.
fn route(request: &Request) -> &str {
    request.extensions().get::<axum::extract::MatchedPath>().map_or("none", axum::extract::MatchedPath::as_str)
}
