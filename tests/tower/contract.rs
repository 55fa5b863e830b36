//! The contract in every mode.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use halfopen::State;
use tower::Service;

use crate::modes::{Mode, holds};
use crate::world::{World, call, finish, poll, poll_ready};
use test_support::service::{Broken, Do, Done, Readiness};

holds!([
    it_needs_no_runtime,
    a_call_is_recorded_by_its_result,
    an_inner_error_is_passed_on_as_it_is,
    the_instance_that_was_polled_ready_is_the_one_called,
    readiness_is_sticky,
    readiness_is_not_cloned,
    a_stuck_inner_service_is_waited_for_while_closed,
    a_breaker_that_opens_between_ready_and_call_rejects,
    a_drop_before_the_first_poll_is_an_abandonment,
    a_drop_after_the_first_poll_is_an_abandonment,
    a_dropped_probe_gives_its_slot_back,
    an_error_of_poll_ready_is_passed_on,
    a_panic_in_the_future_is_a_failure_and_goes_on,
    a_panic_in_call_is_a_failure_and_goes_on,
    a_panicking_probe_opens_the_breaker_again,
    a_panic_elsewhere_that_drops_a_healthy_call_is_an_abandonment,
    a_finished_call_that_is_dropped_is_recorded_once,
    a_ready_service_that_is_never_called_holds_no_probe,
    failures_open_and_a_probe_closes,
] in [
    boxed: BoxedErrors,
    typed: TypedErrors,
    on_rejected: OnRejected,
    keyed: PerKey,
    waiting: WaitWhileOpen,
]);

fn it_needs_no_runtime<M: Mode>() {
    assert!(tokio::runtime::Handle::try_current().is_err());

    assert_eq!(call(&mut M::service(&World::new()), Do::Succeed).ok(), Some(Done));
}

fn a_call_is_recorded_by_its_result<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);

    assert_eq!(call(&mut service, Do::Succeed).ok(), Some(Done));
    assert!(call(&mut service, Do::Fail).is_err());

    let totals = world.totals();
    assert_eq!((totals.successes, totals.failures, totals.calls()), (1, 1, 2));
}

fn an_inner_error_is_passed_on_as_it_is<M: Mode>() {
    let error = call(&mut M::service(&World::new()), Do::Fail).err().unwrap();

    assert_eq!(M::inner(error), Some(Broken::InCall));
}

// The inner service panics if an instance other than the readied one is called.
fn the_instance_that_was_polled_ready_is_the_one_called<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);

    assert!(poll_ready(&mut service).is_ready());
    let _bystander = service.clone();
    assert_eq!(finish(service.call(Do::Succeed)).ok(), Some(Done));

    assert_eq!((world.journal.polls(), world.journal.calls()), (1, 1));
}

fn readiness_is_sticky<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);

    for _ in 0..3 {
        assert!(matches!(poll_ready(&mut service), Poll::Ready(Ok(()))));
    }

    assert_eq!(world.journal.reserved(), 1);
    assert_eq!(finish(service.call(Do::Succeed)).ok(), Some(Done));
}

fn readiness_is_not_cloned<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());

    world.journal.become_(Readiness::Stuck);
    assert!(poll_ready(&mut service.clone()).is_pending());
    assert_eq!(finish(service.call(Do::Succeed)).ok(), Some(Done));
}

fn a_stuck_inner_service_is_waited_for_while_closed<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);
    world.journal.become_(Readiness::Stuck);
    assert!(poll_ready(&mut service).is_pending());

    world.journal.become_(Readiness::Ready);
    assert_eq!(call(&mut service, Do::Succeed).ok(), Some(Done));
}

fn a_breaker_that_opens_between_ready_and_call_rejects<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());
    world.breaker.trip();

    let error = finish(service.call(Do::Succeed)).err().unwrap();
    assert_eq!(M::rejection(&error).unwrap().name(), "inner");
    assert_eq!((world.journal.calls(), world.totals().rejected), (0, 1));

    // The inner instance is still ready, for the next call.
    world.breaker.reset();
    assert_eq!(call(&mut service, Do::Succeed).ok(), Some(Done));
}

