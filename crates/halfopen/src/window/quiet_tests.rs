//! What a healthy window does not do: no step for a plain success, and no weighing where nothing can
//! fire. A window that does it all the same counts right, and slowly.

use super::*;
use crate::clock::Clock;
use crate::config::{Rule, Trip};
use crate::word::{State, StateWord, Word};

const SUCCESS: Kind = Kind { failure: false, slow: false };
const SLOW: Kind = Kind { failure: false, slow: true };
const FAILURE: Kind = Kind { failure: true, slow: false };

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
            state: StateWord::new(Word::new(1, State::Closed)),
            window: Window::new(1, &config, Tick(0)),
        }
    }

    fn record(&self, kind: Kind, now: u64) -> Recorded {
        let moment = Moment::at(&self.clock, Tick(now));
        self.window.record(&self.state, Word::new(1, State::Closed), kind, &moment)
    }

    fn times(&self, times: u32, kind: Kind, now: u64) {
        (0..times).for_each(|_| {
            self.record(kind, now);
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
fn a_plain_success_in_a_calm_bucket_is_no_step() {
    let last_three = crate::Window::last_calls(3);
    for window in [short(), crate::Window::tumbling(nanos(10)), crate::Window::unbounded(), last_three] {
        let bench = Bench::new(window, rate());
        let head = bench.window.load();
        for now in [0, 1, 4] {
            assert_eq!(bench.record(SUCCESS, now), Recorded::Quiet);
        }
        assert_eq!(bench.window.load(), head, "{window:?}");
        assert_eq!(bench.counts(4), (3, 0));
    }
}

#[test]
fn on_the_shortest_way_a_success_is_written_in_its_own_calm_bucket_or_nowhere() {
    let bench = Bench::new(short(), rate());
    let ticket = bench.state.load();
    let add = |ticket, now| bench.window.add_plain(&bench.state, ticket, Some(Tick(now)));
    assert_eq!((add(ticket, 0), add(ticket, 4)), (Added::Quietly, Added::Quietly));
    assert_eq!(add(ticket, 5), Added::NotWritten, "its bucket is over");
    assert_eq!(add(Word::new(2, State::Closed), 4), Added::NotWritten, "of another visit");
    bench.state.publish(ticket.with_generation(true));
    assert_eq!(add(bench.state.load(), 4), Added::NotWritten, "of another frame");
    bench.state.publish(ticket);
    assert_eq!(bench.counts(4), (2, 0));
    bench.record(FAILURE, 4);
    assert_eq!(add(ticket, 4), Added::NotWritten, "it ends a run of failures");
    bench.record(SUCCESS, 4);
    assert_eq!(add(ticket, 4), Added::ToWeigh);
    assert_eq!(bench.counts(4), (5, 1));
}

#[test]
fn after_a_roll_the_window_is_calm_again_up_to_the_next_edge() {
    let bench = Bench::new(short(), rate());
    bench.record(SUCCESS, 0);
    bench.record(SUCCESS, 5);
    let head = bench.window.load();
    assert!(head.calm());
    for now in [6, 9] {
        assert_eq!(bench.record(SUCCESS, now), Recorded::Quiet);
    }
    assert_eq!(bench.window.load(), head, "nothing rolls before its bucket is over");
    bench.record(SUCCESS, 10);
    assert_ne!(bench.window.load(), head, "and then it does");
}

#[test]
fn an_interval_that_begins_ends_the_trouble_of_the_one_before() {
    let bench = Bench::new(crate::Window::tumbling(nanos(10)), rate());
    bench.record(FAILURE, 0);
    let moment = Moment::at(&bench.clock, Tick(10));
    bench.window.roll_on(&moment);
    assert!(bench.window.load().calm());
}

#[test]
fn an_edge_that_was_left_behind_is_mended_by_the_next_step() {
    let bench = Bench::new(short(), rate());
    bench.record(SUCCESS, 5);
    bench.window.edge.store(5, Ordering::Release);
    bench.record(FAILURE, 7);
    assert_eq!(bench.window.edge.load(Ordering::Acquire), 10);
}

/// Half of them failed.
fn half(_: &[Rule], counts: &Counts) -> bool {
    counts.failures > 0 && counts.failures * 2 >= counts.calls
}

impl Bench {
    fn settle(&self, now: u64) -> bool {
        self.window.settle_trouble(&Moment::at(&self.clock, Tick(now)), half);
        self.window.trouble() == 0
    }
}

#[test]
fn a_success_is_weighed_after_a_failure_until_none_can_fire() {
    for window in [short(), crate::Window::last_calls(5), crate::Window::unbounded()] {
        let bench = Bench::new(window, Trip::failure_rate(0.5).minimum_calls(4));
        bench.record(FAILURE, 0);
        bench.record(SUCCESS, 3);
        assert!(!bench.settle(3), "one of two");
        assert!(matches!(bench.record(SUCCESS, 4), Recorded::Counts(_)));
        assert!(bench.settle(4), "one of three, and it can only become less");
        assert_eq!(bench.record(SUCCESS, 4), Recorded::Quiet);
    }
}

#[test]
fn successes_that_leave_before_the_failures_do_not_settle_them() {
    let bench = Bench::new(short(), rate());
    bench.times(90, SUCCESS, 0);
    bench.times(3, FAILURE, 5);
    bench.times(1, SUCCESS, 5);
    assert!(!bench.settle(5), "three of four, once the first bucket has left");
    bench.times(4, SUCCESS, 9);
    assert!(bench.settle(9), "three of eight, and it can only become less");
    let bench = Bench::new(short(), rate());
    bench.times(3, FAILURE, 0);
    bench.times(1, SUCCESS, 5);
    assert!(!bench.settle(5), "none of one, and three of four with the bucket before it");
    let bench = Bench::new(crate::Window::last(nanos(15)).buckets(3), rate());
    bench.times(90, SUCCESS, 0);
    bench.times(3, FAILURE, 5);
    bench.times(1, SUCCESS, 10);
    assert!(!bench.settle(10), "few of all there are, and three of four once the first bucket has left");
}

#[test]
fn among_the_last_calls_no_success_is_weighed_once_the_minimum_is_reached() {
    let bench = Bench::new(crate::Window::last_calls(8), Trip::failure_rate(0.5).minimum_calls(4));
    bench.times(2, FAILURE, 0);
    assert!(matches!(bench.record(SUCCESS, 0), Recorded::Counts(_)));
    assert!(!bench.settle(0), "two of three, and the next call makes them count");
    assert!(matches!(bench.record(SUCCESS, 0), Recorded::Counts(_)));
    assert!(bench.settle(0), "two of four: it has been asked");
    bench.times(3, FAILURE, 0);
    for _ in 0..20 {
        assert_eq!(bench.record(SUCCESS, 0), Recorded::Quiet);
    }
}

#[test]
fn trouble_that_comes_meanwhile_is_not_settled_with_the_one_before() {
    let bench = Bench::new(short(), rate());
    bench.record(FAILURE, 0);
    bench.record(SUCCESS, 1);
    bench.record(SUCCESS, 1);
    let meanwhile = |_: &[Rule], _: &Counts| {
        bench.record(FAILURE, 1);
        false
    };
    bench.window.settle_trouble(&Moment::at(&bench.clock, Tick(1)), meanwhile);
    assert_ne!(bench.window.trouble(), 0);
}

#[test]
fn a_slow_success_is_weighed_with_the_plain_one_after_it() {
    let slow = Trip::slow_call_rate(0.5, nanos(1)).minimum_calls(2);
    let bench = Bench::new(crate::Window::unbounded(), slow);
    bench.record(SLOW, 0);
    let Recorded::Counts(counts) = bench.record(SUCCESS, 0) else { panic!("one of two was slow") };
    assert_eq!((counts.calls, counts.slow), (2, 1));
}

#[test]
fn where_no_rule_looks_at_a_rate_no_success_is_weighed() {
    let bench = Bench::new(crate::Window::unbounded(), Trip::consecutive_failures(9));
    bench.record(FAILURE, 0);
    bench.record(SUCCESS, 0);
    assert_eq!(bench.record(SUCCESS, 0), Recorded::Quiet);
}

#[test]
fn a_window_that_marks_slow_calls_from_now_on_keeps_its_samples() {
    let config =
        |rule| CircuitBreakerConfig::builder().trip(rule).window(short()).build().expect("a valid window");
    let slow = config(Trip::slow_call_rate(0.5, nanos(1)).minimum_calls(2));
    // Frames take turns, and either may have to change.
    for visits in [1, 2] {
        let bench = Bench::new(short(), rate());
        let publish = |odd| bench.state.publish(Word::new(visits, State::Closed).with_generation(odd));
        for epoch in 2..=visits {
            publish(bench.window.begin(epoch, &config(rate()), Tick(0)));
        }
        let moment = Moment::at(&bench.clock, Tick(1));
        let record = |kind| bench.window.record(&bench.state, bench.state.load(), kind, &moment);
        let marks_slow = || bench.window.frame.load().marks().expect("a window over time").marks_slow();
        record(FAILURE);
        assert!(!marks_slow(), "no rule asks");
        publish(bench.window.reconfigure(&slow, &moment));
        assert!(marks_slow());
        assert_eq!(bench.window.config(), slow);
        let Recorded::Counts(counts) = record(SLOW) else { panic!("a slow call is a step") };
        assert_eq!((counts.calls, counts.failures, counts.slow), (2, 1, 1));
        let faster = config(Trip::slow_call_rate(0.9, nanos(1)).minimum_calls(2));
        publish(bench.window.reconfigure(&faster, &moment));
        assert_eq!(bench.window.config(), faster, "and other rules over the same window are put in force");
        assert_eq!(bench.window.counts(&moment).calls, 2);
    }
}

/// They were not asked by a success where the new rules, for all that is to come, weigh none.
#[test]
fn new_rules_are_asked_at_the_next_outcome_whatever_it_is() {
    let rules = [Trip::failure_count(1), Trip::failure_rate(0.25).minimum_calls(1)];
    for window in [crate::Window::unbounded(), crate::Window::last_calls(4), short()] {
        for rule in rules {
            let bench = Bench::new(window, Trip::failure_count(9));
            bench.record(FAILURE, 0);
            let config = CircuitBreakerConfig::builder().trip(rule).window(window).build();
            let moment = Moment::at(&bench.clock, Tick(0));
            let odd = bench.window.reconfigure(&config.expect("a valid window"), &moment);
            bench.state.publish(Word::new(1, State::Closed).with_generation(odd));
            assert!(matches!(bench.record(SUCCESS, 0), Recorded::Counts(_)), "{window:?}");
        }
    }
}

#[test]
fn after_a_change_of_rules_the_next_success_is_weighed_whatever_lies_in_the_window() {
    for window in [short(), crate::Window::last_calls(9), crate::Window::unbounded()] {
        for calm in [true, false] {
            let bench = Bench::new(window, Trip::failure_rate(0.9).minimum_calls(2));
            bench.times(3, FAILURE, 0);
            bench.times(if calm { 2 } else { 0 }, SUCCESS, 0);
            let stricter =
                CircuitBreakerConfig::builder().trip(rate()).window(window).build().expect("valid");
            let moment = Moment::at(&bench.clock, Tick(0));
            bench.window.settle_trouble(&moment, |_, _| false);
            assert_eq!(bench.window.trouble(), 0);
            let odd = bench.window.reconfigure(&stricter, &moment);
            bench.state.publish(bench.state.load().with_generation(odd));
            for success in 0..3 {
                let recorded = bench.record(SUCCESS, 0);
                assert!(matches!(recorded, Recorded::Counts(_)), "{window:?}, {calm}, success {success}");
            }
        }
    }
}

#[test]
fn a_window_that_never_rolls_asks_for_no_time() {
    for window in [crate::Window::last_calls(2), crate::Window::unbounded()] {
        let bench = Bench::new(window, rate());
        bench.record(FAILURE, 0);
        let (frame, head) = (bench.window.frame.load(), bench.window.load());
        let sums = bench.window.sums.glance();
        let now = || unreachable!("the time is asked for");
        let counts = frame.counts(head, &sums, || 0, now, || true).expect("nobody else is there");
        assert_eq!((counts.calls, counts.failures), (1, 1), "{window:?}");
        assert!(frame.is_settled(&sums, 0, now, &counts, |_| false), "{window:?}");
    }
}
