//! The windows as plain arithmetic, one owner, no atomics: what the lock-free ones are compared with.

use std::collections::VecDeque;

use crate::clock::Tick;
use crate::config::Form;
use crate::counts::Counts;

/// The contents of a window, and the run that does not slide with it.
#[derive(Clone, Debug)]
pub(crate) struct Oracle {
    form: Form,
    anchor: Tick,
    /// Count window: every outcome; time windows: one entry a bucket, by its index.
    calls: VecDeque<(u64, Cell)>,
    sum: Cell,
    current: u64,
    failures_in_a_row: u64,
    successes_in_a_row: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    calls: u64,
    failures: u64,
    slow: u64,
}

impl Oracle {
    pub(crate) fn new(form: Form, now: Tick) -> Oracle {
        Oracle {
            form,
            anchor: now,
            calls: VecDeque::new(),
            sum: Cell::default(),
            current: 0,
            failures_in_a_row: 0,
            successes_in_a_row: 0,
        }
    }

    /// The same run, nothing else: the geometry has changed (S30).
    pub(crate) fn reshaped(&self, form: Form, now: Tick) -> Oracle {
        let mut before = self.clone();
        before.roll(now);
        Oracle {
            failures_in_a_row: before.failures_in_a_row,
            successes_in_a_row: before.successes_in_a_row,
            ..Oracle::new(form, now)
        }
    }

    pub(crate) fn record(&mut self, failure: bool, slow: bool, now: Tick) -> Counts {
        self.roll(now);
        let cell = Cell { calls: 1, failures: failure.into(), slow: slow.into() };
        self.add(cell);
        if failure {
            (self.failures_in_a_row, self.successes_in_a_row) = (self.failures_in_a_row + 1, 0);
        } else {
            (self.failures_in_a_row, self.successes_in_a_row) = (0, self.successes_in_a_row + 1);
        }
        self.read()
    }

    pub(crate) fn counts(&self, now: Tick) -> Counts {
        let mut later = self.clone();
        later.roll(now);
        later.read()
    }

    fn add(&mut self, cell: Cell) {
        self.sum.calls += 1;
        self.sum.failures += cell.failures;
        self.sum.slow += cell.slow;
        match self.form {
            Form::LastCalls(size) => {
                self.calls.push_back((0, cell));
                if self.calls.len() > size as usize {
                    self.drop_oldest();
                }
            }
            Form::Time { .. } | Form::Tumbling { .. } => match self.calls.back_mut() {
                Some((index, last)) if *index == self.current => {
                    last.calls += 1;
                    last.failures += cell.failures;
                    last.slow += cell.slow;
                }
                _ => self.calls.push_back((self.current, cell)),
            },
            Form::Unbounded => {}
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, old)) = self.calls.pop_front() {
            self.sum.calls -= old.calls;
            self.sum.failures -= old.failures;
            self.sum.slow -= old.slow;
        }
    }

    fn roll(&mut self, now: Tick) {
        let (length, buckets) = match self.form {
            Form::Time { nanos, buckets } => (nanos, buckets),
            Form::Tumbling { nanos } => (nanos, 1),
            Form::LastCalls(_) | Form::Unbounded => return,
        };
        let index = u128::from(now.since(self.anchor)) * u128::from(buckets) / u128::from(length.max(1));
        let index = u64::try_from(index).unwrap_or(u64::MAX);
        if index <= self.current {
            return;
        }
        self.current = index;
        while self.calls.front().is_some_and(|&(oldest, _)| oldest + u64::from(buckets) <= index) {
            self.drop_oldest();
        }
        if matches!(self.form, Form::Tumbling { .. }) {
            (self.failures_in_a_row, self.successes_in_a_row) = (0, 0);
        }
    }

    fn read(&self) -> Counts {
        Counts {
            calls: self.sum.calls,
            failures: self.sum.failures,
            successes: self.sum.calls - self.sum.failures,
            slow: self.sum.slow,
            overdue: 0,
            consecutive_failures: self.failures_in_a_row,
            consecutive_successes: self.successes_in_a_row,
        }
    }
}
