//! The fallback layer: the errors it handles, with a value, a function or a service.

use std::future::Ready;
use std::io;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use halfopen::{CircuitBreaker, CircuitBreakerConfig};
use halfopen_limit::{Bulkhead, BulkheadConfig};
use halfopen_tower::{BoxError, BulkheadLayer, CircuitBreakerLayer, FallbackLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

fn breaker(open: bool) -> CircuitBreaker {
    let breaker = CircuitBreaker::new("alerts", CircuitBreakerConfig::default());
    if open {
        breaker.force_open();
    }
    breaker
}

async fn fails(_: u32) -> Result<u32, BoxError> {
    Err(io::Error::from(io::ErrorKind::TimedOut).into())
}

#[tokio::test]
async fn a_rejection_is_answered_and_a_failure_is_not() {
    for (open, expected) in [(true, Some(7)), (false, None)] {
        let service = ServiceBuilder::new()
            .layer(FallbackLayer::value(7))
            .layer(CircuitBreakerLayer::new(breaker(open)))
            .service_fn(fails);
        assert_eq!(service.oneshot(1).await.ok(), expected, "open: {open}");
    }
}

#[tokio::test]
async fn named_failures_get_the_remembered_part() {
    let times_out = |error: &BoxError| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    };
    let layer =
        FallbackLayer::new(|error: BoxError, n: u32| async move { Ok(n + error.to_string().len() as u32) })
            .remember(|n: &u32| *n)
            .when(times_out);
    let expected = 1000 + io::Error::from(io::ErrorKind::TimedOut).to_string().len() as u32;
    assert_eq!(layer.layer(service_fn(fails)).oneshot(1000).await.unwrap(), expected);

    let other = service_fn(|_: u32| async { Err::<u32, BoxError>("refused".into()) });
    assert_eq!(layer.layer(other).oneshot(1).await.unwrap_err().to_string(), "refused");
}

#[tokio::test]
async fn another_service_answers_what_was_remembered() {
    let replica = service_fn(|key: String| async move { Ok::<_, BoxError>(format!("replica of {key}")) });
    let mut service = ServiceBuilder::new()
        .layer(FallbackLayer::service(replica).remember(|key: &String| key.clone()))
        .layer(CircuitBreakerLayer::new(breaker(true)))
        .service_fn(|key: String| async move { Ok::<_, BoxError>(key) });
    let answer = service.ready().await.unwrap().call("stock".to_owned()).await.unwrap();
    assert_eq!(answer, "replica of stock");
}

#[tokio::test]
async fn the_fallback_can_fail_too() {
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(|_: BoxError, ()| async { Err::<u32, BoxError>("no cache".into()) }))
        .layer(CircuitBreakerLayer::new(breaker(true)))
        .service_fn(fails);
    assert_eq!(service.oneshot(1).await.unwrap_err().to_string(), "no cache");
}

#[tokio::test]
async fn an_answered_rejection_is_counted_by_the_breaker() {
    let breaker = breaker(true);
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::value(7))
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .service_fn(fails);
    assert_eq!(service.oneshot(1).await.unwrap(), 7);
    assert_eq!(breaker.snapshot().totals.rejected, 1);
}

#[tokio::test]
async fn a_panic_of_a_fallback_goes_on_and_holds_nothing() {
    type Panicking = fn(BoxError, ()) -> Ready<Result<u32, BoxError>>;
    let bug: Panicking = |_, ()| panic!("a bug in the fallback");
    let bulkhead =
        Bulkhead::new("alerts", BulkheadConfig::builder().max_concurrent_calls(1).build().unwrap());
    for open in [true, false] {
        let (outer, inner) = (breaker(false), breaker(open));
        let service = ServiceBuilder::new()
            .layer(CircuitBreakerLayer::new(outer.clone()))
            .layer(FallbackLayer::new(bug).when(|_: &BoxError| true))
            .layer(BulkheadLayer::new(bulkhead.clone()))
            .layer(CircuitBreakerLayer::new(inner.clone()))
            .service_fn(fails);
        for _ in 0..2 {
            let panicked = AssertUnwindSafe(service.clone().oneshot(1)).catch_unwind().await.unwrap_err();
            assert_eq!(*panicked.downcast_ref::<&str>().unwrap(), "a bug in the fallback");
        }
        assert_eq!(bulkhead.snapshot().in_flight, 0, "the failed calls hold no slot");
        assert_eq!(outer.snapshot().totals.failures, 2, "as of a service that panics");
        let totals = inner.snapshot().totals;
        assert_eq!((totals.rejected, totals.failures), if open { (2, 0) } else { (0, 2) });
    }
}
