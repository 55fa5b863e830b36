//! `wait_while_open` with all probes in flight: woken at the verdict, when a slot is released, and at the
//! earliest probe timeout.

use halfopen::{CircuitBreaker, HalfOpen, State};
use tower::Service;

use crate::waiter::{ALMOST, Waiter, Waiting, pass};
use crate::world::{PROBE_TIMEOUT, WAIT, World, finish};
use test_support::service::Do;

/// Half-open with its one probe in flight, and a second service that waits for it.
fn saturated() -> (World, <Waiting as Service<Do>>::Future, Waiter) {
    saturated_in(World::probing(), Do::Succeed)
}

fn saturated_in(world: World, probe: Do) -> (World, <Waiting as Service<Do>>::Future, Waiter) {
    let mut prober = Waiter::on(&world);
    assert!(prober.is_ready());
    let probe = prober.service.call(probe);
    let mut waiter = Waiter::on(&world);
    assert!(!waiter.is_ready());
    (world, probe, waiter)
}

#[tokio::test(start_paused = true)]
async fn a_closing_verdict_wakes_a_waiter_for_a_slot() {
    let (world, probe, mut waiter) = saturated();

    finish(probe).unwrap();

    assert_eq!(world.breaker.state(), State::Closed);
    assert!(waiter.was_woken());
    assert!(waiter.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_opens_wakes_for_the_new_wait() {
    let (world, probe, mut waiter) = saturated_in(World::probing(), Do::Fail);

    assert!(finish(probe).is_err());
    assert_eq!(world.breaker.state(), State::Open);
    assert!(waiter.was_woken());
    assert!(!waiter.is_ready());

    pass(&world, WAIT + ALMOST).await;
    assert!(waiter.was_woken());
    assert!(waiter.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_given_back_wakes() {
    let (_world, probe, mut waiter) = saturated();

    drop(probe);

    assert!(waiter.was_woken());
    assert!(waiter.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_success_that_is_not_yet_a_verdict_wakes() {
    let world = World::with(|config| config.half_open(HalfOpen::new().success_threshold(2)));
    world.breaker.trip();
    world.clock.advance(WAIT);
    let (world, probe, mut waiter) = saturated_in(world, Do::Succeed);

    finish(probe).unwrap();

    assert_eq!(world.breaker.state(), State::HalfOpen);
    assert!(waiter.was_woken());
    assert!(waiter.is_ready());
}

// A probe that never reports opens the breaker at that time, but no event is emitted before the next query.
#[tokio::test(start_paused = true)]
async fn the_earliest_probe_timeout_wakes() {
    let (world, probe, mut waiter) = saturated();

    pass(&world, PROBE_TIMEOUT - ALMOST).await;
    assert!(!waiter.was_woken());
    pass(&world, 2 * ALMOST).await;
    assert!(waiter.was_woken());
    assert!(!waiter.is_ready());
    assert_eq!(world.breaker.state(), State::Open);

    pass(&world, WAIT).await;
    assert!(waiter.was_woken());
    assert!(waiter.is_ready());
    drop(probe);
}

#[tokio::test(start_paused = true)]
async fn an_operator_who_admits_all_wakes_waiters() {
    for word in [CircuitBreaker::disable, CircuitBreaker::metrics_only, CircuitBreaker::reset] {
        let (world, probe, mut waiter) = saturated();

        word(&world.breaker);

        assert!(waiter.was_woken());
        assert!(waiter.is_ready());
        finish(probe).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_forced_open_breaker_is_waited_for() {
    let (world, probe, mut waiter) = saturated();

    world.breaker.force_open();
    finish(probe).unwrap();
    pass(&world, PROBE_TIMEOUT).await;

    assert!(!waiter.is_ready());
    world.breaker.reset();
    assert!(waiter.was_woken());
    assert!(waiter.is_ready());
}

#[tokio::test(start_paused = true)]
async fn more_probes_by_new_numbers_are_for_the_next_visit() {
    let (world, probe, mut waiter) = saturated();

    let more = HalfOpen::new().max_calls(5);
    world.breaker.set_config(world.breaker.config().to_builder().half_open(more).build().unwrap());

    assert!(!waiter.is_ready());
    finish(probe).unwrap();
    assert!(waiter.was_woken());
    assert!(waiter.is_ready());
}
