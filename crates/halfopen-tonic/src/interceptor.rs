use halfopen::CircuitBreaker;
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::rejected_status;

/// Rejects calls while a breaker is open, and records nothing.
///
/// An interceptor sees the metadata of a request but not the response, so it can reject calls but not record their
/// outcomes. This one calls [`check`](CircuitBreaker::check), counts its rejections, and acquires no permit. It
/// therefore neither opens nor closes the breaker, and does not limit the probes. **The outcomes must be recorded
/// elsewhere**, by a [`GrpcCircuitBreakerLayer`](crate::GrpcCircuitBreakerLayer) or a
/// [`ResilientGrpcClient`](crate::ResilientGrpcClient) with the same breaker. Where the layer can be used, use the layer
/// alone.
///
/// tonic converts the error of an interceptor to a response. The caller's status has the code, the message and the
/// details of [`rejected_status`](crate::rejected_status), but no source, so that [`halfopen::rejection`] returns
/// [`None`] for it.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, CircuitBreakerConfig};
/// use halfopen_tonic::CircuitBreakerInterceptor;
/// use tonic::{Code, Request, service::Interceptor};
///
/// let breaker = CircuitBreaker::new("inventory", CircuitBreakerConfig::default());
/// let mut interceptor = CircuitBreakerInterceptor::new(breaker.clone());
/// // let client = InventoryClient::with_interceptor(channel, interceptor);
/// assert!(interceptor.call(Request::new(())).is_ok());
///
/// breaker.force_open();
/// assert_eq!(interceptor.call(Request::new(())).unwrap_err().code(), Code::Unavailable);
/// assert_eq!(breaker.snapshot().totals.rejected, 1);
/// ```
#[derive(Clone)]
pub struct CircuitBreakerInterceptor {
    breaker: CircuitBreaker,
}

impl CircuitBreakerInterceptor {
    /// Creates an interceptor that rejects calls while `breaker` is open.
    pub fn new(breaker: CircuitBreaker) -> CircuitBreakerInterceptor {
        CircuitBreakerInterceptor { breaker }
    }
}

impl Interceptor for CircuitBreakerInterceptor {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        match self.breaker.check() {
            Ok(()) => Ok(request),
            Err(rejected) => {
                // A check counts nothing by itself, but here the call is not made.
                halfopen::adapter::count_rejection(&self.breaker, &rejected);
                Err(rejected_status(rejected))
            }
        }
    }
}

impl std::fmt::Debug for CircuitBreakerInterceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CircuitBreakerInterceptor").field("breaker", &self.breaker.name()).finish()
    }
}
