//! The responses to rejected requests.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use futures_util::FutureExt;
use halfopen::Registry;
use halfopen_axum::{Route, RouteProtection};
use serde_json::json;
use tower::ServiceExt;

use crate::server::{self, WAIT, registry, serve};

fn app(registry: &Registry, route: Route) -> Router {
    let protection = RouteProtection::new(registry.clone()).route("/api", route).build().unwrap();
    registry.get_or_create("api").open_for(WAIT);
    Router::new().route("/api", get(|| async { "not reached" })).layer(protection)
}

#[tokio::test]
async fn a_rejection_is_a_problem_document() {
    let (registry, _) = registry();
    let address = serve(app(&registry, Route::breaker("api"))).await;

    let answer = server::get(address, "/api").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("30"));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = json!({
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "`api` is temporarily unavailable; retry in 30s",
    });
    assert_eq!(answer.json(), problem);
    assert_eq!(registry.get("api").unwrap().snapshot().totals.rejected, 1);
}

#[tokio::test]
async fn a_fallback_of_json_keeps_status_and_wait() {
    let (registry, _) = registry();
    let fallback = json!({"error": "Service temporarily unavailable"});
    let address = serve(app(&registry, Route::breaker("api").fallback(&fallback))).await;

    let answer = server::get(address, "/api").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("30")));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), fallback);
}

#[tokio::test]
async fn a_fallback_is_any_response() {
    let (registry, _) = registry();
    let route = Route::breaker("api").fallback_with(|rejected| {
        (StatusCode::OK, format!("cached, as `{}` is {:?}", rejected.name(), rejected.reason()))
    });
    let address = serve(app(&registry, route)).await;

    let answer = server::get(address, "/api").await;
    assert_eq!((answer.status, answer.header("retry-after")), (200, None));
    assert_eq!(answer.body, "cached, as `api` is Open");
}

#[tokio::test]
async fn an_outer_route_ignores_an_inner_fallback() {
    let (registry, _) = registry();
    let inner = Route::breaker("api").fallback_with(|_| StatusCode::BAD_GATEWAY);
    let outer = RouteProtection::new(registry.clone()).route("/api", Route::breaker("outer")).build();
    let address = serve(app(&registry, inner).layer(outer.unwrap())).await;

    for _ in 0..3 {
        assert_eq!(server::get(address, "/api").await.status, 502);
    }
    let totals = server::totals_after(&registry, "outer", 3).await;
    assert_eq!((totals.ignored, totals.failures), (3, 0));
}

#[tokio::test]
async fn a_panic_of_a_fallback_is_a_handlers_panic() {
    let (registry, _) = registry();
    let inner = Route::breaker("api").max_concurrent_calls(1).fallback_with(|_| -> StatusCode {
        panic!("a bug in the fallback");
    });
    let outer = Route::breaker("outer").max_concurrent_calls(1);
    let outer = RouteProtection::new(registry.clone()).route("/api", outer);
    let app = app(&registry, inner).layer(outer);
    let request = || Request::get("/api").body(Body::empty()).unwrap();

    let panicked = AssertUnwindSafe(app.clone().oneshot(request())).catch_unwind().await.unwrap_err();
    assert_eq!(*panicked.downcast_ref::<&str>().unwrap(), "a bug in the fallback");
    let totals = |name| registry.get_or_create(name).snapshot().totals;
    assert_eq!((totals("api").rejected, totals("outer").failures), (1, 1));

    registry.get_or_create("api").reset();
    let response = app.oneshot(request()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "neither route has lost its slot");
}