fn a_drop_before_the_first_poll_is_an_abandonment<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());

    drop(service.call(Do::Succeed));

    assert_eq!((world.totals().abandoned, world.totals().calls()), (1, 1));
}

fn a_drop_after_the_first_poll_is_an_abandonment<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());

    {
        let mut hanging = pin!(service.call(Do::Hang));
        assert!(poll(hanging.as_mut()).is_pending());
        assert!(poll(hanging.as_mut()).is_pending());
    }

    assert_eq!((world.totals().abandoned, world.totals().calls()), (1, 1));
}

fn a_dropped_probe_gives_its_slot_back<M: Mode>() {
    let world = World::probing();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());

    drop(service.call(Do::Hang));

    assert_eq!(call(&mut service, Do::Succeed).ok(), Some(Done));
    assert_eq!(world.breaker.state(), State::Closed);
}

fn an_error_of_poll_ready_is_passed_on<M: Mode>() {
    let world = World::new();
    world.journal.become_(Readiness::Broken);

    let error = call(&mut M::service(&world), Do::Succeed).err().unwrap();

    assert_eq!(M::inner(error), Some(Broken::InPollReady));
    assert_eq!(world.journal.calls(), 0);
}

fn a_panic_in_the_future_is_a_failure_and_goes_on<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);

    let panicked = catch_unwind(AssertUnwindSafe(|| call(&mut service, Do::PanicInFuture)));

    assert!(panicked.is_err());
    assert_eq!((world.totals().failures, world.totals().calls()), (1, 1));
}

fn a_panic_in_call_is_a_failure_and_goes_on<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);

    let panicked = catch_unwind(AssertUnwindSafe(|| call(&mut service, Do::PanicInCall)));

    assert!(panicked.is_err());
    assert_eq!((world.totals().failures, world.totals().calls()), (1, 1));
}

fn a_panicking_probe_opens_the_breaker_again<M: Mode>() {
    let world = World::probing();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());
    let mut probe = Box::pin(service.call(Do::PanicInFuture));

    assert!(catch_unwind(AssertUnwindSafe(|| poll(probe.as_mut()))).is_err());

    // Immediately, while the future still exists: its own poll observed the panic.
    assert_eq!(world.breaker.state(), State::Open);
    drop(probe);
    assert_eq!(world.totals().calls(), 1);
}

fn a_panic_elsewhere_that_drops_a_healthy_call_is_an_abandonment<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());
    let mut healthy = Box::pin(service.call(Do::Hang));
    assert!(poll(healthy.as_mut()).is_pending());

    let task = catch_unwind(AssertUnwindSafe(move || {
        let _healthy = healthy;
        panic!("elsewhere in the task");
    }));

    assert!(task.is_err());
    assert_eq!((world.totals().abandoned, world.totals().failures), (1, 0));
}

fn a_finished_call_that_is_dropped_is_recorded_once<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());
    let mut done = Box::pin(service.call(Do::Succeed));
    assert!(poll(done.as_mut()).is_ready());

    drop(done);

    assert_eq!((world.totals().successes, world.totals().calls()), (1, 1));
}

fn a_ready_service_that_is_never_called_holds_no_probe<M: Mode>() {
    let world = World::probing();
    let mut idle = M::service(&world);
    let mut busy = M::service(&world);

    assert!(matches!(poll_ready(&mut idle), Poll::Ready(Ok(()))));

    assert_eq!(call(&mut busy, Do::Succeed).ok(), Some(Done));
    assert_eq!(world.breaker.state(), State::Closed);
}

fn failures_open_and_a_probe_closes<M: Mode>() {
    let world = World::new();
    let mut service = M::service(&world);

    for _ in 0..3 {
        assert!(call(&mut service, Do::Fail).is_err());
    }
    assert_eq!(world.breaker.state(), State::Open);

    world.clock.advance(crate::world::WAIT);
    assert_eq!(call(&mut service, Do::Succeed).ok(), Some(Done));
    assert_eq!(world.breaker.state(), State::Closed);
}
