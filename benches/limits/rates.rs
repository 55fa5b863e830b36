use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{MonotonicClock, QuantaClock};
use halfopen::Clock;
use halfopen_limit::{KeyedRateLimiter, Quota, RateLimiter};

use crate::harness::Case;

pub(crate) const GOVERNOR: &str = "governor 0.10 check, system clock";
pub(crate) const GOVERNOR_QUANTA: &str = "governor 0.10 check, quanta";

/// Far more calls than the benchmark makes, so that every call is permitted.
const BURST: u32 = 1_000_000_000;

/// A permitted call of a quota, with and without keys, on the clock of the operating system.
pub(crate) fn cases() -> Vec<Case> {
    let theirs = governor::RateLimiter::direct_with_clock(their_quota(), MonotonicClock);
    let ours = RateLimiter::new("tasks", quota());
    let keyed = KeyedRateLimiter::new("tenants", quota());
    let their_keyed = governor::RateLimiter::hashmap_with_clock(their_quota(), MonotonicClock);
    vec![
        case(GOVERNOR, move || theirs.check().is_ok()),
        case("halfopen, try_acquire", move || ours.try_acquire().is_ok()),
        case("governor 0.10 check_key, hash map", move || their_keyed.check_key(&black_box("acme")).is_ok()),
        case("halfopen, keyed, try_acquire", move || keyed.try_acquire(black_box("acme")).is_ok()),
    ]
}

/// The same on `quanta`'s clock, which is governor's default.
pub(crate) fn with_quanta() -> Vec<Case> {
    let theirs = governor::RateLimiter::direct_with_clock(their_quota(), QuantaClock::default());
    let ours = RateLimiter::builder("tasks", quota()).clock(quanta_clock()).build();
    vec![
        case(GOVERNOR_QUANTA, move || theirs.check().is_ok()),
        case("halfopen, try_acquire, quanta", move || ours.try_acquire().is_ok()),
    ]
}

fn quota() -> Quota {
    Quota::calls(1_000_000).per(Duration::from_secs(1)).burst(BURST).expect("a quota")
}

fn their_quota() -> governor::Quota {
    let burst = NonZeroU32::new(BURST).expect("not zero");
    governor::Quota::with_period(Duration::from_micros(1)).expect("a period").allow_burst(burst)
}

fn quanta_clock() -> Clock {
    let clock = quanta::Clock::new();
    let start = clock.raw();
    Clock::from_nanos(move || clock.delta_as_nanos(start, clock.raw()))
}

/// A case in which every call must have been permitted.
fn case(name: &str, call: impl Fn() -> bool + 'static) -> Case {
    Case::new(name, move |calls| {
        for _ in 0..calls {
            assert!(call(), "the quota is not used up");
        }
    })
}
