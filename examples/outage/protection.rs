use std::time::Duration;

use clap::ValueEnum;

use halfopen::{
    Adaptive, Backoff, CircuitBreaker, CircuitBreakerConfig, ConfigError, Event, HalfOpen, Slow, StateChange,
    Trip, Window,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::pace::Pace;

/// A state change, and the script time at which the listener received it.
#[derive(Clone, Debug)]
pub(crate) struct Transition {
    pub(crate) at: Duration,
    pub(crate) change: StateChange,
    /// Script time until the next probe, while the breaker is open.
    pub(crate) wait: Option<Duration>,
}

/// The breaker of the protected client.
pub(crate) const NAME: &str = "server";

/// How the breaker decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Fixed rules: thresholds, a window, a wait.
    Rules,
    /// Adaptive: it learns when to open and to close.
    Adaptive,
}

/// The settings of this kind.
pub(crate) fn settings(
    kind: Kind,
    timeout: Duration,
    pace: Pace,
) -> Result<CircuitBreakerConfig, ConfigError> {
    match kind {
        Kind::Rules => rules(timeout, pace),
        Kind::Adaptive => adaptive(timeout, pace),
    }
}

/// An answer is slow after half the `timeout`, as with the rules.
fn adaptive(timeout: Duration, pace: Pace) -> Result<CircuitBreakerConfig, ConfigError> {
    let numbers = Adaptive::new()
        .slow(Slow::limit(pace.real(timeout / 2)))
        .max_probe_gap(pace.real(Duration::from_secs(2)));
    CircuitBreakerConfig::builder().adaptive(numbers).hint_max(pace.real(Duration::from_secs(10))).build()
}

/// Settings for an HTTP client that makes about twenty calls a second, each with this `timeout`; `pace` scales
/// them as it scales the outage.
fn rules(timeout: Duration, pace: Pace) -> Result<CircuitBreakerConfig, ConfigError> {
    CircuitBreakerConfig::builder()
        .window(Window::last(pace.real(Duration::from_secs(3))).buckets(6))
        .trip(Trip::failure_rate(0.5).minimum_calls(20))
        .trip(Trip::slow_call_rate(0.6, pace.real(timeout / 2)).minimum_calls(20))
        .open_duration(pace.real(Duration::from_secs(1)))
        .backoff(Backoff::none().jitter(0.2))
        .hint_max(pace.real(Duration::from_secs(10)))
        .half_open(HalfOpen::new().max_calls(2).success_threshold(2).probe_timeout(pace.real(2 * timeout)))
        .build()
}

/// A breaker with these settings that sends each transition to `listener`.
pub(crate) fn breaker(
    config: CircuitBreakerConfig,
    pace: Pace,
    seed: u64,
    listener: UnboundedSender<Transition>,
) -> CircuitBreaker {
    let breaker = CircuitBreaker::builder(NAME).config(config).seed(seed).build();
    breaker
        .on_event(move |breaker, event| {
            if let Event::StateChanged(change) = event {
                let wait = breaker.snapshot().retry_after.filter(|_| change.to == halfopen::State::Open);
                // The receiver has been dropped when the demonstration is over.
                let _ = listener.send(Transition {
                    at: pace.now(),
                    change: change.clone(),
                    wait: wait.map(|wait| pace.scripted(wait)),
                });
            }
        })
        .forget();
    breaker
}
