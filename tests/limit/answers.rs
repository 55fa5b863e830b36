//! The response that the caller receives from each layer in which a limit rejects.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::get;
use halfopen::{BoxError, CircuitBreaker, CircuitBreakerConfig, Clock, Registry, Rejected};
use halfopen_axum::{Rejection, Route, RouteProtection};
use halfopen_limit::{Bulkhead, BulkheadConfig, BulkheadPermit, Quota, RateLimiter};
use halfopen_tonic::adapter::{StatusError, TrailersOnly};
use halfopen_tonic::{GrpcCircuitBreakerLayer, rejected_status};
use halfopen_tower::adapter::{Boxed, OnReject};
use halfopen_tower::{
    BulkheadLayer, CircuitBreakerLayer, FallbackLayer, HttpCircuitBreakerLayer, RateLimitLayer,
};
use http::{Request, Response};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::util::BoxCloneService;
use tower::{Layer, Service, ServiceExt, service_fn};

type Answer = Response<Body>;

/// An exhausted limit: 2.5 seconds until the rate's next call.
enum Limit {
    Bulkhead(Bulkhead, #[expect(dead_code, reason = "held")] BulkheadPermit),
    Rate(RateLimiter),
}

impl Limit {
    fn bulkhead() -> Limit {
        let config = BulkheadConfig::builder().max_concurrent_calls(1).build().unwrap();
        let bulkhead = Bulkhead::new("pool", config);
        let permit = bulkhead.try_acquire().unwrap();
        Limit::Bulkhead(bulkhead, permit)
    }

    fn rate() -> Limit {
        let quota = Quota::calls(2).per(Duration::from_secs(5)).burst(1).unwrap();
        let limiter = RateLimiter::builder("tasks", quota).clock(Clock::manual().0).build();
        limiter.try_acquire().unwrap();
        Limit::Rate(limiter)
    }

    fn reject(&self) -> Rejected {
        match self {
            Limit::Bulkhead(bulkhead, _) => bulkhead.try_acquire().unwrap_err(),
            Limit::Rate(limiter) => limiter.try_acquire().unwrap_err(),
        }
    }

    /// The limit as a layer around a service that is never called.
    fn layer<M>(&self, mode: M) -> BoxCloneService<Request<Body>, Answer, BoxError>
    where
        M: OnReject<Request<Body>, Answer, BoxError> + Clone + Send + 'static,
        M::Error: Into<BoxError>,
    {
        match self {
            Limit::Bulkhead(bulkhead, _) => {
                let service =
                    BulkheadLayer::new(bulkhead.clone()).on_reject(mode).layer(service_fn(unreached));
                BoxCloneService::new(service.map_err(Into::into))
            }
            Limit::Rate(limiter) => {
                let service =
                    RateLimitLayer::new(limiter.clone()).on_reject(mode).layer(service_fn(unreached));
                BoxCloneService::new(service.map_err(Into::into))
            }
        }
    }

    fn route(&self) -> Route {
        match self {
            Limit::Bulkhead(bulkhead, _) => Route::breaker("api").bulkhead(bulkhead.clone()),
            Limit::Rate(limiter) => Route::breaker("api").rate_limiter(limiter.clone()),
        }
    }
}

/// A rejection as an HTTP response, which leaves the error type of the service unchanged.
#[derive(Clone, Copy)]
struct HttpAnswer;

impl<E> OnReject<Request<Body>, Answer, E> for HttpAnswer {
    type Error = E;

    fn map_error(error: E) -> E {
        error
    }

