//! Clients that hang, leave, half-close and pipeline.

use axum::Router;
use axum::routing::get;
use halfopen::Registry;
use halfopen_axum::{Route, RouteProtection};
use tokio::io::AsyncWriteExt;

use crate::server::{self, Report, Work, answer, last_request, read_all, registry, request_of, serve};
use crate::server::{send, totals_after};

fn app(registry: &Registry, work: &Work) -> Router {
    let protection = RouteProtection::new(registry.clone())
        .route("/work", Route::breaker("work").max_concurrent_calls(1))
        .build()
        .unwrap();
    let work = work.clone();
    Router::new().route("/work", get(move || work.clone().run())).layer(protection)
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
