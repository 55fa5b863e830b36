//! Calls that are rejected, cancelled, leaked, or that panic: what the caller gets, and what is counted.
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
    let says_no = |result: Result<u32, CircuitBreakerError<_>>| result.unwrap_err().into_inner().is_none();
    assert!(says_no(finish(breaker.call(start))));
    assert!(says_no(finish(breaker.call_classified(start, |_| Outcome::Success))));
    assert!(says_no(finish(breaker.call_with(start, &Mute))));
    assert_eq!(finish(breaker.call_or_else(start, |error| ready(u32::from(error.rejected().is_some())))), 1);
    let told: Result<u32, Rejected> =
        finish(breaker.call_with_fallback(start, |error| ready(Err(error.rejected().unwrap().clone()))));
    assert_eq!(told.unwrap_err().name(), "called");
    let blocking = breaker.call_blocking(|| {
        started.set(true);
        Answer::Ok(1)
    });
    assert!(says_no(blocking));
    assert!(!started.get());
    assert_eq!((breaker.snapshot().totals.rejected, breaker.snapshot().totals.calls()), (6, 0));
}

#[test]
fn every_err_is_a_failure_of_a_call_and_a_rejection_further_in_is_none_to_a_classifier_that_looks() {
    let (outer, _) = breaker();
    let inner = CircuitBreaker::builder("inner").build();
    inner.force_open();
    let further_in = || inner.call(|| ready(Ok::<u32, std::io::Error>(1)));
    assert!(finish(outer.call(further_in)).is_err());
    assert!(finish(outer.call_with(further_in, &errors())).is_err());
    assert_eq!((outer.snapshot().totals.failures, outer.snapshot().totals.ignored), (1, 1));
}

// ---- cancelled ----------------------------------------------------------------------------------

#[test]
fn a_call_that_is_never_polled_asks_nothing() {
    let (breaker, _) = probing();
    drop(breaker.call(|| ready(Answer::Ok(1))));
    assert_eq!(breaker.snapshot().totals.calls(), 0);
    let idle = breaker.call(|| ready(Answer::Ok(1)));
    assert!(finish(breaker.call(|| ready(Answer::Ok(1)))).is_ok(), "it holds no probe's slot");
    drop(idle);
}

#[test]
fn a_call_that_is_dropped_between_its_polls_is_abandoned_and_gives_its_slot_back() {
    let (breaker, _) = probing();
    {
        let mut call = pin!(breaker.call(pending::<Answer>));
        assert!(poll(call.as_mut()).is_pending());
        assert!(poll(call.as_mut()).is_pending());
        assert!(breaker.try_acquire().is_err());
    }
    assert_eq!((breaker.snapshot().totals.abandoned, breaker.state()), (1, State::HalfOpen));
    assert!(finish(breaker.call(|| ready(Answer::Ok(1)))).is_ok());
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_fallback_that_is_dropped_or_fails_takes_nothing_back() {
    let (breaker, _) = breaker();
    {
        let mut call = pin!(breaker.call_or_else(|| ready(Answer::Err("down")), |_| pending()));
        assert!(poll(call.as_mut()).is_pending());
        assert_eq!(breaker.snapshot().totals.failures, 1, "told before the fallback is asked");
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
        |breaker| drop(finish(breaker.call_with(|| async { Answer::Ok(fall()) }, &Mute))),
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
fn a_panic_in_a_poll_is_told_at_once_and_not_when_the_future_is_dropped() {
    let (breaker, _) = probing();
    let mut call = Box::pin(breaker.call(|| async { Answer::Ok(fall()) }));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(call.as_mut()))).is_err());
    assert_eq!(breaker.state(), State::Open);
    drop(call);
    assert_eq!(breaker.snapshot().totals.calls(), 1);
}

#[test]
fn a_panic_elsewhere_in_the_task_abandons_a_healthy_call() {
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
fn a_call_made_while_its_thread_unwinds_is_judged_by_its_own_result() {
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
fn after_a_classifier_panicked_the_default_holds_and_the_result_goes_out() {
    let (breaker, _) = breaker();
    assert_eq!(finish(breaker.call_with(|| ready(Answer::Ok(1)), &Mute)), Ok(1));
    let failed = finish(breaker.call_classified(|| ready(Answer::Err("down")), |_| fall()));
    assert_eq!(failed.unwrap_err().into_inner(), Some("down"));
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.successes, totals.failures, totals.panics), (1, 1, 2));
}

#[test]
fn a_classifier_that_panics_over_the_hint_alone_has_said_what_the_result_means() {
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
fn who_was_admitted_gets_the_result_whatever_the_breaker_does_meanwhile() {
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
struct Mute;

impl Classify<u32, &'static str> for Mute {
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
        Poll::Pending => panic!("the call is not done"),
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
