//! The contract of the modes that know their breaker in `poll_ready` and reject: one breaker, any errors.

use std::convert::Infallible;
use std::future::ready;
use std::task::Poll;

use halfopen::{RejectReason, State};
use halfopen_tower::CircuitBreakerLayer;
use tower::{Layer, Service, service_fn};

use crate::modes::{Mode, holds};
use crate::world::{WAIT, World, call, finish, poll_ready};
use test_support::service::{Do, Done, Readiness};

holds!([
    a_rejection_needs_no_runtime,
    an_open_breaker_neither_polls_nor_calls_the_inner_service,
    a_rejection_reserves_nothing_of_the_inner_service,
    a_stuck_inner_service_does_not_hold_up_a_rejection,
    a_broken_inner_service_does_not_hold_up_a_rejection,
    a_wait_that_ends_between_ready_and_call_is_a_rejection_still,
    a_kept_rejection_is_for_one_call,
    a_repeated_poll_ready_asks_again,
    a_ready_inner_instance_survives_a_rejection,
    a_clone_starts_without_the_kept_rejection,
    a_rejected_call_is_counted_once,
    a_rejection_that_nobody_calls_for_is_not_counted,
    a_dropped_rejection_is_counted_and_abandons_nothing,
    a_saturated_half_open_breaker_rejects_with_its_own_reason,
    a_forced_open_breaker_rejects,
    an_error_of_poll_ready_counts_as_one_failure,
    an_error_of_poll_ready_fails_the_probe,
] in [boxed: BoxedErrors, typed: TypedErrors, on_rejected: OnRejected]);

fn open() -> World {
    let world = World::new();
    world.breaker.trip();
    world
}

fn rejected<M: Mode>(service: &mut M::Service) -> RejectReason {
    let error = call(service, Do::Succeed).err().unwrap();
    M::rejection(&error).unwrap().reason()
}

fn a_rejection_needs_no_runtime<M: Mode>() {
    assert!(tokio::runtime::Handle::try_current().is_err());

    assert_eq!(rejected::<M>(&mut M::service(&open())), RejectReason::Open);
}

fn an_open_breaker_neither_polls_nor_calls_the_inner_service<M: Mode>() {
    let world = open();

    assert_eq!(rejected::<M>(&mut M::service(&world)), RejectReason::Open);

    assert_eq!((world.journal.polls(), world.journal.calls()), (0, 0));
}

fn a_rejection_reserves_nothing_of_the_inner_service<M: Mode>() {
    let world = open();
    let mut service = M::service(&world);

    assert!(poll_ready(&mut service).is_ready());
    assert_eq!(world.journal.reserved(), 0);
    assert!(finish(service.call(Do::Succeed)).is_err());
    assert_eq!(world.journal.reserved(), 0);
}

fn a_stuck_inner_service_does_not_hold_up_a_rejection<M: Mode>() {
    let world = open();
    world.journal.become_(Readiness::Stuck);

    assert_eq!(rejected::<M>(&mut M::service(&world)), RejectReason::Open);
}

fn a_broken_inner_service_does_not_hold_up_a_rejection<M: Mode>() {
    let world = open();
    world.journal.become_(Readiness::Broken);

    assert_eq!(rejected::<M>(&mut M::service(&world)), RejectReason::Open);
}

fn a_wait_that_ends_between_ready_and_call_is_a_rejection_still<M: Mode>() {
    let world = open();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());

    world.clock.advance(WAIT);

    // The inner service was never made ready; it panics on a call.
    let error = finish(service.call(Do::Succeed)).err().unwrap();
    assert_eq!(M::rejection(&error).unwrap().retry_after(), Some(WAIT));
    assert_eq!((world.journal.polls(), world.totals().rejected), (0, 1));
}

fn a_kept_rejection_is_for_one_call<M: Mode>() {
    let world = open();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());
    world.clock.advance(WAIT);
    assert!(finish(service.call(Do::Succeed)).is_err());

    assert_eq!(call(&mut service, Do::Succeed).ok(), Some(Done));
}

