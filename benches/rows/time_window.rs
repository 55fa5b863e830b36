use std::hint::black_box;

use fusebox::CircuitBreaker;

use crate::alloc::watch;
use crate::configs;
use crate::harness::{median, timed};
use crate::services::Failed;
use crate::table::{Group, Row};

const ROUNDS: usize = 9;

/// A window over time does not grow with what happens in it: the cost of the next calls and the bytes,
/// with so many in it.
pub(crate) fn group() -> Group {
    let mut group = Group::new("Time window, by the calls in it", "ns");
    for (every, failing) in [(u64::MAX, "none failed"), (100, "1 % failed")] {
        for held in [1_000, 10_000, 100_000, 1_000_000] {
            group.push(row(held, every, failing));
        }
    }
    group
}

fn row(held: u64, every: u64, failing: &str) -> Row {
    let mut costs = Vec::with_capacity(ROUNDS);
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let (breaker, seen) = watch(|| {
            let breaker = configs::breaker(&configs::time());
            calls(&breaker, held, every);
            breaker
        });
        bytes = seen.live;
        const MORE: u64 = 1_000;
        costs.push(timed(|| calls(&breaker, MORE, every)).as_nanos() as f64 / MORE as f64);
    }
    let best = costs.iter().copied().fold(f64::INFINITY, f64::min);
    let note = format!("{bytes} bytes");
    Row {
        best: Some(best),
        ..Row::new(format!("fusebox, time, {held} calls, {failing}"), median(costs), note)
    }
}

fn calls(breaker: &CircuitBreaker, calls: u64, every: u64) {
    for n in 1..=calls {
        let fails = n % black_box(every) == 0;
        let made = breaker.call_blocking(|| if fails { Err(Failed) } else { Ok(black_box(n)) });
        assert_eq!(made.is_ok(), !fails, "every call passes");
    }
}
