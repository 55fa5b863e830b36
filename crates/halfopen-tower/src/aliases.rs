//! Names for the services of the layers' methods, whose type parameters need not be written out then.

#[cfg(feature = "tokio")]
use crate::Waiting;
use crate::{Boxed, CircuitBreakerService, DefaultClassify, Keyed, OnRejected, Single, Typed};

/// A service with one breaker per key: [`CircuitBreakerLayer::keyed`](crate::CircuitBreakerLayer::keyed).
pub type KeyedService<S, K, C = DefaultClassify, M = Boxed> = CircuitBreakerService<S, Keyed<K>, C, M>;

/// A service with typed errors: [`CircuitBreakerLayer::typed_errors`](crate::CircuitBreakerLayer::typed_errors).
pub type TypedService<S, C = DefaultClassify> = CircuitBreakerService<S, Single, C, Typed>;

/// A service that answers its rejected calls:
/// [`CircuitBreakerLayer::on_rejected`](crate::CircuitBreakerLayer::on_rejected).
pub type AnsweringService<S, A, C = DefaultClassify> = CircuitBreakerService<S, Single, C, OnRejected<A>>;

/// A service that waits: [`CircuitBreakerLayer::wait_while_open`](crate::CircuitBreakerLayer::wait_while_open).
#[cfg(feature = "tokio")]
pub type WaitingService<S, C = DefaultClassify, M = Boxed> = CircuitBreakerService<S, Waiting, C, M>;