fn a_repeated_poll_ready_asks_again<M: Mode>() {
    let world = open();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());
    world.clock.advance(WAIT);

    assert!(poll_ready(&mut service).is_ready());
    assert_eq!(finish(service.call(Do::Succeed)).ok(), Some(Done));
    assert_eq!((world.journal.polls(), world.totals().rejected), (1, 0));
}

fn a_ready_inner_instance_survives_a_rejection<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());
    world.breaker.trip();
    assert_eq!(rejected::<M>(&mut service), RejectReason::Open);

    world.breaker.reset();
    world.journal.become_(Readiness::Stuck);
    assert_eq!(call(&mut service, Do::Succeed).ok(), Some(Done));
}

fn a_clone_starts_without_the_kept_rejection<M: Mode>() {
    let world = open();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());
    world.clock.advance(WAIT);

    let mut clone = service.clone();

    assert_eq!(call(&mut clone, Do::Succeed).ok(), Some(Done));
    assert_eq!(world.totals().rejected, 0);
    assert!(finish(service.call(Do::Succeed)).is_err());
}

// Observed only by a caller that skips `poll_ready`, over an inner service that is always ready.
#[test]
fn the_kept_rejection_is_not_in_the_clone() {
    let world = open();
    let always_ready = service_fn(|_| ready(Ok::<_, Infallible>(Done)));
    let mut service = CircuitBreakerLayer::new(world.breaker.clone()).layer(always_ready);
    assert!(poll_ready(&mut service).is_ready());
    world.clock.advance(WAIT);

    assert!(finish(service.clone().call(Do::Succeed)).is_ok());
    assert!(finish(service.call(Do::Succeed)).is_err());
}

fn a_rejected_call_is_counted_once<M: Mode>() {
    let world = open();
    let mut service = M::service(&world);

    for _ in 0..3 {
        assert!(call(&mut service, Do::Succeed).is_err());
    }

    assert_eq!((world.totals().rejected, world.totals().calls()), (3, 0));
}

fn a_rejection_that_nobody_calls_for_is_not_counted<M: Mode>() {
    let world = open();

    assert!(poll_ready(&mut M::service(&world)).is_ready());

    assert_eq!(world.totals().rejected, 0);
}

fn a_dropped_rejection_is_counted_and_abandons_nothing<M: Mode>() {
    let world = open();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());

    drop(service.call(Do::Succeed));

    assert_eq!((world.totals().rejected, world.totals().abandoned), (1, 0));
}

fn a_saturated_half_open_breaker_rejects_with_its_own_reason<M: Mode>() {
    let world = World::probing();
    let mut first = M::service(&world);
    assert!(poll_ready(&mut first).is_ready());
    let probe = first.call(Do::Succeed);

    let polls = world.journal.polls();
    assert_eq!(rejected::<M>(&mut M::service(&world)), RejectReason::HalfOpenSaturated);
    assert_eq!(world.journal.polls(), polls);

    assert_eq!(finish(probe).ok(), Some(Done));
    assert_eq!(world.breaker.state(), State::Closed);
}

fn a_forced_open_breaker_rejects<M: Mode>() {
    let world = World::new();
    world.breaker.force_open();

    assert_eq!(rejected::<M>(&mut M::service(&world)), RejectReason::ForcedOpen);
}

fn an_error_of_poll_ready_counts_as_one_failure<M: Mode>() {
    let world = World::new();
    world.journal.become_(Readiness::Broken);

    assert!(matches!(poll_ready(&mut M::service(&world)), Poll::Ready(Err(_))));

    assert_eq!((world.totals().failures, world.totals().calls()), (1, 1));
}

fn an_error_of_poll_ready_fails_the_probe<M: Mode>() {
    let world = World::probing();
    world.journal.become_(Readiness::Broken);

    assert!(matches!(poll_ready(&mut M::service(&world)), Poll::Ready(Err(_))));

    assert_eq!(world.breaker.state(), State::Open);
}
