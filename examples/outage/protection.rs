use std::time::Duration;

use fusebox::{
    Abandoned, Backoff, CircuitBreaker, CircuitBreakerConfig, ConfigError, Event, HalfOpen, StateChange,
    Trip, Window,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::pace::Pace;

/// A state change, and the script moment at which the listener was told.
#[derive(Clone, Debug)]
pub(crate) struct Transition {
    pub(crate) at: Duration,
    pub(crate) change: StateChange,
    /// Script time until the breaker asks again, while it is open.
    pub(crate) wait: Option<Duration>,
}

/// The breaker of the protected client, which tells `listener` of each transition.
///
/// The numbers are those one would give an HTTP client that makes some twenty calls a second and
/// gives up after `timeout`; `pace` shortens all of them as it shortens the outage.
pub(crate) fn breaker(
    name: &str,
    timeout: Duration,
    pace: Pace,
    seed: u64,
    listener: UnboundedSender<Transition>,
) -> Result<CircuitBreaker, ConfigError> {
    let config = CircuitBreakerConfig::builder()
        .window(Window::last(pace.real(Duration::from_secs(3))).buckets(6))
        .trip(Trip::failure_rate(0.5).minimum_calls(20))
        .trip(Trip::slow_call_rate(0.6, pace.real(timeout / 2)).minimum_calls(20))
        .open_duration(pace.real(Duration::from_secs(1)))
        .backoff(Backoff::none().jitter(0.2))
        .hint_max(pace.real(Duration::from_secs(10)))
        .half_open(HalfOpen::new().max_calls(2).success_threshold(2).probe_timeout(pace.real(2 * timeout)))
        // The timeout lies outside the breaker and drops the call when it fires. A call that was
        // given up at that age is evidence of a hang; one that its caller dropped before is none.
        .abandoned(Abandoned::FailureAfter(pace.real(timeout.mul_f64(0.9))))
        .build()?;
    let breaker = CircuitBreaker::builder(name).config(config).seed(seed).build();
    breaker
        .on_event(move |breaker, event| {
            if let Event::StateChanged(change) = event {
                let wait = breaker.snapshot().retry_after.filter(|_| change.to == fusebox::State::Open);
                // Nobody receives any more when the demonstration is over.
                let _ = listener.send(Transition {
                    at: pace.now(),
                    change: change.clone(),
                    wait: wait.map(|wait| pace.scripted(wait)),
                });
            }
        })
        .forget();
    Ok(breaker)
}
