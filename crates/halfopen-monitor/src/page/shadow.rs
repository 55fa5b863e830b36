use std::sync::Arc;

use halfopen::{ShadowCalls, ShadowSnapshot, Snapshot, State};
use serde::{Serialize, Serializer};

/// The shadows in a frame; of more, those that would have rejected most calls.
const MOST_SHADOWS: usize = 100;

/// A shadow in the table of the page. Serialized as a list, as a row is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ShadowRow {
    breaker: Arc<str>,
    name: Arc<str>,
    state: State,
    calls: u64,
    rejected: ShadowCalls,
    /// In tenths, as the page shows them.
    rejected_seconds: f64,
    unseen: u64,
}

/// The shadows of all breakers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct ShadowRows {
    shown: Vec<ShadowRow>,
    /// The shadows that are not shown.
    more: usize,
}

impl ShadowRows {
    pub(crate) fn of(snapshots: &[Snapshot]) -> ShadowRows {
        let rows = |of: &Snapshot| of.shadows.iter().map(|shadow| ShadowRow::new(&of.name, shadow)).collect();
        let mut shown: Vec<ShadowRow> = snapshots.iter().flat_map::<Vec<_>, _>(rows).collect();
        let more = shown.len().saturating_sub(MOST_SHADOWS);
        if more > 0 {
            shown.sort_by_key(|row| std::cmp::Reverse(row.rejected.calls()));
            shown.truncate(MOST_SHADOWS);
        }
        shown.sort_by(|one, other| (&one.breaker, &one.name).cmp(&(&other.breaker, &other.name)));
        ShadowRows { shown, more }
    }
}

impl ShadowRow {
    fn new(breaker: &Arc<str>, snapshot: &ShadowSnapshot) -> ShadowRow {
        ShadowRow {
            breaker: Arc::clone(breaker),
            name: Arc::clone(&snapshot.name),
            state: snapshot.state,
            calls: snapshot.admitted.calls().saturating_add(snapshot.rejected.calls()),
            rejected: snapshot.rejected,
            rejected_seconds: (snapshot.rejected_time.as_secs_f64() * 10.0).round() / 10.0,
            unseen: snapshot.unseen.saturating_add(snapshot.untracked),
        }
    }
}

impl Serialize for ShadowRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ShadowCalls { successes, failures, .. } = self.rejected;
        let counts = (self.calls, self.rejected.calls(), failures, successes);
        (
            &self.breaker,
            &self.name,
            self.state,
            counts.0,
            counts.1,
            counts.2,
            counts.3,
            self.rejected_seconds,
            self.unseen,
        )
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use halfopen::{CircuitBreakerConfig, Registry, Shadow, Trip};

    use super::*;

    fn shadowed(registry: &Registry, name: &str, failures: u32) -> Shadow {
        let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build().unwrap();
        let breaker = registry.get_or_create(name);
        let shadow = breaker.shadow("strict", config).unwrap();
        for _ in 0..failures {
            breaker.try_acquire().unwrap().failure();
        }
        shadow
    }

    fn rows(registry: &Registry) -> ShadowRows {
        ShadowRows::of(&registry.breakers().iter().map(|breaker| breaker.snapshot()).collect::<Vec<_>>())
    }

    #[test]
    fn a_shadow_has_its_rejections_by_their_ends() {
        let registry = Registry::new();
        let _shadow = shadowed(&registry, "db", 3);
        registry.get_or_create("db").try_acquire().unwrap().success();
        let text = serde_json::to_string(&rows(&registry)).unwrap();
        assert_eq!(text, r#"{"shown":[["db","strict","open",4,3,2,1,0.0,0]],"more":0}"#);
    }

    #[test]
    fn of_many_shadows_those_that_reject_most_are_shown() {
        let registry = Registry::new();
        let kept: Vec<_> = (0..MOST_SHADOWS as u32 + 5)
            .map(|place| shadowed(&registry, &format!("{place:03}"), if place < 5 { 1 } else { 2 }))
            .collect();
        let found = rows(&registry);
        let names: Vec<_> = found.shown.iter().map(|row| &*row.breaker).collect();
        assert_eq!((found.more, names.len(), names[0], names[99]), (5, 100, "005", "104"));
        drop(kept);
    }
}
