use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use halfopen::CircuitBreaker;
use halfopen::adapter::WeakCircuitBreaker;

/// The minimum interval between two reports of rejections.
const EVERY: Duration = Duration::from_secs(1);

/// The number of breakers up to which entries of dropped breakers are not removed.
const FEW: usize = 64;

/// The rejections that have not been reported yet, by breaker.
#[derive(Debug, Default)]
pub(crate) struct Rejections(Mutex<Untolds>);

#[derive(Debug, Default)]
struct Untolds {
    by_name: HashMap<Box<str>, (WeakCircuitBreaker, Untold)>,
    /// The number of entries after the last removal of dropped breakers.
    alive: usize,
}

/// The rejections of one breaker since a point in time of its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Untold {
    count: u64,
    since: Duration,
    reason: &'static str,
}

/// The number of rejections in a period of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) over: Duration,
    /// The reason of the last rejection.
    pub(crate) reason: &'static str,
}

impl Rejections {
    /// Counts a rejection. Returns the summary of the previous ones if a second has passed.
    pub(crate) fn add(
        &self,
        breaker: &CircuitBreaker,
        reason: &'static str,
        now: Duration,
    ) -> Option<Summary> {
        let mut all = self.all();
        if let Some((_, untold)) = all.by_name.get_mut(breaker.name()) {
            return untold.add(reason, now);
        }
        all.forget_gone();
        let first = (WeakCircuitBreaker::of(breaker), Untold::first(reason, now));
        all.by_name.insert(breaker.name().into(), first);
        None
    }

    /// Removes the rejections of a breaker and returns their summary.
    pub(crate) fn take(&self, breaker: &CircuitBreaker, now: Duration) -> Option<Summary> {
        let (_, untold) = self.all().by_name.remove(breaker.name())?;
        Some(untold.summary(now))
    }

    fn all(&self) -> MutexGuard<'_, Untolds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Untolds {
    /// Removes dropped breakers once there are twice as many entries as after the last removal, so the cost
    /// per new name is amortized constant.
    fn forget_gone(&mut self) {
        if self.by_name.len() >= FEW.max(2 * self.alive) {
            self.by_name.retain(|_, (breaker, _)| !breaker.is_gone());
            self.by_name.shrink_to(FEW.max(2 * self.by_name.len()));
            self.alive = self.by_name.len();
        }
    }
}

impl Untold {
    fn first(reason: &'static str, now: Duration) -> Untold {
        Untold { count: 1, since: now, reason }
    }

    fn add(&mut self, reason: &'static str, now: Duration) -> Option<Summary> {
        if now.saturating_sub(self.since) < EVERY {
            (self.count, self.reason) = (self.count + 1, reason);
            return None;
        }
        // Reported with the first rejection after the second is over: there is no timer, and a breaker that rejects
        // nothing more reports the rest with its next change.
        let before = self.summary(now);
        *self = Untold::first(reason, now);
        Some(before)
    }

    fn summary(&self, now: Duration) -> Summary {
        Summary { count: self.count, over: now.saturating_sub(self.since), reason: self.reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_once_a_second_and_adds_up() {
        let (rejections, api) = (Rejections::default(), breaker("api"));
        let told: Vec<_> =
            (0..3_500).filter_map(|n| rejections.add(&api, "open", Duration::from_millis(n))).collect();
        assert_eq!(told.iter().map(|summary| summary.count).collect::<Vec<_>>(), [1000, 1000, 1000]);
        assert!(told.iter().all(|summary| summary.over == EVERY));

        let rest = rejections.take(&api, Duration::from_millis(3_500));
        assert_eq!(rest, Some(Summary { count: 500, over: Duration::from_millis(500), reason: "open" }));
        assert_eq!(rejections.take(&api, EVERY), None, "nothing is told twice");
    }

    #[test]
    fn breakers_are_summed_up_apart() {
        let (rejections, a, b) = (Rejections::default(), breaker("a"), breaker("b"));
        for breaker in [&a, &b, &b] {
            assert_eq!(rejections.add(breaker, "open", Duration::ZERO), None);
        }
        assert_eq!(rejections.take(&a, EVERY).map(|summary| summary.count), Some(1));
        assert_eq!(rejections.take(&b, EVERY).map(|summary| summary.count), Some(2));
    }

    #[test]
    fn a_clock_that_steps_back_is_no_time_gone_by() {
        let (rejections, api) = (Rejections::default(), breaker("api"));
        rejections.add(&api, "open", 10 * EVERY);
        assert_eq!(rejections.add(&api, "open", Duration::ZERO), None);
    }

    #[test]
    fn breakers_that_are_gone_are_forgotten() {
        let rejections = Rejections::default();
        let alive: Vec<_> = (0..100).map(|n| breaker(&format!("alive-{n}"))).collect();
        for breaker in &alive {
            rejections.add(breaker, "open", Duration::ZERO);
        }
        for n in 0..10_000 {
            rejections.add(&breaker(&format!("gone-{n}")), "open", Duration::ZERO);
        }
        let remembered = rejections.all().by_name.len();
        assert!(remembered <= 2 * alive.len(), "{remembered}");
        for breaker in &alive {
            assert_eq!(rejections.take(breaker, EVERY).map(|summary| summary.count), Some(1));
        }
    }

    fn breaker(name: &str) -> CircuitBreaker {
        CircuitBreaker::builder(name).build()
    }
}
