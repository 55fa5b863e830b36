//! The fast path: a plain success takes no lock, and no rule is evaluated where none can fire. A window that
//! breaks either claim still counts correctly, but slowly.

use super::*;
use crate::clock::Clock;
use crate::config::Trip;
use crate::outcome::{Ended, Finished};
use crate::word::{Epoch, State, StateWord, Word};

const SUCCESS: Finished = Finished::untimed(Ended::Success);
const SLOW: Finished = Finished { slow: true, ..SUCCESS };
const FAILURE: Finished = Finished::untimed(Ended::Failure);

struct Bench {
    clock: Clock,
    state: StateWord,
    window: Window,
}

impl Bench {
    fn new(window: crate::Window, rule: Trip) -> Bench {
        let config =
            CircuitBreakerConfig::builder().trip(rule).window(window).build().expect("a valid window");
        Bench {
            clock: Clock::system(),
            state: StateWord::new(Word::new(Epoch::FIRST, State::Closed)),
            window: Window::new(Epoch::FIRST, &config, Tick(0)),
        }
    }

    fn record(&self, call: Finished, now: u64) -> Recorded {
        let moment = Moment::at(&self.clock, Tick(now));
        self.window.record(&self.state, Word::new(Epoch::FIRST, State::Closed), &call, &moment)
    }

    fn add(&self, ticket: Word, now: u64) -> Added {
        self.window.add_success(&self.state, ticket, Some(&Moment::at(&self.clock, Tick(now))))
    }

    fn times(&self, times: u32, call: Finished, now: u64) {
        (0..times).for_each(|_| {
            self.record(call, now);
        });
    }

    fn counts(&self, now: u64) -> (u64, u64) {
        let counts = self.window.counts(&Moment::at(&self.clock, Tick(now)));
        (counts.calls, counts.failures)
    }
}

fn nanos(n: u64) -> std::time::Duration {
    std::time::Duration::from_nanos(n)
}

/// Ten nanoseconds in two buckets.
fn short() -> crate::Window {
    crate::Window::last(nanos(10)).buckets(2)
}

fn rate() -> Trip {
    Trip::failure_rate(0.5).minimum_calls(2)
}

#[test]
fn a_plain_success_in_its_bucket_takes_no_lock() {
    let last_three = crate::Window::last_calls(3);
    for window in [short(), crate::Window::tumbling(nanos(10)), crate::Window::unbounded(), last_three] {
        let bench = Bench::new(window, rate());
        let contents = lock(&bench.window.contents);
        for now in [0, 1, 4] {
            assert_eq!(bench.record(SUCCESS, now), Recorded::Quiet);
        }
        drop(contents);
        assert_eq!(bench.counts(4), (3, 0), "{window:?}");
    }
}

#[test]
fn a_success_that_can_fire_no_rule_takes_no_lock() {
    let bench = Bench::new(crate::Window::last_calls(4), rate());
    bench.times(4, SUCCESS, 0);
    bench.record(FAILURE, 0);
    let contents = lock(&bench.window.contents);
    assert_eq!(bench.record(SUCCESS, 0), Recorded::Quiet, "though it ends a run of failures");
    drop(contents);
    let counts = bench.window.counts(&Moment::at(&bench.clock, Tick(0)));
    assert_eq!((counts.consecutive_failures, counts.consecutive_successes), (0, 1));
}

#[test]
fn a_fast_success_is_written_in_its_own_bucket() {
    let bench = Bench::new(short(), rate());
    let ticket = bench.state.load();
    let add = |ticket, now| bench.add(ticket, now);
    assert_eq!((add(ticket, 0), add(ticket, 4)), (Added::Quiet, Added::Quiet));
    assert_eq!(add(ticket, 5), Added::Stale, "its bucket is over");
    assert_eq!(add(Word::new(Epoch(2), State::Closed), 4), Added::Stale, "of another visit");
    bench.state.publish(ticket.with_timed(true));
    assert_eq!(add(ticket, 4), Added::Stale, "the flags have changed");
    bench.state.publish(ticket);
    assert_eq!(bench.counts(4), (2, 0));
    bench.times(3, FAILURE, 4);
    assert_eq!(add(ticket, 4), Added::Due);
    assert_eq!(bench.counts(4), (6, 3));
}

#[test]
fn a_success_of_the_visit_before_is_written_nowhere() {
    let bench = Bench::new(short(), rate());
    let ticket = bench.state.load();
    let config = bench.window.config();
    // The window begins before the word is published.
    bench.window.begin(Epoch(2), &config, Tick(0));
    let added = bench.add(ticket, 0);
    assert_eq!((added, bench.counts(0)), (Added::Stale, (0, 0)));
}

#[test]
fn after_a_roll_successes_take_no_lock() {
    let bench = Bench::new(short(), rate());
    bench.record(SUCCESS, 0);
    bench.record(SUCCESS, 5);
    let contents = lock(&bench.window.contents);
    for now in [6, 9] {
        assert_eq!(bench.record(SUCCESS, now), Recorded::Quiet);
    }
    drop(contents);
    bench.record(SUCCESS, 10);
    assert_eq!(bench.window.edge.load(Ordering::Relaxed), 15, "it has rolled");
    assert_eq!(bench.counts(10), (4, 0));
}

impl Bench {
    /// Whether the success just recorded, or one more, lets later successes take the fast path.
    fn is_settled(&self, now: u64) -> bool {
        self.window.evaluate(&Moment::at(&self.clock, Tick(now)));
        !self.window.is_armed()
    }
}

