//! A breaker on a clock that the test moves, an inner service that records its polls and calls, and manual
//! polls.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, ManualClock};
use halfopen::{Totals, Trip};
use test_support::breaker::clocked;
use tower::Service;

use test_support::service::{Do, Done, Journal};

pub(crate) const WAIT: Duration = Duration::from_secs(10);
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) breaker: CircuitBreaker,
    pub(crate) clock: ManualClock,
    pub(crate) journal: Journal,
}

impl World {
    /// Opens at the third consecutive failure, for exactly `WAIT`; one probe closes it.
    pub(crate) fn new() -> Self {
        Self::with(|config| config)
    }

    pub(crate) fn with(
        change: impl FnOnce(CircuitBreakerConfigBuilder) -> CircuitBreakerConfigBuilder,
    ) -> Self {
        let config = CircuitBreakerConfig::builder()
            .trip(Trip::consecutive_failures(3))
            .open_duration(WAIT)
            .backoff(Backoff::none());
        let config = change(config).build().unwrap();
        let (breaker, clock) = clocked("inner", config);
        World { breaker, clock, journal: Journal::default() }
    }

    /// Open, and the wait is over: the next call is a probe.
    pub(crate) fn probing() -> Self {
        let world = Self::new();
        world.breaker.trip();
        world.clock.advance(WAIT);
        world
    }

    pub(crate) fn totals(&self) -> Totals {
        self.breaker.snapshot().totals
    }
}

/// Runs a test in its own runtime, whose clock advances only when the runtime is idle.
pub(crate) fn in_runtime<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(test)
}

/// One poll, with a no-op waker.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

pub(crate) fn poll_ready<S: Service<Do>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    service.poll_ready(&mut Context::from_waker(Waker::noop()))
}

/// Polls the service ready, calls it, and polls the call, which must be ready.
pub(crate) fn call<S: Service<Do, Response = Done>>(service: &mut S, request: Do) -> Result<Done, S::Error> {
    match poll_ready(service) {
        Poll::Ready(Ok(())) => {}
        Poll::Ready(Err(error)) => return Err(error),
        Poll::Pending => panic!("the service is not ready"),
    }
    finish(service.call(request))
}

/// Polls a future once, which must be ready.
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    match poll(std::pin::pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the call is not done"),
    }
}
