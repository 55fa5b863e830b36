//! Streaming bodies are classified at their end, and hold their slot until then.

use std::io;
use std::task::Poll;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::stream::poll_fn;
use halfopen_axum::{Route, RouteProtection};
use halfopen_limit::{Bulkhead, BulkheadConfig};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::server::{Report, Work, answer, last_request, read_all, registry, send, serve, totals_after};

type Part = Result<Bytes, io::Error>;

struct Scene {
    registry: halfopen::Registry,
    bulkhead: Bulkhead,
    work: Work,
    parts: UnboundedSender<Part>,
    client: tokio::net::TcpStream,
}

/// A client that has read the head and the first part of a stream.
async fn streaming() -> Scene {
    let ((registry, _), work) = (registry(), Work::new());
    let config = BulkheadConfig::builder().max_concurrent_calls(1).build().unwrap();
    let bulkhead = Bulkhead::new("stream", config);
    let protection = RouteProtection::new(registry.clone())
        .route("/stream", Route::breaker("stream").bulkhead(bulkhead.clone()))
        .build()
        .unwrap();
    let (parts, stream) = unbounded_channel::<Part>();
    let stream = std::sync::Arc::new(std::sync::Mutex::new(Some(stream)));
    let handler_work = work.clone();
    let handler = move || {
        let mut stream = stream.lock().unwrap().take().unwrap();
        let mut running = handler_work.start();
        let next = poll_fn(move |context| {
            let part = std::task::ready!(stream.poll_recv(context));
            if !matches!(part, Some(Ok(_))) {
                running.end();
            }
            Poll::Ready(part)
        });
        async move { Body::from_stream(next) }
    };
    let address = serve(Router::new().route("/stream", get(handler)).layer(protection)).await;

    let mut client = send(address, &last_request("GET", "/stream")).await;
    work.expect(Report::Started).await;
    parts.send(Ok(Bytes::from_static(b"first"))).unwrap();
    let mut read = String::new();
    while !read.contains("first") {
        let mut bytes = [0; 1024];
        let length = client.read(&mut bytes).await.unwrap();
        assert!(length > 0, "closed after {read:?}");
        read += std::str::from_utf8(&bytes[..length]).unwrap();
    }
    assert!(read.starts_with("HTTP/1.1 200 OK"), "{read}");
    Scene { registry, bulkhead, work, parts, client }
}

#[tokio::test]
async fn a_stream_is_a_success_at_its_end() {
    let scene = streaming().await;
    let stream = scene.registry.get("stream").unwrap();
    assert_eq!(stream.snapshot().totals.calls(), 0, "the head decides nothing");
    assert_eq!(scene.bulkhead.snapshot().in_flight, 1);

    drop(scene.parts);
    read_all(scene.client).await;

    assert_eq!(totals_after(&scene.registry, "stream", 1).await.successes, 1);
    assert_eq!(scene.bulkhead.snapshot().in_flight, 0);
}

#[tokio::test]
async fn a_stream_that_breaks_is_a_failure() {
    let scene = streaming().await;

    scene.parts.send(Err(io::Error::other("the database is away"))).unwrap();
    read_all(scene.client).await;

    let totals = totals_after(&scene.registry, "stream", 1).await;
    assert_eq!((totals.failures, totals.successes), (1, 0));
    assert_eq!(scene.bulkhead.snapshot().in_flight, 0);
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_is_no_failure() {
    let scene = streaming().await;

    drop(scene.client);
    scene.work.expect(Report::Dropped).await;

    let totals = totals_after(&scene.registry, "stream", 1).await;
    assert_eq!((totals.abandoned, totals.failures), (1, 0));
    assert_eq!(scene.bulkhead.snapshot().in_flight, 0);
}

#[tokio::test]
async fn a_body_that_never_starts_ends_with_its_client() {
    let ((registry, _), work) = (registry(), Work::new());
    let protection =
        RouteProtection::new(registry.clone()).route("/empty", Route::breaker("empty")).build().unwrap();
    let address = serve(Router::new().route("/empty", get(|| async {})).layer(protection)).await;

    let client = send(address, &last_request("GET", "/empty")).await;
    assert_eq!(answer(client).await.status, 200);
    drop(work);
    assert_eq!(totals_after(&registry, "empty", 1).await.successes, 1, "an empty body has ended at its head");
}
