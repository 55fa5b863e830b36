use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use halfopen::{CircuitBreaker, Ended, Event, Interest, Listener};
use metrics::{Histogram, histogram};

use crate::names::CALL_DURATION;

/// Bounds in seconds for [`CALL_DURATION`], from a millisecond to a minute.
///
/// Without bounds the Prometheus exporter renders a summary, which cannot be aggregated across processes.
/// Pass these to its `set_buckets_for_metric`.
pub const DURATION_BUCKETS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Records the duration of every call.
#[derive(Default)]
pub(crate) struct Durations {
    handles: papaya::HashMap<Box<str>, Arc<Handles>>,
    /// Handles are kept only after the first [`rebind`](Self::rebind).
    keeps: AtomicBool,
}

/// The histograms of one breaker, one per outcome, created lazily.
#[derive(Default)]
struct Handles([OnceLock<Histogram>; 5]);

impl Durations {
    /// Drops all handles, so that the next call of each breaker registers its histogram again.
    ///
    /// A recorder may be installed late, and may drop an idle series; an older handle then writes to
    /// a detached histogram. Handles that live only until the next `publish` do not become that old.
    pub(crate) fn rebind(&self) {
        self.handles.pin().clear();
        self.keeps.store(true, Ordering::Relaxed);
    }

    fn record(&self, breaker: &str, ended: Ended, seconds: f64) {
        // Relaxed: at worst a handle is looked up once more.
        if !self.keeps.load(Ordering::Relaxed) {
            return bind(breaker, ended).record(seconds);
        }
        let handles = self.handles.pin();
        match handles.get(breaker) {
            Some(known) => known.record(breaker, ended, seconds),
            None => handles.get_or_insert_with(breaker.into(), Arc::default).record(breaker, ended, seconds),
        }
    }
}

impl Handles {
    fn record(&self, breaker: &str, ended: Ended, seconds: f64) {
        self.0[ended as usize].get_or_init(|| bind(breaker, ended)).record(seconds);
    }
}

impl Listener for Durations {
    fn on_event(&self, breaker: &CircuitBreaker, event: &Event) {
        if let Event::Recorded { ended, took: Some(took), .. } = event {
            self.record(breaker.name(), *ended, took.as_secs_f64());
        }
    }

    fn interest(&self) -> Interest {
        Interest::CALLS
    }
}

fn bind(breaker: &str, ended: Ended) -> Histogram {
    histogram!(CALL_DURATION, "breaker" => breaker.to_owned(), "outcome" => ended.as_str())
}
