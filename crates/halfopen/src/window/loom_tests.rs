//! The races of a window, every interleaving of them (bounded in preemptions, see `.ci/loom`).
//!
//! Each model says what it protects; the mutation named with it makes it fail.

mod time;

use std::sync::Arc;

use super::ring::Ring;
use super::*;
use crate::clock::Clock;
use crate::config::Trip;
use crate::loom_tests::race::{race, race_of_three};
use crate::word::{State, StateWord, Word};

const SUCCESS: Kind = Kind { failure: false, slow: false };
const FAILURE: Kind = Kind { failure: true, slow: false };

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
            state: StateWord::new(Word::new(1, State::Closed)),
            window: Window::new(1, config, Tick(0)),
        })
    }

    /// What a racer does with it.
    fn racer<T>(self: &Arc<Race>, act: impl FnOnce(&Race) -> T + 'static) -> impl FnOnce() -> T + 'static {
        let race = Arc::clone(self);
        move || act(&race)
    }

    fn record(&self, kind: Kind, now: u64) -> Recorded {
        let moment = Moment::at(&self.clock, Tick(now));
        self.window.record(&self.state, Word::new(1, State::Closed), kind, &moment)
    }

    /// What a transition does: the window first, the word last.
    fn begin(&self, epoch: u64, window: crate::Window) {
        let odd = self.window.begin(epoch, &config(window), Tick(0));
        self.state.publish(Word::new(epoch, State::Closed).with_generation(odd));
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

/// An outcome of epoch e is in no window of a later epoch, and is counted once in any case.
///
/// Fails without `plain.bump()` in `begin` (a success slips in), if `record_plain` adds to its stripe
/// whatever it holds (the same), with `turned()` left out (a writer finds the wrong frame), or with
/// `record_step` not asking for the epoch of the frame it was given (a failure slips in).
#[test]
fn an_outcome_is_in_no_window_of_a_later_epoch() {
    for window in [crate::Window::last_calls(2), crate::Window::unbounded()] {
        for kind in [SUCCESS, FAILURE] {
            race(move |start| {
                let shared = Race::new(window);
                let begin = shared.racer(move |race| {
                    race.begin(2, window);
                    assert_eq!(race.counts(0), Counts::default(), "the new window is empty");
                });
                let ((), recorded) = start.two(begin, shared.racer(move |race| race.record(kind, 0)));
                assert_eq!(shared.counts(0), Counts::default(), "and stays so");
                let (successes, failures, _) = shared.window.totals();
                assert_eq!(successes + failures, u64::from(recorded != Recorded::Late));
            });
        }
    }
}

/// No outcome is lost or doubled, and each writer is given the counts of its own moment.
///
/// Fails if `apply` takes a sum without asking whether the head is unmoved. (That a late helper writes
/// nothing into the ring is held by a unit test beside the ring.)
#[test]
fn two_steps_at_once_are_two_steps_in_some_order() {
    race(|start| {
        let shared = Race::new(crate::Window::last_calls(2));
        let failure = || shared.racer(|race| race.record(FAILURE, 0));
        let (first, second) = start.two(failure(), failure());
        let calls = |recorded| match recorded {
            Recorded::Counts(counts) => (counts.calls, counts.failures, counts.consecutive_failures),
            Recorded::Quiet | Recorded::Late => panic!("a failure is always weighed"),
        };
        let mut seen = [calls(first), calls(second)];
        seen.sort_unstable();
        assert_eq!(seen, [(1, 1, 1), (2, 2, 2)]);
        shared.record(SUCCESS, 0);
        assert_eq!((shared.counts(0).calls, shared.counts(0).failures), (2, 1), "the older one slides out");
    });
}

/// A plain success and a failure that pass each other and are enough for a rule together: at least one of
/// them weighs both.
///
/// Fails without the fence between the write of the stripe and the look around (sequentially
/// consistent accesses, for which it stands, outside the models).
#[test]
fn of_a_success_and_a_failure_one_sees_both() {
    for window in [crate::Window::unbounded(), crate::Window::last_calls(2)] {
        race(move |start| {
            let shared = Race::by(&half_of(2, window));
            let record = |kind| shared.racer(move |race| race.record(kind, 0));
            let (failure, success) = start.two(record(FAILURE), record(SUCCESS));
            let both = [success, failure];
            let saw_both = both.iter().any(|recorded| match recorded {
                Recorded::Counts(counts) => counts.calls == 2 && counts.failures == 1,
                Recorded::Quiet | Recorded::Late => false,
            });
            assert!(saw_both, "{both:?}");
        });
    }
}

/// A failure whose writer is held up, the success that ends its run, and another success: one of the three
/// weighs them all.
///
/// Fails if the success that is a step is no trouble for the one after it.
#[test]
fn of_a_failure_and_two_successes_after_it_one_sees_all() {
    for window in [crate::Window::unbounded(), crate::Window::last_calls(3)] {
        race(move |start| {
            let shared = Race::by(&half_of(3, window));
            let failure = shared.racer(|race| race.record(FAILURE, 0));
            let successes = shared.racer(|race| [race.record(SUCCESS, 0), race.record(SUCCESS, 0)]);
            let (failure, [first, second]) = start.two(failure, successes);
            let all = [failure, first, second];
            let saw_all = all.iter().any(|recorded| match recorded {
                Recorded::Counts(counts) => counts.calls == 3 && counts.failures == 1,
                Recorded::Quiet | Recorded::Late => false,
            });
            assert!(saw_all, "{all:?}");
        });
    }
}

/// Two failures at once in a window that is full of others: whatever slides out is counted out once, and
/// both lie in the window after.
///
/// Fails if a helper writes what it has counted out without asking whether the head is unmoved.
#[test]
fn what_slides_out_is_counted_out_once() {
    race(|start| {
        let shared = Race::new(crate::Window::last_calls(2));
        shared.record(FAILURE, 0);
        shared.record(SUCCESS, 0);
        let failure = || shared.racer(|race| race.record(FAILURE, 0));
        start.two(failure(), failure());
        assert_eq!((shared.counts(0).calls, shared.counts(0).failures), (2, 2));
        shared.record(SUCCESS, 0);
        assert_eq!((shared.counts(0).calls, shared.counts(0).failures), (2, 1));
    });
}

/// A writer who is held up while two others go on in a full window is told what lies in it by then.
///
/// On the first thread only: with the others there it has too many executions. Fails if it takes the window
/// for unmoved: the two cuts of that time have been written over.
#[test]
fn a_writer_who_is_held_up_is_told_of_no_more_than_the_window_holds() {
    loom::model(|| {
        let shared = Race::new(crate::Window::last_calls(2));
        shared.record(SUCCESS, 0);
        shared.record(SUCCESS, 0);
        let others = loom::thread::spawn(shared.racer(|race| [(); 2].map(|()| race.record(FAILURE, 0))));
        let Recorded::Counts(counts) = shared.record(FAILURE, 0) else {
            panic!("a failure is always weighed")
        };
        others.join().unwrap();
        assert_eq!(counts.calls, 2);
        assert!((1..=2).contains(&counts.failures), "{counts:?}");
    });
}

/// A plain success that passes a failure: wherever the failure lies, all who help agree.
///
/// Fails if a helper whose place is not the one that was decided goes on with its own.
#[test]
fn helpers_agree_where_a_failure_lies() {
    race_of_three(|start| {
        let total = Arc::new(AtomicU64::new(1));
        let (none, one) = (Sums::default(), Sums::default().with(FAILURE));
        let ring = Ring::new(2, 0, &none);
        ring.note(true, FAILURE, || 1, || true).unwrap();
        let helper = || {
            let (ring, total) = (ring.clone(), Arc::clone(&total));
            move || ring.note(false, FAILURE, || total.load(Ordering::Acquire) + 1, || true).unwrap()
        };
        let passing = Arc::clone(&total);
        start.three(helper(), helper(), move || passing.fetch_add(1, Ordering::AcqRel));
        let lying = ring.lying(false, &one.with(FAILURE), 3);
        assert_eq!(lying.failures, 1, "of the last two outcomes one failed");
    });
}

/// Trouble that comes while the trouble before it is settled is weighed all the same.
///
/// Fails if the trouble is forgotten whatever it is by then, or read after the counts it is judged by.
#[test]
fn new_trouble_is_not_settled_with_the_old() {
    for window in [crate::Window::unbounded(), crate::Window::last_calls(9)] {
        race(move |start| {
            let shared = Race::by(&half_of(9, window));
            shared.record(FAILURE, 0);
            shared.record(SUCCESS, 0);
            shared.record(SUCCESS, 0);
            let settle = shared.racer(|race| {
                let moment = Moment::at(&race.clock, Tick(0));
                race.window.settle_trouble(&moment, |_, counts| counts.failures * 2 >= counts.calls);
            });
            start.two(shared.racer(|race| race.record(FAILURE, 0)), settle);
            assert_ne!(shared.window.trouble(), 0);
        });
    }
}

/// Wherever a success falls among three failures, two of them follow each other, and one of the
/// writers is told so.
///
/// Fails if the run is read after the step instead of with it.
#[test]
fn a_run_of_failures_is_seen_by_the_one_that_completes_it() {
    race(|start| {
        let shared = Race::new(crate::Window::unbounded());
        let failures = shared.racer(|race| [(); 3].map(|()| race.record(FAILURE, 0)));
        let (failures, _) = start.two(failures, shared.racer(|race| race.record(SUCCESS, 0)));
        let run = |recorded| match recorded {
            Recorded::Counts(counts) => counts.consecutive_failures,
            Recorded::Quiet | Recorded::Late => 0,
        };
        let longest = failures.into_iter().map(run).max();
        assert!(longest >= Some(2), "{longest:?}");
    });
}

/// A failure and two successes follow each other in some order, so one of the two runs goes on, and one
/// alone; the successes that begin when the failure is there are both in their run.
///
/// Fails if the run of successes is broken by the writer of the failure after its step instead of with it,
/// or if `counts` looks for successes in a row where there is a failure in a row.
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

/// A configuration swapped under a running call: its outcome is in the new window or forgotten with
/// the old one, the run is kept, and nothing is counted twice.
///
/// Fails if the frame before is not kept until the head is turned (the call waits for ever).
#[test]
fn a_call_survives_a_change_of_its_window() {
    for kind in [FAILURE, SUCCESS] {
        race(move |start| {
            let shared = Race::new(crate::Window::last_calls(2));
            let change = shared.racer(|race| {
                let config = config(crate::Window::unbounded());
                let odd = race.window.reconfigure(&config, &Moment::at(&race.clock, Tick(0)));
                race.state.publish(Word::new(1, State::Closed).with_generation(odd));
            });
            let ((), recorded) = start.two(change, shared.racer(move |race| race.record(kind, 0)));
            assert_ne!(recorded, Recorded::Late);
            let (failed, counts) = (u64::from(kind.failure), shared.counts(0));
            assert!(counts.calls <= 1 && counts.failures == failed * counts.calls);
            assert_eq!((counts.consecutive_failures, counts.consecutive_successes), (failed, 1 - failed));
            assert_eq!(shared.window.totals(), (1 - failed, failed, 0));
        });
    }
}
