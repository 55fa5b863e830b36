use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Rejections since the last event.
// Plain atomics under loom too: nothing is decided by them.
#[derive(Debug)]
pub(super) struct Counted {
    count: AtomicU64,
    /// Nanoseconds; [`NEVER`] before the first event.
    reported: AtomicU64,
}

/// What one event reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    /// Rejections since the previous event.
    pub(super) count: u64,
    /// The time since then; zero for the first event.
    pub(super) over: Duration,
}

const EVERY: u64 = 1_000_000_000;
const NEVER: u64 = u64::MAX;

impl Default for Counted {
    fn default() -> Counted {
        Counted { count: AtomicU64::new(0), reported: AtomicU64::new(NEVER) }
    }
}

impl Counted {
    /// Counts a rejection; returns the summary if an event is due.
    ///
    /// The first rejection is reported immediately, the ones that follow with the first that comes a second
    /// or more later.
    pub(super) fn add(&self, now: u64) -> Option<Summary> {
        // Relaxed throughout: a rejection that is counted beside a report is in it or in the next.
        self.count.fetch_add(1, Ordering::Relaxed);
        let reported = self.reported.load(Ordering::Relaxed);
        let since = if reported == NEVER { None } else { Some(now.saturating_sub(reported)) };
        if since.is_some_and(|since| since < EVERY) {
            return None;
        }
        // The thread that moves the time reports what all have counted.
        let moved = self.reported.compare_exchange(
            reported,
            now.min(NEVER - 1),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        moved.ok()?;
        let count = self.count.swap(0, Ordering::Relaxed);
        (count > 0).then(|| Summary { count, over: Duration::from_nanos(since.unwrap_or_default()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(count: u64, millis: u64) -> Option<Summary> {
        Some(Summary { count, over: Duration::from_millis(millis) })
    }

    #[test]
    fn a_flood_is_reported_once_a_second() {
        let counted = Counted::default();
        let at = |millis: u64| counted.add(millis * 1_000_000);
        assert_eq!(at(0), summary(1, 0), "the first is reported immediately");
        assert_eq!((1..1000).find_map(at), None);
        assert_eq!(at(1000), summary(1000, 1000));
        assert_eq!(at(1001), None);
        assert_eq!(at(9000), summary(2, 8000), "none is left out");
    }

    #[test]
    fn a_clock_that_steps_back_reports_nothing_early() {
        let counted = Counted::default();
        assert!(counted.add(5 * EVERY).is_some());
        assert_eq!(counted.add(0), None);
        assert_eq!(counted.add(6 * EVERY).map(|summary| summary.count), Some(2));
    }

    #[test]
    fn threads_report_each_rejection_once() {
        let counted = Counted::default();
        let reported: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let counted = &counted;
                    scope.spawn(move || {
                        let times = (0..1000).map(|n| (n + thread) * EVERY / 10);
                        times.filter_map(|now| counted.add(now)).map(|summary| summary.count).sum::<u64>()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(reported + counted.count.load(Ordering::Relaxed), 4000);
    }
}
