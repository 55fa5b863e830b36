//! The calls over time, in a bounded number of buckets.

use serde::Serialize;

use super::truth::Worth;
use crate::call::Nanos;

/// The buckets of a series. Twice as many are merged in pairs.
const BUCKETS: usize = 400;
/// Doubled three times it is a second, the resolution of many logs.
const FIRST_WIDTH: Nanos = 125_000_000;

/// The calls of one bucket.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Bucket {
    /// Calls of the log.
    pub calls: u64,
    /// Late answers of the log.
    pub late: u64,
    /// Failures of the log.
    pub bad: u64,
    /// The calls of each setting.
    pub runs: Vec<RunBucket>,
}

/// The calls of one bucket with one setting.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct RunBucket {
    /// Rejected calls.
    pub rejected: u64,
    /// Rejected calls that succeeded late in the log.
    pub rejected_late: u64,
    /// Rejected calls that failed in the log.
    pub rejected_bad: u64,
    /// The time that rejected failures and late answers took in the log, in seconds.
    pub wait_saved: f64,
    /// The most breakers that were not closed at a time.
    pub open: u32,
}

/// The calls over time.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// The length of a bucket in nanoseconds.
    pub width: Nanos,
    /// The buckets from the start of the log on.
    pub buckets: Vec<Bucket>,
    /// The breakers of each setting that are not closed.
    #[serde(skip)]
    open: Vec<u32>,
    /// The end of the last bucket.
    #[serde(skip)]
    end: Nanos,
}

impl Series {
    pub(super) fn new(settings: usize) -> Series {
        Series { width: FIRST_WIDTH, buckets: Vec::new(), open: vec![0; settings], end: 0 }
    }

    /// Makes the bucket of this time the last.
    pub(super) fn advance_to(&mut self, time: Nanos) {
        while time >= self.end {
            // Doubled first, so that an idle year is a few steps.
            while time / self.width >= 2 * BUCKETS as Nanos {
                self.double();
            }
            // A breaker that is open stays so where there are no calls.
            let run = |open: &u32| RunBucket { open: *open, ..RunBucket::default() };
            let runs = self.open.iter().map(run).collect();
            self.buckets.push(Bucket { runs, ..Bucket::default() });
            self.end = self.width.saturating_mul(self.buckets.len() as Nanos);
        }
    }

    pub(super) fn add(&mut self, worth: Worth) {
        let Some(last) = self.buckets.last_mut() else { return };
        last.calls += 1;
        match worth {
            Worth::Good | Worth::Unknown => {}
            Worth::Late => last.late += 1,
            Worth::Bad => last.bad += 1,
        }
    }

    /// Notes the breakers of a setting that are not closed.
    pub(super) fn note_open(&mut self, place: usize, open: u32) {
        if self.open[place] == open {
            return;
        }
        self.open[place] = open;
        if let Some(last) = self.buckets.last_mut() {
            let run = &mut last.runs[place];
            run.open = run.open.max(open);
        }
    }

    /// Returns the series in no more buckets than this.
    #[cfg(feature = "html")]
    pub(crate) fn in_buckets(&self, most: usize) -> Series {
        let mut series = self.clone();
        while series.buckets.len() > most.max(1) {
            series.double();
        }
        series
    }

    /// Adds a call that a setting rejected.
    #[cold]
    pub(super) fn reject(&mut self, place: usize, worth: Worth, took: Nanos) {
        let Some(last) = self.buckets.last_mut() else { return };
        let run = &mut last.runs[place];
        run.rejected += 1;
        let count = match worth {
            Worth::Good | Worth::Unknown => return,
            Worth::Late => &mut run.rejected_late,
            Worth::Bad => &mut run.rejected_bad,
        };
        *count += 1;
        run.wait_saved += took as f64 / 1e9;
    }

    fn double(&mut self) {
        self.width *= 2;
        let mut merged: Vec<Bucket> = Vec::with_capacity(2 * BUCKETS);
        for (place, bucket) in self.buckets.drain(..).enumerate() {
            match merged.last_mut().filter(|_| place % 2 == 1) {
                Some(before) => before.merge(&bucket),
                None => merged.push(bucket),
            }
        }
        self.buckets = merged;
        self.end = self.width.saturating_mul(self.buckets.len() as Nanos);
    }
}

impl Bucket {
    fn merge(&mut self, other: &Bucket) {
        self.calls += other.calls;
        self.late += other.late;
        self.bad += other.bad;
        for (run, other) in self.runs.iter_mut().zip(&other.runs) {
            run.rejected += other.rejected;
            run.rejected_late += other.rejected_late;
            run.rejected_bad += other.rejected_bad;
            run.wait_saved += other.wait_saved;
            run.open = run.open.max(other.open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_keeps_all_calls_in_bounded_memory() {
        let mut series = Series::new(1);
        let hour = 3_600_000_000_000;
        for call in 0..100_000_u64 {
            series.advance_to(call * hour / 100);
            series.add(Worth::Bad);
            series.note_open(0, 1);
            if call % 2 == 0 {
                series.reject(0, Worth::Bad, 1_000_000_000);
            }
        }
        let sum = |of: fn(&Bucket) -> u64| series.buckets.iter().map(of).sum::<u64>();
        assert_eq!(
            (sum(|it| it.calls), sum(|it| it.bad), sum(|it| it.runs[0].rejected_bad)),
            (100_000, 100_000, 50_000)
        );
        assert!((BUCKETS..=2 * BUCKETS).contains(&series.buckets.len()), "{}", series.buckets.len());
    }

    #[test]
    fn a_breaker_stays_open_where_there_are_no_calls() {
        let mut series = Series::new(1);
        series.advance_to(0);
        series.note_open(0, 1);
        series.advance_to(3 * FIRST_WIDTH);
        series.note_open(0, 0);
        series.advance_to(4 * FIRST_WIDTH);
        assert_eq!(series.buckets.iter().map(|it| it.runs[0].open).collect::<Vec<_>>(), [1, 1, 1, 1, 0]);
    }

    #[test]
    fn a_long_pause_is_a_few_steps() {
        let mut series = Series::new(1);
        series.advance_to(0);
        series.advance_to(Nanos::MAX / 2);
        assert!(series.buckets.len() <= 2 * BUCKETS);
    }
}
