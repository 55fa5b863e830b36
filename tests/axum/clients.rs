//! Clients that hang, disconnect, half-close and pipeline.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, any};
use halfopen::{Registry, Totals};
use halfopen_axum::{Route, RouteProtection};
use tokio::io::AsyncWriteExt;

use crate::server::{self, Report, Work, answer, last_request, read_all, registry, request_of, serve};
use crate::server::{send, totals_after};

fn app(registry: &Registry, work: &Work) -> Router {
    let work = work.clone();
    protected(registry, any(move || work.clone().run()))
}

/// The same, with a handler that responds with a 500.
fn failing(registry: &Registry, work: &Work) -> Router {
    let work = work.clone();
    let fail = move || {
        let work = work.clone();
        async move {
            work.run().await;
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    protected(registry, any(fail))
}

fn protected(registry: &Registry, work: MethodRouter) -> Router {
    let protection = RouteProtection::new(registry.clone())
        .route("/work", Route::breaker("work").max_concurrent_calls(1))
        .build()
        .unwrap();
    Router::new().route("/work", work).layer(protection)
}

#[tokio::test]
async fn a_client_that_leaves_gives_the_slot_back() {
    let ((registry, _), work) = (registry(), Work::new());
    let address = serve(app(&registry, &work)).await;

    let client = send(address, &request_of("/work")).await;
    work.expect(Report::Started).await;
    drop(client);
    work.expect(Report::Dropped).await;

    let totals = totals_after(&registry, "work", 1).await;
    assert_eq!((totals.abandoned, totals.failures, totals.successes), (1, 0, 0));

    let next = send(address, &last_request("GET", "/work")).await;
    work.expect(Report::Started).await;
    work.finish_one();
    assert_eq!(answer(next).await.body, "done", "the only slot is free again");
    assert_eq!(totals_after(&registry, "work", 2).await.successes, 1);
}

#[tokio::test]
async fn many_clients_that_leave_open_nothing() {
    let ((registry, _), work) = (registry(), Work::new());
    let address = serve(app(&registry, &work)).await;

    for _ in 0..20 {
        let client = send(address, &request_of("/work")).await;
        work.expect(Report::Started).await;
        drop(client);
        work.expect(Report::Dropped).await;
    }

    assert_eq!(totals_after(&registry, "work", 20).await.abandoned, 20);
    assert!(registry.get("work").unwrap().is_closed());
}

#[tokio::test]
async fn a_client_that_half_closes_has_left() {
    let ((registry, _), work) = (registry(), Work::new());
    let address = serve(app(&registry, &work)).await;

    let mut client = send(address, &request_of("/work")).await;
    work.expect(Report::Started).await;
    client.shutdown().await.unwrap();
    work.expect(Report::Dropped).await;

    assert_eq!(read_all(client).await, "", "hyper answers nothing");
    let totals = totals_after(&registry, "work", 1).await;
    assert_eq!((totals.abandoned, totals.failures), (1, 0));
}

#[tokio::test]
async fn a_client_that_hangs_keeps_its_slot() {
    let ((registry, _), work) = (registry(), Work::new());
    let address = serve(app(&registry, &work)).await;

    let hanging = send(address, &last_request("GET", "/work")).await;
    work.expect(Report::Started).await;
    let second = server::get(address, "/work").await;
    assert_eq!(second.status, 503, "the bulkhead has one slot");

    work.finish_one();
    assert_eq!(answer(hanging).await.body, "done");
    let totals = totals_after(&registry, "work", 1).await;
    assert_eq!((totals.successes, totals.failures, totals.abandoned), (1, 0, 0));
}

#[tokio::test]
async fn pipelined_requests_are_each_counted() {
    let ((registry, _), work) = (registry(), Work::new());
    let address = serve(app(&registry, &work)).await;

    let both = request_of("/work") + &last_request("GET", "/work");
    let client = send(address, &both).await;
    for _ in 0..2 {
        work.expect(Report::Started).await;
        work.finish_one();
    }

    let answers = read_all(client).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "one slot was enough: {answers}");
    assert_eq!(totals_after(&registry, "work", 2).await.successes, 2);
}

/// Sends more than hyper has read when the client disconnects, so that hyper does not poll the connection: the
/// handler is not dropped, and its duration and outcome are recorded.
async fn leaves_unread(unread: &str, ends: fn(&Totals) -> u64, app: fn(&Registry, &Work) -> Router) {
    let ((registry, _), work) = (registry(), Work::new());
    let address = serve(app(&registry, &work)).await;

    let client = send(address, unread).await;
    work.expect(Report::Started).await;
    drop(client);
    // Meanwhile the server has processed a whole request of another client.
    let other = server::get(address, "/work").await;
    assert_eq!(other.status, 503, "the slot is held: the handler runs on");

    work.finish_one();
    let totals = totals_after(&registry, "work", 1).await;
    assert_eq!((ends(&totals), totals.abandoned), (1, 0), "{unread:.40}");
}

#[tokio::test]
async fn a_handler_with_an_unread_body_runs_to_its_end() {
    let part = "POST /work HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nhello";
    leaves_unread(part, |totals| totals.successes, app).await;
    let mebibyte = "POST /work HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1048576\r\n\r\n".to_owned()
        + &"x".repeat(1 << 20);
    leaves_unread(&mebibyte, |totals| totals.successes, app).await;
}

#[tokio::test]
async fn a_handler_before_a_pipelined_request_completes() {
    let two = request_of("/work") + &request_of("/other");
    leaves_unread(&two, |totals| totals.successes, app).await;
}

#[tokio::test]
async fn a_failure_after_the_client_has_left_unseen_counts() {
    let two = request_of("/work") + &request_of("/other");
    leaves_unread(&two, |totals| totals.failures, failing).await;
}

#[tokio::test]
async fn a_half_sent_request_takes_no_slot() {
    let ((registry, _), work) = (registry(), Work::new());
    let address = serve(app(&registry, &work)).await;

    let slow = send(address, "GET /work HTTP/1.1\r\nhost: local").await;
    let client = send(address, &last_request("GET", "/work")).await;
    work.expect(Report::Started).await;
    work.finish_one();
    assert_eq!(answer(client).await.body, "done");
    drop(slow);

    assert_eq!(registry.get("work").unwrap().snapshot().totals.abandoned, 0);
}
