//! The layer for HTTP services, which sees the body of a response as well as its head.

mod future;
mod layer;
mod service;

pub use future::HttpResponseFuture;
pub use layer::HttpCircuitBreakerLayer;
pub use service::HttpCircuitBreakerService;
