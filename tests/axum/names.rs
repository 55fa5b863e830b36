//! The breaker of each request, and requests without one.

use axum::Router;
use axum::routing::get;
use halfopen::{Clock, Registry};
use halfopen_axum::{Route, RouteProtection, RouteProtectionLayer};

use crate::server::{self, WAIT, registry, serve, totals_after};

fn protection(registry: &Registry, patterns: &[(&str, &str)]) -> RouteProtectionLayer {
    let protection = RouteProtection::new(registry.clone());
    let add = |protection: RouteProtection, (pattern, name): &(&str, &str)| {
        protection.route(*pattern, Route::breaker(*name))
    };
    patterns.iter().fold(protection, add).build().unwrap()
}

fn names(registry: &Registry) -> Vec<String> {
    registry.breakers().iter().map(|breaker| breaker.name().to_owned()).collect()
}

#[tokio::test]
async fn raw_paths_never_become_names() {
    let (registry, _) = registry();
    let layer = protection(&registry, &[("/query/{*rest}", "query_handler")]);
    let app = Router::new()
        .route("/query/{*rest}", get(|| async { "rows" }))
        .route("/free/{id}", get(|| async { "free" }))
        .layer(layer);
    let address = serve(app).await;

    for number in 0..20 {
        assert_eq!(server::get(address, &format!("/query/{number}")).await.body, "rows");
        assert_eq!(server::get(address, &format!("/free/{number}")).await.body, "free");
        assert_eq!(server::get(address, &format!("/nowhere/{number}")).await.status, 404);
    }
    // A path that looks like a pattern is the value of a parameter.
    server::get(address, "/query/%7B*rest%7D").await;

    assert_eq!(names(&registry), ["query_handler"]);
    assert_eq!(totals_after(&registry, "query_handler", 21).await.successes, 21);
}

#[tokio::test]
async fn an_unprotected_route_passes_while_others_are_open() {
    let (registry, _) = registry();
    let layer = protection(&registry, &[("/a", "a")]);
    let app = Router::new().route("/a", get(|| async { "a" })).route("/b", get(|| async { "b" }));
    let address = serve(app.layer(layer)).await;
    registry.get_or_create("a").force_open();

    assert_eq!(server::get(address, "/a").await.status, 503);
    assert_eq!(server::get(address, "/b").await.body, "b");
}

#[tokio::test]
async fn a_nested_route_has_its_whole_template() {
    let (registry, _) = registry();
    let layer = protection(&registry, &[("/api/{v}/items/{id}", "items"), ("/api/{v}", "root")]);
    let inner =
        Router::new().route("/items/{id}", get(|| async { "item" })).route("/", get(|| async { "root" }));
    let address = serve(Router::new().nest("/api/{v}", inner).layer(layer)).await;

    assert_eq!(server::get(address, "/api/v1/items/7").await.body, "item");
    assert_eq!(server::get(address, "/api/v1").await.body, "root");
    for name in ["items", "root"] {
        assert_eq!(totals_after(&registry, name, 1).await.successes, 1, "{name}");
    }
}

#[tokio::test]
async fn a_layer_inside_a_nested_router_has_it_too() {
    let (registry, _) = registry();
    let layer = protection(&registry, &[("/api/items/{id}", "items")]);
    let inner = Router::new().route("/items/{id}", get(|| async { "item" })).layer(layer);
    let address = serve(Router::new().nest("/api", inner)).await;

    server::get(address, "/api/items/7").await;
    assert_eq!(totals_after(&registry, "items", 1).await.successes, 1);
}

#[tokio::test]
async fn a_nested_service_passes_untouched() {
    let (registry, _) = registry();
    let layer = protection(&registry, &[("/static/{*path}", "static")]);
    let files = Router::new().fallback(|| async { "a file" });
    let address = serve(Router::new().nest_service("/static", files).layer(layer)).await;

    assert_eq!(server::get(address, "/static/app.js").await.body, "a file");
    assert_eq!(registry.get("static").unwrap().snapshot().totals.calls(), 0, "axum has no template for it");
}

#[tokio::test]
async fn a_replaced_breaker_is_the_one_asked() {
    let (registry, _) = registry();
    let layer = protection(&registry, &[("/a", "a")]);
    let address = serve(Router::new().route("/a", get(|| async { "a" })).layer(layer)).await;

    assert_eq!(server::get(address, "/a").await.status, 200);
    registry.remove("a").unwrap();
    registry.get_or_create("a").force_open();
    assert_eq!(server::get(address, "/a").await.status, 503);
}

#[tokio::test]
async fn routes_with_one_handler_keep_their_breakers() {
    let (registry, _) = registry();
    let layer = protection(&registry, &[("/a", "a"), ("/b", "b")]);
    // The routes share a service of the layer, not only the layer.
    let handler = get(|| async { "done" }).layer(layer);
    let app = Router::new().route("/a", handler.clone()).route("/b", handler.clone()).route("/c", handler);
    let address = serve(app).await;

    for _ in 0..2 {
        for path in ["/a", "/b", "/c"] {
            assert_eq!(server::get(address, path).await.status, 200);
        }
    }
    registry.get_or_create("b").force_open();
    for (path, status) in [("/a", 200), ("/b", 503), ("/c", 200)] {
        assert_eq!(server::get(address, path).await.status, status, "{path}");
    }
    assert_eq!(totals_after(&registry, "a", 3).await.successes, 3);
    assert_eq!(totals_after(&registry, "b", 2).await.successes, 2);
    assert_eq!(names(&registry), ["a", "b"]);
}

#[tokio::test]
async fn an_idle_breaker_of_a_route_can_be_evicted() {
    let (clock, hands) = Clock::manual();
    let registry = Registry::builder().idle_after(WAIT).clock(clock).build();
    let layer = protection(&registry, &[("/a", "a")]);
    let address = serve(Router::new().route("/a", get(|| async { "a" })).layer(layer)).await;

    assert_eq!(server::get(address, "/a").await.status, 200);
    totals_after(&registry, "a", 1).await;
    hands.advance(2 * WAIT);
    assert_eq!(registry.evict_idle(), 1, "the route holds no handle");
    assert_eq!(server::get(address, "/a").await.status, 200);
    assert_eq!(totals_after(&registry, "a", 1).await.calls(), 1, "a new breaker");
}
