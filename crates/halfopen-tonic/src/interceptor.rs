use halfopen::CircuitBreaker;
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::rejected_status;

/// Rejects calls while a breaker is open, and records nothing.
///
/// An interceptor sees a request's metadata and no answer, so it can reject and cannot observe. This one
/// asks with [`check`](CircuitBreaker::check), counts its rejections, and takes no permit, since nothing would record
/// its outcome. So it opens nothing, closes nothing and limits no probes: **something else must feed the breaker**, a
/// [`GrpcCircuitBreakerLayer`](crate::GrpcCircuitBreakerLayer) or a
/// [`ResilientGrpcClient`](crate::ResilientGrpcClient) on the same one. If you can use the layer, use it alone.
///
/// tonic turns an interceptor's error into an answer, so that the status of the caller has the code, the message
/// and the details of [`rejected_status`](crate::rejected_status), and no source:
/// [`halfopen::rejection`] finds nothing in it.
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
    /// An interceptor that rejects calls while this breaker is open.
    pub fn new(breaker: CircuitBreaker) -> CircuitBreakerInterceptor {
        CircuitBreakerInterceptor { breaker }
    }
}

impl Interceptor for CircuitBreakerInterceptor {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        match self.breaker.check() {
            Ok(()) => Ok(request),
            Err(rejected) => {
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
