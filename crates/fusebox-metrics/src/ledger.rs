use std::collections::HashMap;
use std::sync::Arc;

use fusebox::{CircuitBreaker, Totals, WeakCircuitBreaker};

use crate::totals::{Sums, added, sums};

/// What has been published of every name.
///
/// A counter must not fall, and a recorder ignores one that does. So when a name comes back with a new
/// breaker, whose totals begin at zero, it goes on from what its predecessor had reached.
#[derive(Default)]
pub(crate) struct Ledger {
    lines: HashMap<Arc<str>, Line>,
    round: u64,
}

struct Line {
    breaker: WeakCircuitBreaker,
    /// What the name's earlier breakers had reached.
    before: Sums,
    /// What this one had reached when it was last looked at.
    reached: Sums,
    /// The last round in which it was there.
    seen: u64,
}

/// So many names that are gone are remembered at least.
const GONE: usize = 1_000;

impl Ledger {
    /// Begins a round, in which every breaker there is will be told.
    pub(crate) fn begin_round(&mut self) {
        self.round += 1;
    }

    /// What to publish as the totals of this breaker's name.
    pub(crate) fn carry(&mut self, breaker: &CircuitBreaker, totals: &Totals) -> Sums {
        let reached = sums(totals);
        let line = self.lines.entry(Arc::from(breaker.name())).or_insert_with(|| Line {
            breaker: breaker.downgrade(),
            before: Sums::default(),
            reached,
            seen: self.round,
        });
        if !line.breaker.is(breaker) {
            line.before = added(&line.before, &line.reached);
            line.breaker = breaker.downgrade();
        }
        (line.reached, line.seen) = (reached, self.round);
        added(&line.before, &reached)
    }

    /// Ends a round: the names that were there in the last one and are not any more.
    ///
    /// Names that are gone are remembered, because they may come back; the longest gone are forgotten
    /// when they are more than those that are there (and a thousand).
    pub(crate) fn end_round(&mut self) -> Vec<Arc<str>> {
        let gone = |line: &Line| line.seen != self.round;
        let just_gone = |line: &Line| line.seen + 1 == self.round;
        let left = self.lines.iter().filter(|(_, line)| just_gone(line)).map(|(name, _)| Arc::clone(name));
        let left: Vec<_> = left.collect();
        let mut seen: Vec<u64> =
            self.lines.values().filter(|line| gone(line)).map(|line| line.seen).collect();
        let room = GONE.max(self.lines.len() - seen.len());
        if seen.len() > room {
            seen.sort_unstable();
            let oldest_kept = seen[seen.len() - room];
            self.lines.retain(|_, line| line.seen >= oldest_kept);
        }
        left
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.lines.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_comes_back_goes_on_from_where_it_was() {
        let mut ledger = Ledger::default();
        assert_eq!(round(&mut ledger, &[&called("a", 3)]), [3]);
        assert_eq!(round(&mut ledger, &[&called("a", 5)]), [8], "exchanged between two rounds");
        assert_eq!(round(&mut ledger, &[]), []);
        assert_eq!(round(&mut ledger, &[&called("a", 1)]), [9], "back after it was gone");
    }

    #[test]
    fn the_same_breaker_put_back_is_not_counted_twice() {
        let mut ledger = Ledger::default();
        let breaker = called("a", 3);
        round(&mut ledger, &[&breaker]);
        round(&mut ledger, &[]);
        assert_eq!(round(&mut ledger, &[&breaker]), [3]);
    }

    #[test]
    fn a_name_is_told_gone_once() {
        let mut ledger = Ledger::default();
        let (a, b) = (called("a", 1), called("b", 1));
        round(&mut ledger, &[&a, &b]);
        ledger.begin_round();
        ledger.carry(&b, &b.snapshot().totals);
        assert_eq!(ledger.end_round(), [Arc::from("a")]);
        ledger.begin_round();
        ledger.carry(&b, &b.snapshot().totals);
        assert_eq!(ledger.end_round(), []);
    }

    #[test]
    fn the_longest_gone_are_forgotten_first_and_what_is_there_never() {
        let mut ledger = Ledger::default();
        let stays = called("stays", 1);
        for n in 0..3 * GONE {
            round(&mut ledger, &[&stays, &called(&n.to_string(), 1)]);
        }
        assert!(ledger.lines.len() <= GONE + 2, "{} lines", ledger.lines.len());
        assert!(ledger.knows("stays"));
        assert!(ledger.knows(&(3 * GONE - 1).to_string()));
        assert!(!ledger.knows("0"));
    }

    /// The successes to publish for each of these breakers.
    fn round(ledger: &mut Ledger, breakers: &[&CircuitBreaker]) -> Vec<u64> {
        ledger.begin_round();
        let carry = |breaker: &&CircuitBreaker| ledger.carry(breaker, &breaker.snapshot().totals)[0];
        let carried = breakers.iter().map(carry).collect();
        ledger.end_round();
        carried
    }

    fn called(name: &str, successes: u32) -> CircuitBreaker {
        let breaker = CircuitBreaker::builder(name).build();
        for _ in 0..successes {
            breaker.try_acquire().expect("closed").success();
        }
        breaker
    }
}
