use super::buckets::Buckets;
use super::ring::Ring;
use crate::clock::Tick;
use crate::config::{CircuitBreakerConfig, Form, Rule};
use crate::counts::Counts;
use crate::outcome::Finished;
use crate::policy::trip;

/// The contents of a window, except its plain successes. Guarded by a lock, so it needs no atomics.
///
/// `plain` is the sum of the stripes wherever it is asked for: the plain successes, and what the stripes were
/// advanced by without one.
#[derive(Debug)]
pub(super) struct Samples {
    config: CircuitBreakerConfig,
    /// Successes that are in no stripe, less the advances of the stripes that were no success (wrapping).
    successes: u64,
    failures: u64,
    slow: u64,
    /// Failures in a row, up to the last failure.
    run: u64,
    /// All successes when that failure was recorded, or when the runs began anew.
    run_end: u64,
    /// A success that comes after fewer outcomes than these in the window can make a rate rule fire.
    arms_below: u64,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Calls(Ring),
    Time(Buckets),
}

/// Outcomes since the breaker was built. A window is a difference of two of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) successes: u64,
    pub(super) failures: u64,
    pub(super) slow: u64,
}

impl Sums {
    pub(super) fn calls(&self) -> u64 {
        self.successes.wrapping_add(self.failures)
    }

    /// Returns the counts since an earlier moment, without the runs.
    pub(super) fn since(&self, start: &Sums) -> Counts {
        counts(self.successes - start.successes, self.failures - start.failures, self.slow - start.slow)
    }
}

pub(super) fn counts(successes: u64, failures: u64, slow: u64) -> Counts {
    Counts { calls: successes + failures, successes, failures, slow, ..Counts::default() }
}

impl Samples {
    pub(super) fn new(config: CircuitBreakerConfig, now: Tick) -> Samples {
        let (arms_below, shape) = (arms_below(&config), Shape::new(config.form(), now, Sums::default()));
        Samples { config, successes: 0, failures: 0, slow: 0, run: 0, run_end: 0, arms_below, shape }
    }

    pub(super) fn config(&self) -> &CircuitBreakerConfig {
        &self.config
    }

    /// All outcomes so far.
    pub(super) fn sums(&self, plain: u64) -> Sums {
        let successes = plain.wrapping_add(self.successes);
        Sums { successes, failures: self.failures, slow: self.slow }
    }

    /// So many stripes were advanced by one without a success.
    pub(super) fn forget_advances(&mut self, stripes: u64) {
        // May wrap below zero: the sum with the stripes, which were advanced by as much, is right again.
        self.successes = self.successes.wrapping_sub(stripes);
    }

    /// An empty window.
    pub(super) fn begin(&mut self, config: CircuitBreakerConfig, now: Tick, plain: u64) {
        self.set_form(config, now, plain);
        self.begin_runs(&self.sums(plain));
    }

    /// Other rules over the same window.
    pub(super) fn set_rules(&mut self, config: CircuitBreakerConfig) {
        self.arms_below = arms_below(&config);
        self.config = config;
    }

    /// An empty window, perhaps of another form; the runs go on.
    pub(super) fn set_form(&mut self, config: CircuitBreakerConfig, now: Tick, plain: u64) {
        let sums = self.sums(plain);
        match (&mut self.shape, config.form()) {
            (Shape::Calls(ring), Form::LastCalls(size)) if ring.size() == u64::from(size) => {
                // The same size: the words of the ring are kept, so a breaker that reopens often does not allocate
                // each time.
                ring.begin(sums.calls());
            }
            (Shape::Calls(_) | Shape::Time(_), form) => self.shape = Shape::new(form, now, sums),
        }
        self.set_rules(config);
    }

    fn begin_runs(&mut self, sums: &Sums) {
        (self.run, self.run_end) = (0, sums.successes);
    }

    /// When the current bucket is over; never where there are no buckets.
    pub(super) fn edge(&self) -> Tick {
        match &self.shape {
            Shape::Calls(_) => Tick::NEVER,
            Shape::Time(buckets) => buckets.edge(),
        }
    }

    /// Begins the bucket of this moment, if it has not begun.
    pub(super) fn roll(&mut self, now: Tick, plain: u64) {
        let sums = self.sums(plain);
        // A tumbling window empties as a whole, runs included; a rolling one loses one bucket, and a run is not
        // bound to it.
        let tumbles = self.tumbles();
        let rolled = match &mut self.shape {
            Shape::Calls(_) => false,
            Shape::Time(buckets) => buckets.roll(now, &sums),
        };
        if rolled && tumbles {
            self.begin_runs(&sums);
        }
    }

