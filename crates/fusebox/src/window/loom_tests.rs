//! The races of a window, every interleaving of them (bounded in preemptions, see `.ci/loom`).
//!
//! Each model says what it protects; the mutation named with it makes it fail.

use loom::sync::Arc;
use loom::thread;

use super::marks::{Found, Marks, Since};
use super::ring::Ring;
use super::*;
use crate::clock::Clock;
use crate::state::{StateWord, Word};
use crate::{State, Trip};

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
            loom::model(move || {
                let race = Race::new(window);
                let other = Arc::clone(&race);
                let late = thread::spawn(move || other.record(kind, 0));
                race.begin(2, window);
                assert_eq!(race.counts(0), Counts::default(), "the new window is empty");
                let recorded = late.join().unwrap();
                assert_eq!(race.counts(0), Counts::default(), "and stays so");
                let (successes, failures, _) = race.window.totals();
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
    loom::model(|| {
        let race = Race::new(crate::Window::last_calls(2));
        let other = Arc::clone(&race);
        let first = thread::spawn(move || other.record(FAILURE, 0));
        let second = race.record(FAILURE, 0);
        let first = first.join().unwrap();
        let calls = |recorded| match recorded {
            Recorded::Counts(counts) => (counts.calls, counts.failures, counts.consecutive_failures),
            Recorded::Quiet | Recorded::Late => panic!("a failure is always weighed"),
        };
        let mut seen = [calls(first), calls(second)];
        seen.sort_unstable();
        assert_eq!(seen, [(1, 1, 1), (2, 2, 2)]);
        race.record(SUCCESS, 0);
        assert_eq!((race.counts(0).calls, race.counts(0).failures), (2, 1), "the older one slides out");
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
        loom::model(move || {
            let race = Race::by(&half_of(2, window));
            let other = Arc::clone(&race);
            let success = thread::spawn(move || other.record(SUCCESS, 0));
            let failure = race.record(FAILURE, 0);
            let both = [success.join().unwrap(), failure];
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
        loom::model(move || {
            let race = Race::by(&half_of(3, window));
            let other = Arc::clone(&race);
            let successes = thread::spawn(move || [other.record(SUCCESS, 0), other.record(SUCCESS, 0)]);
            let failure = race.record(FAILURE, 0);
            let [first, second] = successes.join().unwrap();
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
    loom::model(|| {
        let race = Race::new(crate::Window::last_calls(2));
        race.record(FAILURE, 0);
        race.record(SUCCESS, 0);
        let other = Arc::clone(&race);
        let first = thread::spawn(move || other.record(FAILURE, 0));
        race.record(FAILURE, 0);
        first.join().unwrap();
        assert_eq!((race.counts(0).calls, race.counts(0).failures), (2, 2));
        race.record(SUCCESS, 0);
        assert_eq!((race.counts(0).calls, race.counts(0).failures), (2, 1));
    });
}

/// A writer who is held up while two others go on in a full window is told what lies in it by then.
///
/// Fails if it takes the window for unmoved: the two cuts of that time have been written over.
#[test]
fn a_writer_who_is_held_up_is_told_of_no_more_than_the_window_holds() {
    loom::model(|| {
        let race = Race::new(crate::Window::last_calls(2));
        race.record(SUCCESS, 0);
        race.record(SUCCESS, 0);
        let other = Arc::clone(&race);
        let others = thread::spawn(move || [other.record(FAILURE, 0), other.record(FAILURE, 0)]);
        let Recorded::Counts(counts) = race.record(FAILURE, 0) else { panic!("a failure is always weighed") };
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
    loom::model(|| {
        let total = Arc::new(AtomicU64::new(1));
        let (none, one) = (Sums::default(), Sums::default().with(FAILURE));
        let ring = Ring::new(2, 0, &none);
        ring.note(true, FAILURE, || 1, || true).unwrap();
        let (other, count) = (ring.clone(), Arc::clone(&total));
        let note = move |ring: &Ring, count: &AtomicU64| {
            ring.note(false, FAILURE, || count.load(Ordering::Acquire) + 1, || true).unwrap();
        };
        let helper = thread::spawn(move || note(&other, &count));
        let passing = {
            let total = Arc::clone(&total);
            thread::spawn(move || total.fetch_add(1, Ordering::AcqRel))
        };
        note(&ring, &total);
        helper.join().unwrap();
        passing.join().unwrap();
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
        loom::model(move || {
            let race = Race::by(&half_of(9, window));
            race.record(FAILURE, 0);
            race.record(SUCCESS, 0);
            race.record(SUCCESS, 0);
            let other = Arc::clone(&race);
            let settling = thread::spawn(move || {
                let moment = Moment::at(&other.clock, Tick(0));
                other.window.settle_trouble(&moment, |_, counts| counts.failures * 2 >= counts.calls);
            });
            race.record(FAILURE, 0);
            settling.join().unwrap();
            assert_ne!(race.window.trouble(), 0);
        });
    }
}

/// Wherever a success falls among three failures, two of them follow each other, and one of the
/// writers is told so.
///
/// Fails if the run is read after the step instead of with it.
#[test]
fn a_run_of_failures_is_seen_by_the_one_that_completes_it() {
    loom::model(|| {
        let race = Race::new(crate::Window::unbounded());
        let other = Arc::clone(&race);
        let success = thread::spawn(move || other.record(SUCCESS, 0));
        let longest = (0..3)
            .map(|_| match race.record(FAILURE, 0) {
                Recorded::Counts(counts) => counts.consecutive_failures,
                Recorded::Quiet | Recorded::Late => 0,
            })
            .max();
        success.join().unwrap();
        assert!(longest >= Some(2), "{longest:?}");
    });
}

/// Two threads that find the bucket over: the window rolls once and keeps both outcomes.
///
/// Fails if a mark is written when the window stands at that bucket already.
#[test]
fn a_bucket_rolls_once() {
    loom::model(|| {
        let race = Race::new(last(10));
        race.record(FAILURE, 0);
        let other = Arc::clone(&race);
        let first = thread::spawn(move || other.record(FAILURE, 5));
        race.record(SUCCESS, 6);
        first.join().unwrap();
        let at = |now| (race.counts(now).calls, race.counts(now).failures);
        assert_eq!(at(9), (3, 2));
        assert_eq!(at(10), (2, 1), "the first bucket has left");
        assert_eq!(at(15), (0, 0));
    });
}

/// A writer whose bucket is written over by somebody who is held up finishes all the same.
///
/// Fails if it waits for them (for ever).
#[test]
fn a_writer_waits_for_nobody_who_rolls_the_window_on() {
    loom::model(|| {
        let race = Race::new(last(10));
        let other = Arc::clone(&race);
        let rolling = thread::spawn(move || other.record(FAILURE, 10));
        assert_ne!(race.record(FAILURE, 0), Recorded::Late);
        assert_ne!(rolling.join().unwrap(), Recorded::Late);
        // Before the roll it lies in a bucket that has left by now, after it in the current one.
        let counts = race.counts(10);
        assert!((1..=2).contains(&counts.failures) && counts.calls == counts.failures, "{counts:?}");
    });
}

/// A configuration swapped under a running call: its outcome is in the new window or forgotten with
/// the old one, the run is kept, and nothing is counted twice.
///
/// Fails if the frame before is not kept until the head is turned (the call waits for ever).
#[test]
fn a_call_survives_a_change_of_its_window() {
    loom::model(|| {
        let race = Race::new(crate::Window::last_calls(2));
        let other = Arc::clone(&race);
        let call = thread::spawn(move || other.record(FAILURE, 0));
        let odd =
            race.window.reconfigure(&config(crate::Window::unbounded()), &Moment::at(&race.clock, Tick(0)));
        race.state.publish(Word::new(1, State::Closed).with_generation(odd));
        assert_ne!(call.join().unwrap(), Recorded::Late);
        let counts = race.counts(0);
        assert!(counts.calls <= 1 && counts.calls == counts.failures);
        assert_eq!(counts.consecutive_failures, 1);
        assert_eq!(race.window.totals(), (0, 1, 0));
    });
}

/// A mark that is written over while it is looked at is found as it was, or to have moved.
///
/// Fails if a mark that is written over does not say so before anything else.
#[test]
fn a_mark_is_found_as_it_was_or_to_have_moved() {
    loom::model(|| {
        let sums = [1, 2, 3].map(|n| Sums { successes: n, failures: n, slow: n });
        let since = |n| Since { successes: n, failures: n, slow: n };
        let marks = Marks::new(Tick(0), 10, 2, true, &sums[0], 1);
        marks.aim(1);
        marks.roll(&sums[1], 2);
        let other = marks.clone();
        let rolling = thread::spawn(move || {
            other.aim(2);
            other.roll(&sums[2], 3);
        });
        match marks.since(Tick(5)) {
            Found::Since(found) => assert!([since(1), since(2)].contains(&found), "{found:?}"),
            found => assert_eq!(found, Found::Moved),
        }
        rolling.join().unwrap();
        assert_eq!(marks.since(Tick(10)), Found::Since(since(2)));
    });
}

/// Helpers of one roll for which somebody has aimed further meanwhile: wherever each of them goes, no
/// half of a mark is taken for the beginning.
///
/// Fails if a mark says that it is whole before it is.
#[test]
fn helpers_who_roll_to_different_buckets_leave_no_mark_half_written() {
    loom::model(|| {
        let sums = Sums { successes: 1, failures: 1, slow: 1 };
        let marks = Marks::new(Tick(0), 10, 2, true, &Sums::default(), 0);
        marks.aim(1);
        let other = marks.clone();
        let helper = thread::spawn(move || other.roll(&sums, 1));
        marks.aim(2);
        marks.roll(&sums, 1);
        let since = Since { successes: 1, failures: 1, slow: 1 };
        assert_eq!(marks.since(Tick(10)), Found::Since(since));
        helper.join().unwrap();
    });
}
