//! The controls, while calls are admitted and end.

use super::breaker;
use super::race::race;
use crate::breaker::CircuitBreaker;
use crate::reason::RejectReason;
use crate::word::State;

/// A call that is admitted and fails while an operator overrides the breaker: the override remains,
/// and the call is counted once, in the previous visit, as late, or as rejected.
///
/// Fails if `Machine::trip` checks neither the epoch nor the state.
#[test]
fn the_word_of_an_operator_stands() {
    let overrides: [(fn(&CircuitBreaker), State); 3] = [
        (CircuitBreaker::force_open, State::ForcedOpen),
        (CircuitBreaker::disable, State::Disabled),
        (CircuitBreaker::metrics_only, State::MetricsOnly),
    ];
    for (set, state) in overrides {
        race(move |start| {
            let (breaker, _hands) = breaker(1);
            let (one, other) = (breaker.clone(), breaker.clone());
            let call = move || match other.try_acquire() {
                Ok(permit) => permit.failure(),
                Err(rejected) => assert_eq!(rejected.reason(), RejectReason::ForcedOpen),
            };
            start.two(move || set(&one), call);
            let snapshot = breaker.snapshot();
            let totals = snapshot.totals;
            assert_eq!(snapshot.state, state);
            assert_eq!(
                (totals.failures + totals.late + totals.rejected, totals.calls()),
                (1, 1 - totals.rejected)
            );
            assert!(totals.trips <= totals.failures);
            assert_eq!(snapshot.rejected, totals.rejected);
        });
    }
}
