use std::sync::OnceLock;
use std::time::Duration;

use super::{Backoff, CircuitBreakerConfig, HalfOpen, Trip, Window};

/// The configuration that is right when nothing is known; all defaults are one shared value.
impl Default for CircuitBreakerConfig {
    fn default() -> CircuitBreakerConfig {
        static DEFAULT: OnceLock<CircuitBreakerConfig> = OnceLock::new();
        DEFAULT.get_or_init(|| checked(CircuitBreakerConfig::builder().build())).clone()
    }
}

impl CircuitBreakerConfig {
    /// Opens on little evidence, and asks again soon: for a call that is cheap to go without.
    ///
    /// A cache, a recommendation, anything with a good fallback: there a slow failure costs more than
    /// a call not made. It opens at a failure rate of 0.3, of 3 calls at least, over the last 5 s, so
    /// that one failure of three is enough. For the same reason it will open at times without need,
    /// so a mistake is kept short: it waits 1 s (with a jitter of 0.2 and no growth), and one probe
    /// that succeeds closes it.
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

    /// Opens on strong evidence only, and closes on more than one success: for a call that nothing
    /// can stand in for.
    ///
    /// A payment, a login: there a call that is refused without need is lost business. It opens at a
    /// failure rate of 0.75, of 20 calls at least, over the last 30 s, which a brown-out does not
    /// reach and an outage does in as many calls. Once it is sure, the dependency needs room: it waits
    /// 2 s and twice as long each time, up to 30 s (with a jitter of 0.2), and two probes, one after
    /// the other, must succeed. It forgets one opening in a minute, so that a dependency that comes
    /// and goes is left alone longer.
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
    preset.expect("every number of a preset lies in its range")
}
