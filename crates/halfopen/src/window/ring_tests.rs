use super::*;
use crate::outcome::Ended;

const FAILURE: Finished = Finished::untimed(Ended::Failure);
const SUCCESS: Finished = Finished::untimed(Ended::Success);

/// Enough to leave every window behind; where each step is interpreted, all but the longest.
const PLACES: u64 = if cfg!(miri) { 40 } else { 1000 };

/// A ring with the count of all outcomes, which the rest of a window keeps.
struct Bench {
    ring: Ring,
    total: u64,
}

impl Bench {
    fn new(size: u32, total: u64) -> Bench {
        Bench { ring: Ring::new(size, total), total }
    }

    fn record(&mut self, call: Finished) {
        self.total += 1;
        if !call.is_plain() {
            self.ring.mark(self.total, &call);
        }
    }

    fn counts(&self) -> (u64, u64, u64) {
        let counts = self.ring.counts(self.total);
        (counts.calls, counts.failures, counts.slow)
    }
}

#[test]
fn marks_leave_after_as_many_outcomes_as_the_size() {
    for (size, before) in
        [(1, 5), (2, 0), (5, 6), (31, 5), (32, 31), (33, 1 << 50), (64, 63), (65, 2), (100, 5)]
    {
        let mut bench = Bench::new(size, before);
        let mut history = Vec::new();
        for place in 0..PLACES {
            let slow = place % 11 < 2 && place % 400 > 150;
            let call = Finished { slow, ..if place % 7 == 3 { FAILURE } else { SUCCESS } };
            bench.record(call);
            history.push(call);
            let last = history.iter().rev().take(size as usize);
            let count = |mark: fn(&Finished) -> bool| last.clone().filter(|call| mark(call)).count() as u64;
            let expected = (last.len() as u64, count(Finished::is_failure), count(|call| call.slow));
            assert_eq!(bench.counts(), expected, "size {size}, place {place}");
        }
    }
}

#[test]
fn successes_alone_make_no_words() {
    let mut bench = Bench::new(100, 0);
    (0..1000).for_each(|_| bench.record(SUCCESS));
    assert_eq!((bench.counts(), bench.ring.words.len()), ((100, 0, 0), 0));
    bench.record(FAILURE);
    assert_eq!((bench.counts(), bench.ring.words.len()), ((100, 1, 0), 4));
}

#[test]
fn an_emptied_window_remembers_nothing() {
    let mut bench = Bench::new(12, 0);
    (0..5).for_each(|_| bench.record(FAILURE));
    bench.ring.begin(bench.total);
    assert_eq!((bench.counts(), bench.ring.seen()), ((0, 0, 0), 0));
    bench.record(FAILURE);
    assert_eq!(bench.counts(), (1, 1, 0), "in a word that it shares with the window before");
    (0..12).for_each(|_| bench.record(SUCCESS));
    assert_eq!(bench.counts(), (12, 0, 0));
}

#[test]
fn looking_at_a_window_changes_nothing() {
    let mut bench = Bench::new(4, 0);
    (0..4).for_each(|_| bench.record(FAILURE));
    let later = bench.ring.counts(bench.total + 3);
    assert_eq!((later.calls, later.failures), (4, 1));
    assert_eq!(bench.counts(), (4, 4, 0));
}
