//! The layer for HTTP services, which inspects both the head and the body of a response.

mod future;
mod layer;
mod service;

pub use future::HttpResponseFuture;
pub use layer::HttpCircuitBreakerLayer;
pub use service::HttpCircuitBreakerService;
