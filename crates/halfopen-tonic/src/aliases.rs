//! Names for the services that the methods of [`GrpcCircuitBreakerLayer`] lead to, so that the type parameters need
//! not be written out.

use halfopen_tower::adapter::{Keyed, Single};

#[cfg(doc)]
use crate::GrpcCircuitBreakerLayer;
use crate::on_reject::{StatusError, TrailersOnly};
use crate::service::GrpcCircuitBreakerService;

/// A service with one breaker per key: [`GrpcCircuitBreakerLayer::per_method`] and
/// [`GrpcCircuitBreakerLayer::per_service`].
pub type KeyedService<S, K, M = StatusError> = GrpcCircuitBreakerService<S, Keyed<K>, M>;

/// A service that answers rejected calls with a status: [`GrpcCircuitBreakerLayer::trailers_only`].
pub type TrailersOnlyService<S, A = Single> = GrpcCircuitBreakerService<S, A, TrailersOnly>;

/// A service that waits while its breaker is open: [`GrpcCircuitBreakerLayer::wait_while_open`].
#[cfg(feature = "tokio")]
pub type WaitingService<S, M = StatusError> =
    GrpcCircuitBreakerService<S, halfopen_tower::adapter::Waiting, M>;