    /// Whether the runs begin anew with each interval.
    fn tumbles(&self) -> bool {
        matches!(self.config.form(), Form::Tumbling { .. })
    }

    /// Whether a plain success after the next outcome can make a rate rule fire: by bringing the calls up
    /// to a minimum or, where old outcomes leave with time, by being the first after others have left.
    pub(super) fn arms(&self) -> bool {
        match &self.shape {
            // As of the last outcome that was marked: some more since then arm for nothing.
            Shape::Calls(ring) => ring.seen() < self.arms_below,
            Shape::Time(_) => self.arms_below > 0,
        }
    }

    /// Adds an outcome; a plain success is in `plain` already. Returns the sums with it.
    pub(super) fn add(&mut self, call: &Finished, plain: u64) -> Sums {
        if call.is_failure() {
            self.failures += 1;
        } else if call.slow {
            self.successes = self.successes.wrapping_add(1);
        }
        self.slow += u64::from(call.slow);
        let sums = self.sums(plain);
        if call.is_failure() {
            // No success has come since the last failure if the sum of the successes is still the one of that
            // failure. So a success, which takes no lock, ends a run without writing anything.
            self.run = if sums.successes == self.run_end { self.run + 1 } else { 1 };
            self.run_end = sums.successes;
        }
        if let (Shape::Calls(ring), false) = (&mut self.shape, call.is_plain()) {
            ring.mark(sums.calls(), call);
        }
        sums
    }

    /// The counts of the window that ends at `now`, with these sums.
    pub(super) fn counts(&self, sums: &Sums, now: Tick) -> Counts {
        let counts = match &self.shape {
            Shape::Calls(ring) => ring.counts(sums.calls()),
            Shape::Time(buckets) => {
                let start = buckets.start_of_window(now);
                if self.tumbles() && start.is_none() {
                    // The interval after the last outcome has begun, and the runs with it.
                    return Counts::default();
                }
                // Without a start, all that was recorded has left the window; the sums since then are zero.
                start.map_or_else(Counts::default, |start| sums.since(start))
            }
        };
        let since_failure = sums.successes.wrapping_sub(self.run_end);
        // At most one of the two runs is not zero. Both come from one set of sums: from two, a success in between
        // would show in both.
        let run = if since_failure == 0 { self.run } else { 0 };
        Counts { consecutive_failures: run, consecutive_successes: since_failure, ..counts }
    }

    /// Whether no number of successes alone can make a rate rule fire.
    ///
    /// Until another outcome comes, every window is one that ends now and begins within this one, with
    /// more successes: a rate that none of these reaches is not reached then.
    pub(super) fn is_settled(&self, sums: &Sums, now: Tick, whole: &Counts) -> bool {
        let reached = |counts: &Counts| trip::reaches_a_rate(self.config.rules(), counts);
        match &self.shape {
            // A success raises no rate, be it one more or in the place of another outcome.
            Shape::Calls(ring) => !reached(whole) || ring.held(sums.calls()) >= self.arms_below,
            Shape::Time(buckets) => {
                // The youngest bucket first, so that the calls grow from one start to the next, on which the second
                // test relies.
                for start in buckets.starts(now) {
                    let counts = sums.since(start);
                    if reached(&counts) {
                        return false;
                    }
                    // Among so many calls all the failures of the window reach nothing, nor among more.
                    if !reached(&Counts { calls: counts.calls, ..*whole }) {
                        return true;
                    }
                }
                true
            }
        }
    }
}

impl Shape {
    fn new(form: Form, now: Tick, sums: Sums) -> Shape {
        match form {
            Form::LastCalls(size) => Shape::Calls(Ring::new(size, sums.calls())),
            Form::Time { nanos, buckets } => Shape::Time(Buckets::new(now, nanos, buckets, sums)),
            Form::Tumbling { nanos } => Shape::Time(Buckets::new(now, nanos, 1, sums)),
            Form::Unbounded => Shape::Time(Buckets::new(now, u64::MAX, 1, sums)),
        }
    }
}

/// The calls from which on no success can make a rate rule fire: where the last calls are looked at, the
/// greatest minimum; where old calls leave with time, none.
fn arms_below(config: &CircuitBreakerConfig) -> u64 {
    let minimum = |rule: Rule| match rule {
        Rule::FailureRate { minimum_calls, .. } | Rule::SlowCallRate { minimum_calls, .. } => minimum_calls,
        Rule::ConsecutiveFailures(_) | Rule::FailureCount(_) => 0,
    };
    config.rules().map(minimum).max().unwrap_or(0).into()
}
