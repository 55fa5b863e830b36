//! The explanation of each state, override and rule.
#![cfg(feature = "test-util")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use halfopen::{
    Abandoned, Backoff, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, Clock, HalfOpen,
    ManualClock, Outcome, Trip, TripReason, Window,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn closed_and_unused() {
    let (breaker, _) = breaker(plain());
    reads(
        &breaker,
        "Circuit breaker `payments` is closed: every call passes. No call was recorded in the last 10s. It \
         opens when 50% of the calls fail (so far 0 of the 5 calls it needs), or after 15 failures in a row \
         (now 0). It would then reject every call for 2s.",
    );
}

#[test]
fn closed_below_the_minimum() {
    let (breaker, _) = breaker(plain());
    record(&breaker, 1, 2);
    reads(
        &breaker,
        "Circuit breaker `payments` is closed: every call passes. Of 3 calls in the last 10s, 2 failed. It \
         opens when 50% of the calls fail (so far 3 of the 5 calls it needs), or after 15 failures in a row \
         (now 2). It would then reject every call for 2s.",
    );
}

#[test]
fn closed_with_every_rule() {
    let (breaker, _) = breaker(every_rule());
    record(&breaker, 20, 3);
    breaker.try_acquire().unwrap().record_after(Outcome::Success, SECOND);
    breaker.try_acquire().unwrap().ignore();
    drop(breaker.try_acquire().unwrap());
    reads(
        &breaker,
        "Circuit breaker `payments` is closed: every call passes. Of 24 calls in the last 10s, 3 failed and \
         1 was slow. It opens when 28% of the calls fail (now 12.5%), or after 5 failures in a row (now 0), \
         or at 40 failures in the window (now 3), or when 33.3% of the calls take 1s or longer (so far 24 \
         of the 50 calls it needs). It would then reject every call for 2s. 1 call was dropped by the \
         caller and not recorded; if a timeout drops calls, `Abandoned::FailureAfter` records them as \
         failures. 1 call was ignored by the classifier and not recorded.",
    );
}

#[test]
fn closed_with_an_own_rule_alone() {
    let config = plain().no_trip_rules().window(Window::unbounded()).build().unwrap();
    let breaker = CircuitBreaker::builder("payments").config(config).ready_to_trip(|_| false).build();
    record(&breaker, 1, 0);
    reads(
        &breaker,
        "Circuit breaker `payments` is closed: every call passes. Of 1 call since it closed, 0 failed. It \
         opens when its own rule (`ready_to_trip`) returns true. It would then reject every call for 2s.",
    );
}

#[test]
fn closed_without_a_rule() {
    let (breaker, _) = breaker(plain().no_trip_rules());
    reads(
        &breaker,
        "Circuit breaker `payments` is closed: every call passes. No call was recorded in the last 10s. It \
         has no rule that could open it.",
    );
}

#[test]
fn closed_again_after_an_opening() {
    let backoff = Backoff::exponential(2.0).forget_after(60 * SECOND);
    let (breaker, hands) = breaker(plain().backoff(backoff).window(Window::tumbling(30 * SECOND)));
    record(&breaker, 0, 5);
    hands.advance(2 * SECOND);
    record(&breaker, 1, 0);
    reads(
        &breaker,
        "Circuit breaker `payments` is closed: every call passes. No call was recorded in the current \
         interval of 30s. It opens when 50% of the calls fail (so far 0 of the 5 calls it needs), or after \
         15 failures in a row (now 0). It would then reject every call for 4s (the backoff remembers 1 \
         opening). It has opened once so far, because 100% of 5 calls failed.",
    );
}

#[test]
fn open_by_a_failure_rate() {
    let (breaker, hands) = breaker(plain());
    record(&breaker, 3, 3);
    hands.advance(SECOND / 2);
    for _ in 0..7 {
        breaker.try_acquire().unwrap_err();
    }
    reads(
        &breaker,
        "Circuit breaker `payments` is open: every call is rejected (7 so far). It opened 500ms ago because \
         50% of 6 calls failed (the limit is 50%). In 1.5s the next call passes as a probe. It closes after \
         1 success and opens again after 1 failure. If the dependency is known to be healthy, `reset()` \
         closes the breaker immediately.",
    );
}

