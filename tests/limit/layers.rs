//! The limiting layers of `halfopen-tower`: readiness, waiting, error modes, an outer breaker.

use std::borrow::Cow;
use std::future::{poll_fn, ready};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use halfopen::{CircuitBreaker, CircuitBreakerConfig, CircuitBreakerError, Clock, RejectReason};
use halfopen_limit::{Bulkhead, BulkheadConfig, KeyedRateLimiter, Quota, RateLimiter};
use halfopen_tower::{BoxError, BulkheadLayer, CircuitBreakerLayer, RateLimitLayer};
use tokio::sync::oneshot;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

type Call = oneshot::Receiver<u32>;

fn bulkhead(concurrent: u32, waiting: u32) -> Bulkhead {
    let config = BulkheadConfig::builder().max_concurrent_calls(concurrent).max_waiting_calls(waiting);
    Bulkhead::new("pool", config.build().unwrap())
}

/// A call that ends when the test responds to it.
async fn answered(call: Call) -> Result<u32, BoxError> {
    Ok(call.await?)
}

fn reason(error: &BoxError) -> RejectReason {
    halfopen::rejection(&**error).expect("a rejection").reason()
}

/// A limiter with one call, on a stopped clock.
fn one_call() -> RateLimiter {
    let quota = Quota::calls(1).per(Duration::from_secs(60)).build().unwrap();
    RateLimiter::builder("tasks", quota).clock(Clock::manual().0).build()
}

async fn immediate(n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

#[tokio::test]
async fn a_full_bulkhead_is_ready_and_rejects() {
    let bulkhead = bulkhead(1, 0);
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(service_fn(immediate));
    let _permit = bulkhead.try_acquire().unwrap();
    let error = service.ready().await.unwrap().call(1).await.unwrap_err();
    assert_eq!(reason(&error), RejectReason::BulkheadFull);
    assert_eq!(bulkhead.snapshot().rejected, 1, "counted once");
}

#[tokio::test]
async fn errors_are_typed_or_answered_on_request() {
    let bulkhead = bulkhead(1, 0);
    let _permit = bulkhead.try_acquire().unwrap();
    let inner = service_fn(|n: u32| ready(Err::<u32, u32>(n)));

    let typed = BulkheadLayer::new(bulkhead.clone()).typed_errors().layer(inner);
    assert!(matches!(typed.oneshot(1).await, Err(CircuitBreakerError::Rejected(_))));

    let answered = BulkheadLayer::new(bulkhead.clone()).on_rejected(|_, n: u32| Ok::<_, u32>(n + 1));
    assert_eq!(answered.layer(inner).oneshot(1).await, Ok(2));
}

#[tokio::test]
async fn a_ready_clone_that_makes_no_call_holds_no_slot() {
    let bulkhead = bulkhead(1, 0);
    let mut idle = BulkheadLayer::new(bulkhead.clone()).layer(service_fn(immediate));
    let mut busy = idle.clone();
    idle.ready().await.unwrap();
    assert_eq!(busy.ready().await.unwrap().call(1).await.unwrap(), 1);
}

#[tokio::test]
async fn a_rejected_call_gives_back_reservations_inside() {
    let bulkhead = bulkhead(1, 0);
    let inner = ConcurrencyLimit::new(service_fn(immediate), 1);
    let mut other = inner.clone();
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(inner);

    service.ready().await.unwrap();
    let _permit = bulkhead.try_acquire().unwrap();
    assert!(service.call(1).await.is_err());
    assert!(other.ready().now_or_never().is_some(), "the inner service is still reserved");
}

#[tokio::test]
async fn a_full_bulkhead_waits_for_no_inner_service() {
    let bulkhead = bulkhead(1, 0);
    let inner = ConcurrencyLimit::new(service_fn(immediate), 1);
    let mut other = inner.clone();
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(inner);
    other.ready().await.unwrap();

    assert!(service.ready().now_or_never().is_none(), "the inner service is taken");
    let permit = bulkhead.try_acquire().unwrap();
    assert!(service.ready().now_or_never().is_some(), "it will be rejected");
    drop(permit);
    assert!(service.ready().now_or_never().is_some(), "ready lasts until the call");
    let mut call = pin!(service.call(1));
    assert!(call.as_mut().now_or_never().is_none(), "it waits for the inner service with its slot");
    drop(other);
    assert_eq!(call.await.unwrap(), 1);
}

#[tokio::test]
async fn calls_wait_in_order_and_reserve_nothing_inside() {
    let bulkhead = bulkhead(1, 2);
    let inner = ConcurrencyLimit::new(service_fn(answered), 2);
    let mut other = inner.clone();
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(inner);
    let (answers, calls): (Vec<_>, Vec<_>) = (0..4).map(|_| oneshot::channel()).unzip();
    let mut calls = calls.into_iter();
    let mut futures = Vec::new();
    for _ in 0..3 {
        let call = service.ready().await.unwrap().call(calls.next().unwrap());
        futures.push(Box::pin(call));
        assert!(futures.last_mut().unwrap().as_mut().now_or_never().is_none());
    }
    assert_eq!((bulkhead.snapshot().in_flight, bulkhead.snapshot().waiting), (1, 2));
    assert!(other.ready().now_or_never().is_some(), "the waiting calls hold the inner service");
    drop(other);
    let late = service.ready().await.unwrap().call(calls.next().unwrap()).await;
    assert_eq!(reason(&late.unwrap_err()), RejectReason::BulkheadFull, "the queue is full");

    for (n, answer) in (0..3).zip(answers) {
        answer.send(n).unwrap();
        assert_eq!(futures.remove(0).await.unwrap(), n);
    }
    assert_eq!(bulkhead.snapshot().in_flight, 0);
}

#[tokio::test]
async fn the_answer_frees_the_slot_of_a_kept_future() {
    let bulkhead = bulkhead(1, 0);
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(service_fn(immediate));
    let mut call = Box::pin(service.ready().await.unwrap().call(1));
    assert!(poll_fn(|cx| call.as_mut().poll(cx)).await.is_ok());
    assert_eq!(bulkhead.snapshot().in_flight, 0);
}

#[tokio::test]
async fn dropped_and_panicking_calls_give_their_slots_back() {
    let bulkhead = bulkhead(1, 1);
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(service_fn(answered));
    let (_first, call) = oneshot::channel();
    let running = service.ready().await.unwrap().call(call);
    let (_second, call) = oneshot::channel();
    let mut waiting = Box::pin(service.ready().await.unwrap().call(call));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(waiting);
    drop(running);
    assert_eq!((bulkhead.snapshot().in_flight, bulkhead.snapshot().waiting), (0, 0));

    let panics = service_fn(|_: ()| async { if true { panic!("the call") } else { Ok::<_, BoxError>(()) } });
    let call = BulkheadLayer::new(bulkhead.clone()).layer(panics).oneshot(());
    assert!(AssertUnwindSafe(call).catch_unwind().await.is_err());
    assert_eq!(bulkhead.snapshot().in_flight, 0);
}

#[tokio::test]
async fn a_breaker_outside_ignores_the_rejections_of_limits() {
    let breaker = CircuitBreaker::new("api", CircuitBreakerConfig::default());
    let limiter = one_call();
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(breaker.clone()))
        .layer(RateLimitLayer::new(limiter))
        .service_fn(immediate);
    for n in 0..20 {
        let _ = service.ready().await.unwrap().call(n).await;
    }
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.successes, totals.failures, totals.ignored), (1, 0, 19));
    assert!(breaker.is_closed());
}

