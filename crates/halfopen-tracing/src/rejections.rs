use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Rejections are told of at most this often.
const EVERY: Duration = Duration::from_secs(1);

/// The rejections that nothing has been said about yet, by breaker.
#[derive(Debug, Default)]
pub(crate) struct Rejections(Mutex<HashMap<Box<str>, Untold>>);

/// Rejections of one breaker since one moment of its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Untold {
    count: u64,
    since: Duration,
    reason: &'static str,
}

/// So many calls were rejected in this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) over: Duration,
    /// Why the last of them was.
    pub(crate) reason: &'static str,
}

impl Rejections {
    /// Counts one; gives those before it once a second has gone by.
    pub(crate) fn add(&self, breaker: &str, reason: &'static str, now: Duration) -> Option<Summary> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(breaker) {
            Some(untold) => untold.add(reason, now),
            None => {
                all.insert(breaker.into(), Untold::first(reason, now));
                None
            }
        }
    }

    /// Takes what is left of one breaker.
    pub(crate) fn take(&self, breaker: &str, now: Duration) -> Option<Summary> {
        let untold = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(breaker)?;
        Some(untold.summary(now))
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
        let rejections = Rejections::default();
        let told: Vec<_> =
            (0..3_500).filter_map(|n| rejections.add("api", "open", Duration::from_millis(n))).collect();
        assert_eq!(told.iter().map(|summary| summary.count).collect::<Vec<_>>(), [1000, 1000, 1000]);
        assert!(told.iter().all(|summary| summary.over == EVERY));

        let rest = rejections.take("api", Duration::from_millis(3_500));
        assert_eq!(rest, Some(Summary { count: 500, over: Duration::from_millis(500), reason: "open" }));
        assert_eq!(rejections.take("api", EVERY), None, "nothing is told twice");
    }

    #[test]
    fn breakers_are_summed_up_apart() {
        let rejections = Rejections::default();
        for breaker in ["a", "b", "b"] {
            assert_eq!(rejections.add(breaker, "open", Duration::ZERO), None);
        }
        assert_eq!(rejections.take("a", EVERY).map(|summary| summary.count), Some(1));
        assert_eq!(rejections.take("b", EVERY).map(|summary| summary.count), Some(2));
    }

    #[test]
    fn a_clock_that_steps_back_is_no_time_gone_by() {
        let rejections = Rejections::default();
        rejections.add("api", "open", 10 * EVERY);
        assert_eq!(rejections.add("api", "open", Duration::ZERO), None);
    }
}
