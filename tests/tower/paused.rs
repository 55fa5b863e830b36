//! `wait_while_open` under tokio's paused time, and with many waiters.

use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, State};
use halfopen_tower::{CircuitBreakerLayer, tokio_clock};
use tokio::time::Instant;
use tower::{Layer, Service, service_fn};

use crate::world::World;

const WAIT: Duration = Duration::from_secs(30);

/// Returns how often a service was polled until it was ready, how far tokio's clock moved meanwhile, and
/// whether the call was admitted.
async fn wait_for(breaker: &CircuitBreaker) -> (u32, Duration, bool) {
    let begun = Instant::now();
    let inner = service_fn(|()| ready(Ok::<_, Infallible>(())));
    let mut service = CircuitBreakerLayer::new(breaker.clone()).wait_while_open().layer(inner);
    let mut polls = 0;
    poll_fn(|context| {
        polls += 1;
        service.poll_ready(context)
    })
    .await
    .unwrap();
    let permitted = service.call(()).await.is_ok();
    (polls, begun.elapsed(), permitted)
}

fn open(clock: Clock) -> CircuitBreaker {
    let config =
        CircuitBreakerConfig::builder().open_duration(WAIT).backoff(Backoff::none()).build().unwrap();
    let breaker = CircuitBreaker::builder("paused").config(config).clock(clock).build();
    breaker.trip();
    breaker
}

#[tokio::test(start_paused = true)]
async fn a_breaker_on_tokios_clock_is_waited_for_exactly() {
    let breaker = open(tokio_clock());

    let (polls, passed, permitted) = wait_for(&breaker).await;

    assert!(polls <= 3, "{polls} polls");
    assert!((WAIT..=WAIT + Duration::from_millis(2)).contains(&passed), "{passed:?}");
    assert!(permitted);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_on_another_clock_is_waited_for_once() {
    for clock in [Clock::system(), Clock::manual().0] {
        let breaker = open(clock);

        let (polls, passed, permitted) = wait_for(&breaker).await;

        assert!(polls <= 3, "{polls} polls");
        assert!(passed <= WAIT + Duration::from_millis(2), "the virtual clock has moved by {passed:?}");
        assert!(!permitted, "by its own clock the breaker is open");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_polled_no_more_often_for_being_many() {
    const MANY: usize = 2_000;
    let world = World::new();
    world.breaker.force_open();
    let layer = CircuitBreakerLayer::new(world.breaker.clone()).wait_while_open();
    let arrived = Arc::new(AtomicUsize::new(0));
    let waiting: Vec<_> = (0..MANY)
        .map(|_| {
            let arrived = Arc::clone(&arrived);
            let mut service = layer.layer(service_fn(|()| ready(Ok::<_, Infallible>(()))));
            tokio::spawn(async move {
                let mut polls = 0;
                poll_fn(|context| {
                    polls += 1;
                    arrived.fetch_add(1, Ordering::Relaxed);
                    service.poll_ready(context)
                })
                .await
                .unwrap();
                polls
            })
        })
        .collect();
    while arrived.load(Ordering::Relaxed) < MANY {
        tokio::task::yield_now().await;
    }

    world.breaker.reset();

    let mut polls = 0;
    for task in waiting {
        polls += task.await.unwrap();
    }
    assert_eq!(polls, 2 * MANY, "once on arrival, once when the breaker closed");
}
