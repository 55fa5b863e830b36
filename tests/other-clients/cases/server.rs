//! A real server of HTTP/1.1 and HTTP/2 whose health is set by the test.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};

pub(crate) type Answer = Response<BoxBody<Bytes, io::Error>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Health {
    Well,
    Sick,
    /// The head of a successful response, and a body that breaks off.
    Cut,
}

/// Responds to every request by its health, and counts the requests.
#[derive(Clone)]
pub(crate) struct Server {
    shared: Arc<Shared>,
    pub(crate) url: String,
}

struct Shared {
    answer: fn(Health) -> Answer,
    health: AtomicU8,
    requests: AtomicU64,
}

impl Server {
    pub(crate) async fn start(answer: fn(Health) -> Answer) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            answer,
            health: AtomicU8::new(Health::Well as u8),
            requests: AtomicU64::new(0),
        });
        tokio::spawn(accept(listener, shared.clone()));
        Server { shared, url }
    }

    pub(crate) fn is(&self, health: Health) {
        self.shared.health.store(health as u8, Ordering::SeqCst);
    }

    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn health(&self) -> Health {
        match self.health.load(Ordering::SeqCst) {
            0 => Health::Well,
            1 => Health::Sick,
            _ => Health::Cut,
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Infallible> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        // Read to its end, so that no connection is closed with unread bytes.
        let _request_body = request.into_body().collect().await;
        Ok((self.answer)(self.health()))
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(serve(connection, shared.clone()));
    }
}

async fn serve(connection: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| shared.clone().answer(request));
    // A client that closes its connection is not a failure of the test.
    let _closed =
        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(connection), service).await;
}

/// A JSON response.
pub(crate) fn json(status: u16, text: &'static str) -> Answer {
    let body = Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {}).boxed();
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    answer
}

/// A successful head, and a body that breaks off after the first of its bytes.
pub(crate) fn cut() -> Answer {
    let frames = [Ok(Frame::data(Bytes::from_static(b"{"))), Err(io::Error::other("the server breaks off"))];
    let mut answer = json(200, "").map(|_| StreamBody::new(futures_util::stream::iter(frames)).boxed());
    answer.headers_mut().insert("content-length", HeaderValue::from_static("100"));
    answer
}

/// A gRPC response with one empty message, or with none and UNAVAILABLE.
pub(crate) fn grpc(health: Health) -> Answer {
    let status = match health {
        Health::Well | Health::Cut => "0",
        Health::Sick => "14",
    };
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static(status))]);
    let message = Frame::data(Bytes::from_static(&[0; 5]));
    let frames = match health {
        Health::Well => vec![Ok(message), Ok(Frame::trailers(trailers))],
        Health::Sick => vec![Ok(Frame::trailers(trailers))],
        Health::Cut => vec![Ok(message), Err(io::Error::other("the server breaks off"))],
    };
    let mut answer = Response::new(StreamBody::new(futures_util::stream::iter(frames)).boxed());
    answer.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    answer
}