#[test]
fn open_by_several_rules() {
    let (breaker, _) = breaker(every_rule());
    record(&breaker, 0, 4);
    breaker.try_acquire().unwrap().record_after(Outcome::Failure, SECOND);
    reads(
        &breaker,
        "Circuit breaker `payments` is open: every call is rejected (0 so far). It opened just now because \
         5 calls in a row failed (the limit is 5), and because 100% of 5 calls failed. In 2s the next call \
         passes as a probe. It closes after 1 success and opens again after 1 failure or slow success. If \
         the dependency is known to be healthy, `reset()` closes the breaker immediately.",
    );
}

#[test]
fn open_by_slow_calls() {
    let slow = Trip::slow_call_rate(0.8, SECOND).minimum_calls(2);
    let (breaker, _) = breaker(plain().trip(slow));
    for _ in 0..2 {
        breaker.try_acquire().unwrap().record_after(Outcome::Success, 3 * SECOND);
    }
    reads(
        &breaker,
        "Circuit breaker `payments` is open: every call is rejected (0 so far). It opened just now because \
         100% of 2 calls were slow (the limit is 80%). In 2s the next call passes as a probe. It closes \
         after 1 success and opens again after 1 failure or slow success. If the dependency is known to be \
         healthy, `reset()` closes the breaker immediately.",
    );
}

#[test]
fn open_by_a_count() {
    let (breaker, _) = breaker(plain().trip(Trip::failure_count(2)));
    record(&breaker, 7, 2);
    reads(
        &breaker,
        "Circuit breaker `payments` is open: every call is rejected (0 so far). It opened just now because \
         2 calls in the window failed (the limit is 2). In 2s the next call passes as a probe. It closes \
         after 1 success and opens again after 1 failure. If the dependency is known to be healthy, \
         `reset()` closes the breaker immediately.",
    );
}

#[test]
fn open_by_its_own_rule() {
    let breaker = CircuitBreaker::builder("payments")
        .ready_to_trip(|counts| counts.failures == 1)
        .clock(Clock::manual().0)
        .seed(1)
        .config(plain().build().unwrap())
        .build();
    record(&breaker, 0, 1);
    reads(
        &breaker,
        "Circuit breaker `payments` is open: every call is rejected (0 so far). It opened just now because \
         its own rule (`ready_to_trip`) returned true, with 1 of 1 call failed. In 2s the next call passes \
         as a probe. It closes after 1 success and opens again after 1 failure. If the dependency is known \
         to be healthy, `reset()` closes the breaker immediately.",
    );
}

#[test]
fn open_by_hand() {
    let (breaker, _) = breaker(plain());
    breaker.open_for(3600 * SECOND);
    reads(
        &breaker,
        "Circuit breaker `payments` is open: every call is rejected (0 so far). It opened just now because \
         it was opened by hand. In 1h the next call passes as a probe. It closes after 1 success and opens \
         again after 1 failure. If the dependency is known to be healthy, `reset()` closes the breaker \
         immediately.",
    );
}

#[test]
fn open_by_a_fleet() {
    let (breaker, _) = breaker(plain());
    halfopen::adapter::open_by_fleet(&breaker, 3600 * SECOND);
    assert_eq!(breaker.snapshot().last_trip.unwrap().why(), "fleet");
    reads(
        &breaker,
        "Circuit breaker `payments` is open: every call is rejected (0 so far). It opened just now because \
         its fleet, the breakers of all processes, opened it. In 1h the next call passes as a probe. It \
         closes after 1 success and opens again after 1 failure. If the dependency is known to be healthy, \
         `reset()` closes the breaker immediately.",
    );
}

#[test]
fn open_for_the_third_time() {
    let (breaker, hands) = breaker(plain().backoff(Backoff::exponential(3.0)));
    record(&breaker, 0, 5);
    for wait in [2, 6] {
        hands.advance(wait * SECOND);
        record(&breaker, 0, 1);
    }
    hands.advance(SECOND);
    reads(
        &breaker,
        "Circuit breaker `payments` is open: every call is rejected (0 so far). It opened 1s ago because a \
         probe failed. This is the 3rd opening in a row; its wait is 18s. In 17s the next call passes as a \
         probe. It closes after 1 success and opens again after 1 failure. If the dependency is known to be \
         healthy, `reset()` closes the breaker immediately.",
    );
}

#[test]
fn open_by_failures_in_a_row() {
    let (breaker, _) = breaker(plain().trip(Trip::consecutive_failures(3)));
    record(&breaker, 5, 3);
    reads(
        &breaker,
        "Circuit breaker `payments` is open: every call is rejected (0 so far). It opened just now because \
         3 calls in a row failed (the limit is 3). In 2s the next call passes as a probe. It closes after 1 \
         success and opens again after 1 failure. If the dependency is known to be healthy, `reset()` \
         closes the breaker immediately.",
    );
}

