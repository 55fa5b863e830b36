use std::hint::black_box;

use halfopen::CircuitBreaker;

use crate::alloc::watch;
use crate::configs;
use crate::harness::{Timing, timed};
use crate::services::Failed;
use crate::table::{Group, Row};

const ROUNDS: usize = 13;

/// A time window does not grow with the number of calls in it: the cost of further calls and the bytes, with
/// different numbers of calls in the window.
pub(crate) fn groups() -> Vec<Group> {
    let mut bytes = Group::new("Time window, memory by the calls in it", "bytes");
    let mut timings = Vec::new();
    for (every, failing) in [(u64::MAX, "none failed"), (100, "1 % failed")] {
        for held in [1_000, 10_000, 100_000, 1_000_000] {
            let name = format!("halfopen, time, {held} calls, {failing}");
            let (costs, live) = filled(held, every);
            bytes.push(Row::new(&*name, live as f64, ""));
            timings.push(Timing::of(name, costs));
        }
    }
    let costs = timings.iter().map(Row::timed);
    vec![Group::new("Time window, cost by the calls in it", "ns").with(costs), bytes]
}

/// The cost of each further call, and the bytes of the breaker, after this number of calls.
fn filled(held: u64, every: u64) -> (Vec<f64>, i64) {
    const MORE: u64 = 1_000;
    let mut costs = Vec::with_capacity(ROUNDS);
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let (breaker, seen) = watch(|| {
            let breaker = configs::breaker(&configs::time());
            calls(&breaker, held, every);
            breaker
        });
        bytes = seen.live;
        costs.push(timed(|| calls(&breaker, MORE, every)).as_nanos() as f64 / MORE as f64);
    }
    (costs, bytes)
}

fn calls(breaker: &CircuitBreaker, calls: u64, every: u64) {
    for n in 1..=calls {
        let fails = n % black_box(every) == 0;
        let made = breaker.call_blocking(|| if fails { Err(Failed) } else { Ok(black_box(n)) });
        assert_eq!(made.is_ok(), !fails, "every call passes");
    }
}
