//! Plays the calls of a log against the breakers of several settings.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use halfopen::{Clock, Outcome};
use halfopen_http::{GrpcClassify, HttpClassify};

use crate::call::{Call, Keys, Nanos};
use crate::setting::Setting;

mod report;
mod run;
mod score;
mod series;
mod truth;

pub use report::{Compared, LogReport, Report, SettingReport, UNKNOWN};
pub use score::{Detected, Durations};
pub use series::{Bucket, RunBucket, Series};
pub use truth::{Credit, Worth};

use run::Run;
use truth::Truth;

/// The calls in flight that are kept. Of more, the one that ends first ends early.
const MAX_IN_FLIGHT: usize = 1 << 20;

/// A replay of calls in the order of their starts.
///
/// Each setting has a breaker per key, on a clock that follows the log. A call that a breaker admits reports its logged
/// outcome at the time at which the logged call ended. The memory depends on the number of breakers and of calls
/// in flight, and not on the number of calls.
///
/// # Examples
///
/// ```
/// use halfopen_lab::{By, Call, Keys, LoggedEnd, Replay, Setting};
/// use halfopen::Outcome;
///
/// let keys = Keys::new(By::All);
/// let mut replay = Replay::new(vec![Setting::preset("default").expect("a preset")], None);
/// for second in 0..100 {
///     let end = LoggedEnd::Outcome(if second < 50 { Outcome::Success } else { Outcome::Failure });
///     let call = Call { start: second * 1_000_000_000, took: Some(50_000_000), key: 0, end };
///     replay.push(&keys, call);
/// }
/// let report = replay.finish();
/// assert!(report.settings[0].rejected_bad > 10);
/// ```
#[derive(Debug)]
pub struct Replay {
    runs: Vec<Run>,
    truths: Vec<Truth>,
    ends: BinaryHeap<Reverse<(Nanos, u32)>>,
    /// The calls in flight by their slots, and the slots that are free.
    in_flight: Vec<Call>,
    free: Vec<u32>,
    now: Arc<AtomicU64>,
    late: Option<Nanos>,
    rules: (HttpClassify, GrpcClassify),
    /// The start of the first call.
    began: Option<Nanos>,
    log: LogReport,
    series: Series,
}

impl Replay {
    /// Creates a replay. An answer that took longer than `late` is a late one.
    pub fn new(settings: Vec<Setting>, late: Option<Nanos>) -> Replay {
        let now = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&now);
        let clock = Clock::from_nanos(move || read.load(Ordering::Relaxed));
        let series = Series::new(settings.len());
        let runs = settings.into_iter().map(|setting| Run::new(setting, clock.clone()));
        Replay {
            runs: runs.collect(),
            truths: Vec::new(),
            ends: BinaryHeap::new(),
            in_flight: Vec::new(),
            free: Vec::new(),
            now,
            late,
            rules: Default::default(),
            began: None,
            log: LogReport::default(),
            series,
        }
    }

    /// Plays a call. A call that starts before the last one starts with it.
    pub fn push(&mut self, keys: &Keys, call: Call) {
        // The clocks of the breakers start with the log.
        let began = *self.began.get_or_insert(call.start);
        let start = call.start.saturating_sub(began).max(self.now.load(Ordering::Relaxed));
        self.settle_until(start);
        if self.ends.len() >= MAX_IN_FLIGHT {
            self.log.ended_early += 1;
            self.settle_first();
        }
        self.now.store(start, Ordering::Relaxed);
        let worth = self.worth(&call);
        let took = call.took.unwrap_or(0);
        self.log.add(worth, start, took);
        self.series.advance_to(start);
        self.series.add(worth);

        let slot = self.slot(call);
        self.ends.push(Reverse((start.saturating_add(took), slot)));
        let key = call.key as usize;
        if self.truths.len() <= key {
            self.truths.resize(key + 1, Truth::default());
        }
        let judged = match worth {
            Worth::Unknown => None,
            Worth::Good | Worth::Late | Worth::Bad => self.truths[key].push(start, worth),
        };
        for (place, run) in self.runs.iter_mut().enumerate() {
            let is_admitted = run.admit(keys, call.key, slot, worth, took);
            self.series.note_open(place, run.open_breakers());
            if !is_admitted {
                self.series.reject(place, worth, took);
            }
            if let Some(judged) = judged {
                run.judge(key, judged);
            }
        }
    }

    /// Ends all calls, and returns the report.
    pub fn finish(mut self) -> Report {
        while !self.ends.is_empty() {
            self.settle_first();
        }
        for (key, truth) in std::mem::take(&mut self.truths).into_iter().enumerate() {
            for judged in truth.finish() {
                self.runs.iter_mut().for_each(|run| run.judge(key, judged));
            }
        }
        self.log.began = self.began.unwrap_or(0);
        let settings = self.runs.into_iter().map(|run| run.finish(&self.log)).collect();
        Report { log: self.log, settings, series: self.series }
    }

    fn settle_until(&mut self, start: Nanos) {
        while self.ends.peek().is_some_and(|Reverse((end, _))| *end <= start) {
            self.settle_first();
        }
    }

    fn settle_first(&mut self) {
        let Some(Reverse((end, slot))) = self.ends.pop() else { return };
        self.now.fetch_max(end, Ordering::Relaxed);
        let call = self.in_flight[slot as usize];
        for run in &mut self.runs {
            run.settle(slot, &call);
        }
        self.free.push(slot);
    }

    fn slot(&mut self, call: Call) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.in_flight[slot as usize] = call;
            return slot;
        }
        self.in_flight.push(call);
        u32::try_from(self.in_flight.len() - 1).expect("at most MAX_IN_FLIGHT slots")
    }

    fn worth(&self, call: &Call) -> Worth {
        let (http, grpc) = &self.rules;
        match call.end.outcome(http, grpc) {
            Some(Outcome::Success) if self.late.is_some_and(|late| call.took > Some(late)) => Worth::Late,
            Some(Outcome::Success) => Worth::Good,
            Some(Outcome::Failure | Outcome::Throttled) => Worth::Bad,
            Some(_) | None => Worth::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
