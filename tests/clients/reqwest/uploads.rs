//! A request body that fails on the caller's side.

use ::tower::{Layer, ServiceExt};
use bytes::Bytes;
use futures_util::stream;
use halfopen::{BoxError, State};
use halfopen_http::HttpClassify;
use halfopen_reqwest::{CircuitBreakerMiddleware, ReqwestClassify};
use halfopen_tower::CircuitBreakerLayer;
use http_body_util::{Full, Limited, StreamBody};
use hyper::body::Frame;
use reqwest::Body;
use reqwest_middleware::ClientBuilder;

use crate::server::Server;
use crate::world::{Guarded, breaker, ended, http, retry, url};

/// A part of a file, followed by a disk error.
fn broken() -> Body {
    let steps = [
        Ok(Frame::data(Bytes::from_static(b"half of it"))),
        Err(BoxError::from("the caller's own disk cannot be read")),
    ];
    Body::wrap(StreamBody::new(stream::iter(steps)))
}

/// A body above the caller's own limit.
fn too_long() -> Body {
    Body::wrap(Limited::new(Full::new(Bytes::from_static(b"longer than that")), 4))
}

fn clients() -> [(bool, reqwest::Client); 2] {
    [(false, http()), (true, http().http2_prior_knowledge())]
        .map(|(http2, builder)| (http2, builder.build().expect("a client without TLS can always be built")))
}

#[tokio::test]
async fn an_upload_that_breaks_here_is_no_failure_there() {
    let server = Server::start().await;
    for (http2, client) in clients() {
        for body in [broken, too_long] {
            let guarded = Guarded::stack(|breaker| {
                ClientBuilder::new(client.clone()).with(CircuitBreakerMiddleware::new(breaker))
            });
            let request = guarded.client.post(url(&server, "/silent")).body(body());
            let error = request.send().await.unwrap_err();
            assert_eq!(guarded.ended(), "ignored", "http2 {http2}: {error:?}");
        }
    }
}

#[tokio::test]
async fn nor_does_it_fail_a_probe() {
    let server = Server::start().await;
    for (http2, client) in clients() {
        let guarded =
            Guarded::stack(|breaker| ClientBuilder::new(client).with(CircuitBreakerMiddleware::new(breaker)));
        guarded.about_to_probe();
        guarded.client.post(url(&server, "/silent")).body(broken()).send().await.unwrap_err();
        assert_eq!(guarded.breaker.state(), State::HalfOpen, "http2 {http2}");
        assert!(guarded.breaker.check().is_ok(), "its slot is free again");
    }
}

#[tokio::test]
async fn outside_retry_an_upload_that_breaks_is_ignored_too() {
    let server = Server::start().await;
    for (http2, client) in clients() {
        let guarded = Guarded::stack(|breaker| {
            ClientBuilder::new(client).with(CircuitBreakerMiddleware::new(breaker)).with(retry(0))
        });
        let error = guarded.client.post(url(&server, "/silent")).body(broken()).send().await.unwrap_err();
        assert_eq!(guarded.ended(), "ignored", "http2 {http2}: {error:?}");
    }
}

#[tokio::test]
async fn either_classifier_ignores_it_through_the_layer() {
    let server = Server::start().await;
    for (http2, client) in clients() {
        let (breaker, _) = breaker("peer");
        let request = || client.post(url(&server, "/silent")).body(broken()).build().unwrap();
        let layer = CircuitBreakerLayer::new(breaker.clone()).classify(ReqwestClassify::new());
        layer.layer(client.clone()).oneshot(request()).await.unwrap_err();
        assert_eq!(ended(&breaker), "ignored", "http2 {http2}");

        // Takes an `http::Request`, returns an `http::Response`, and boxes the client's error.
        let boxed = ::tower::ServiceBuilder::new()
            .layer(CircuitBreakerLayer::new(breaker.clone()).classify(HttpClassify::new()))
            .map_response(http::Response::<Body>::from)
            .map_err(BoxError::from)
            .service(client.clone());
        boxed.oneshot(request()).await.unwrap_err();
        assert_eq!(ended(&breaker), "ignored ignored", "http2 {http2}");
    }
}
