//! When alerts fire and resolve: a pure function of the condition and the time.

use std::time::Duration;

/// An alert of one rule for one breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Phase {
    pub(crate) firing: bool,
    /// Before this time it does not fire again.
    quiet_until: Duration,
}

/// What notifiers get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Fires,
    Resolves,
}

impl Phase {
    /// Returns the next phase, and the change to report. A condition that still holds at the end of the cooldown fires
    /// then.
    pub(crate) fn next(self, holds: bool, cooldown: Duration, now: Duration) -> (Phase, Option<Change>) {
        match (self.firing, holds) {
            (false, true) if now >= self.quiet_until => {
                (Phase { firing: true, quiet_until: now.saturating_add(cooldown) }, Some(Change::Fires))
            }
            (true, false) => (Phase { firing: false, ..self }, Some(Change::Resolves)),
            (false, true | false) | (true, true) => (self, None),
        }
    }

    /// Returns whether nothing is left to remember.
    pub(crate) fn is_over(self, now: Duration) -> bool {
        !self.firing && now >= self.quiet_until
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_alert_fires_once_and_resolves_once() {
        let (phase, change) = Phase::default().next(true, 60 * SECOND, SECOND);
        assert_eq!(change, Some(Change::Fires));
        assert_eq!(phase.next(true, 60 * SECOND, 90 * SECOND).1, None, "it is firing already");
        let (phase, change) = phase.next(false, 60 * SECOND, 5 * SECOND);
        assert_eq!(change, Some(Change::Resolves));
        assert_eq!(phase.next(true, 60 * SECOND, 60 * SECOND).1, None, "in the cooldown");
        assert_eq!(phase.next(true, 60 * SECOND, 61 * SECOND).1, Some(Change::Fires));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn changes_alternate_and_firings_keep_apart(
            history in prop::collection::vec((any::<bool>(), 0..20_u64), 1..200),
            cooldown in 0..60_u64,
        ) {
            let cooldown = Duration::from_secs(cooldown);
            let (mut phase, mut now, mut fired, mut firing) = (Phase::default(), Duration::ZERO, None, false);
            for (holds, passed) in history {
                now += Duration::from_secs(passed);
                let (next, change) = phase.next(holds, cooldown, now);
                match change {
                    Some(Change::Fires) => {
                        prop_assert!(holds && !firing);
                        prop_assert!(fired.is_none_or(|fired| now >= fired + cooldown));
                        (fired, firing) = (Some(now), true);
                    }
                    Some(Change::Resolves) => {
                        prop_assert!(!holds && firing);
                        firing = false;
                    }
                    None => {
                        let quiet = fired.is_some_and(|fired| now < fired + cooldown);
                        prop_assert!(holds == firing || (holds && quiet), "silent at {now:?}");
                    }
                }
                prop_assert_eq!(next.firing, firing);
                phase = next;
            }
        }
    }
}
