//! A request body that fails on the caller's side.

use bytes::Bytes;
use futures_util::stream;
use halfopen::{BoxError, CircuitBreaker, State};
use halfopen_http::{HttpClassify, WatchedCall};
use http::Request;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;

use crate::server::Server;
use crate::{Protected, ended};

type Upload = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

/// A part of a file, followed by a disk error.
fn broken() -> Upload {
    let steps = [
        Ok(Frame::data(Bytes::from_static(b"half of it"))),
        Err(BoxError::from("the caller's own disk cannot be read")),
    ];
    StreamBody::new(stream::iter(steps)).boxed_unsync()
}

/// A body above the caller's own limit.
fn too_long() -> Upload {
    Limited::new(Full::new(Bytes::from_static(b"longer than that")), 4).boxed_unsync()
}

async fn upload(server: &Server, http2: bool, body: Upload, breaker: &CircuitBreaker) -> Error {
    let client = Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
    let request = Request::post(format!("http://{}/silent", server.address())).body(body).unwrap();
    let call = WatchedCall::new(breaker.try_acquire_owned().unwrap());
    call.watch(&HttpClassify::new(), client.request(request)).await.unwrap_err()
}

#[tokio::test]
async fn an_upload_that_breaks_here_is_no_failure_there() {
    let server = Server::start().await;
    for http2 in [false, true] {
        for body in [broken, too_long] {
            let Protected { breaker, .. } = Protected::http1();
            let error = upload(&server, http2, body(), &breaker).await;
            assert_eq!(ended(&breaker), "ignored", "http2 {http2}: {error:?}");
        }
    }
}

#[tokio::test]
async fn nor_does_it_fail_a_probe() {
    let server = Server::start().await;
    for http2 in [false, true] {
        let scene = Protected::http1();
        scene.about_to_probe();
        upload(&server, http2, broken(), &scene.breaker).await;
        assert_eq!(scene.breaker.state(), State::HalfOpen);
        assert!(scene.breaker.check().is_ok(), "its slot is free again");
    }
}
