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
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use crate::outcome::Outcome;
use crate::pace::Pace;
use crate::random::Dice;
use crate::request::{self, Sender};
use crate::script::Script;
use crate::seen::Seen;
use crate::workers::{Full as QueueFull, Workers};

/// Far above the number of connections of both clients; bounds the memory of the demonstration.
const MOST_CONNECTIONS: usize = 1_024;

/// A real HTTP server on a loopback port whose health follows the script.
pub(crate) struct SickServer {
    seen: Arc<Seen>,
    accepting: AbortHandle,
}

struct Ward {
    script: Arc<Script>,
    pace: Pace,
    seed: u64,
    seen: Arc<Seen>,
    workers: [Workers; Sender::COUNT],
}

/// The error on which hyper drops a connection of the dead server.
#[derive(Debug)]
struct Died;

impl SickServer {
    pub(crate) async fn bind() -> io::Result<(SocketAddr, TcpListener)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok((listener.local_addr()?, listener))
    }

    pub(crate) fn start(listener: TcpListener, script: Arc<Script>, pace: Pace, seed: u64) -> Self {
        let seen = Arc::new(Seen::default());
        let ward = Arc::new(Ward {
            script,
            pace,
            seed,
            seen: Arc::clone(&seen),
            workers: [Workers::new(), Workers::new()],
        });
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
    // Dropped together with this task, which drops every connection too.
    let mut connections = JoinSet::new();
    while let Ok(place) = Arc::clone(&free).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, or the peer has already gone: neither stop nor spin.
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
    // Without Nagle's delay, and reset instead of closed, as by a process that is killed.
    if stream.set_nodelay(true).and_then(|()| stream.set_zero_linger()).is_err() {
        return;
    }
    let service = service_fn(move |request| {
        let ward = Arc::clone(&ward);
        async move { ward.answer(request).await }
    });
    let stream = TokioIo::new(stream);
    // gRPC needs HTTP/2.
    #[cfg(feature = "tonic")]
    let connection = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
    #[cfg(not(feature = "tonic"))]
    let connection = hyper::server::conn::http1::Builder::new();
    // An error is either our own `Died` or a client that has disconnected: both are expected.
    let _ = connection.serve_connection(stream, service).await;
}

impl Ward {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Died> {
        let now = self.pace.now();
        self.note(request.headers(), now);
        let Some(scene) = self.script.scene_at(now) else {
            return Ok(Response::default());
        };
        let headers = request.headers();
        // Failures look as if a proxy had answered, which a gRPC client must handle as well.
        let is_grpc = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/grpc");
        let mut dice = Dice::of_attempt(self.seed, request::number(headers), request::attempt(headers));
        let (status, retry_after) = match Outcome::of(scene, now, &mut dice) {
            Outcome::Work { takes } => (self.work(request::sender(headers), takes).await, None),
            Outcome::Answer { after, status, retry_after } => {
                sleep(self.pace.real(after)).await;
                (status, retry_after)
            }
            Outcome::Reset => return Err(Died),
            Outcome::Silence => match std::future::pending::<Infallible>().await {},
        };
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

    /// A request of an unknown sender needs no worker: it checks whether the server is reachable.
    async fn work(&self, sender: Option<Sender>, takes: Duration) -> StatusCode {
        let Some(sender) = sender else { return StatusCode::OK };
        match self.workers[sender as usize].work(self.pace.real(takes)).await {
            Ok(()) => StatusCode::OK,
            Err(QueueFull) => StatusCode::SERVICE_UNAVAILABLE,
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
