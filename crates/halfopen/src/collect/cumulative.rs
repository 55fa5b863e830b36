use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::breaker::{CircuitBreaker, Inner};
use crate::totals::Totals;

/// Totals by name, which never decrease.
///
/// The totals of a breaker start at zero, so that those of a name would decrease when it comes back with a
/// new breaker. Here they continue from the totals of its predecessors.
#[derive(Default)]
pub(super) struct Cumulative {
    names: HashMap<Arc<str>, Named>,
    round: u64,
}

struct Named {
    /// Weak, so that the breaker can still be evicted.
    breaker: Weak<Inner>,
    /// Accumulated totals of earlier breakers of this name, excluding those still alive.
    before: Totals,
    /// Earlier breakers that are still alive and can be inserted again, each with its last totals.
    replaced: Vec<(Weak<Inner>, Totals)>,
    /// The totals of the current breaker in the last round that had it.
    reached: Totals,
    /// The last round that had the name.
    seen: u64,
}

impl Named {
    /// Replaces the breaker of the name by a new one, or by one that it had before.
    fn replace(&mut self, by: Weak<Inner>) {
        let replaced = std::mem::replace(&mut self.breaker, by);
        self.replaced.push((replaced, self.reached));
        self.replaced.retain(|(earlier, reached)| {
            let held = earlier.strong_count() > 0;
            if !held {
                self.before = self.before.plus(reached);
            }
            held && !earlier.ptr_eq(&self.breaker)
        });
    }
}

/// The minimum number of removed names that are remembered.
const GONE: usize = 1_000;

impl Cumulative {
    /// Begins a round, in which [`carry`](Self::carry) is called for every breaker.
    pub(super) fn begin_round(&mut self) {
        self.round += 1;
    }

    /// Returns the totals of the name of `breaker`, whose own totals are `reached`.
    pub(super) fn carry(&mut self, breaker: &CircuitBreaker, reached: Totals) -> Totals {
        let weak = breaker.weak();
        let named = self.names.entry(Arc::clone(breaker.inner().name())).or_insert_with(|| Named {
            breaker: weak.clone(),
            before: Totals::default(),
            replaced: Vec::new(),
            reached,
            seen: self.round,
        });
        if !named.breaker.ptr_eq(&weak) {
            named.replace(weak);
        }
        (named.reached, named.seen) = (reached, self.round);
        named.replaced.iter().fold(named.before.plus(&reached), |sum, (_, reached)| sum.plus(reached))
    }

    /// Ends a round, and returns the names that the previous round had and this one does not.
    ///
    /// Removed names are remembered, because they can come back. If there are more of them than of current
    /// names (and more than [`GONE`]), the names that were removed longest ago are forgotten.
    pub(super) fn end_round(&mut self) -> Vec<Arc<str>> {
        let just_gone = |named: &Named| named.seen + 1 == self.round;
        let left = self.names.iter().filter(|(_, named)| just_gone(named)).map(|(name, _)| Arc::clone(name));
        let left: Vec<_> = left.collect();
        // The rounds in which removed names were last seen; the smallest belong to those removed longest ago.
        let gone = self.names.values().map(|named| named.seen).filter(|&seen| seen != self.round);
        let mut gone: Vec<u64> = gone.collect();
        let room = GONE.max(self.names.len() - gone.len());
        if gone.len() > room {
            gone.sort_unstable();
            let oldest_kept = gone[gone.len() - room];
            self.names.retain(|_, named| named.seen >= oldest_kept);
        }
        left
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }
}

impl Totals {
    fn plus(&self, other: &Totals) -> Totals {
        Totals {
            successes: self.successes.saturating_add(other.successes),
            failures: self.failures.saturating_add(other.failures),
            ignored: self.ignored.saturating_add(other.ignored),
            abandoned: self.abandoned.saturating_add(other.abandoned),
            slow: self.slow.saturating_add(other.slow),
            throttled: self.throttled.saturating_add(other.throttled),
            late: self.late.saturating_add(other.late),
            rejected: self.rejected.saturating_add(other.rejected),
            would_trip: self.would_trip.saturating_add(other.would_trip),
            trips: self.trips.saturating_add(other.trips),
            panics: self.panics.saturating_add(other.panics),
            timed: self.timed.saturating_add(other.timed),
            response_time: self.response_time.saturating_add(other.response_time),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_comes_back_goes_on_from_where_it_was() {
        let mut cumulative = Cumulative::default();
        assert_eq!(round(&mut cumulative, &[&called("a", 3)]), [3]);
        assert_eq!(round(&mut cumulative, &[&called("a", 5)]), [8], "exchanged between two rounds");
        assert_eq!(round(&mut cumulative, &[]), [0; 0]);
        assert_eq!(round(&mut cumulative, &[&called("a", 1)]), [9], "back after it was gone");
    }

    #[test]
    fn the_same_breaker_put_back_is_not_counted_twice() {
        let mut cumulative = Cumulative::default();
        let breaker = called("a", 3);
        round(&mut cumulative, &[&breaker]);
        round(&mut cumulative, &[]);
        assert_eq!(round(&mut cumulative, &[&breaker]), [3]);
    }

    #[test]
    fn breakers_that_take_turns_are_each_counted_once() {
        let mut cumulative = Cumulative::default();
        let (first, second) = (called("a", 3), called("a", 5));
        assert_eq!(round(&mut cumulative, &[&first]), [3]);
        assert_eq!(round(&mut cumulative, &[&second]), [8]);
        assert_eq!(round(&mut cumulative, &[&first]), [8], "put back");
        drop(second);
        assert_eq!(round(&mut cumulative, &[&called("a", 1)]), [9]);
        drop(first);
        assert_eq!(round(&mut cumulative, &[&called("a", 1)]), [10]);
    }

    #[test]
    fn a_removed_name_is_reported_once() {
        let mut cumulative = Cumulative::default();
        let (a, b) = (called("a", 1), called("b", 1));
        round(&mut cumulative, &[&a, &b]);
        for gone in [vec![Arc::from("a")], vec![]] {
            cumulative.begin_round();
            cumulative.carry(&b, b.snapshot().totals);
            assert_eq!(cumulative.end_round(), gone);
        }
    }

    #[test]
    fn names_removed_longest_ago_are_forgotten_first() {
        let mut cumulative = Cumulative::default();
        let stays = called("stays", 1);
        for n in 0..3 * GONE {
            round(&mut cumulative, &[&stays, &called(&n.to_string(), 1)]);
        }
        assert!(cumulative.names.len() <= GONE + 2, "{} names", cumulative.names.len());
        assert!(cumulative.knows("stays"));
        assert!(cumulative.knows(&(3 * GONE - 1).to_string()));
        assert!(!cumulative.knows("0"));
    }

    /// Plays a round, and returns the successes of the name of each breaker.
    fn round(cumulative: &mut Cumulative, breakers: &[&CircuitBreaker]) -> Vec<u64> {
        cumulative.begin_round();
        let carry =
            |breaker: &&CircuitBreaker| cumulative.carry(breaker, breaker.snapshot().totals).successes;
        let successes = breakers.iter().map(carry).collect();
        cumulative.end_round();
        successes
    }

    fn called(name: &str, successes: u32) -> CircuitBreaker {
        let breaker = CircuitBreaker::builder(name).build();
        for _ in 0..successes {
            breaker.try_acquire().expect("closed").success();
        }
        breaker
    }
}
