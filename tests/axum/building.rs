//! Routes that a protection rejects.

use std::time::Duration;

use halfopen::Registry;
use halfopen_axum::{Route, RouteProtection};
use halfopen_limit::Quota;

use crate::server::{self, serve};

fn error_of(routes: Vec<(&'static str, Route)>) -> String {
    let registry = Registry::new();
    let protection = RouteProtection::new(registry.clone());
    let protection = routes.into_iter().fold(protection, |all, (pattern, route)| all.route(pattern, route));
    let error = protection.build().unwrap_err().to_string();
    assert!(registry.is_empty(), "a protection that is not built makes no breaker");
    error
}

#[test]
fn two_routes_with_one_pattern_are_refused() {
    let error = error_of(vec![("/a/{id}", Route::breaker("a")), ("/a/{id}", Route::breaker("b"))]);
    assert_eq!(error, "`routes.pattern` is `/a/{id}`, but must be a pattern that no other route has");
}

#[test]
fn every_problem_is_reported_with_its_route() {
    let error = error_of(vec![
        ("query", Route::breaker("query")),
        ("/experts/*rest", Route::breaker("experts")),
        ("/tools", Route::breaker("tools").max_concurrent_calls(0)),
        ("/tasks", Route::breaker("tasks").rate_limit(Quota::calls(0).per(Duration::from_secs(60)))),
    ]);
    for problem in [
        "`routes.pattern` is `query`, but must be a path of axum that starts with `/`",
        "must be in the syntax of axum 0.8: `{*rest}` instead of `*rest`",
        "`max_concurrent_calls` is 0 (route `/tools`), but must be ",
        "`rate_limit.calls` is 0 (route `/tasks`), but must be at least 1",
    ] {
        assert!(error.contains(problem), "{problem:?} is not in {error:?}");
    }
}

#[test]
fn patterns_are_what_axum_accepts() {
    for pattern in ["/", "/a", "/a/{id}/b", "/a/{*rest}", "/{{literal}}"] {
        let route = Route::breaker("any");
        assert!(RouteProtection::new(Registry::new()).route(pattern, route).build().is_ok(), "{pattern}");
        let _ = axum::Router::<()>::new().route(pattern, axum::routing::get(|| async {}));
    }
}

#[test]
#[should_panic(expected = "the protection of the routes is invalid: `routes.pattern` is `a`")]
fn a_layer_that_cannot_be_built_panics_in_the_router() {
    let protection = RouteProtection::new(Registry::new()).route("a", Route::breaker("any"));
    let _ = axum::Router::<()>::new().route("/a", axum::routing::get(|| async {})).layer(protection);
}

#[tokio::test]
async fn replaced_routes_keep_what_they_have_counted() {
    let registry = Registry::new();
    let hour = Duration::from_secs(3600);
    let route =
        |calls: u32| Route::breaker("a").rate_limit(Quota::calls(calls).per(hour)).max_concurrent_calls(1);
    let layer = RouteProtection::new(registry.clone()).route("/a", route(2)).build().unwrap();
    let app = axum::Router::new().route("/a", axum::routing::get(|| async { "a" })).layer(layer.clone());
    let address = serve(app).await;

    assert_eq!(server::get(address, "/a").await.status, 200);
    layer.set_routes(RouteProtection::new(registry.clone()).route("/a", route(4))).unwrap();
    assert_eq!(server::get(address, "/a").await.status, 200, "half was used, so two of four are left");
    assert_eq!(server::get(address, "/a").await.status, 200);
    assert_eq!(server::get(address, "/a").await.status, 429);

    let wrong = RouteProtection::new(registry.clone()).route("a", Route::breaker("b"));
    assert!(layer.set_routes(wrong).is_err());
    assert_eq!(server::get(address, "/a").await.status, 429, "what is wrong changes nothing");
    layer.set_routes(RouteProtection::new(registry)).unwrap();
    assert_eq!(server::get(address, "/a").await.status, 200, "it is not protected any more");
}
