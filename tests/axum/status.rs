//! The status routes.

use axum::Router;
use halfopen::Registry;
use halfopen_axum::status_routes;
use serde_json::json;

use crate::server::{self, WAIT, registry, serve};

fn app(registry: &Registry) -> Router {
    Router::new().merge(status_routes(registry.clone()).ready_unless_open(["db", "unused"]))
}

#[tokio::test]
async fn circuit_breakers_is_the_registry_as_json() {
    let (registry, _) = registry();
    registry.get_or_create("db").open_for(WAIT);
    registry.get_or_create("mail");
    let address = serve(app(&registry)).await;

    let answer = server::get(address, "/circuit-breakers").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let status = answer.json();
    assert_eq!((&status["total"], &status["open_breakers"]), (&json!(2), &json!(["db"])));
    assert_eq!(status["breakers"][1]["name"], "mail");
}

#[tokio::test]
async fn a_needed_breaker_that_is_open_is_not_ready() {
    let (registry, clock) = registry();
    let db = registry.get_or_create("db");
    let address = serve(app(&registry)).await;
    assert_eq!(server::get(address, "/health/ready").await.status, 200);

    db.open_for(WAIT);
    let answer = server::get(address, "/health/ready").await;
    assert_eq!((answer.status, answer.json()), (503, json!({"ready": false, "open": ["db"]})));

    clock.advance(WAIT);
    let answer = server::get(address, "/health/ready").await;
    assert_eq!(answer.status, 200, "only traffic closes a half-open breaker");

    db.force_open();
    assert_eq!(server::get(address, "/health/ready").await.status, 503);
}

#[tokio::test]
async fn other_breakers_leave_the_server_ready() {
    let (registry, _) = registry();
    registry.get_or_create("mail").force_open();
    let address = serve(app(&registry)).await;

    let answer = server::get(address, "/health/ready").await;
    assert_eq!((answer.status, answer.json()), (200, json!({"ready": true, "open": []})));
    assert_eq!(registry.len(), 1, "a question makes no breaker");
}

#[tokio::test]
async fn the_routes_nest() {
    let (registry, _) = registry();
    let routes = status_routes(registry).into_router();
    let address = serve(Router::new().nest("/admin", routes)).await;

    assert_eq!(server::get(address, "/admin/health/ready").await.status, 200);
    assert_eq!(server::get(address, "/health/live").await.status, 404, "liveness depends on no breaker");
}
