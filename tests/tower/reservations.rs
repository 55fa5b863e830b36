//! A clone whose call is rejected does not hold a reservation of the inner service.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use halfopen::{CircuitBreaker, Event};
use halfopen_tower::{BoxError, CircuitBreakerLayer};
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::modes::{Mode, PerKey, holds, only};
use crate::waiter::Waiter;
use crate::world::{WAIT, World, call, finish, poll_ready};
use test_support::service::{Do, Done, Readiness};

holds!([
    a_rejected_clone_gives_its_place_back,
    a_clone_that_queues_inside_leaves_the_queue_when_it_is_rejected,
] in [
    boxed: BoxedErrors,
    typed: TypedErrors,
    on_rejected: OnRejected,
    keyed: PerKey,
    waiting: WaitWhileOpen,
]);

fn a_rejected_clone_gives_its_place_back<M: Mode>() {
    let world = World::new();
    let mut clone = M::service(&world).clone();
    assert!(poll_ready(&mut clone).is_ready());
    assert_eq!(world.journal.reserved(), 1);
    world.breaker.trip();

    assert!(finish(clone.call(Do::Succeed)).is_err());

    assert_eq!(world.journal.reserved(), 0);
    world.breaker.reset();
    assert_eq!(call(&mut clone, Do::Succeed).ok(), Some(Done), "the fresh instance is polled ready anew");
}

fn a_clone_that_queues_inside_leaves_the_queue_when_it_is_rejected<M: Mode>() {
    let world = World::new();
    world.journal.become_(Readiness::Stuck);
    let mut clone = M::service(&world).clone();
    assert!(poll_ready(&mut clone).is_pending());
    let queueing = world.journal.instances();
    world.breaker.trip();

    assert!(finish(clone.call(Do::Succeed)).is_err());

    assert_eq!(world.journal.instances(), queueing + 1, "the one that was polled is replaced");
}

#[test]
fn a_service_that_was_cloned_gives_its_place_back_too() {
    let world = World::new();
    let mut original = PerKey::service(&world);
    let _clone = original.clone();
    assert!(poll_ready(&mut original).is_ready());
    world.breaker.trip();

    assert!(finish(original.call(Do::Succeed)).is_err());

    assert_eq!(world.journal.reserved(), 0);
}

#[test]
fn an_idle_rejected_clone_blocks_no_healthy_key() {
    let registry = only(CircuitBreaker::builder("sick").start_in(halfopen::State::ForcedOpen).build());
    let limited = ConcurrencyLimit::new(service_fn(|_: &'static str| ready(Ok::<_, Infallible>(()))), 1);
    let layer = CircuitBreakerLayer::keyed(registry, |key: &&'static str| Cow::Borrowed(*key));
    let service = layer.layer(limited);
    let (mut idle, busy) = (service.clone(), service.clone());

    assert!(finish(finish(idle.ready()).unwrap().call("sick")).is_err());

    assert!(finish(busy.oneshot("well")).is_ok());
}

#[test]
fn a_polled_clone_of_an_open_breaker_holds_nothing() {
    let world = World::new();
    let mut clone = CircuitBreakerLayer::new(world.breaker.clone()).layer(world.journal.service()).clone();
    assert!(poll_ready(&mut clone).is_ready());
    world.breaker.trip();

    assert!(poll_ready(&mut clone).is_ready());

    assert_eq!(world.journal.reserved(), 0);
    assert!(finish(clone.call(Do::Succeed)).is_err());
}

#[test]
fn a_rejecting_service_stays_ready() {
    let world = World::new();
    world.breaker.trip();
    let mut service = CircuitBreakerLayer::new(world.breaker.clone()).layer(world.journal.service());
    assert!(poll_ready(&mut service).is_ready());
    world.clock.advance(WAIT);
    world.journal.become_(Readiness::Stuck);

    assert!(poll_ready(&mut service).is_ready(), "Pending after Ready breaks the contract of `Service`");

    assert!(finish(service.call(Do::Succeed)).is_err(), "the inner service is not ready");
    assert!(poll_ready(&mut service).is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_waiting_clone_holds_no_place_inside() {
    let world = World::new();
    world.journal.become_(Readiness::Stuck);
    let mut waiter = Waiter::on(&world);
    waiter.service = waiter.service.clone();
    assert!(!waiter.is_ready(), "it queues for a place inside");
    let queueing = world.journal.instances();
    world.breaker.trip();

    assert!(!waiter.is_ready(), "it waits for the breaker");

    assert_eq!((world.journal.instances(), world.journal.reserved()), (queueing + 1, 0));
}

/// An inner service that fails while a failure of another clone opens the breaker.
struct Dies(CircuitBreaker);

impl Service<()> for Dies {
    type Response = ();
    type Error = BoxError;
    type Future = Ready<Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.trip();
        Poll::Ready(Err("the worker died".into()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(()))
    }
}

#[tokio::test]
async fn an_error_of_poll_ready_while_open_is_no_rejection() {
    for waiting in [false, true] {
        let world = World::new();
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let _listening = world.breaker.on_event(move |_, event| {
            count.fetch_add(usize::from(matches!(event, Event::Rejected(_))), Ordering::Relaxed);
        });
        let layer = CircuitBreakerLayer::new(world.breaker.clone());
        let dies = Dies(world.breaker.clone());
        let mut context = Context::from_waker(Waker::noop());
        let polled = if waiting {
            layer.wait_while_open().layer(dies).poll_ready(&mut context)
        } else {
            layer.layer(dies).poll_ready(&mut context)
        };

        let Poll::Ready(Err(error)) = polled else { panic!("not the inner error: {polled:?}") };
        assert_eq!(error.to_string(), "the worker died");
        assert_eq!((world.totals().rejected, told.load(Ordering::Relaxed)), (0, 0));
    }
}
