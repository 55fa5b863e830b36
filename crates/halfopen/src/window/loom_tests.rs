//! The races of a window, in every interleaving (bounded in preemptions, see `.ci/loom`).
//!
//! The doc of each model states its claim, and a mutation of the code that makes it fail.

mod time;

use std::sync::Arc;

use super::*;
use crate::clock::Clock;
use crate::config::Trip;
use crate::loom_tests::race::race;
use crate::outcome::{Ended, Finished};
use crate::word::{Epoch, State, StateWord, Word};

const SUCCESS: Finished = Finished::untimed(Ended::Success);
const FAILURE: Finished = Finished::untimed(Ended::Failure);

struct Race {
    clock: Clock,
    state: StateWord,
    window: Window,
}

impl Race {
    fn new(window: crate::Window) -> Arc<Race> {
        Race::by(&config(window))
    }

    fn by(config: &CircuitBreakerConfig) -> Arc<Race> {
        Arc::new(Race {
            clock: Clock::system(),
            state: StateWord::new(Word::new(Epoch::FIRST, State::Closed)),
            window: Window::new(Epoch::FIRST, config, Tick(0)),
        })
    }

    /// Returns a closure that acts on the shared window in a thread of its own.
    fn racer<T>(self: &Arc<Race>, act: impl FnOnce(&Race) -> T + 'static) -> impl FnOnce() -> T + 'static {
        let race = Arc::clone(self);
        move || act(&race)
    }

    fn record(&self, call: Finished, now: u64) -> Recorded {
        let moment = Moment::at(&self.clock, Tick(now));
        self.window.record(&self.state, Word::new(Epoch::FIRST, State::Closed), &call, &moment)
    }

    /// Starts a visit like a transition: the window first, the word last.
    fn begin(&self, epoch: Epoch, window: crate::Window) {
        self.window.begin(epoch, &config(window), Tick(0));
        self.state.publish(Word::new(epoch, State::Closed));
    }

    fn counts(&self, now: u64) -> Counts {
        self.window.counts(&Moment::at(&self.clock, Tick(now)))
    }
}

fn config(window: crate::Window) -> CircuitBreakerConfig {
    half_of(1, window)
}

fn half_of(minimum_calls: u32, window: crate::Window) -> CircuitBreakerConfig {
    let rate = Trip::failure_rate(0.5).minimum_calls(minimum_calls);
    CircuitBreakerConfig::builder().trip(rate).window(window).build().unwrap()
}

fn last(nanos: u64) -> crate::Window {
    crate::Window::last(std::time::Duration::from_nanos(nanos)).buckets(2)
}

/// An outcome of one epoch is in no window of a later epoch, and is always counted once.
///
/// Fails if `begin` does not advance the stripes, if `add_success` adds to its stripe in any epoch or does not
/// load `visit` (a success slips in), or if `record_slow` does not check it (a failure slips in).
#[test]
fn an_outcome_is_in_no_window_of_a_later_epoch() {
    for window in [crate::Window::last_calls(2), crate::Window::unbounded()] {
        for call in [SUCCESS, FAILURE] {
            race(move |start| {
                let shared = Race::new(window);
                let begin = shared.racer(move |race| {
                    race.begin(Epoch(2), window);
                    assert_eq!(race.counts(0), Counts::default(), "the new window is empty");
                });
                let ((), recorded) = start.two(begin, shared.racer(move |race| race.record(call, 0)));
                assert_eq!(shared.counts(0), Counts::default(), "and stays so");
                let (successes, failures, _) = shared.window.totals();
                assert_eq!(successes + failures, u64::from(recorded != Recorded::Late));
            });
        }
    }
}

/// A plain success and a concurrent failure complete a rule together: at least one of them evaluates both.
///
/// Fails without the fence in `add_success` or the one in `arm` (outside the models: the sequentially
/// consistent accesses), or if the stripes are summed before the window is armed.
#[test]
fn of_a_success_and_a_failure_one_sees_both() {
    for window in [crate::Window::unbounded(), crate::Window::last_calls(2)] {
        race(move |start| {
            let shared = Race::by(&half_of(2, window));
            let record = |call| shared.racer(move |race| race.record(call, 0));
            let (failure, success) = start.two(record(FAILURE), record(SUCCESS));
            let both = [success, failure];
            let saw_both = both.iter().any(|recorded| match recorded {
                Recorded::Evaluated(counts, _) => counts.calls == 2 && counts.failures == 1,
                Recorded::Quiet | Recorded::Late => false,
            });
            assert!(saw_both, "{both:?}");
        });
    }
}

/// A failure whose writer is delayed, the success that ends its run, and another success: one of the three
/// evaluates them all.
///
/// Fails if `evaluate` disarms a window that is not settled.
#[test]
fn of_a_failure_and_two_successes_one_sees_all() {
    for window in [crate::Window::unbounded(), crate::Window::last_calls(3)] {
        race(move |start| {
            let shared = Race::by(&half_of(3, window));
            let failure = shared.racer(|race| race.record(FAILURE, 0));
            let successes = shared.racer(|race| [race.record(SUCCESS, 0), race.record(SUCCESS, 0)]);
            let (failure, [first, second]) = start.two(failure, successes);
            let all = [failure, first, second];
            let saw_all = all.iter().any(|recorded| match recorded {
                Recorded::Evaluated(counts, _) => counts.calls == 3 && counts.failures == 1,
                Recorded::Quiet | Recorded::Late => false,
            });
            assert!(saw_all, "{all:?}");
        });
    }
}

/// A failure that arrives while a success disarms the window arms it again.
///
/// Fails if `evaluate` disarms after it has released the lock.
#[test]
fn a_failure_is_not_disarmed_with_those_before_it() {
    for window in [crate::Window::unbounded(), crate::Window::last_calls(9)] {
        race(move |start| {
            let shared = Race::by(&half_of(9, window));
            shared.record(FAILURE, 0);
            shared.record(SUCCESS, 0);
            let success = shared.racer(|race| race.record(SUCCESS, 0));
            start.two(shared.racer(|race| race.record(FAILURE, 0)), success);
            assert!(shared.window.is_armed(), "two of four");
        });
    }
}

/// One success among three failures, in any order: two failures are consecutive, and the record of one of them
/// returns so.
///
/// Fails if not every failure stores `run_end`.
#[test]
fn the_failure_that_completes_a_run_sees_it() {
    race(|start| {
        let shared = Race::new(crate::Window::unbounded());
        let failures = shared.racer(|race| [(); 3].map(|()| race.record(FAILURE, 0)));
        let (failures, _) = start.two(failures, shared.racer(|race| race.record(SUCCESS, 0)));
        let run = |recorded| match recorded {
            Recorded::Evaluated(counts, _) => counts.consecutive_failures,
            Recorded::Quiet | Recorded::Late => 0,
        };
        let longest = failures.into_iter().map(run).max();
        assert!(longest >= Some(2), "{longest:?}");
    });
}

/// A failure and two successes follow each other in some order, so one of the two runs goes on, and one
/// alone; the successes that begin when the failure is there are both in their run.
///
/// Fails if `counts` takes the two runs from two sums.
#[test]
fn a_failure_and_successes_follow_each_other() {
    for window in [crate::Window::unbounded(), crate::Window::last_calls(3)] {
        race(move |start| {
            let shared = Race::new(window);
            let runs = |race: &Race| {
                let counts = race.counts(0);
                (counts.consecutive_failures, counts.consecutive_successes)
            };
            let failure = shared.racer(move |race| {
                race.record(FAILURE, 0);
                let runs = runs(race);
                assert!(runs.0 == 0 || runs.1 == 0, "{runs:?}");
            });
            let successes = shared.racer(|race| {
                let after = race.counts(0).failures == 1;
                race.record(SUCCESS, 0);
                race.record(SUCCESS, 0);
                after
            });
            let ((), after) = start.two(failure, successes);
            let runs = runs(&shared);
            assert!(if after { runs == (0, 2) } else { matches!(runs, (0, 1 | 2) | (1, 0)) }, "{runs:?}");
        });
    }
}

/// A configuration is swapped under a running call: its outcome is in the new window or discarded with the old
/// one, the run is kept, and nothing is counted twice.
///
/// Fails if `set_form` restarts the runs, or empties the sums.
#[test]
fn a_call_survives_a_change_of_its_window() {
    for call in [FAILURE, SUCCESS] {
        race(move |start| {
            let shared = Race::new(crate::Window::last_calls(2));
            let change = shared.racer(|race| {
                let config = config(crate::Window::unbounded());
                race.window.reconfigure(&config, &Moment::at(&race.clock, Tick(0)));
            });
            let ((), recorded) = start.two(change, shared.racer(move |race| race.record(call, 0)));
            assert_ne!(recorded, Recorded::Late);
            let (failed, counts) = (u64::from(call.is_failure()), shared.counts(0));
            assert!(counts.calls <= 1 && counts.failures == failed * counts.calls);
            assert_eq!((counts.consecutive_failures, counts.consecutive_successes), (failed, 1 - failed));
            assert_eq!(shared.window.totals(), (1 - failed, failed, 0));
        });
    }
}
