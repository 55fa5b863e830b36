//! A server whose faults are selected by the path.

#![allow(dead_code, reason = "several test binaries share it, and each needs its part")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use halfopen::BoxError;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;
type Step = Result<Frame<Bytes>, BoxError>;

pub(crate) struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
    break_off: Arc<Notify>,
    seen: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let break_off = Arc::new(Notify::new());
        let signal = Arc::clone(&break_off);
        let seen = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (signal, counter) = (Arc::clone(&signal), Arc::clone(&counter));
                tokio::spawn(async move {
                    let service = service_fn(|request| {
                        counter.fetch_add(1, Ordering::Relaxed);
                        answer(request, Arc::clone(&signal))
                    });
                    let server = auto::Builder::new(TokioExecutor::new());
                    // The faults are intended, so the server's errors are ignored.
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Server { address, accepting, break_off, seen }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of requests received.
    pub(crate) fn seen(&self) -> usize {
        self.seen.load(Ordering::Relaxed)
    }

    /// Lets a body abort; it waits until the client has read its data.
    pub(crate) fn break_off(&self) {
        self.break_off.notify_one();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(request: Request<Incoming>, break_off: Arc<Notify>) -> Result<Response<Body>, BoxError> {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let (kind, detail) = path.split_once('/').unwrap_or((&path, ""));
    let response = match kind {
        "whole" => Response::new(whole("hello")),
        "empty" => Response::new(empty()),
        "chunked" => Response::new(steps([data(), data()])),
        "status" => Response::builder().status(detail).body(whole("so it is"))?,
        "busy" => {
            let asked = detail.replace("%20", " ");
            Response::builder().status(503).header("retry-after", asked).body(whole("later"))?
        }
        "circle" => Response::builder().status(302).header("location", "/circle").body(empty())?,
        "away" => {
            let (port, path) = detail.split_once('/').unwrap_or((detail, "whole"));
            let elsewhere = format!("http://127.0.0.1:{port}/{path}");
            Response::builder().status(302).header("location", elsewhere).body(empty())?
        }
        "cut" => Response::builder().header("content-length", "100").body(data_then(broken, break_off))?,
        "short" => {
            let reset = || Err(reset("no-error").into());
            Response::builder().header("content-length", "100").body(data_then(reset, break_off))?
        }
        "stalled" => Response::new(steps_then_nothing([data()])),
        "silent" => std::future::pending().await,
        "dropped" => return Err("the connection is closed without an answer".into()),

        "unary" => Response::new(steps([data(), grpc_status(detail)])),
        "trailers-only" => Response::builder().header("grpc-status", detail).body(empty())?,
        "pushback" => {
            let mut trailers = headers([("grpc-status", "14")]);
            trailers.insert("grpc-retry-pushback-ms", detail.parse()?);
            Response::new(steps([data(), Ok(Frame::trailers(trailers))]))
        }
        "bad-details" => {
            let trailers = headers([("grpc-status", "5"), ("grpc-status-details-bin", "%%%")]);
            Response::new(steps([data(), Ok(Frame::trailers(trailers))]))
        }
        "no-trailers" => Response::new(steps([data()])),
        "reset" => {
            let reason = reset(detail);
            Response::new(data_then(move || Err(reason.into()), break_off))
        }
        "reset-at-once" => return Err(reset(detail).into()),
        _ => Response::builder().status(404).body(empty())?,
    };
    Ok(response)
}

fn whole(text: &'static str) -> Body {
    Full::new(Bytes::from_static(text.as_bytes())).map_err(never).boxed_unsync()
}

fn empty() -> Body {
    Empty::new().map_err(never).boxed_unsync()
}

fn steps<const N: usize>(steps: [Step; N]) -> Body {
    BodyExt::boxed_unsync(StreamBody::new(stream::iter(steps)))
}

fn steps_then_nothing<const N: usize>(steps: [Step; N]) -> Body {
    BodyExt::boxed_unsync(StreamBody::new(stream::iter(steps).chain(stream::pending())))
}

fn data_then(fault: impl FnOnce() -> Step + Send + 'static, break_off: Arc<Notify>) -> Body {
    let fault = stream::once(async move {
        break_off.notified().await;
        fault()
    });
    BodyExt::boxed_unsync(StreamBody::new(stream::iter([data()]).chain(fault)))
}

fn data() -> Step {
    Ok(Frame::data(Bytes::from_static(b"data")))
}

fn broken() -> Step {
    Err("the server breaks off".into())
}

fn grpc_status(code: &str) -> Step {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.parse()?);
    Ok(Frame::trailers(trailers))
}

fn headers<const N: usize>(headers: [(&'static str, &'static str); N]) -> HeaderMap {
    let parsed =
        headers.map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
    parsed.into_iter().collect()
}

/// hyper resets the stream with the reason that it finds in the error of the body or the service.
fn reset(reason: &str) -> h2::Error {
    h2::Error::from(match reason {
        "no-error" => h2::Reason::NO_ERROR,
        "cancel" => h2::Reason::CANCEL,
        "refused" => h2::Reason::REFUSED_STREAM,
        _ => h2::Reason::INTERNAL_ERROR,
    })
}

fn never(never: Infallible) -> BoxError {
    match never {}
}
