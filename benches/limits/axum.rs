use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use halfopen::Registry;
use halfopen_axum::{Route, RouteProtection};
use halfopen_limit::Quota;
use http::Request;
use http_body::Body as _;
use tower_service::Service;

use crate::harness::Case;

/// A router boxes its routes once more for any layer.
pub(crate) const NO_OP: &str = "a layer that does nothing";

/// A request to a route of an axum router: the request is made, and the body of its response is read to the
/// end.
pub(crate) fn cases() -> Vec<Case> {
    let quota = Quota::calls(1_000_000).per(Duration::from_secs(1)).burst(1_000_000_000).expect("a quota");
    vec![
        case("bare route", app()),
        case(NO_OP, app().layer(tower_layer::layer_fn(DoesNothing))),
        case("another route is protected", protected("/other/{*rest}", Route::breaker("query"))),
        case("breaker", protected(PATTERN, Route::breaker("query"))),
        case("breaker, bulkhead", protected(PATTERN, Route::breaker("query").max_concurrent_calls(50))),
        case(
            "breaker, bulkhead, rate limit",
            protected(PATTERN, Route::breaker("query").max_concurrent_calls(50).rate_limit(quota)),
        ),
    ]
}

const PATTERN: &str = "/api/v1/query/{*rest}";

fn app() -> Router {
    Router::new().route(PATTERN, get(|| async { "3 rows" }))
}

fn protected(pattern: &str, route: Route) -> Router {
    app().layer(RouteProtection::new(Registry::new()).route(pattern, route))
}

/// A service of another type that forwards everything.
#[derive(Clone)]
struct DoesNothing<S>(S);

impl<S: Service<R>, R> Service<R> for DoesNothing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}

fn case(name: &str, app: Router) -> Case {
    // As `axum::serve` does: without `with_state`, a router builds its layers for each request.
    let mut app = app.with_state(());
    Case::new(name, move |calls| {
        for _ in 0..calls {
            black_box(one(&mut app));
        }
    })
}

fn one(app: &mut Router) -> usize {
    let mut context = Context::from_waker(Waker::noop());
    let request = Request::get("/api/v1/query/orders").body(Body::empty()).expect("a request");
    let mut call = pin!(Service::call(app, black_box(request)));
    let Poll::Ready(response) = call.as_mut().poll(&mut context) else { unreachable!("nothing waits") };
    let response = response.unwrap_or_else(|never| match never {});
    assert_eq!(response.status(), 200);
    let mut body = pin!(response.into_body());
    let mut read = 0;
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut context) {
        read += frame.expect("a whole body").into_data().map_or(0, |data| data.len());
    }
    read
}
