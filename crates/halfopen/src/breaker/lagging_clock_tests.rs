//! A clock whose readings lag leads to the same decisions as a precise one: the same histories on both, step by
//! step.

use std::time::Duration;

use crate::breaker::{CircuitBreaker, OwnedPermit};
use crate::clock::{Clock, ManualClock};
use crate::config::{CircuitBreakerConfig, Trip, Window};
use crate::counts::Counts;
use crate::random::SplitMix64;
use crate::totals::Totals;
use crate::word::State;

const LAGS_MS: [u64; 4] = [1, 4, 30, 49];

/// A breaker, its clock, and the permits of its calls in flight.
struct Side {
    breaker: CircuitBreaker,
    clock: ManualClock,
    calls: Vec<OwnedPermit>,
}

impl Side {
    fn new(config: &CircuitBreakerConfig, lag: Option<Duration>) -> Side {
        let (clock, hands) = Clock::manual();
        if let Some(lag) = lag {
            hands.lag(lag);
        }
        let breaker = CircuitBreaker::builder("api").config(config.clone()).clock(clock).seed(1).build();
        Side { breaker, clock: hands, calls: Vec::new() }
    }

    /// Takes a step and returns all observable state after it, and the wait of a rejection.
    fn step(&mut self, choice: u64, by: Duration) -> (Seen, Option<Duration>) {
        self.clock.advance(by);
        let mut rejection = None;
        match choice % 8 {
            0..=2 => match self.breaker.try_acquire_owned() {
                Ok(permit) => self.calls.push(permit),
                Err(rejected) => rejection = Some(rejected),
            },
            3..=5 => self.calls.drain(..).take(2).for_each(OwnedPermit::success),
            6 => self.calls.drain(..).take(1).for_each(OwnedPermit::failure),
            _ => drop(self.calls.pop()),
        }
        let snapshot = self.breaker.snapshot();
        let seen = Seen {
            state: snapshot.state,
            counts: snapshot.counts,
            totals: snapshot.totals,
            rejected: rejection.is_some(),
        };
        (seen, rejection.and_then(|rejected| rejected.retry_after()))
    }
}

#[derive(Debug, PartialEq)]
struct Seen {
    state: State,
    counts: Counts,
    totals: Totals,
    rejected: bool,
}

fn configs() -> Vec<CircuitBreakerConfig> {
    let windows = [
        Window::last(Duration::from_secs(10)),
        Window::last(Duration::from_millis(600)).buckets(3),
        Window::last(Duration::from_millis(100)),
        Window::tumbling(Duration::from_secs(1)),
        Window::last_calls(20),
    ];
    let config = |window| {
        CircuitBreakerConfig::builder()
            .trip(Trip::failure_rate(0.5).minimum_calls(5))
            .window(window)
            .open_duration(Duration::from_millis(700))
            .build()
            .expect("a valid configuration")
    };
    windows.into_iter().map(config).collect()
}

#[test]
fn a_lagging_clock_decides_as_a_precise_one() {
    let steps = if cfg!(miri) { 60 } else { 3_000 };
    let mut rejections = 0;
    for (seed, config) in (0..).zip(configs()) {
        for lag in LAGS_MS.map(Duration::from_millis) {
            let (mut precise, mut lagging) = (Side::new(&config, None), Side::new(&config, Some(lag)));
            let mut random = SplitMix64::new(seed);
            for step in 0..steps {
                let choice = random.next();
                let by = Duration::from_micros(random.next() % 20_000);
                let (expected, wait) = precise.step(choice, by);
                let (found, longer) = lagging.step(choice, by);
                assert_eq!(found, expected, "step {step} at {:?}, {lag:?} behind", precise.clock.now());
                if let (Some(wait), Some(longer)) = (wait, longer) {
                    assert!(wait <= longer && longer <= wait + lag, "{longer:?} for {wait:?}");
                    rejections += 1;
                }
            }
        }
    }
    assert!(cfg!(miri) || rejections > 1_000, "{rejections} rejections");
}
