//! Calls that are rejected, cancelled, leaked, or that panic: their results and their outcomes.
#![cfg(feature = "test-util")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::cell::Cell;
use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerError, Classify, Clock, HalfOpen,
    ManualClock, Outcome, Rejected, State, Trip, errors,
};

const WAIT: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

type Answer = Result<u32, &'static str>;

// ---- rejected -----------------------------------------------------------------------------------

#[test]
fn a_rejected_call_is_not_even_started() {
    let (breaker, _) = breaker();
    breaker.trip();
    let started = Cell::new(false);
    let start = || {
        started.set(true);
        ready(Answer::Ok(1))
    };
    let is_rejected =
        |result: Result<u32, CircuitBreakerError<_>>| result.unwrap_err().into_inner().is_none();
    assert!(is_rejected(finish(breaker.call(start))));
    assert!(is_rejected(finish(breaker.call_classified(start, |_| Outcome::Success))));
    assert!(is_rejected(finish(breaker.call_with(start, &Panicking))));
    assert_eq!(finish(breaker.call_or_else(start, |error| ready(u32::from(error.rejected().is_some())))), 1);
    let fallen_back: Result<u32, Rejected> =
        finish(breaker.call_with_fallback(start, |error| ready(Err(error.rejected().unwrap().clone()))));
    assert_eq!(fallen_back.unwrap_err().name(), "called");
    let blocking = breaker.call_blocking(|| {
        started.set(true);
        Answer::Ok(1)
    });
    assert!(is_rejected(blocking));
    assert!(!started.get());
    assert_eq!((breaker.snapshot().totals.rejected, breaker.snapshot().totals.calls()), (6, 0));
}

#[test]
fn an_inner_rejection_is_a_failure_unless_classified() {
    let (outer, _) = breaker();
    let inner = CircuitBreaker::builder("inner").build();
    inner.force_open();
    let inner_call = || inner.call(|| ready(Ok::<u32, std::io::Error>(1)));
    assert!(finish(outer.call(inner_call)).is_err());
    assert_eq!(outer.snapshot().totals.failures, 1, "for `call`, every `Err` is a failure");
    assert!(finish(outer.call_with(inner_call, &errors())).is_err());
    assert_eq!(outer.snapshot().totals.ignored, 1, "`errors` finds the rejection");
}

// ---- cancelled ----------------------------------------------------------------------------------

#[test]
fn a_call_that_is_never_polled_takes_no_permit() {
    let (breaker, _) = probing();
    drop(breaker.call(|| ready(Answer::Ok(1))));
    assert_eq!(breaker.snapshot().totals.calls(), 0);
    let idle = breaker.call(|| ready(Answer::Ok(1)));
    assert!(finish(breaker.call(|| ready(Answer::Ok(1)))).is_ok(), "it holds no probe's slot");
    drop(idle);
}

#[test]
fn a_call_dropped_between_polls_is_abandoned() {
    let (breaker, _) = probing();
    {
        let mut call = pin!(breaker.call(pending::<Answer>));
        assert!(poll(call.as_mut()).is_pending());
        assert!(poll(call.as_mut()).is_pending());
        assert!(breaker.try_acquire().is_err());
    }
    assert_eq!((breaker.snapshot().totals.abandoned, breaker.state()), (1, State::HalfOpen));
    assert!(finish(breaker.call(|| ready(Answer::Ok(1)))).is_ok(), "its slot is free again");
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn the_failure_is_recorded_before_the_fallback() {
    let (breaker, _) = breaker();
    {
        let mut call = pin!(breaker.call_or_else(|| ready(Answer::Err("down")), |_| pending()));
        assert!(poll(call.as_mut()).is_pending());
        assert_eq!(breaker.snapshot().totals.failures, 1, "recorded before the fallback runs");
    }
    let failed =
        finish(breaker.call_with_fallback(|| ready(Answer::Err("down")), |_| ready(Answer::Err("too"))));
    assert_eq!(failed, Err("too"));
    assert_eq!((breaker.snapshot().totals.failures, breaker.snapshot().totals.calls()), (2, 2));
}

#[test]
fn a_probe_whose_future_is_leaked_reopens_in_time() {
    let (breaker, clock) = probing();
    let mut call = Box::pin(breaker.call(pending::<Answer>));
    assert!(poll(call.as_mut()).is_pending());
    std::mem::forget(call);

    clock.advance(PROBE_TIMEOUT);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(WAIT);
    assert!(finish(breaker.call(|| ready(Answer::Ok(1)))).is_ok());
    assert_eq!(breaker.state(), State::Closed);
}

// ---- panics -------------------------------------------------------------------------------------

#[test]
fn a_panic_of_the_call_is_a_failure_and_goes_on() {
    let panics: [fn(&CircuitBreaker); 4] = [
        |breaker| drop(finish(breaker.call(fall::<std::future::Ready<Answer>>))),
        |breaker| drop(finish(breaker.call(|| async { Answer::Ok(fall()) }))),
        |breaker| drop(finish(breaker.call_with(|| async { Answer::Ok(fall()) }, &Panicking))),
        |breaker| drop(breaker.call_blocking(fall::<Answer>)),
    ];
    for panic in panics {
        let (breaker, _) = probing();
        let payload = catch_unwind(AssertUnwindSafe(|| panic(&breaker))).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"fallen"));
        assert_eq!((breaker.snapshot().totals.failures, breaker.snapshot().totals.calls()), (1, 1));
        assert_eq!(breaker.state(), State::Open, "the probe failed");
    }
}