#[test]
fn open_because_a_probe_was_slow() {
    let (breaker, hands) = breaker(plain().trip(Trip::slow_call_rate(0.8, SECOND).minimum_calls(1)));
    breaker.try_acquire().unwrap().record_after(Outcome::Success, SECOND);
    hands.advance(2 * SECOND);
    breaker.try_acquire().unwrap().record_after(Outcome::Success, 5 * SECOND);
    reads(
        &breaker,
        "Circuit breaker `payments` is open: every call is rejected (0 so far). It opened just now because \
         a probe was slow. This is the 2nd opening in a row; its wait is 2s. In 2s the next call passes as \
         a probe. It closes after 1 success and opens again after 1 failure or slow success. If the \
         dependency is known to be healthy, `reset()` closes the breaker immediately.",
    );
}

#[test]
fn open_because_several_probes_failed() {
    let (breaker, hands) = breaker(plain().half_open(HalfOpen::new().max_calls(4).failure_rate(0.5)));
    record(&breaker, 0, 5);
    hands.advance(2 * SECOND);
    record(&breaker, 1, 2);
    reads(
        &breaker,
        "Circuit breaker `payments` is open: every call is rejected (0 so far). It opened just now because \
         2 of 3 probes failed. This is the 2nd opening in a row; its wait is 2s. In 2s the next call passes \
         as a probe. After 4 probes it opens again if 50% of them failed, and closes if not. If the \
         dependency is known to be healthy, `reset()` closes the breaker immediately.",
    );
}

#[test]
fn open_because_the_server_asked_for_time() {
    let (breaker, hands) = breaker(plain().trip(Trip::consecutive_failures(1)));
    breaker.try_acquire().unwrap().failure_with_hint(30 * SECOND);
    let text = "Circuit breaker `payments` is open: every call is rejected (0 so far). It opened just now \
                because 1 call in a row failed (the limit is 1). The server asked for a wait of 30s. In 30s \
                the next call passes as a probe. It closes after 1 success and opens again after 1 failure. \
                If the dependency is known to be healthy, `reset()` closes the breaker immediately.";
    reads(&breaker, text);
    let kept = breaker.snapshot();
    assert_eq!(kept.hint, Some(30 * SECOND));

    hands.advance(30 * SECOND);
    assert_eq!(breaker.snapshot().hint, None, "the wait is over");
    record(&breaker, 1, 0);
    breaker.try_acquire().unwrap().failure_with_hint(SECOND);
    assert_eq!(breaker.snapshot().hint, None, "the usual wait is longer");
    assert!(!breaker.explain().contains("asked for by the server"));
    assert_eq!(kept.explain(&breaker.config()), text, "a kept snapshot is of its own moment");
}

#[test]
fn a_hint_is_told_as_it_was_bounded() {
    let config = plain().trip(Trip::consecutive_failures(1)).hint_max(10 * SECOND);
    let (breaker, _) = breaker(config);
    breaker.try_acquire().unwrap().failure_with_hint(3600 * SECOND);
    assert!(breaker.explain().contains("The server asked for a wait of 10s. In 10s the next"));
    breaker.open_for(20 * SECOND);
    assert_eq!(breaker.snapshot().hint, None, "the operator's wait is no server's");
}

#[test]
fn a_snapshot_has_all_that_is_explained() {
    let recovery = HalfOpen::new().max_calls(3).success_threshold(3).max_failures(1);
    let (breaker, hands) = breaker(plain().half_open(recovery));
    let closed = breaker.snapshot();
    assert_eq!((closed.share, closed.cause, closed.probes), (1.0, None, None));

    record(&breaker, 1, 4);
    let cause = breaker.snapshot().cause.unwrap();
    assert_eq!(cause.reasons, [TripReason::FailureRate]);
    assert_eq!((cause.part, cause.calls, cause.threshold), (4, 5, Some(0.5)));
    assert_eq!(cause.to_string(), "failure rate 80% >= 50% of 5 calls");
    assert_eq!((breaker.snapshot().share, breaker.snapshot().probes), (0.0, None));

    hands.advance(2 * SECOND);
    record(&breaker, 1, 1);
    let _probe = breaker.try_acquire().unwrap();
    breaker.set_config(plain().build().unwrap());
    let half_open = breaker.snapshot();
    assert_eq!(half_open.cause, Some(cause));
    let probes = half_open.probes.unwrap();
    assert_eq!((probes.in_flight, probes.limit, probes.has_slot), (1, 3, true));
    assert_eq!((probes.successes, probes.failures), (1, 1));
    assert_eq!((probes.needed, probes.failures_to_open, probes.failure_rate), (3, Some(2), None));
    assert_eq!(probes.due_in, Some(60 * SECOND));
    assert_eq!(half_open.explain(&breaker.config()), breaker.explain());

    breaker.set_enabled(false);
    assert!(breaker.snapshot().disabled_by_config);
}

