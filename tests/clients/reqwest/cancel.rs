//! Requests that never come to their end.

use std::panic::AssertUnwindSafe;

use fusebox::State;
use fusebox_reqwest::CircuitBreakerMiddleware;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::Request;
use reqwest_middleware::{Next, Result};

use crate::server::Server;
use crate::world::{Guarded, stack};

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
    let rejected = fusebox::rejection(&error).unwrap();
    assert_eq!(rejected.reason(), fusebox::RejectReason::HalfOpenSaturated);
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