#[tokio::test]
async fn a_used_up_quota_rejects_and_counts_once() {
    let limiter = one_call();
    let mut service = RateLimitLayer::new(limiter.clone()).layer(service_fn(immediate));
    assert!(service.ready().await.unwrap().call(1).await.is_ok());
    let error = service.ready().await.unwrap().call(2).await.unwrap_err();
    assert_eq!(halfopen::rejection(&*error).unwrap().retry_after(), Some(Duration::from_secs(60)));
    assert_eq!(limiter.snapshot().rejected, 1);
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_their_turn() {
    let quota = Quota::calls(10).per(Duration::from_secs(1)).burst(1).unwrap();
    let limiter =
        RateLimiter::builder("mail", quota).max_wait(Duration::from_secs(1)).clock(Clock::manual().0);
    let mut service = RateLimitLayer::new(limiter.build()).layer(service_fn(immediate));
    let began = tokio::time::Instant::now();
    let first = service.ready().await.unwrap().call(1);
    let second = service.ready().await.unwrap().call(2);
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (1, 2));
    assert_eq!(began.elapsed(), Duration::from_millis(100));
}

#[tokio::test]
async fn each_key_has_its_own_quota() {
    let quota = Quota::calls(1).per(Duration::from_secs(60)).build().unwrap();
    let limiter = KeyedRateLimiter::builder("tenants", quota).clock(Clock::manual().0).build().unwrap();
    let layer = RateLimitLayer::keyed(limiter.clone(), |tenant: &&'static str| Cow::Borrowed(*tenant))
        .on_rejected(|rejected, _: &'static str| Err(rejected.name().to_owned()));
    let mut service = layer.layer(service_fn(|tenant: &'static str| ready(Ok::<_, String>(tenant))));
    assert_eq!(service.ready().await.unwrap().call("acme").await, Ok("acme"));
    assert_eq!(service.ready().await.unwrap().call("acme").await, Err("acme".to_owned()));
    assert_eq!(service.ready().await.unwrap().call("duck").await, Ok("duck"));
    assert_eq!(limiter.snapshot().rejected, 1);
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_key_wait_for_their_turn() {
    let quota = Quota::calls(10).per(Duration::from_secs(1)).burst(1).unwrap();
    let (clock, _hands) = Clock::manual();
    let tenants = KeyedRateLimiter::builder("tenants", quota).clock(clock).max_wait(Duration::from_secs(1));
    let layer = RateLimitLayer::keyed(tenants.build().unwrap(), |tenant: &String| Cow::Borrowed(&**tenant));
    let mut service = layer.layer(service_fn(|tenant: String| ready(Ok::<_, BoxError>(tenant))));
    let began = tokio::time::Instant::now();
    for tenant in ["acme", "duck", "acme"] {
        service.ready().await.unwrap().call(tenant.to_owned()).await.unwrap();
    }
    assert_eq!(began.elapsed(), Duration::from_millis(100), "one call of three has waited");
}
