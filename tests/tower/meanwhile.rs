//! The outcome of a call when the state of its breaker changes between ready, call and response.

use halfopen::{CircuitBreaker, CircuitBreakerConfig, State};
use tower::Service;

use crate::modes::{Mode, holds};
use crate::world::{PROBE_TIMEOUT, WAIT, World, call, finish, poll, poll_ready};
use test_support::service::{Do, Done};

holds!([
    an_operator_who_admits_all_between_ready_and_call_is_obeyed,
    a_call_without_ready_is_rejected_while_open,
    an_answer_goes_out_whatever_becomes_of_the_breaker,
    a_call_from_before_the_trip_decides_no_visit,
    a_probe_of_an_earlier_visit_decides_nothing_and_frees_no_slot,
    a_probe_whose_future_is_leaked_reopens_in_time,
    a_clock_that_steps_back_strands_no_probe,
] in [
    boxed: BoxedErrors,
    typed: TypedErrors,
    on_rejected: OnRejected,
    keyed: PerKey,
    waiting: WaitWhileOpen,
]);

const CHANGES: [fn(&CircuitBreaker); 6] = [
    CircuitBreaker::trip,
    CircuitBreaker::force_open,
    CircuitBreaker::disable,
    CircuitBreaker::metrics_only,
    CircuitBreaker::reset,
    |breaker| breaker.set_config(CircuitBreakerConfig::conservative()),
];

fn an_operator_who_admits_all_between_ready_and_call_is_obeyed<M: Mode>() {
    for word in [CircuitBreaker::disable, CircuitBreaker::metrics_only, CircuitBreaker::force_closed] {
        let world = World::probing();
        let (mut first, mut second) = (M::service(&world), M::service(&world));
        assert!(poll_ready(&mut first).is_ready() && poll_ready(&mut second).is_ready());

        word(&world.breaker);

        // Two concurrent calls, of which a half-open breaker would have admitted one.
        let both = [first.call(Do::Succeed), second.call(Do::Succeed)];
        assert!(both.into_iter().all(|call| finish(call).is_ok()));
    }
}

fn a_call_without_ready_is_rejected_while_open<M: Mode>() {
    let world = World::new();
    world.breaker.trip();

    let error = finish(M::service(&world).call(Do::Succeed)).err().unwrap();

    assert!(M::rejection(&error).is_some());
    assert_eq!((world.journal.calls(), world.totals().rejected), (0, 1));
}

fn an_answer_goes_out_whatever_becomes_of_the_breaker<M: Mode>() {
    for change in CHANGES {
        for world in [World::new(), World::probing()] {
            let mut service = M::service(&world);
            assert!(poll_ready(&mut service).is_ready());
            let answer = service.call(Do::Succeed);

            change(&world.breaker);

            assert_eq!(finish(answer).ok(), Some(Done));
            assert_eq!(world.totals().calls(), 1);
        }
    }
}

fn a_call_from_before_the_trip_decides_no_visit<M: Mode>() {
    for early in [Do::Succeed, Do::Fail] {
        let world = World::new();
        let mut service = M::service(&world);
        assert!(poll_ready(&mut service).is_ready());
        let early = service.call(early);
        world.breaker.trip();
        world.clock.advance(WAIT);
        assert!(poll_ready(&mut service).is_ready());
        let probe = service.call(Do::Succeed);

        let _ = finish(early);

        assert_eq!((world.breaker.state(), world.totals().late), (State::HalfOpen, 1));
        assert_eq!(finish(probe).ok(), Some(Done));
        assert_eq!(world.breaker.state(), State::Closed);
    }
}

fn a_probe_of_an_earlier_visit_decides_nothing_and_frees_no_slot<M: Mode>() {
    let world = World::probing();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());
    let old = service.call(Do::Succeed);
    world.breaker.trip();
    world.clock.advance(WAIT);
    assert!(poll_ready(&mut service).is_ready());
    let probe = service.call(Do::Succeed);

    assert_eq!(finish(old).ok(), Some(Done));

    assert_eq!(world.breaker.state(), State::HalfOpen);
    assert!(world.breaker.check().is_err(), "the slot is the new probe's");
    drop(probe);
    assert!(world.breaker.check().is_ok());
}

// A leaked future leaks its permit: the probe timeout bounds the damage.
fn a_probe_whose_future_is_leaked_reopens_in_time<M: Mode>() {
    let world = World::probing();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());
    let mut leaked = Box::pin(service.call(Do::Hang));
    assert!(poll(leaked.as_mut()).is_pending());
    std::mem::forget(leaked);

    world.clock.advance(PROBE_TIMEOUT);
    assert_eq!(world.breaker.state(), State::Open);
    world.clock.advance(WAIT);
    assert_eq!(call(&mut service, Do::Succeed).ok(), Some(Done));
    assert_eq!(world.breaker.state(), State::Closed);
}

fn a_clock_that_steps_back_strands_no_probe<M: Mode>() {
    let world = World::probing();
    let mut service = M::service(&world);
    assert!(poll_ready(&mut service).is_ready());
    let probe = service.call(Do::Succeed);

    world.clock.set(std::time::Duration::ZERO);

    assert_eq!(finish(probe).ok(), Some(Done));
    assert_eq!(world.breaker.state(), State::Closed);
}
