//! Requests that never complete.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use halfopen::{CircuitBreaker, State};
use halfopen_reqwest::CircuitBreakerMiddleware;
use reqwest::Request;
use reqwest_middleware::{Next, Result};

use crate::server::Server;
use crate::world::{Guarded, SECOND, stack};

#[tokio::test]
async fn a_request_that_is_dropped_is_abandoned() {
    let server = Server::start().await;
    for whole in [false, true] {
        let guarded = Guarded::with(|breaker| if whole { breaker.until_body_end() } else { breaker });
        assert!(guarded.get(&server, "/silent").now_or_never().is_none());
        assert_eq!(guarded.ended(), "abandoned");
    }
}

#[tokio::test]
async fn a_dropped_probe_gives_its_slot_back() {
    let server = Server::start().await;
    let guarded = Guarded::new();
    guarded.about_to_probe();
    assert!(guarded.get(&server, "/silent").now_or_never().is_none());
    assert_eq!(guarded.breaker.state(), State::HalfOpen);

    guarded.get(&server, "/whole").await.unwrap();
    assert_eq!(guarded.breaker.state(), State::Closed);
}

#[tokio::test]
async fn while_a_probe_is_out_others_are_rejected() {
    let server = Server::start().await;
    let guarded = Guarded::new();
    guarded.about_to_probe();
    let mut probe = Box::pin(guarded.get(&server, "/silent"));
    assert!(probe.as_mut().now_or_never().is_none());

    let error = guarded.get(&server, "/whole").await.unwrap_err();
    let rejected = halfopen::rejection(&error).unwrap();
    assert_eq!(rejected.reason(), halfopen::RejectReason::HalfOpenSaturated);
    assert_eq!(rejected.retry_after(), None);
}

#[tokio::test]
async fn a_panic_further_in_is_a_failure_and_goes_on() {
    fn panics<'a>(
        _: Request,
        _: &'a mut http::Extensions,
        _: Next<'a>,
    ) -> BoxFuture<'a, Result<reqwest::Response>> {
        Box::pin(async { panic!("a mistake in another middleware") })
    }
    let server = Server::start().await;
    let guarded = Guarded::stack(|breaker| stack().with(CircuitBreakerMiddleware::new(breaker)).with(panics));
    assert!(AssertUnwindSafe(guarded.get(&server, "/whole")).catch_unwind().await.is_err());
    assert_eq!(guarded.ended(), "failure");
}

#[tokio::test]
async fn a_panic_elsewhere_abandons_a_healthy_request() {
    let server = Server::start().await;
    for whole in [false, true] {
        let guarded = Guarded::with(|breaker| if whole { breaker.until_body_end() } else { breaker });
        let mut healthy = Box::pin(guarded.get(&server, "/silent"));
        assert!(healthy.as_mut().now_or_never().is_none());
        let task = catch_unwind(AssertUnwindSafe(move || {
            let _healthy = healthy;
            panic!("elsewhere in the task");
        }));
        assert!(task.is_err());
        assert_eq!(guarded.ended(), "abandoned");
    }
}

#[tokio::test]
async fn a_request_from_before_the_trip_decides_no_visit() {
    let server = Server::start().await;
    let guarded = Guarded::new();
    let mut early = Box::pin(guarded.get(&server, "/whole"));
    assert!(early.as_mut().now_or_never().is_none());
    guarded.about_to_probe();
    let mut probe = Box::pin(guarded.get(&server, "/silent"));
    assert!(probe.as_mut().now_or_never().is_none());

    assert_eq!(early.await.unwrap().status(), 200);

    assert_eq!((guarded.ended().as_str(), guarded.breaker.state()), ("late", State::HalfOpen));
    assert!(guarded.breaker.check().is_err(), "nor does it give back the probe's slot");
}

#[tokio::test]
async fn a_probe_whose_future_is_leaked_reopens_in_time() {
    let server = Server::start().await;
    let guarded = Guarded::new();
    guarded.about_to_probe();
    let mut leaked = Box::pin(guarded.get(&server, "/silent"));
    assert!(leaked.as_mut().now_or_never().is_none());
    std::mem::forget(leaked);

    // The default probe timeout, and the wait after it.
    guarded.hands.advance(Duration::from_secs(60));
    assert_eq!(guarded.breaker.state(), State::Open);
    guarded.hands.advance(SECOND);
    guarded.get(&server, "/whole").await.unwrap();
    assert_eq!(guarded.breaker.state(), State::Closed);
}

#[tokio::test]
async fn an_answer_goes_out_whatever_becomes_of_the_breaker() {
    let server = Server::start().await;
    for change in
        [CircuitBreaker::trip, CircuitBreaker::force_open, CircuitBreaker::disable, CircuitBreaker::reset]
    {
        let guarded = Guarded::new();
        let mut request = Box::pin(guarded.get(&server, "/whole"));
        assert!(request.as_mut().now_or_never().is_none());
        change(&guarded.breaker);
        assert_eq!(request.await.unwrap().status(), 200);
        assert_eq!(guarded.ended(), "late");
    }
}