#[test]
fn successes_are_evaluated_until_none_can_fire() {
    for window in [short(), crate::Window::last_calls(5), crate::Window::unbounded()] {
        let bench = Bench::new(window, Trip::failure_rate(0.5).minimum_calls(4));
        bench.record(FAILURE, 0);
        bench.record(SUCCESS, 3);
        assert!(!bench.is_settled(3), "one of two");
        assert!(matches!(bench.record(SUCCESS, 4), Recorded::Evaluated(..)));
        assert!(bench.is_settled(4), "one of three, and it can only become less");
        assert_eq!(bench.record(SUCCESS, 4), Recorded::Quiet);
    }
}

#[test]
fn successes_that_leave_first_settle_no_failures() {
    let bench = Bench::new(short(), rate());
    bench.times(90, SUCCESS, 0);
    bench.times(3, FAILURE, 5);
    bench.times(1, SUCCESS, 5);
    assert!(!bench.is_settled(5), "three of four, once the first bucket has left");
    bench.times(4, SUCCESS, 9);
    assert!(bench.is_settled(9), "three of eight, and it can only become less");
    let bench = Bench::new(short(), rate());
    bench.times(3, FAILURE, 0);
    bench.times(1, SUCCESS, 5);
    assert!(!bench.is_settled(5), "none of one, and three of four with the bucket before it");
    let bench = Bench::new(crate::Window::last(nanos(15)).buckets(3), rate());
    bench.times(90, SUCCESS, 0);
    bench.times(3, FAILURE, 5);
    bench.times(1, SUCCESS, 10);
    assert!(!bench.is_settled(10), "few of all there are, and three of four once the first bucket has left");
}

#[test]
fn no_success_is_evaluated_above_the_minimum_of_calls() {
    let bench = Bench::new(crate::Window::last_calls(8), Trip::failure_rate(0.5).minimum_calls(4));
    bench.times(2, FAILURE, 0);
    assert!(matches!(bench.record(SUCCESS, 0), Recorded::Evaluated(..)));
    assert!(!bench.is_settled(0), "two of three, and the next call makes them count");
    assert!(matches!(bench.record(SUCCESS, 0), Recorded::Evaluated(..)));
    assert!(bench.is_settled(0), "two of four: it has been asked");
    bench.times(3, FAILURE, 0);
    for _ in 0..20 {
        assert_eq!(bench.record(SUCCESS, 0), Recorded::Quiet);
    }
}

#[test]
fn a_slow_success_is_evaluated_with_the_next_one() {
    let slow = Trip::slow_call_rate(0.5, nanos(1)).minimum_calls(2);
    let bench = Bench::new(crate::Window::unbounded(), slow);
    bench.record(SLOW, 0);
    let Recorded::Evaluated(counts, _) = bench.record(SUCCESS, 0) else { panic!("one of two was slow") };
    assert_eq!((counts.calls, counts.slow), (2, 1));
}

#[test]
fn without_a_rate_rule_no_success_is_evaluated() {
    let bench = Bench::new(crate::Window::unbounded(), Trip::consecutive_failures(9));
    bench.record(FAILURE, 0);
    bench.record(SUCCESS, 0);
    assert_eq!(bench.record(SUCCESS, 0), Recorded::Quiet);
}

#[test]
fn slow_calls_of_a_new_rule_are_counted() {
    let config =
        |rule| CircuitBreakerConfig::builder().trip(rule).window(short()).build().expect("a valid window");
    let slow = config(Trip::slow_call_rate(0.5, nanos(1)).minimum_calls(2));
    let bench = Bench::new(short(), rate());
    let moment = Moment::at(&bench.clock, Tick(1));
    bench.record(FAILURE, 1);
    bench.window.reconfigure(&slow, &moment);
    assert_eq!(bench.window.config(), slow);
    let Recorded::Evaluated(counts, fired) = bench.record(SLOW, 1) else {
        panic!("a slow call is evaluated")
    };
    assert_eq!((counts.calls, counts.failures, counts.slow), (2, 1, 1), "and the samples stay");
    assert!(fired.is_some());
}

/// A success after the change used not to evaluate the new rules if they need no evaluation at later successes.
#[test]
fn new_rules_are_evaluated_at_the_next_outcome() {
    let rules = [Trip::failure_count(1), Trip::failure_rate(0.25).minimum_calls(1)];
    for window in [crate::Window::unbounded(), crate::Window::last_calls(4), short()] {
        for rule in rules {
            let bench = Bench::new(window, Trip::failure_count(9));
            bench.record(FAILURE, 0);
            let config = CircuitBreakerConfig::builder().trip(rule).window(window).build();
            let moment = Moment::at(&bench.clock, Tick(0));
            bench.window.reconfigure(&config.expect("a valid window"), &moment);
            assert!(matches!(bench.record(SUCCESS, 0), Recorded::Evaluated(..)), "{window:?}");
        }
    }
}

#[test]
fn a_window_that_never_rolls_asks_for_no_time() {
    for window in [crate::Window::last_calls(2), crate::Window::unbounded()] {
        let bench = Bench::new(window, rate());
        let clock = Clock::from_fn(|| unreachable!("the time is asked for"));
        let record = |call| bench.window.record(&bench.state, bench.state.load(), &call, &Moment::of(&clock));
        record(FAILURE);
        record(SUCCESS);
        assert_eq!(bench.window.counts(&Moment::of(&clock)).calls, 2, "{window:?}");
    }
}