#[test]
fn a_panic_in_a_poll_is_recorded_immediately() {
    let (breaker, _) = probing();
    let mut call = Box::pin(breaker.call(|| async { Answer::Ok(fall()) }));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(call.as_mut()))).is_err());
    assert_eq!(breaker.state(), State::Open, "before the future is dropped");
    drop(call);
    assert_eq!(breaker.snapshot().totals.calls(), 1, "the drop records nothing more");
}

#[test]
fn a_panic_elsewhere_abandons_a_healthy_call() {
    let (breaker, _) = probing();
    let mut call = Box::pin(breaker.call(pending::<Answer>));
    assert!(poll(call.as_mut()).is_pending());
    let task = catch_unwind(AssertUnwindSafe(move || {
        let _call = call;
        fall::<()>();
    }));
    assert!(task.is_err());
    assert_eq!((breaker.snapshot().totals.abandoned, breaker.state()), (1, State::HalfOpen));
}

#[test]
fn a_call_during_unwinding_has_its_own_outcome() {
    struct Farewell<'a>(&'a CircuitBreaker);
    impl Drop for Farewell<'_> {
        fn drop(&mut self) {
            self.0.call_blocking(|| Answer::Ok(1)).unwrap();
            finish(self.0.call(|| ready(Answer::Ok(1)))).unwrap();
        }
    }
    let (breaker, _) = breaker();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _farewell = Farewell(&breaker);
        fall::<()>();
    }));
    assert!(unwound.is_err());
    assert_eq!((breaker.snapshot().totals.successes, breaker.snapshot().totals.calls()), (2, 2));
}

#[test]
fn the_default_applies_if_a_classifier_panics() {
    let (breaker, _) = breaker();
    assert_eq!(finish(breaker.call_with(|| ready(Answer::Ok(1)), &Panicking)), Ok(1));
    let failed = finish(breaker.call_classified(|| ready(Answer::Err("down")), |_| fall()));
    assert_eq!(failed.unwrap_err().into_inner(), Some("down"));
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.successes, totals.failures, totals.panics), (1, 1, 2));
}

#[test]
fn a_panic_in_retry_after_keeps_the_outcome() {
    struct HintFalls;
    impl Classify<u32, &'static str> for HintFalls {
        fn classify(&self, _: &Answer) -> Outcome {
            Outcome::Failure
        }
        fn retry_after(&self, _: &Answer) -> Option<Duration> {
            fall()
        }
    }
    let (breaker, _) = breaker();
    assert_eq!(finish(breaker.call_with(|| ready(Answer::Ok(503)), &HintFalls)), Ok(503));
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.successes, totals.failures, totals.panics), (0, 1, 1));
}

// ---- the result -------------------------------------------------------------------------------

#[test]
fn an_admitted_caller_gets_its_result() {
    let changes: [fn(&CircuitBreaker); 4] =
        [CircuitBreaker::trip, CircuitBreaker::force_open, CircuitBreaker::reset, |breaker| {
            breaker.set_config(CircuitBreakerConfig::aggressive());
        }];
    for change in changes {
        let (breaker, _) = breaker();
        let call = breaker.call(|| async {
            change(&breaker);
            Answer::Ok(1)
        });
        assert_eq!(finish(call), Ok(1));
        assert_eq!(breaker.call_blocking(|| Answer::Ok(1)).is_ok(), breaker.is_closed());
    }
}

// ---- helpers ----------------------------------------------------------------------------------

/// A classifier that panics.
struct Panicking;

impl Classify<u32, &'static str> for Panicking {
    fn classify(&self, _: &Answer) -> Outcome {
        fall()
    }
}

fn fall<T>() -> T {
    resume_unwind(Box::new("fallen"))
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn finish<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the call is not complete"),
    }
}

fn breaker() -> (CircuitBreaker, ManualClock) {
    let (clock, hands) = Clock::manual();
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(10))
        .open_duration(WAIT)
        .backoff(Backoff::none())
        .half_open(HalfOpen::new().probe_timeout(PROBE_TIMEOUT))
        .build()
        .unwrap();
    (CircuitBreaker::builder("called").config(config).clock(clock).build(), hands)
}

/// Open, and the wait is over: the next call is the only probe.
fn probing() -> (CircuitBreaker, ManualClock) {
    let (breaker, clock) = breaker();
    breaker.trip();
    clock.advance(WAIT);
    (breaker, clock)
}