#[test]
fn panics_are_mentioned() {
    let (breaker, _) = breaker(plain());
    breaker.on_event(|_, _| panic!("a listener's own fault")).forget();
    breaker.force_open();
    reads(
        &breaker,
        "Circuit breaker `payments` is forced open by an operator: every call is rejected (0 so far). It \
         stays so until `reset()` or `force_closed()` is called. 1 panic was caught in classifiers, rules \
         or listeners.",
    );
}

#[test]
fn open_because_a_probe_hangs() {
    let (breaker, hands) = breaker(plain().half_open(HalfOpen::new().probe_timeout(10 * SECOND)));
    record(&breaker, 0, 5);
    hands.advance(2 * SECOND);
    let _probe = breaker.try_acquire().unwrap();
    hands.advance(11 * SECOND);
    reads(
        &breaker,
        "Circuit breaker `payments` is open: every call is rejected (0 so far). It opened 1s ago because a \
         probe did not report in time. This is the 2nd opening in a row; its wait is 2s. In 1s the next \
         call passes as a probe. It closes after 1 success and opens again after 1 failure. If the \
         dependency is known to be healthy, `reset()` closes the breaker immediately.",
    );
}

#[test]
fn half_open_and_nobody_calls() {
    let (breaker, hands) = breaker(plain());
    record(&breaker, 0, 5);
    hands.advance(300 * SECOND);
    reads(
        &breaker,
        "Circuit breaker `payments` is half-open: a few calls pass as probes, to test whether the \
         dependency has recovered. It had opened because 100% of 5 calls failed (the limit is 50%). It has \
         been half-open for 4m 58s. No probe is in flight; the next call passes as one. It closes after 1 \
         success and opens again for 2s after 1 failure.",
    );
}

#[test]
fn half_open_with_its_probe_out() {
    let (breaker, hands) = breaker(plain());
    record(&breaker, 0, 5);
    hands.advance(2 * SECOND);
    let _probe = breaker.try_acquire().unwrap();
    hands.advance(SECOND);
    breaker.try_acquire().unwrap_err();
    reads(
        &breaker,
        "Circuit breaker `payments` is half-open: a few calls pass as probes, to test whether the \
         dependency has recovered. It had opened because 100% of 5 calls failed (the limit is 50%). It has \
         been half-open for 1s. 1 probe is in flight and must report within 59s, or the breaker opens \
         again. Until then every other call is rejected (1 so far). It closes after 1 success and opens \
         again for 2s after 1 failure.",
    );
}

#[test]
fn half_open_in_the_middle() {
    let recovery = HalfOpen::new().max_calls(3).success_threshold(3).max_failures(1);
    let (breaker, hands) = breaker(plain().half_open(recovery));
    record(&breaker, 0, 5);
    hands.advance(2 * SECOND);
    record(&breaker, 1, 1);
    let _probe = breaker.try_acquire().unwrap();
    reads(
        &breaker,
        "Circuit breaker `payments` is half-open: a few calls pass as probes, to test whether the \
         dependency has recovered. It had opened because 100% of 5 calls failed (the limit is 50%). 1 probe \
         is in flight and must report within 1m, or the breaker opens again. The next call passes as a \
         probe too. It closes after 3 successes (1 so far) and opens again for 2s after 2 failures (1 so \
         far).",
    );
}

#[test]
fn half_open_by_a_rate() {
    let (breaker, hands) = breaker(plain().half_open(HalfOpen::new().max_calls(10).failure_rate(0.3)));
    record(&breaker, 0, 5);
    hands.advance(2 * SECOND);
    record(&breaker, 4, 1);
    reads(
        &breaker,
        "Circuit breaker `payments` is half-open: a few calls pass as probes, to test whether the \
         dependency has recovered. It had opened because 100% of 5 calls failed (the limit is 50%). No \
         probe is in flight; the next call passes as one. After 10 probes (5 so far) it opens again for 2s \
         if 30% of them failed, and closes if not.",
    );
}

