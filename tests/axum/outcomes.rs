//! The outcomes that are recorded for the responses of handlers.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use halfopen::{CircuitBreaker, Outcome, Registry, State};
use halfopen_axum::{Rejection, Route, RouteProtection};
use halfopen_http::HttpClassify;

use crate::server::{self, WAIT, last_request, read_all, registry, request, send, serve, totals_after};

fn statuses(registry: &Registry, route: Route) -> Router {
    let protection = RouteProtection::new(registry.clone()).route("/status/{code}", route).build().unwrap();
    let answer = |Path(code): Path<u16>| async move { (StatusCode::from_u16(code).unwrap(), "an answer") };
    Router::new().route("/status/{code}", get(answer)).layer(protection)
}

#[tokio::test]
async fn answers_of_5xx_open_the_breaker() {
    let (registry, clock) = registry();
    let address = serve(statuses(&registry, Route::breaker("api"))).await;

    for code in [500, 503] {
        assert_eq!(server::get(address, &format!("/status/{code}")).await.body, "an answer");
    }
    let breaker = registry.get("api").unwrap();
    assert_eq!(breaker.state(), State::Open);
    let rejected = server::get(address, "/status/200").await;
    let seconds = breaker.changes_in().unwrap().as_secs_f64().ceil();
    assert_eq!(rejected.status, 503);
    assert_eq!(rejected.header("retry-after"), Some(&*seconds.to_string()), "the wait, with its jitter");

    clock.advance_to_probe(&breaker);
    assert_eq!(server::get(address, "/status/200").await.status, 200, "a probe passes");
    let totals = totals_after(&registry, "api", 3).await;
    assert_eq!((totals.failures, totals.successes, totals.rejected), (2, 1, 1));
}

#[tokio::test]
async fn answers_of_4xx_are_successes() {
    let (registry, _) = registry();
    let address = serve(statuses(&registry, Route::breaker("api"))).await;

    for code in [400, 404, 408, 429, 499] {
        server::get(address, &format!("/status/{code}")).await;
    }
    assert_eq!(request(address, "POST", "/status/200").await.status, 405);

    let totals = totals_after(&registry, "api", 6).await;
    assert_eq!((totals.successes, totals.failures), (6, 0));
}

#[tokio::test]
async fn answers_whose_body_is_not_sent_are_successes() {
    let (registry, _) = registry();
    let address = serve(statuses(&registry, Route::breaker("api"))).await;

    assert_eq!(request(address, "HEAD", "/status/200").await.body, "");
    for code in [204, 304] {
        server::get(address, &format!("/status/{code}")).await;
    }

    let totals = totals_after(&registry, "api", 3).await;
    assert_eq!((totals.successes, totals.abandoned), (3, 0));
}

#[tokio::test]
async fn a_route_has_rules_of_its_own() {
    let (registry, _) = registry();
    let rules = HttpClassify::all_succeed().rule(418..=418, Outcome::Failure).unwrap();
    let address = serve(statuses(&registry, Route::breaker("tea").classify(rules))).await;

    server::get(address, "/status/500").await;
    server::get(address, "/status/418").await;

    let totals = totals_after(&registry, "tea", 2).await;
    assert_eq!((totals.successes, totals.failures), (1, 1));
}

#[tokio::test]
async fn a_panic_is_a_failure_and_goes_on() {
    let (registry, _) = registry();
    let protection = RouteProtection::new(registry.clone())
        .route("/bug", Route::breaker("bug").max_concurrent_calls(1))
        .build()
        .unwrap();
    let bug = || async { panic!("a bug in a handler") as &'static str };
    let address = serve(Router::new().route("/bug", get(bug)).layer(protection)).await;

    for _ in 0..2 {
        let client = send(address, &last_request("GET", "/bug")).await;
        assert_eq!(read_all(client).await, "", "the panic ends the connection, as without a breaker");
    }

    assert_eq!(totals_after(&registry, "bug", 2).await.failures, 2);
    assert_eq!(server::get(address, "/bug").await.status, 503, "open, and its slot is free");
    assert_eq!(registry.get("bug").unwrap().snapshot().totals.rejected, 1, "by the breaker");
}

#[tokio::test]
async fn a_rejection_from_within_is_ignored() {
    let (registry, _) = registry();
    let database = registry.get_or_create("database");
    database.open_for(WAIT);
    let protection =
        RouteProtection::new(registry.clone()).route("/orders", Route::breaker("orders")).build().unwrap();
    let orders = move || ask(database.clone());
    let address = serve(Router::new().route("/orders", get(orders)).layer(protection)).await;

    for _ in 0..3 {
        let answer = server::get(address, "/orders").await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("30")));
        assert_eq!(answer.json()["detail"], "`database` is temporarily unavailable; retry in 30s");
    }

    let totals = totals_after(&registry, "orders", 3).await;
    assert_eq!((totals.ignored, totals.failures), (3, 0));
    assert!(registry.get("orders").unwrap().is_closed());
}

async fn ask(database: CircuitBreaker) -> Result<&'static str, Rejection> {
    database.try_acquire()?.success();
    Ok("3 orders")
}
