//! The window: the recorded outcomes on which rules are evaluated.
//!
//! A plain success (a success that was not slow) takes no lock: it is one compare-and-swap of a
//! [`StripedCounter`]. Everything else (a failure, a slow call, a bucket that begins, a new visit, a
//! look at the counts) takes the short lock around [`Samples`]. Under it nothing allocates but the samples
//! themselves and the first mark of a visit, no user code runs and no clock is read.
//!
//! # Sums that only grow
//!
//! Successes, failures and slow calls are counted since the breaker was built, and a window is a
//! difference of two such sums. So a success need not know which window it belongs to, a window full of
//! successes is not written to at all, and the lifetime totals come for free.
//!
//! # A success and a failure that pass each other
//!
//! A success writes its stripe, then loads `visit`; a failure stores `ARMED` in `visit`, then
//! sums the stripes. All four are sequentially consistent, so at least one of the two sees the other, and
//! evaluates the rules over both (S9). `ARMED` stays set until no number of further successes can make
//! a rule fire.
//!
//! Runs need no such care: a failure compares the sum of the successes with the sum at the failure before
//! it. If they are equal the run goes on, else a success has ended it.
//!
//! # Outcomes of earlier visits
//!
//! [`Window::begin`] stores the new epoch in `visit` and then advances every stripe. A success that
//! loaded its stripe before the advance fails its compare-and-swap; one that loads it after the
//! advance sees the new epoch, which is not that of its permit. Only then are the sums taken at which the
//! visit begins. Everything else compares the epochs under the lock.

mod buckets;
mod contents;
#[cfg(all(test, not(loom)))]
mod oracle;
mod record;
mod ring;
mod samples;
mod striped;

#[cfg(all(test, not(loom)))]
mod fast_path_tests;
#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

use contents::Contents;
use samples::Samples;
use striped::StripedCounter;

pub(crate) use record::{Added, Recorded};

use crate::clock::{Moment, Tick};
use crate::config::CircuitBreakerConfig;
use crate::counts::Counts;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, lock};
use crate::totals::{Timing, Totals};
use crate::word::{Epoch, Word};

/// The window of the current visit, and the totals of all visits.
#[derive(Debug)]
pub(crate) struct Window {
    /// The epoch of the visit as in a [`Word`], and in the lowest bit [`ARMED`]. Written under the lock only.
    visit: AtomicU64,
    /// When the current bucket is over; [`Tick::NEVER`] where there are no buckets. Written under the lock only.
    edge: AtomicU64,
    /// The nanoseconds from which on a call is slow; `u64::MAX` where no rule asks.
    slow_after: AtomicU64,
    /// The plain successes.
    successes: StripedCounter,
    contents: Mutex<Contents>,
}

/// While set, a success evaluates the rules: an outcome before it has made that a success can make one fire.
const ARMED: u64 = 1;

