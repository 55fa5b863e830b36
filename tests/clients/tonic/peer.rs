//! A hyper server, without tonic, whose faults are selected by the path before the method's.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use halfopen::BoxError;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;
type Step = Result<Frame<Bytes>, BoxError>;

/// A `Stock` of three pieces, in gRPC framing.
const MESSAGE: &[u8] = b"\0\0\0\0\x02\x08\x03";

pub(crate) struct Peer {
    address: SocketAddr,
    accepting: JoinHandle<()>,
    signals: Arc<Signals>,
}

#[derive(Default)]
struct Signals {
    break_off: Notify,
    go_away: Notify,
    hang_up: Notify,
}

impl Peer {
    pub(crate) async fn start() -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let signals = Arc::new(Signals::default());
        let accepting = tokio::spawn(accept(listener, Arc::clone(&signals)));
        Peer { address, accepting, signals }
    }

    pub(crate) fn channel(&self) -> Channel {
        Channel::builder(self.origin("")).connect_lazy()
    }

    pub(crate) fn origin(&self, cue: &str) -> Uri {
        crate::uri(&format!("http://{}/{cue}", self.address))
    }

    /// Lets a body abort; it waits until the client has read its data.
    pub(crate) fn break_off(&self) {
        self.signals.break_off.notify_one();
    }

    /// Sends a GOAWAY on every connection; calls in flight may complete.
    pub(crate) fn go_away(&self) {
        self.signals.go_away.notify_waiters();
    }

    /// Closes every connection immediately.
    pub(crate) fn hang_up(&self) {
        self.signals.hang_up.notify_waiters();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, signals: Arc<Signals>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&signals)));
    }
}

async fn serve(stream: TcpStream, signals: Arc<Signals>) {
    let service = service_fn(|request| answer(request, Arc::clone(&signals)));
    let builder = http2::Builder::new(TokioExecutor::new());
    let mut connection = Box::pin(builder.serve_connection(TokioIo::new(stream), service));
    let hung_up = async {
        tokio::select! {
            // The faults are intended, so the server's errors are ignored.
            _ = connection.as_mut() => return,
            () = signals.go_away.notified() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    };
    tokio::select! {
        () = hung_up => {}
        () = signals.hang_up.notified() => {}
    }
}

async fn answer(request: Request<Incoming>, signals: Arc<Signals>) -> Result<Response<Body>, BoxError> {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let mut parts = path.split('/');
    let (kind, detail) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let head = Response::builder().header("content-type", "application/grpc");
    Ok(match kind {
        "unary" => head.body(steps([data(), trailers([("grpc-status", detail)])?]))?,
        "trailers-only" => head.header("grpc-status", detail).body(empty())?,
        "http" => Response::builder().status(detail).body(empty())?,
        "no-trailers" => head.body(steps([data()]))?,
        "cut-short" => head.body(steps([Ok(Frame::data(Bytes::from_static(&MESSAGE[..3])))]))?,
        "silent" => std::future::pending().await,
        "stalled" => head.body(then_nothing([data()]))?,
        "pushback" => {
            head.header("grpc-status", "14").header("grpc-retry-pushback-ms", detail).body(empty())?
        }
        "late-pushback" => {
            let end = [("grpc-status", "14"), ("grpc-retry-pushback-ms", detail)];
            head.body(steps([data(), trailers(end)?]))?
        }
        "details" => {
            head.header("grpc-status", "14").header("grpc-status-details-bin", detail).body(empty())?
        }
        "late-bad-details" => {
            let end = [("grpc-status", detail), ("grpc-status-details-bin", "%%%")];
            head.body(steps([data(), trailers(end)?]))?
        }
        "reset" => head.body(data_then_reset(reason(detail), signals))?,
        "reset-at-once" => return Err(h2::Error::from(reason(detail)).into()),
        _ => panic!("no such cue: {path}"),
    })
}

fn empty() -> Body {
    Empty::new().map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn steps<const N: usize>(steps: [Step; N]) -> Body {
    BodyExt::boxed_unsync(StreamBody::new(stream::iter(steps)))
}

fn then_nothing<const N: usize>(steps: [Step; N]) -> Body {
    BodyExt::boxed_unsync(StreamBody::new(stream::iter(steps).chain(stream::pending())))
}

/// hyper resets the stream with the reason that it finds in the error of the body or the service.
fn data_then_reset(reason: h2::Reason, signals: Arc<Signals>) -> Body {
    let reset = stream::once(async move {
        signals.break_off.notified().await;
        Err(h2::Error::from(reason).into())
    });
    BodyExt::boxed_unsync(StreamBody::new(stream::iter([data()]).chain(reset)))
}

fn data() -> Step {
    Ok(Frame::data(Bytes::from_static(MESSAGE)))
}

fn trailers<const N: usize>(headers: [(&'static str, &str); N]) -> Result<Step, BoxError> {
    let mut trailers = HeaderMap::new();
    for (name, value) in headers {
        trailers.insert(name, value.parse()?);
    }
    Ok(Ok(Frame::trailers(trailers)))
}

fn reason(name: &str) -> h2::Reason {
    match name {
        "no-error" => h2::Reason::NO_ERROR,
        "cancel" => h2::Reason::CANCEL,
        "refused" => h2::Reason::REFUSED_STREAM,
        "calm" => h2::Reason::ENHANCE_YOUR_CALM,
        _ => h2::Reason::INTERNAL_ERROR,
    }
}
