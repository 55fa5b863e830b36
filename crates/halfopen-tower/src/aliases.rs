//! Names for what the methods of [`CircuitBreakerLayer`] return, so that the type parameters need not be written
//! out.

use crate::admission::Single;
use crate::classify::{Custom, DefaultClassify};
use crate::keyed::Keyed;
use crate::layer::CircuitBreakerLayer;
use crate::on_reject::{Boxed, OnRejected, Typed};
use crate::service::CircuitBreakerService;
#[cfg(feature = "tokio")]
use crate::wait::Waiting;

/// A layer with a classifier of the user's: [`CircuitBreakerLayer::classify`].
pub type ClassifiedLayer<C> = CircuitBreakerLayer<Single, Custom<C>, Boxed>;

/// A service with a classifier of the user's: [`CircuitBreakerLayer::classify`].
pub type ClassifiedService<S, C> = CircuitBreakerService<S, Single, Custom<C>, Boxed>;

/// A service with one breaker per key: [`CircuitBreakerLayer::keyed`].
pub type KeyedService<S, K, C = DefaultClassify, M = Boxed> = CircuitBreakerService<S, Keyed<K>, C, M>;

/// A service with typed errors: [`CircuitBreakerLayer::typed_errors`].
pub type TypedService<S, C = DefaultClassify> = CircuitBreakerService<S, Single, C, Typed>;

/// A service that answers rejected calls with a function: [`CircuitBreakerLayer::on_rejected`].
pub type AnsweringService<S, A, C = DefaultClassify> = CircuitBreakerService<S, Single, C, OnRejected<A>>;

/// A service that waits while its breaker is open: [`CircuitBreakerLayer::wait_while_open`].
#[cfg(feature = "tokio")]
pub type WaitingService<S, C = DefaultClassify, M = Boxed> = CircuitBreakerService<S, Waiting, C, M>;
