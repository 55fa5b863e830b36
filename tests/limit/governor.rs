//! The same decisions as `governor`, where the two are comparable.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::FakeRelativeClock;
use halfopen::Clock;
use halfopen_limit::{Quota, RateLimiter};
use proptest::prelude::*;

fn play(interval: u64, burst: u32, steps: Vec<(u64, u32)>) -> Result<(), TestCaseError> {
    let (clock, hands) = Clock::manual();
    let quota = Quota::calls(1).per(Duration::from_nanos(interval)).burst(burst).unwrap();
    let ours = RateLimiter::builder("tasks", quota).clock(clock).build();
    let their_clock = FakeRelativeClock::default();
    let quota = governor::Quota::with_period(Duration::from_nanos(interval)).unwrap();
    let burst = NonZeroU32::new(burst).unwrap();
    let theirs = governor::RateLimiter::direct_with_clock(quota.allow_burst(burst), their_clock.clone());
    for (by, calls) in steps {
        let by = Duration::from_nanos(by);
        hands.advance(by);
        their_clock.advance(by);
        let ours = ours.try_acquire_many(calls);
        match theirs.check_n(NonZeroU32::new(calls).unwrap()) {
            Ok(Ok(())) => prop_assert!(ours.is_ok()),
            Ok(Err(until)) => {
                let wait = until.wait_time_from(governor::clock::Clock::now(&their_clock));
                prop_assert_eq!(ours.unwrap_err().retry_after(), Some(wait));
            }
            Err(_) => prop_assert_eq!(ours.unwrap_err().retry_after(), None),
        }
    }
    Ok(())
}

#[test]
fn governor_decides_the_same() {
    let steps = prop::collection::vec((0..3_000_u64, 1..5_u32), 0..200);
    let histories = (100..2_000_u64, 1..6_u32, steps);
    crate::runner(300)
        .run(&histories, |(interval, burst, steps)| play(interval, burst, steps))
        .unwrap_or_else(|failure| panic!("{failure}"));
}
