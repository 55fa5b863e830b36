//! Bulkheads and rate limits of routes.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use halfopen::Clock;
use halfopen_axum::{Route, RouteProtection};
use halfopen_limit::{Bulkhead, BulkheadConfig, Quota, RateLimiter};

use crate::server::{self, Report, Work, answer, last_request, registry, send, serve};

#[tokio::test]
async fn a_full_bulkhead_answers_503() {
    let ((registry, _), work) = (registry(), Work::new());
    let protection = RouteProtection::new(registry.clone())
        .route("/work", Route::breaker("work").max_concurrent_calls(2))
        .build()
        .unwrap();
    let run = work.clone();
    let app = Router::new().route("/work", get(move || run.clone().run())).layer(protection);
    let address = serve(app).await;

    let first = send(address, &last_request("GET", "/work")).await;
    let second = send(address, &last_request("GET", "/work")).await;
    work.expect(Report::Started).await;
    work.expect(Report::Started).await;
    let third = server::get(address, "/work").await;
    assert_eq!((third.status, third.header("retry-after")), (503, Some("1")));
    assert_eq!(third.json()["detail"], "`work` is at its limit of concurrent requests; retry in 1s");

    work.finish_one();
    work.finish_one();
    assert_eq!((answer(first).await.status, answer(second).await.status), (200, 200));
    let totals = server::totals_after(&registry, "work", 2).await;
    assert_eq!((totals.successes, totals.failures, totals.rejected), (2, 0, 0), "no call of the breaker");
}

#[tokio::test]
async fn a_used_up_quota_answers_429() {
    let (registry, _) = registry();
    let (clock, hands) = Clock::manual();
    let quota = Quota::calls(2).per(Duration::from_secs(60)).build().unwrap();
    let limiter = RateLimiter::builder("experts", quota).clock(clock).build();
    let protection = RouteProtection::new(registry.clone())
        .route("/experts", Route::breaker("experts").rate_limiter(limiter))
        .build()
        .unwrap();
    let app = Router::new().route("/experts", get(|| async { "2 experts" })).layer(protection);
    let address = serve(app).await;

    for _ in 0..2 {
        assert_eq!(server::get(address, "/experts").await.status, 200);
    }
    let third = server::get(address, "/experts").await;
    assert_eq!((third.status, third.header("retry-after")), (429, Some("30")));
    assert_eq!(third.json()["title"], "Too Many Requests");
    assert_eq!(third.json()["detail"], "`experts` is at its limit of requests over time; retry in 30s");

    hands.advance(Duration::from_secs(30));
    assert_eq!(server::get(address, "/experts").await.status, 200, "one call has come back");
}

#[tokio::test]
async fn an_open_breaker_gives_the_slot_back() {
    let (registry, _) = registry();
    let config = BulkheadConfig::builder().max_concurrent_calls(1).build().unwrap();
    let bulkhead = Bulkhead::new("shared", config);
    let protection = RouteProtection::new(registry.clone())
        .route("/a", Route::breaker("a").bulkhead(bulkhead.clone()))
        .route("/b", Route::breaker("b").bulkhead(bulkhead.clone()))
        .build()
        .unwrap();
    let app = Router::new().route("/a", get(|| async { "a" })).route("/b", get(|| async { "b" }));
    let address = serve(app.layer(protection)).await;
    registry.get_or_create("a").force_open();

    assert_eq!(server::get(address, "/a").await.status, 503);
    assert_eq!(bulkhead.snapshot().in_flight, 0);
    assert_eq!(server::get(address, "/b").await.body, "b");
}

#[tokio::test]
async fn all_methods_of_a_path_share_its_limits() {
    let (registry, _) = registry();
    let route = Route::breaker("tasks").rate_limit(Quota::calls(1).per(Duration::from_secs(3600)));
    let protection = RouteProtection::new(registry.clone()).route("/tasks", route);
    let app = Router::new().route("/tasks", get(|| async { "a list" }).post(|| async { "a task" }));
    let address = serve(app.layer(protection)).await;

    assert_eq!(server::get(address, "/tasks").await.status, 200);
    assert_eq!(server::request(address, "POST", "/tasks").await.status, 429);
}
