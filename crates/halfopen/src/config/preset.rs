use std::sync::OnceLock;
use std::time::Duration;

use super::{Adaptive, Backoff, CircuitBreakerConfig, HalfOpen, Trip, Window};

impl Default for CircuitBreakerConfig {
    /// Returns the configuration for a dependency of which nothing is known. All defaults share one value.
    fn default() -> CircuitBreakerConfig {
        static DEFAULT: OnceLock<CircuitBreakerConfig> = OnceLock::new();
        DEFAULT.get_or_init(|| checked(CircuitBreakerConfig::builder().build())).clone()
    }
}

impl CircuitBreakerConfig {
    /// Returns a preset with nothing to choose: the breaker learns the normal behaviour, opens when a call is not worth making,
    /// and comes back by a ramp ([`Adaptive::new`]).
    ///
    /// On long outages it is far ahead of fixed numbers; on incidents of a second or two it gains a little more than
    /// they do, at a little more risk. With a service level objective, set [`Slow::limit`](crate::Slow::limit); where only errors matter,
    /// [`Slow::off`](crate::Slow::off). It belongs around one endpoint, whose calls are alike, and it needs a classifier that does not
    /// count the caller's own mistakes.
    ///
    /// While it is closed and does not doubt its dependency, a call takes no lock. It reads the clock twice, as with a
    /// slow-call rule, and costs about as much as with one.
    pub fn adaptive() -> CircuitBreakerConfig {
        static ADAPTIVE: OnceLock<CircuitBreakerConfig> = OnceLock::new();
        let preset = || CircuitBreakerConfig::builder().adaptive(Adaptive::new()).build();
        ADAPTIVE.get_or_init(|| checked(preset())).clone()
    }

    /// Returns a preset that opens on little evidence and probes soon, for calls that are easy to do without.
    ///
    /// For a cache, a recommendation or anything else with a good fallback, a slow failure costs more than
    /// a call that is not made. The preset opens at a failure rate of 0.3 of at least 3 calls in the last 5 s, so
    /// one failure of three calls is enough. It therefore also opens without need at times, and keeps such openings
    /// short: it waits 1 s (with a jitter of 0.2 and without growth), and one successful probe closes it.
    pub fn aggressive() -> CircuitBreakerConfig {
        static AGGRESSIVE: OnceLock<CircuitBreakerConfig> = OnceLock::new();
        let preset = || {
            CircuitBreakerConfig::builder()
                .trip(Trip::failure_rate(0.3).minimum_calls(3))
                .window(Window::last(Duration::from_secs(5)))
                .open_duration(Duration::from_secs(1))
                .build()
        };
        AGGRESSIVE.get_or_init(|| checked(preset())).clone()
    }

    /// Returns a preset that opens only on strong evidence and closes after more than one success, for calls without
    /// a substitute.
    ///
    /// For a payment or a login, a call that is rejected without need is lost business. The preset opens at a
    /// failure rate of 0.75 of at least 20 calls in the last 30 s, which an outage reaches within 20 calls and a
    /// partial failure does not reach. Then it gives the dependency time to recover: it waits 2 s and twice as long
    /// each time, up to 30 s (with a jitter of 0.2), and two consecutive probes must succeed. It forgets one opening
    /// per minute, so the waits of a flapping dependency keep growing.
    pub fn conservative() -> CircuitBreakerConfig {
        static CONSERVATIVE: OnceLock<CircuitBreakerConfig> = OnceLock::new();
        let backoff = Backoff::exponential(2.0).max(Duration::from_secs(30)).jitter(0.2);
        let preset = || {
            CircuitBreakerConfig::builder()
                .trip(Trip::failure_rate(0.75).minimum_calls(20))
                .window(Window::last(Duration::from_secs(30)))
                .backoff(backoff.forget_after(Duration::from_secs(60)))
                .half_open(HalfOpen::new().success_threshold(2))
                .build()
        };
        CONSERVATIVE.get_or_init(|| checked(preset())).clone()
    }
}

fn checked(preset: Result<CircuitBreakerConfig, super::ConfigError>) -> CircuitBreakerConfig {
    preset.expect("the values of a preset are valid")
}
