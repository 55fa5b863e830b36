//! The windows, compared with a simple model of their arithmetic.

use super::oracle::Oracle;
use super::*;
use crate::clock::Clock;
use crate::config::{Form, Trip};
use crate::outcome::{Ended, Finished};
use crate::word::{Epoch, State, StateWord, Word};

/// The window of a breaker alone: no machine, one epoch unless a test changes it.
struct Bench {
    clock: Clock,
    state: StateWord,
    window: Window,
    epoch: Epoch,
    now: Tick,
}

impl Bench {
    fn new(window: crate::Window) -> Bench {
        let config = config(window);
        Bench {
            clock: Clock::system(),
            state: StateWord::new(Word::new(Epoch::FIRST, State::Closed)),
            window: Window::new(Epoch::FIRST, &config, Tick(0)),
            epoch: Epoch::FIRST,
            now: Tick(0),
        }
    }

    fn moment(&self) -> Moment<'_> {
        Moment::at(&self.clock, self.now)
    }

    fn record(&self, call: Finished) -> Recorded {
        self.record_of(Word::new(self.epoch, State::Closed), call)
    }

    fn record_of(&self, ticket: Word, call: Finished) -> Recorded {
        self.window.record(&self.state, ticket, &call, &self.moment())
    }

    fn counts(&self) -> Counts {
        self.window.counts(&self.moment())
    }

    fn begin(&mut self, window: crate::Window) {
        self.epoch = self.epoch.after(1);
        self.window.begin(self.epoch, &config(window), self.now);
        self.state.publish(Word::new(self.epoch, State::Closed));
    }

    fn reconfigure(&mut self, window: crate::Window) {
        self.window.reconfigure(&config(window), &Moment::at(&self.clock, self.now));
    }
}

fn config(window: crate::Window) -> CircuitBreakerConfig {
    let slow = Trip::slow_call_rate(1.0, std::time::Duration::from_secs(1)).minimum_calls(1);
    CircuitBreakerConfig::builder().trip(slow).window(window).build().expect("a valid window")
}

const SUCCESS: Finished = Finished::untimed(Ended::Success);
const FAILURE: Finished = Finished::untimed(Ended::Failure);

fn ended(failure: bool, slow: bool) -> Finished {
    Finished { slow, ..if failure { FAILURE } else { SUCCESS } }
}

fn nanos(n: u64) -> std::time::Duration {
    std::time::Duration::from_nanos(n)
}

/// A small generator, so that the seed of a failure reproduces it.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn window(&mut self) -> crate::Window {
        match self.below(4) {
            0 => crate::Window::last_calls([1, 2, 5, 8, 9, 33][self.below(6) as usize]),
            1 => crate::Window::last(nanos([10, 100, 7][self.below(3) as usize]))
                .buckets([1, 3, 5][self.below(3) as usize]),
            2 => crate::Window::tumbling(nanos(20 + self.below(3))),
            _ => crate::Window::unbounded(),
        }
    }
}

#[test]
fn any_history_counts_as_plain_arithmetic_does() {
    let (seeds, steps) = if cfg!(miri) { (8, 100) } else { (400, 400) };
    for seed in 0..seeds {
        let mut random = Random(seed);
        let first = random.window();
        let mut bench = Bench::new(first);
        let mut oracle = Oracle::new(config(first).form(), Tick(0));
        let calm = random.below(5) + 1;
        for step in 0..steps {
            match random.below(40) {
                0 => {
                    let window = random.window();
                    bench.begin(window);
                    oracle = Oracle::new(config(window).form(), bench.now);
                }
                1 => {
                    let window = random.window();
                    let form = config(window).form();
                    let same = bench.window.with_config(|old| old.form() == form);
                    bench.reconfigure(window);
                    if !same {
                        oracle = oracle.reshaped(form, bench.now);
                    }
                }
                2..10 => bench.now = bench.now.after(random.below(8)),
                10 => bench.now = bench.now.after(random.below(500)),
                _ => {
                    let call = ended(random.below(calm) == 1, random.below(9) == 0);
                    let expected = oracle.record(call.is_failure(), call.slow, bench.now);
                    match bench.record(call) {
                        Recorded::Evaluated(counts, _) => {
                            assert_eq!(counts, expected, "seed {seed} step {step}");
                        }
                        Recorded::Quiet => assert!(call.is_plain()),
                        Recorded::Late => panic!("seed {seed} step {step}: not late"),
                    }
                }
            }
            assert_eq!(
                bench.counts(),
                oracle.counts(bench.now),
                "seed {seed} step {step} {:?}",
                bench.window
            );
        }
    }
}

