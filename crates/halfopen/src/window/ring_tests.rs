use super::*;

const FAILURE: Kind = Kind { failure: true, slow: false };
const SUCCESS: Kind = Kind { failure: false, slow: false };
const SLOW: Kind = Kind { failure: false, slow: true };

/// Enough to leave every window behind; where each step is interpreted, all but the longest.
const PLACES: u64 = if cfg!(miri) { 40 } else { 1000 };

/// A ring with what the rest of a window keeps for it.
struct Bench {
    ring: Ring,
    sums: Sums,
    total: u64,
    turn: bool,
}

impl Bench {
    fn new(size: u32, total: u64) -> Bench {
        let sums = Sums::default();
        Bench { ring: Ring::new(size, total, &sums), sums, total, turn: false }
    }

    fn record(&mut self, kind: Kind) {
        self.total += 1;
        self.sums = self.sums.with(kind);
        if !kind.is_plain() {
            self.turn = !self.turn;
            let total = self.total;
            self.ring.note(self.turn, kind, || total, || true).expect("nobody else is there");
        }
    }

    fn lying(&self) -> (u64, u64) {
        let Marked { failures, slow } = self.ring.lying(self.turn, &self.sums, self.total);
        (failures, slow)
    }
}

#[test]
fn what_was_marked_slides_out_after_as_many_outcomes_as_the_window_holds() {
    for (size, before) in [(1, 5), (2, 0), (5, 6), (6, 5), (7, 1 << 50), (12, 5), (13, 5), (100, 5)] {
        let mut bench = Bench::new(size, before);
        let mut history = Vec::new();
        for place in 0..PLACES {
            let kind = Kind { failure: place % 7 == 3, slow: place % 11 < 2 && place % 400 > 150 };
            bench.record(kind);
            history.push(kind);
            let last = history.iter().rev().take(size as usize);
            let count = |mark: fn(&Kind) -> bool| last.clone().filter(|kind| mark(kind)).count() as u64;
            let expected = (count(|kind| kind.failure), count(|kind| kind.slow));
            assert_eq!(bench.lying(), expected, "size {size}, place {place}");
        }
    }
}

#[test]
fn a_late_helper_marks_nothing() {
    let mut bench = Bench::new(2, 0);
    bench.record(FAILURE);
    for _ in 0..30 {
        bench.record(SLOW);
    }
    bench.ring.mark(0, FAILURE);
    assert_eq!(bench.lying(), (0, 2));
    let place = bench.total - 1;
    bench.ring.mark(place, SLOW);
    assert_eq!(bench.lying(), (0, 2), "and twice is once");
    bench.record(SUCCESS);
    bench.record(SUCCESS);
    assert_eq!(bench.lying(), (0, 0), "also when it slides out");
}

#[test]
fn helpers_who_count_differently_keep_to_the_place_that_was_decided() {
    let mut bench = Bench::new(2, 0);
    bench.record(FAILURE);
    bench.record(FAILURE);
    // Successes have come in since, and would have pushed both out.
    assert_eq!(bench.ring.note(bench.turn, FAILURE, || 9, || true), Some(()));
    assert_eq!(bench.lying(), (2, 0));
}

#[test]
fn a_helper_who_finds_the_outcome_marked_counts_nothing_out() {
    let mut bench = Bench::new(20, 3);
    for kind in [FAILURE, SLOW, SUCCESS, Kind { failure: true, slow: true }, SUCCESS, SUCCESS, FAILURE] {
        bench.record(kind);
        if kind.is_plain() {
            continue;
        }
        let asked = std::cell::Cell::new(0);
        let unmoved = || {
            asked.set(asked.get() + 1);
            true
        };
        assert_eq!(bench.ring.note(bench.turn, kind, || 99, unmoved), Some(()));
        assert_eq!(asked.get(), 1, "and not again after counting");
    }
}

#[test]
fn a_helper_who_finds_others_gone_on_leaves_the_cuts_alone() {
    let mut bench = Bench::new(2, 0);
    bench.record(FAILURE);
    assert_eq!(bench.ring.note(bench.turn, FAILURE, || 9, || false), None);
    assert_eq!(bench.lying(), (1, 0));
}

#[test]
fn a_helper_who_finds_others_gone_on_decides_no_place() {
    let mut bench = Bench::new(2, 0);
    bench.record(FAILURE);
    bench.record(FAILURE);
    // Of the failure before, and it has seen successes that came since.
    assert_eq!(bench.ring.note(!bench.turn, FAILURE, || 9, || false), None);
    assert_eq!(bench.ring.note(bench.turn, FAILURE, || 10, || true), Some(()));
    bench.total += 1;
    assert_eq!(bench.lying(), (1, 0), "one place each");
}

#[test]
fn an_emptied_window_remembers_nothing() {
    let mut bench = Bench::new(12, 0);
    for _ in 0..5 {
        bench.record(FAILURE);
    }
    bench.ring.begin_at(bench.total, &bench.sums);
    assert_eq!(bench.lying(), (0, 0));
    bench.record(FAILURE);
    assert_eq!(bench.lying(), (1, 0), "in a block that it shares with what went before");
}
