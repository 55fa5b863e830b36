//! The layer in each of its modes, over the same inner service.

use std::borrow::Cow;

use halfopen::{CircuitBreaker, CircuitBreakerError, Registry, Rejected};
use halfopen_tower::{
    AnsweringService, BoxError, CircuitBreakerLayer, CircuitBreakerService, KeyedService, TypedService,
    WaitingService,
};
use tower::{Layer, Service};

use crate::world::World;
use test_support::service::{Broken, Do, Done, Inner};

/// Creates a test for each claim (a function that is generic over its mode) in each of the modes.
macro_rules! holds {
    ([$($claim:ident),* $(,)?] in $modes:tt) => {
        macro_rules! claims {
            ($mode:ident) => { $( #[test] fn $claim() { super::$claim::<crate::modes::$mode>(); } )* };
        }
        crate::modes::holds!(@ $modes);
    };
    (@ [$($module:ident: $mode:ident),* $(,)?]) => {
        $( mod $module { claims!($mode); } )*
    };
}
pub(crate) use holds;

pub(crate) trait Mode {
    type Service: Service<Do, Response = Done, Error = Self::Error, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static;
    type Error: Into<BoxError> + Send + Sync + 'static;

    fn service(world: &World) -> Self::Service;

    /// The rejection in an error, if there is one.
    fn rejection(error: &Self::Error) -> Option<&Rejected>;

    /// The inner service's own error, unchanged.
    fn inner(error: Self::Error) -> Option<Broken>;
}

pub(crate) struct BoxedErrors;
pub(crate) struct TypedErrors;
pub(crate) struct OnRejected;
pub(crate) struct PerKey;
pub(crate) struct WaitWhileOpen;

impl Mode for BoxedErrors {
    type Service = CircuitBreakerService<Inner>;
    type Error = BoxError;

    fn service(world: &World) -> Self::Service {
        CircuitBreakerLayer::new(world.breaker.clone()).layer(world.journal.service())
    }

    fn rejection(error: &BoxError) -> Option<&Rejected> {
        error.downcast_ref()
    }

    fn inner(error: BoxError) -> Option<Broken> {
        error.downcast().ok().map(|error| *error)
    }
}

impl Mode for TypedErrors {
    type Service = TypedService<Inner>;
    type Error = CircuitBreakerError<Broken>;

    fn service(world: &World) -> Self::Service {
        CircuitBreakerLayer::new(world.breaker.clone()).typed_errors().layer(world.journal.service())
    }

    fn rejection(error: &Self::Error) -> Option<&Rejected> {
        error.rejected()
    }

    fn inner(error: Self::Error) -> Option<Broken> {
        error.into_inner()
    }
}

type Answer = fn(Rejected, Do) -> Result<Done, Broken>;

impl Mode for OnRejected {
    type Service = AnsweringService<Inner, Answer>;
    type Error = Broken;

    fn service(world: &World) -> Self::Service {
        let answer: Answer = |rejected, _| Err(Broken::Refused(rejected));
        CircuitBreakerLayer::new(world.breaker.clone()).on_rejected(answer).layer(world.journal.service())
    }

    fn rejection(error: &Broken) -> Option<&Rejected> {
        match error {
            Broken::Refused(rejected) => Some(rejected),
            Broken::InCall | Broken::InPollReady => None,
        }
    }

    fn inner(error: Broken) -> Option<Broken> {
        Some(error)
    }
}

/// A registry with one breaker.
pub(crate) fn only(breaker: CircuitBreaker) -> Registry {
    let registry = Registry::new();
    registry.insert(breaker).unwrap();
    registry
}

type Key = fn(&Do) -> Cow<'_, str>;

impl Mode for PerKey {
    type Service = KeyedService<Inner, Key>;
    type Error = BoxError;

    fn service(world: &World) -> Self::Service {
        let key: Key = |_| Cow::Borrowed("inner");
        CircuitBreakerLayer::keyed(only(world.breaker.clone()), key).layer(world.journal.service())
    }

    fn rejection(error: &BoxError) -> Option<&Rejected> {
        BoxedErrors::rejection(error)
    }

    fn inner(error: BoxError) -> Option<Broken> {
        BoxedErrors::inner(error)
    }
}

impl Mode for WaitWhileOpen {
    type Service = WaitingService<Inner>;
    type Error = BoxError;

    fn service(world: &World) -> Self::Service {
        CircuitBreakerLayer::new(world.breaker.clone()).wait_while_open().layer(world.journal.service())
    }

    fn rejection(error: &BoxError) -> Option<&Rejected> {
        BoxedErrors::rejection(error)
    }

    fn inner(error: BoxError) -> Option<Broken> {
        BoxedErrors::inner(error)
    }
}