impl Window {
    pub(crate) fn new(epoch: Epoch, config: &CircuitBreakerConfig, now: Tick) -> Window {
        let contents = Contents::new(config.clone(), now);
        Window {
            visit: AtomicU64::new(Word::visit(epoch)),
            edge: AtomicU64::new(contents.ask(Samples::edge).0),
            slow_after: AtomicU64::new(slow_after(config)),
            successes: StripedCounter::new(),
            contents: Mutex::new(contents),
        }
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> CircuitBreakerConfig {
        lock(&self.contents).config().clone()
    }

    /// Asks the configuration in force, without a copy.
    pub(crate) fn with_config<T>(&self, ask: impl FnOnce(&CircuitBreakerConfig) -> T) -> T {
        ask(lock(&self.contents).config())
    }

    /// All successes, failures and slow calls that windows have recorded.
    pub(crate) fn totals(&self) -> (u64, u64, u64) {
        let contents = lock(&self.contents);
        let sums = contents.ask(|samples| samples.sums(self.successes.sum()));
        (sums.successes, sums.failures, sums.slow)
    }

    /// Returns the counter to which this thread adds the durations of its calls, if the counters are striped.
    #[inline]
    pub(crate) fn timing(&self) -> Option<&Timing> {
        self.successes.timing()
    }

    /// Returns whether threads have contended for the counter of successes.
    #[inline]
    pub(crate) fn is_contended(&self) -> bool {
        self.successes.is_split()
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn split(&self) {
        self.successes.split();
    }

    /// Adds the durations of all stripes to the totals.
    pub(crate) fn add_timing_to(&self, totals: &mut Totals) {
        self.successes.add_timing_to(totals);
    }

    /// Returns whether a call that took this long is slow.
    #[inline]
    pub(crate) fn is_slow(&self, took: u64) -> bool {
        // Relaxed: nothing else belongs to it. A call that ends while the limit changes may be judged by either.
        let limit = self.slow_after.load(Ordering::Relaxed);
        limit != u64::MAX && took >= limit
    }

    /// Returns the counts of the window at this moment.
    pub(crate) fn counts(&self, moment: &Moment<'_>) -> Counts {
        let (contents, now) = self.lock_at(moment);
        contents.ask(|samples| samples.counts(&samples.sums(self.successes.sum()), now))
    }

    /// Begins a visit with an empty window, anchored at `now`. The caller publishes the new epoch after it.
    pub(crate) fn begin(&self, epoch: Epoch, config: &CircuitBreakerConfig, now: Tick) {
        let mut contents = lock(&self.contents);
        let samples = contents.samples();
        // Before the advance of the stripes, which releases it: a success that loads its stripe after that
        // sees that its visit is over.
        self.visit.store(Word::visit(epoch), Ordering::Relaxed);
        // After the store above and before the sums below. In between, a success of the old visit can still be
        // written: it is counted in the totals, and before the sums at which the new window begins.
        samples.forget_advances(self.successes.invalidate());
        samples.begin(config.clone(), now, self.successes.sum());
        self.configured(&contents);
    }

    /// Puts another configuration in force within a visit: the samples stay if the geometry does, the runs in
    /// any case, and the rules are evaluated at the next outcome, whatever it is (S30).
    pub(crate) fn reconfigure(&self, config: &CircuitBreakerConfig, moment: &Moment<'_>) {
        let now = moment.get();
        let mut contents = lock(&self.contents);
        // The same geometry: only the rules are new, and what the window holds is evidence for them too.
        if contents.config().form() == config.form() {
            contents.set_rules(config.clone());
            // The window was recorded under other rules, which successes may not have had to evaluate.
            self.arm();
        } else {
            let samples = contents.samples();
            // A run that an interval has ended must not outlive it.
            samples.roll(now, self.successes.sum());
            samples.set_form(config.clone(), now, self.successes.sum());
        }
        self.configured(&contents);
    }

    fn configured(&self, contents: &Contents) {
        self.slow_after.store(slow_after(contents.config()), Ordering::Relaxed);
        self.move_edge(contents.ask(Samples::edge));
    }

    /// Release: a success that sees the new edge is counted after the sums at which its bucket begins.
    fn move_edge(&self, edge: Tick) {
        self.edge.store(edge.0, Ordering::Release);
    }

    /// The lock, and the time where the window needs it: a moment of the same bucket as the present one.
    ///
    /// The clock is read before the lock is taken, because it may be the user's own code.
    fn lock_at(&self, moment: &Moment<'_>) -> (MutexGuard<'_, Contents>, Tick) {
        loop {
            // Relaxed: checked again under the lock.
            let edge = Tick(self.edge.load(Ordering::Relaxed));
            // All moments before the edge are one moment to a window, so a reading that lags will do.
            let now = if edge == Tick::NEVER { Tick::default() } else { moment.before_or_now(edge) };
            let contents = lock(&self.contents);
            // Another configuration may have brought the edge nearer, and a reading that lags might not suffice then.
            if Tick(self.edge.load(Ordering::Relaxed)) >= edge {
                return (contents, now);
            }
        }
    }

    /// Lets successes evaluate the rules. To be called under the lock, before the stripes are summed.
    ///
    /// Sequentially consistent, with the write of a success and its load of `visit`: a success that is not in
    /// the sum sees it.
    fn arm(&self) {
        let visit = self.visit.load(Ordering::Relaxed);
        // No store if it is armed already: every success reads this word.
        if visit & ARMED == 0 {
            self.visit.store(visit | ARMED, Ordering::SeqCst);
        }
        crate::sync::model_fence();
    }

    /// Lets successes pass without evaluation. To be called under the lock.
    fn disarm(&self) {
        // Relaxed: a success that still sees it armed evaluates once more.
        self.visit.store(self.visit.load(Ordering::Relaxed) & !ARMED, Ordering::Relaxed);
    }

    fn is_armed(&self) -> bool {
        self.visit.load(Ordering::Relaxed) & ARMED != 0
    }
}

fn slow_after(config: &CircuitBreakerConfig) -> u64 {
    config.slow_after_nanos().unwrap_or(u64::MAX)
}
