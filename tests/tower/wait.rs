//! `wait_while_open`: not ready while open, and woken by every event that may end that.
//!
//! The breaker's clock and tokio's are both stopped and moved together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use halfopen::{CircuitBreaker, State};
use tower::{Service, ServiceExt};

use crate::modes::{Mode, WaitWhileOpen};
use crate::waiter::{ALMOST, Waiter, pass};
use crate::world::{WAIT, World, call, finish};
use test_support::service::{Do, Done, Readiness};

fn open() -> World {
    let world = World::new();
    world.breaker.trip();
    world
}

#[tokio::test(start_paused = true)]
async fn waiting_does_not_poll_the_inner_service() {
    let world = open();
    let mut waiter = Waiter::on(&world);

    assert!(!waiter.is_ready());
    assert!(!waiter.is_ready());

    assert_eq!((world.journal.polls(), world.totals().rejected), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_wait_wakes() {
    let world = open();
    let mut waiter = Waiter::on(&world);
    assert!(!waiter.is_ready());

    pass(&world, WAIT - ALMOST).await;
    assert!(!waiter.was_woken());
    pass(&world, 2 * ALMOST).await;

    assert!(waiter.was_woken());
    assert!(waiter.is_ready());
    assert_eq!(finish(waiter.service.call(Do::Succeed)).unwrap(), Done);
    assert_eq!(world.breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn closing_by_hand_wakes() {
    let ways: [fn(&CircuitBreaker); 5] = [
        CircuitBreaker::reset,
        CircuitBreaker::force_closed,
        CircuitBreaker::disable,
        CircuitBreaker::metrics_only,
        |breaker| assert!(breaker.set_enabled(false)),
    ];
    for close in ways {
        let world = open();
        let mut waiter = Waiter::on(&world);
        assert!(!waiter.is_ready());

        close(&world.breaker);

        assert!(waiter.was_woken());
        assert!(waiter.is_ready());
    }
}

#[tokio::test(start_paused = true)]
async fn a_forced_open_breaker_is_waited_for() {
    let world = World::new();
    world.breaker.force_open();
    let mut waiter = Waiter::on(&world);
    assert!(!waiter.is_ready());

    pass(&world, 100 * WAIT).await;
    assert!(!waiter.was_woken());
    world.breaker.reset();

    assert!(waiter.was_woken());
    assert!(waiter.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_longer_wait_is_waited_for_to_its_new_end() {
    let world = open();
    let mut waiter = Waiter::on(&world);
    assert!(!waiter.is_ready());

    world.breaker.open_for(3 * WAIT);
    assert!(waiter.was_woken());
    assert!(!waiter.is_ready());

    pass(&world, 2 * WAIT).await;
    assert!(!waiter.was_woken());
    pass(&world, WAIT + ALMOST).await;
    assert!(waiter.was_woken());
    assert!(waiter.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_made_shorter_ends_sooner() {
    let world = open();
    let mut waiter = Waiter::on(&world);
    assert!(!waiter.is_ready());

    world.breaker.open_for(ALMOST);
    assert!(!waiter.is_ready());
    waiter.was_woken();
    pass(&world, 2 * ALMOST).await;

    assert!(waiter.was_woken());
    assert!(waiter.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_wait_without_end_is_no_overflow() {
    let world = World::new();
    world.breaker.open_for(Duration::MAX);

    assert!(!Waiter::on(&world).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_wait_of_no_time_is_not_waited_for() {
    let world = World::new();
    world.breaker.open_for(Duration::ZERO);
    let mut waiter = Waiter::on(&world);

    assert!(waiter.is_ready());
    assert_eq!(finish(waiter.service.call(Do::Succeed)).unwrap(), Done);
    assert_eq!(world.breaker.state(), State::Closed);
}

// Time that passes between two checks emits no event, but the waiting task must be woken.
#[tokio::test(start_paused = true)]
async fn a_wait_that_ends_during_the_check_is_not_missed() {
    let world = World::new();
    for _ in 0..200 {
        world.breaker.reset();
        world.breaker.trip();
        let (mut waiter, moved) = (Waiter::on(&world), AtomicBool::new(false));
        let is_ready = thread::scope(|scope| {
            scope.spawn(|| {
                world.clock.advance(WAIT);
                moved.store(true, Ordering::SeqCst);
            });
            loop {
                let is_ready = waiter.is_ready();
                if is_ready || moved.load(Ordering::SeqCst) {
                    break is_ready;
                }
            }
        });
        if !is_ready {
            pass(&world, WAIT + ALMOST).await;
            assert!(waiter.was_woken());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn new_numbers_do_not_shorten_the_current_wait() {
    let world = open();
    let mut waiter = Waiter::on(&world);
    assert!(!waiter.is_ready());

    let shorter = world.breaker.config().to_builder().open_duration(ALMOST).build().unwrap();
    world.breaker.set_config(shorter);
    assert!(!waiter.is_ready());
    waiter.was_woken();

    pass(&world, WAIT - ALMOST).await;
    assert!(!waiter.was_woken());
    pass(&world, 2 * ALMOST).await;
    assert!(waiter.was_woken());
    assert!(waiter.is_ready());
}

#[tokio::test(start_paused = true)]
async fn one_of_several_ready_services_gets_the_probe() {
    let world = World::probing();
    let (mut first, mut second) = (Waiter::on(&world), Waiter::on(&world));
    assert!(first.is_ready());
    assert!(second.is_ready());

    let probe = first.service.call(Do::Succeed);

    let error = finish(second.service.call(Do::Succeed)).unwrap_err();
    assert!(WaitWhileOpen::rejection(&error).is_some());
    finish(probe).unwrap();
    assert_eq!(call(&mut second.service, Do::Succeed).unwrap(), Done);
}

#[tokio::test(start_paused = true)]
async fn a_ready_service_stays_ready_until_it_is_called() {
    let world = World::new();
    let mut waiter = Waiter::on(&world);
    assert!(waiter.is_ready());

    world.breaker.trip();

    assert!(waiter.is_ready(), "Pending after Ready breaks the contract of `Service`");
    assert!(finish(waiter.service.call(Do::Succeed)).is_err());
    assert!(!waiter.is_ready());
}

#[tokio::test(start_paused = true)]
async fn the_last_waker_is_the_one_that_is_woken() {
    let world = open();
    let mut waiter = Waiter::on(&world);
    assert!(!waiter.is_ready());
    let first = std::mem::take(&mut waiter.wakes);
    assert!(!waiter.is_ready());

    world.breaker.reset();

    assert!(waiter.was_woken());
    assert_eq!(first.0.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_dropped_while_it_waits_is_not_woken() {
    let world = open();
    let mut waiter = Waiter::on(&world);
    assert!(!waiter.is_ready());

    drop(waiter.service);
    world.breaker.reset();

    assert_eq!(waiter.wakes.0.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_clone_waits_for_itself() {
    let world = open();
    let mut waiter = Waiter::on(&world);
    assert!(!waiter.is_ready());
    let mut clone = Waiter { service: waiter.service.clone(), wakes: Arc::default() };
    assert!(!clone.is_ready());

    world.breaker.reset();

    assert!(waiter.was_woken() && clone.was_woken());
    assert!(waiter.is_ready() && clone.is_ready());
}

#[tokio::test(start_paused = true)]
async fn rejections_of_others_wake_nobody() {
    let world = open();
    let mut waiter = Waiter::on(&world);
    assert!(!waiter.is_ready());

    assert!(world.breaker.try_acquire().is_err());

    assert!(!waiter.was_woken());
}

#[tokio::test(start_paused = true)]
async fn an_error_of_poll_ready_counts_as_one_failure() {
    let world = World::new();
    world.journal.become_(Readiness::Broken);

    assert!(call(&mut WaitWhileOpen::service(&world), Do::Succeed).is_err());

    assert_eq!((world.totals().failures, world.totals().calls()), (1, 1));
}

// The whole path through the runtime, without manual polls.
#[tokio::test(start_paused = true)]
async fn a_waiting_task_goes_on_when_the_breaker_closes() {
    let world = open();
    let service = WaitWhileOpen::service(&world);
    let task = tokio::spawn(async move { service.oneshot(Do::Succeed).await });
    tokio::task::yield_now().await;
    assert!(!task.is_finished());

    world.breaker.reset();

    assert_eq!(task.await.unwrap().unwrap(), Done);
}