#[test]
fn an_outcome_of_an_earlier_visit_is_written_nowhere() {
    for form in [crate::Window::last_calls(3), crate::Window::last(nanos(10)), crate::Window::unbounded()] {
        let mut bench = Bench::new(form);
        let ticket = Word::new(Epoch::FIRST, State::Closed);
        bench.begin(form);
        for call in [SUCCESS, FAILURE] {
            assert_eq!(bench.record_of(ticket, call), Recorded::Late);
        }
        assert_eq!(bench.counts(), Counts::default());
        assert_eq!(bench.window.totals(), (0, 0, 0));
    }
}

#[test]
fn a_call_is_slow_from_the_limit_of_a_rule_on() {
    const SECOND: u64 = 1_000_000_000;
    let never = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(3)).build().expect("valid");
    let from_a_second = config(crate::Window::unbounded());
    let is_right = |window: &Window| {
        let limit = window.with_config(CircuitBreakerConfig::slow_after_nanos);
        match limit {
            None => !window.is_slow(SECOND) && !window.is_slow(u64::MAX),
            Some(limit) => limit == SECOND && !window.is_slow(SECOND - 1) && window.is_slow(SECOND),
        }
    };
    let clock = Clock::system();
    let moment = Moment::at(&clock, Tick(0));
    for (first, second) in [(&never, &from_a_second), (&from_a_second, &never)] {
        let window = Window::new(Epoch::FIRST, first, Tick(0));
        assert!(is_right(&window), "from the first");
        window.reconfigure(second, &moment);
        assert!(is_right(&window), "by a change");
        window.begin(Epoch(2), first, Tick(0));
        assert!(is_right(&window), "by a visit");
    }
}

#[test]
fn time_is_added_up_apart_once_there_are_stripes() {
    let bench = Bench::new(crate::Window::unbounded());
    assert!(bench.window.timing().is_none());
    bench.window.contended_slow();
    bench.window.timing().expect("there are stripes now").time(5);
    let mut totals = Totals::default();
    bench.window.add_timing_to(&mut totals);
    assert_eq!((totals.timed, totals.response_time.as_nanos()), (1, 5));
}

#[test]
fn a_full_healthy_window_is_not_written_to() {
    let bench = Bench::new(crate::Window::last_calls(4));
    for _ in 0..4 {
        bench.record(SUCCESS);
    }
    let contents = lock(&bench.window.contents);
    for _ in 0..1000 {
        assert_eq!(bench.record(SUCCESS), Recorded::Quiet, "and takes no lock");
    }
    drop(contents);
    assert_eq!(bench.window.totals(), (1004, 0, 0));
}

#[test]
fn plain_successes_and_looks_allocate_no_samples() {
    for (window, held) in [(crate::Window::last_calls(4), 3), (crate::Window::unbounded(), 9)] {
        let mut bench = Bench::new(window);
        let is_plain = |bench: &Bench| matches!(*lock(&bench.window.contents), Contents::Plain { .. });
        for calls in 1..10 {
            bench.record(SUCCESS);
            assert_eq!((bench.window.totals(), bench.counts().failures), ((calls, 0, 0), 0), "{window:?}");
        }
        bench.reconfigure(window);
        assert!(is_plain(&bench), "nor do other rules: {window:?}");

        bench.record(FAILURE);
        assert!(!is_plain(&bench), "{window:?}");
        assert_eq!((bench.counts().successes, bench.counts().failures), (held, 1), "{window:?}");
    }
}

#[test]
fn half_a_window_of_failures_is_a_rate_of_one_half() {
    for healthy in [0, 100, 1_000, 100_000] {
        let bench = Bench::new(crate::Window::last_calls(100));
        for _ in 0..healthy.max(100) {
            bench.record(SUCCESS);
        }
        for _ in 0..50 {
            bench.record(FAILURE);
        }
        let counts = bench.counts();
        assert_eq!((counts.calls, counts.failures), (100, 50));
    }
}

#[test]
fn threads_lose_and_double_nothing() {
    const EACH: u64 = if cfg!(miri) { 40 } else { 20_000 };
    for form in
        [crate::Window::last_calls(16), crate::Window::last(nanos(u64::MAX / 2)), crate::Window::unbounded()]
    {
        let bench = Bench::new(form);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let bench = &bench;
                scope.spawn(move || {
                    for call in 0..EACH {
                        bench.record(ended((call + thread) % 4 == 0, call % 8 == 0));
                    }
                });
            }
        });
        let (successes, failures, slow) = bench.window.totals();
        assert_eq!((successes, failures, slow), (3 * EACH, EACH, EACH / 2));
        let counts = bench.counts();
        assert_eq!(counts.calls, counts.successes + counts.failures);
        match config(form).form() {
            Form::LastCalls(size) => {
                assert_eq!(counts.calls, u64::from(size));
                // The contents of the ring match the counts.
                for _ in 0..size {
                    bench.record(SUCCESS);
                }
                assert_eq!((bench.counts().failures, bench.counts().slow), (0, 0));
            }
            Form::Time { .. } | Form::Tumbling { .. } | Form::Unbounded => assert_eq!(counts.calls, 4 * EACH),
        }
    }
}
