use std::time::Duration;

use seatbelt::breaker::Breaker;
use seatbelt::{RecoveryInfo, ResilienceContext};
use tower_layer::Layer;
use tower_service::Service;

use crate::configs::LONG;
use crate::services::Failed;

/// breaker 2: half of the last 100 calls.
pub(crate) fn breaker_two<S>(inner: S) -> breaker::tower::BreakerService<S> {
    breaker::tower::BreakerLayer::new(breaker_two_direct()).layer(inner)
}

/// The same without a stack.
pub(crate) fn breaker_two_direct() -> breaker::CircuitBreaker {
    let config = breaker::CircuitBreakerConfig::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(100)
        .minimum_calls(10)
        // Its rule of consecutive failures cannot be disabled.
        .consecutive_failures(u32::MAX)
        .wait_duration(LONG)
        .build();
    breaker::CircuitBreaker::new(config)
}

/// tower-resilience: half of the last 100 calls.
pub(crate) fn resilience<S>(
    inner: S,
) -> tower_resilience_circuitbreaker::CircuitBreaker<S, tower_resilience_circuitbreaker::DefaultClassifier> {
    let layer = tower_resilience_circuitbreaker::CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(100)
        .minimum_number_of_calls(10)
        .wait_duration_in_open(LONG)
        .build()
        .expect("its configuration is valid");
    layer.layer_fn(inner)
}

/// seatbelt: half of the calls of ten seconds; it has no count window. Building it requires a runtime.
pub(crate) fn seatbelt<S>(
    inner: S,
) -> impl Service<u64, Response = u64, Error = Failed, Future: Send> + Clone + Send + 'static
where
    S: Service<u64, Response = u64, Error = Failed, Future: Send> + Clone + Send + Sync + 'static,
{
    let context = ResilienceContext::new(tick::Clock::new_tokio());
    Breaker::layer("upstream", &context)
        .recovery_with(|result: &Result<u64, Failed>, _| match result {
            Ok(_) => RecoveryInfo::never(),
            Err(_) => RecoveryInfo::retry(),
        })
        .rejected_input_error(|_, _| Failed)
        .failure_threshold(0.5)
        .min_throughput(10)
        .sampling_duration(Duration::from_secs(10))
        .break_duration(LONG)
        .layer(inner)
}
