//! The layer that applies a protection: the steps of a call, and their order.

use std::future::{pending, ready};
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use halfopen::{CircuitBreakerConfig, Clock, Registry, RejectReason, Trip};
use halfopen_limit::{Bulkhead, BulkheadConfig, Protection, ProtectionLimits, Quota, RateLimiter};
use halfopen_tower::protection::CallTimedOut;
use halfopen_tower::{BoxError, ProtectionLayer};
use tokio::sync::oneshot;
use tower::{Layer, Service, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

/// A protection whose breaker opens at the first failure.
fn protection() -> Protection {
    let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build().unwrap();
    Protection::new(&Registry::builder().default_config(config).build(), "payments")
}

fn bulkhead(waiting: u32) -> Bulkhead {
    let config = BulkheadConfig::builder().max_concurrent_calls(1).max_waiting_calls(waiting);
    Bulkhead::new("payments", config.build().unwrap())
}

fn limiter() -> RateLimiter {
    let quota = Quota::calls(1).per(60 * SECOND).build().unwrap();
    RateLimiter::builder("payments", quota).clock(Clock::manual().0).build()
}

fn reason(error: &BoxError) -> Option<RejectReason> {
    halfopen::rejection(&**error).map(|rejected| rejected.reason())
}

async fn answered(call: oneshot::Receiver<u32>) -> Result<u32, BoxError> {
    Ok(call.await?)
}

#[tokio::test]
async fn a_protection_without_limits_is_its_breaker() {
    let protection = protection();
    let mut service = ProtectionLayer::new(protection.clone())
        .layer(service_fn(|fails: bool| ready(if fails { Err("down") } else { Ok(()) })));
    service.ready().await.unwrap().call(false).await.unwrap();
    service.ready().await.unwrap().call(true).await.unwrap_err();
    let error = service.ready().await.unwrap().call(false).await.unwrap_err();
    assert_eq!(reason(&error), Some(RejectReason::Open));
    let totals = protection.breaker().snapshot().totals;
    assert_eq!((totals.successes, totals.failures, totals.rejected), (1, 1, 1));
}

#[tokio::test]
async fn limits_reject_without_a_call_of_the_breaker() {
    let protection = protection();
    protection.set_limits(ProtectionLimits::new().bulkhead(bulkhead(0)).rate_limiter(limiter()));
    let mut service = ProtectionLayer::new(protection.clone()).layer(service_fn(answered));
    let (answer, call) = oneshot::channel();
    let mut first = pin!(service.ready().await.unwrap().call(call));
    assert!(first.as_mut().now_or_never().is_none());
    let error = service.ready().await.unwrap().call(oneshot::channel().1).await.unwrap_err();
    assert_eq!(reason(&error), Some(RejectReason::RateLimited), "it is the first that a call passes");

    answer.send(7).unwrap();
    assert_eq!(first.await.unwrap(), 7);
    let totals = protection.breaker().snapshot().totals;
    assert_eq!((totals.successes, totals.rejected, totals.ignored), (1, 0, 0));
}

#[tokio::test]
async fn a_call_waits_in_the_queue_of_the_bulkhead() {
    let protection = protection();
    protection.set_limits(ProtectionLimits::new().bulkhead(bulkhead(1)));
    let mut service = ProtectionLayer::new(protection.clone()).layer(service_fn(answered));
    let ((answer, call), (other, second)) = (oneshot::channel(), oneshot::channel());
    let mut first = pin!(service.ready().await.unwrap().call(call));
    assert!(first.as_mut().now_or_never().is_none());
    let mut waiting = pin!(service.ready().await.unwrap().call(second));
    other.send(2).unwrap();
    assert!(waiting.as_mut().now_or_never().is_none(), "its answer is there, but not its slot");
    let error = service.ready().await.unwrap().call(oneshot::channel().1).await.unwrap_err();
    assert_eq!(reason(&error), Some(RejectReason::BulkheadFull));

    answer.send(1).unwrap();
    assert_eq!((first.await.unwrap(), waiting.await.unwrap()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_call_beyond_its_timeout_fails_and_frees_its_slot() {
    let (protection, bulkhead) = (protection(), bulkhead(0));
    protection.set_limits(ProtectionLimits::new().bulkhead(bulkhead.clone()).call_timeout(SECOND));
    let hang = service_fn(|()| pending::<Result<(), BoxError>>());
    let mut service = ProtectionLayer::new(protection.clone()).layer(hang);
    let error = service.ready().await.unwrap().call(()).await.unwrap_err();
    assert_eq!(error.to_string(), "call of `payments` timed out after 1s");
    assert_eq!(error.downcast_ref::<CallTimedOut>().map(CallTimedOut::timeout), Some(SECOND));
    assert_eq!(protection.breaker().snapshot().totals.failures, 1);
    assert!(protection.breaker().is_open());
    assert_eq!(bulkhead.snapshot().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn the_timeout_begins_after_the_wait() {
    let protection = protection();
    protection.set_limits(ProtectionLimits::new().bulkhead(bulkhead(1)).call_timeout(SECOND));
    let slow = service_fn(|()| async {
        tokio::time::sleep(SECOND * 3 / 4).await;
        Ok::<_, BoxError>(())
    });
    let service = ProtectionLayer::new(protection.clone()).layer(slow);
    let (first, second) = tokio::join!(service.clone().oneshot(()), service.oneshot(()));
    assert!(first.is_ok() && second.is_ok(), "each took less than a second of its own");
}

#[tokio::test]
async fn new_limits_hold_for_the_next_call() {
    let protection = protection();
    let mut service = ProtectionLayer::new(protection.clone()).layer(service_fn(answered));
    let held = bulkhead(0);
    let _slot = held.try_acquire().unwrap();
    for full in [false, true, false] {
        let limits = ProtectionLimits::new();
        protection.set_limits(if full { limits.bulkhead(held.clone()) } else { limits });
        let (answer, call) = oneshot::channel();
        answer.send(1).unwrap();
        let result = service.ready().await.unwrap().call(call).await;
        assert_eq!(result.is_err(), full);
    }
}

#[tokio::test]
async fn dropped_and_panicking_calls_give_everything_back() {
    let (protection, bulkhead) = (protection(), bulkhead(1));
    protection.set_limits(ProtectionLimits::new().bulkhead(bulkhead.clone()));
    let panics = service_fn(|panics: bool| async move {
        assert!(!panics, "as it should");
        pending::<Result<(), BoxError>>().await
    });
    let service = ProtectionLayer::new(protection.clone()).layer(panics);
    let mut dropped = Box::pin(service.clone().oneshot(false));
    assert!(dropped.as_mut().now_or_never().is_none());
    let mut waiting = Box::pin(service.clone().oneshot(false));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(waiting);
    drop(dropped);
    assert_eq!((bulkhead.snapshot().in_flight, bulkhead.snapshot().waiting), (0, 0));
    assert_eq!(protection.breaker().snapshot().totals.abandoned, 1);

    let unwound = std::panic::AssertUnwindSafe(service.oneshot(true)).catch_unwind().await;
    assert!(unwound.is_err());
    assert_eq!(bulkhead.snapshot().in_flight, 0);
    assert_eq!(protection.breaker().snapshot().totals.failures, 1);
}
