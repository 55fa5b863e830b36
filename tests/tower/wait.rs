//! `wait_while_open`: not ready while open, and woken by everything that may end that.
//!
//! The breaker's clock and tokio's are both stopped and moved together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fusebox::{HalfOpen, State};
use tower::{Service, ServiceExt};

use crate::inner::{Do, Done, Readiness};
use crate::modes::{Mode, WaitWhileOpen};
use crate::world::{PROBE_TIMEOUT, WAIT, World, call, finish};

type Waiting = <WaitWhileOpen as Mode>::Service;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A service that is polled with a waker which counts.
struct Waiter {
    service: Waiting,
    wakes: Arc<Wakes>,
}

impl Waiter {
    fn on(world: &World) -> Self {
        Waiter { service: WaitWhileOpen::service(world), wakes: Arc::default() }
    }

    fn is_ready(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.wakes));
        match self.service.poll_ready(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => answer.map(|()| true).unwrap(),
            Poll::Pending => false,
        }
    }

    /// Whether it was woken since this was asked last.
    fn was_woken(&self) -> bool {
        self.wakes.0.swap(0, Ordering::SeqCst) > 0
    }
}

/// Moves both clocks and lets tokio's timer run.
async fn pass(world: &World, time: Duration) {
    world.clock.advance(time);
    tokio::time::advance(time).await;
    tokio::task::yield_now().await;
}

fn open() -> World {
    let world = World::new();
    world.breaker.trip();
    world
}

const ALMOST: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_waited_for_and_the_inner_service_left_alone() {
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
    for close in [
        fusebox::CircuitBreaker::reset,
        fusebox::CircuitBreaker::force_closed,
        fusebox::CircuitBreaker::disable,
    ] {
        let world = open();
        let mut waiter = Waiter::on(&world);
        assert!(!waiter.is_ready());

        close(&world.breaker);

        assert!(waiter.was_woken());
        assert!(waiter.is_ready());
    }
}

#[tokio::test(start_paused = true)]
async fn a_forced_open_breaker_is_waited_for_until_it_is_let_go() {
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
async fn a_wait_that_is_made_longer_is_waited_for_to_its_new_end() {
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

/// Half-open with its one probe out, and a second service that waits for it.
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
async fn a_verdict_that_closes_wakes_who_waits_for_a_probes_slot() {
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

// A probe that never reports opens the breaker at that instant, and nobody tells until somebody asks.
#[tokio::test(start_paused = true)]
async fn the_earliest_probe_timeout_wakes_and_so_does_the_wait_that_follows_it() {
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
async fn of_several_ready_services_one_gets_the_probe_and_the_others_are_rejected() {
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
async fn a_ready_service_whose_breaker_opens_is_not_ready_any_more() {
    let world = World::new();
    let mut waiter = Waiter::on(&world);
    assert!(waiter.is_ready());

    world.breaker.trip();

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
async fn a_service_that_is_dropped_while_it_waits_is_not_woken() {
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

// The whole way through the runtime: nobody polls by hand.
#[tokio::test(start_paused = true)]
async fn a_task_that_waits_goes_on_when_the_breaker_is_closed() {
    let world = open();
    let service = WaitWhileOpen::service(&world);
    let task = tokio::spawn(async move { service.oneshot(Do::Succeed).await });
    tokio::task::yield_now().await;
    assert!(!task.is_finished());

    world.breaker.reset();

    assert_eq!(task.await.unwrap().unwrap(), Done);
}