#[test]
fn half_open_a_slow_success_is_no_success() {
    let half_open = HalfOpen::new().success_threshold(2).max_failures(2);
    let slow = Trip::slow_call_rate(0.8, SECOND).minimum_calls(1);
    let (breaker, hands) = breaker(plain().trip(slow).half_open(half_open));
    breaker.trip();
    hands.advance(2 * SECOND);
    breaker.try_acquire().unwrap().record_after(Outcome::Success, SECOND);
    reads(
        &breaker,
        "Circuit breaker `payments` is half-open: a few calls pass as probes, to test whether the \
         dependency has recovered. It had opened because it was opened by hand. No probe is in flight; the \
         next call passes as one. It closes after 2 successes and opens again for 2s after 3 failures or \
         slow successes (1 so far).",
    );
    let rate = HalfOpen::new().max_calls(10).failure_rate(0.3);
    breaker.set_config(plain().trip(slow).half_open(rate).build().unwrap());
    breaker.reset();
    breaker.trip();
    assert!(breaker.explain().contains(
        "After 10 probes it opens again if 30% of them failed or 80% were slow, and closes if not."
    ));
}

#[test]
fn forced_open() {
    let (breaker, _) = breaker(plain());
    breaker.force_open();
    breaker.try_acquire().unwrap_err();
    reads(
        &breaker,
        "Circuit breaker `payments` is forced open by an operator: every call is rejected (1 so far). It \
         stays so until `reset()` or `force_closed()` is called.",
    );
}

#[test]
fn disabled() {
    let (breaker, _) = breaker(plain());
    breaker.disable();
    reads(
        &breaker,
        "Circuit breaker `payments` is disabled by an operator: every call passes, and it cannot open. It \
         stays so until `reset()` or `force_closed()` is called.",
    );
}

#[test]
fn disabled_by_its_configuration() {
    let (breaker, _) = breaker(plain());
    breaker.set_enabled(false);
    reads(
        &breaker,
        "Circuit breaker `payments` is disabled by its configuration: every call passes, and it cannot \
         open. It stays so until the configuration enables it or `reset()` is called.",
    );
}

#[test]
fn metrics_only() {
    let (breaker, _) = breaker(plain().window(Window::last_calls(100)));
    breaker.metrics_only();
    record(&breaker, 1, 5);
    reads(
        &breaker,
        "Circuit breaker `payments` is set to metrics-only by an operator: every call passes, and it cannot \
         open. Of the last 6 calls, 5 failed. Without the override it would open when 50% of the calls fail \
         (now 83.3%), or after 15 failures in a row (now 5). A limit was reached once since the breaker was \
         built. It stays so until `reset()` or `force_closed()` is called.",
    );
}

#[test]
fn calls_that_count_as_nothing_are_mentioned() {
    let (breaker, _) = breaker(plain().abandoned(Abandoned::Ignore));
    drop(breaker.try_acquire().unwrap());
    drop(breaker.try_acquire().unwrap());
    reads(
        &breaker,
        "Circuit breaker `payments` is closed: every call passes. No call was recorded in the last 10s. It \
         opens when 50% of the calls fail (so far 0 of the 5 calls it needs), or after 15 failures in a row \
         (now 0). It would then reject every call for 2s. 2 calls were dropped by the caller and not \
         recorded; if a timeout drops calls, `Abandoned::FailureAfter` records them as failures.",
    );
}

fn plain() -> CircuitBreakerConfigBuilder {
    CircuitBreakerConfig::builder().backoff(Backoff::none())
}

fn every_rule() -> CircuitBreakerConfigBuilder {
    CircuitBreakerConfig::builder()
        .backoff(Backoff::none())
        .trip(Trip::failure_rate(0.28))
        .trip(Trip::consecutive_failures(5))
        .trip(Trip::failure_count(40))
        .trip(Trip::slow_call_rate(1.0 / 3.0, SECOND).minimum_calls(50))
}

fn breaker(config: CircuitBreakerConfigBuilder) -> (CircuitBreaker, ManualClock) {
    let (clock, hands) = Clock::manual();
    (CircuitBreaker::builder("payments").config(config.build().unwrap()).clock(clock).build(), hands)
}

fn record(breaker: &CircuitBreaker, successes: u32, failures: u32) {
    for _ in 0..successes {
        breaker.try_acquire().unwrap().success();
    }
    for _ in 0..failures {
        breaker.try_acquire().unwrap().failure();
    }
}

#[track_caller]
fn reads(breaker: &CircuitBreaker, text: &str) {
    assert_eq!(breaker.explain(), text);
}