    fn reject(&self, rejected: Rejected, _: Request<Body>) -> Result<Answer, E> {
        Ok(halfopen_http::rejected_response(&rejected).map(|()| Body::empty()))
    }
}

fn unreached(_: Request<Body>) -> Ready<Result<Answer, BoxError>> {
    ready(Err("the service was reached".into()))
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::new("outer", CircuitBreakerConfig::default())
}

async fn call<S, B>(service: S) -> Result<Response<B>, BoxError>
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
{
    service.oneshot(Request::new(Body::empty())).await.map_err(Into::into)
}

/// The error of a call that an inner layer has rejected.
async fn error_of<S, B>(service: S) -> BoxError
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
{
    call(service).await.err().expect("it is rejected")
}

fn http_of<B>(answer: &Response<B>) -> (u16, &str) {
    (answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap())
}

#[tokio::test]
async fn every_http_layer_answers_503_or_429_with_a_wait() {
    for (limit, expected) in [(Limit::bulkhead(), (503, "1")), (Limit::rate(), (429, "3"))] {
        let answer = call(limit.layer(HttpAnswer)).await.unwrap();
        assert_eq!(http_of(&answer), expected, "a layer of tower");

        let answer = Rejection(limit.reject()).into_response();
        assert_eq!(http_of(&answer), expected, "a handler of axum");

        let protection = RouteProtection::new(Registry::new()).route("/", limit.route());
        let app = axum::Router::new().route("/", get(|| async { "not reached" })).layer(protection);
        let answer = call(app).await.unwrap();
        assert_eq!(http_of(&answer), expected, "a route of axum");

        let fallback = |error: BoxError, ()| {
            let rejected = halfopen::rejection(&*error).expect("a rejection");
            ready(Ok::<_, BoxError>(halfopen_http::rejected_response(rejected).map(|()| Body::empty())))
        };
        let answer = call(FallbackLayer::new(fallback).layer(limit.layer(Boxed))).await;
        assert_eq!(http_of(&answer.unwrap()), expected, "a fallback");

        let outer = breaker();
        let layer = HttpCircuitBreakerLayer::new(outer.clone());
        let error = error_of(layer.layer(limit.layer(Boxed))).await;
        let rejected = halfopen::rejection(&*error).expect("the breaker passes it on");
        assert_eq!(halfopen_http::rejected_response(rejected).status(), expected.0);
        assert_eq!(outer.snapshot().totals.ignored, 1, "it is no failure of the service");
    }
}

#[tokio::test]
async fn every_grpc_layer_answers_a_rejection_alike() {
    let wait = Some(Duration::from_millis(2500));
    for (limit, code, wait) in
        [(Limit::bulkhead(), Code::Unavailable, None), (Limit::rate(), Code::ResourceExhausted, wait)]
    {
        let shown = |status: &Status| {
            let details = status.check_error_details().unwrap();
            (status.code(), details.retry_info().and_then(|info| info.retry_delay))
        };
        assert_eq!(shown(&rejected_status(limit.reject())), (code, wait), "a handler");

        let status = Status::from_error(error_of(limit.layer(StatusError)).await);
        assert_eq!(shown(&status), (code, wait), "a client's channel");
        assert!(halfopen::rejection(&status).is_some(), "the source is kept");

        let answer = call(limit.layer(TrailersOnly)).await.unwrap();
        assert_eq!(answer.status(), 200);
        let status = Status::from_header_map(answer.headers()).expect("a status in the headers");
        assert_eq!(shown(&status), (code, wait), "a server's service");

        let outer = breaker();
        let layer = GrpcCircuitBreakerLayer::new(outer.clone());
        let status = Status::from_error(error_of(layer.layer(limit.layer(StatusError))).await);
        assert_eq!(shown(&status), (code, wait), "behind a breaker");
        assert_eq!(outer.snapshot().totals.ignored, 1, "it is no failure of the service");
    }
}

#[tokio::test]
async fn a_layer_answers_a_breaker_and_a_limit_alike() {
    let open = breaker();
    open.open_for(Duration::from_secs(3));
    let inner = service_fn(|_: Request<Body>| ready(Ok::<_, Infallible>(Answer::default())));
    let layer = CircuitBreakerLayer::new(open);
    let answer = layer.on_rejected(|rejected, request| HttpAnswer.reject(rejected, request)).layer(inner);
    assert_eq!(http_of(&call(answer).await.unwrap()), (503, "3"));
}
