use std::path::Path;
use std::time::Duration;

use halfopen::{
    Abandoned, Backoff, CircuitBreaker, CircuitBreakerConfig, ConfigError, Event, HalfOpen, StateChange,
    Trip, Window,
};
use halfopen_config::{DocumentError, Loader};
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

/// The breaker of the protected client.
pub(crate) const NAME: &str = "server";

/// The numbers one would give an HTTP client that makes some twenty calls a second and gives up after
/// `timeout`; `pace` shortens all of them as it shortens the outage.
pub(crate) fn numbers(timeout: Duration, pace: Pace) -> Result<CircuitBreakerConfig, ConfigError> {
    CircuitBreakerConfig::builder()
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
        .build()
}

/// The numbers that a document gives the protected client.
///
/// Warnings are printed as `check_config` prints them.
///
/// # Errors
///
/// Everything that is wrong with the document, which reads as `check_config` prints it.
pub(crate) fn documented(file: &Path) -> Result<CircuitBreakerConfig, DocumentError> {
    let configuration = Loader::new().file(file).process_variables().load()?;
    for warning in configuration.warnings() {
        eprintln!("{warning}\n");
    }
    Ok(configuration.settings(NAME).config().clone())
}

/// A breaker with these numbers, which tells `listener` of each transition.
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
                // Nobody receives any more when the demonstration is over.
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
