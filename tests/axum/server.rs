//! A server, its clients, and handlers that wait for the test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use halfopen::{CircuitBreakerConfig, Clock, ManualClock, Registry, Totals, Trip};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, Semaphore};

/// How long a breaker of these tests stays open.
pub(crate) const WAIT: Duration = Duration::from_secs(30);

/// A registry on a clock that the test moves; two consecutive failures open its breakers.
pub(crate) fn registry() -> (Registry, ManualClock) {
    let (clock, hands) = Clock::manual();
    let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(2)).open_duration(WAIT);
    let config = config.build().unwrap();
    (Registry::builder().default_config(config).clock(clock).build(), hands)
}

/// Waits until this number of calls of the breaker have ended, and returns the totals.
///
/// The server ends a call in its own task, possibly after the client has received the response.
pub(crate) async fn totals_after(registry: &Registry, name: &str, ended: u64) -> Totals {
    for _ in 0..1_000_000 {
        let totals = registry.get_or_create(name).snapshot().totals;
        if totals.successes + totals.failures + totals.ignored + totals.abandoned >= ended {
            return totals;
        }
        tokio::task::yield_now().await;
    }
    panic!("fewer than {ended} calls of `{name}` have ended");
}

pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A response, unparsed.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Sends these bytes on a new connection.
pub(crate) async fn send(address: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// Reads until the server closes the connection; a reset also ends it.
pub(crate) async fn read_all(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path).await
}

pub(crate) async fn request(address: SocketAddr, method: &str, path: &str) -> Answer {
    answer(send(address, &last_request(method, path)).await).await
}

pub(crate) async fn answer(stream: TcpStream) -> Answer {
    let text = read_all(stream).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.replace("\r\n", "\n"), body: body.to_owned() }
}

/// A request that keeps the connection open.
pub(crate) fn request_of(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

/// A request after whose response the server closes the connection.
pub(crate) fn last_request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

/// A handler that reports its start and its cancellation, and completes when the test permits it.
#[derive(Clone)]
pub(crate) struct Work {
    reports: UnboundedSender<Report>,
    seen: Arc<Mutex<UnboundedReceiver<Report>>>,
    leave: Arc<Semaphore>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Started,
    Dropped,
}

/// Reports a drop before completion.
pub(crate) struct Running(Option<UnboundedSender<Report>>);

impl Work {
    pub(crate) fn new() -> Work {
        let (reports, seen) = unbounded_channel();
        Work { reports, seen: Arc::new(Mutex::new(seen)), leave: Arc::new(Semaphore::new(0)) }
    }

    /// Runs in the handler.
    pub(crate) async fn run(self) -> &'static str {
        let mut running = self.start();
        self.leave.acquire().await.unwrap().forget();
        running.end();
        "done"
    }

    pub(crate) fn start(&self) -> Running {
        self.reports.send(Report::Started).unwrap();
        Running(Some(self.reports.clone()))
    }

    /// Lets one handler complete.
    pub(crate) fn finish_one(&self) {
        self.leave.add_permits(1);
    }

    pub(crate) async fn expect(&self, report: Report) {
        assert_eq!(self.seen.lock().await.recv().await, Some(report));
    }
}

impl Running {
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(reports) = &self.0 {
            // The test may have ended.
            let _ = reports.send(Report::Dropped);
        }
    }
}
