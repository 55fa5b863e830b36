use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use crate::fate::Fate;
use crate::pace::Pace;
use crate::random::Dice;
use crate::request;
use crate::script::Script;
use crate::seen::Seen;

/// Far above what both clients can hold open; a demonstration must not eat the machine.
const MOST_CONNECTIONS: usize = 1_024;

/// A real HTTP server, HTTP/1 or 2 as its client likes, on a loopback port, whose health follows the script.
pub(crate) struct SickServer {
    seen: Arc<Seen>,
    accepting: AbortHandle,
}

struct Ward {
    script: Arc<Script>,
    pace: Pace,
    seed: u64,
    seen: Arc<Seen>,
}

/// Why a connection of the dead server ends; hyper drops the connection on it.
#[derive(Debug)]
struct Died;

impl SickServer {
    pub(crate) async fn bind() -> io::Result<(SocketAddr, TcpListener)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok((listener.local_addr()?, listener))
    }

    pub(crate) fn start(listener: TcpListener, script: Arc<Script>, pace: Pace, seed: u64) -> Self {
        let seen = Arc::new(Seen::default());
        let ward = Arc::new(Ward { script, pace, seed, seen: Arc::clone(&seen) });
        let accepting = tokio::spawn(accept(listener, ward)).abort_handle();
        Self { seen, accepting }
    }

    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }
}

impl Drop for SickServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, ward: Arc<Ward>) {
    let free = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    while let Ok(place) = Arc::clone(&free).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or a peer gone already: no reason to stop, nor to spin.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let ward = Arc::clone(&ward);
        connections.spawn(async move {
            serve(stream, ward).await;
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, ward: Arc<Ward>) {
    // Small answers must not wait for more; and a connection that the server gives up is reset,
    // not closed in good order: that is what a dying process looks like from outside.
    if stream.set_nodelay(true).and_then(|()| stream.set_zero_linger()).is_err() {
        return;
    }
    let service = service_fn(move |request| {
        let ward = Arc::clone(&ward);
        async move { ward.answer(request).await }
    });
    // An error is either our own `Died` or a client that went away: both are part of the story.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

impl Ward {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Died> {
        let now = self.pace.now();
        self.note(request.headers(), now);
        let Some(scene) = self.script.scene_at(now) else {
            return Ok(Response::default());
        };
        // What fails looks as if a proxy had answered, which a gRPC client has to understand anyway.
        let is_grpc =
            request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/grpc");
        let mut dice = Dice::of_attempt(
            self.seed,
            request::number(request.headers()),
            request::attempt(request.headers()),
        );
        match Fate::of(scene, now, &mut dice) {
            Fate::Answer { after, status, retry_after } => {
                sleep(self.pace.real(after)).await;
                let mut response = Response::new(Full::from("ok\n"));
                *response.status_mut() = status;
                if is_grpc && status == StatusCode::OK {
                    response.headers_mut().insert("grpc-status", HeaderValue::from_static("0"));
                }
                if let Some(seconds) = retry_after {
                    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                }
                Ok(response)
            }
            Fate::Reset => Err(Died),
            Fate::Silence => match std::future::pending::<Infallible>().await {},
        }
    }

    fn note(&self, headers: &HeaderMap, now: Duration) {
        if let Some(sender) = request::sender(headers) {
            self.seen.count(sender, self.script.is_sick_at(now));
        }
    }
}

impl fmt::Display for Died {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the server is dead")
    }
}

impl std::error::Error for Died {}
